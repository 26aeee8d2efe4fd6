"""qqloan config: a setting with its origin, dates and law; and whether a whole configuration can be right."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, as_date
from qqloan_cli.errors import ConfigError

_Key = Annotated[str, typer.Argument(metavar="KEY", help="FILE.NAME, e.g. limit.payment.stress, limit.grade.C.cap, products.cash_loan.amount_max, regulation.rate.bank24.", show_default=False)]
_AsOf = Annotated[str, typer.Option("--as-of", metavar="DATE", help="The law of this date (default: today's).", show_default=False)]
_Format = Annotated[str, typer.Option("--format", help="table or json.")]


def show(
    key: _Key,
    origin: Annotated[bool, typer.Option("--origin", help="File and line, and which configuration is in force.")] = False,
    as_of: _AsOf = "",
    config: Config = None,
    format: _Format = "table",
) -> int:
    """A setting's value; with --origin its file and line; with it the regulation that bears on it on a date."""
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.settings import find
    from qqloan_cli.reports import formats, policy

    formats.known(format)
    date = as_date(as_of) if as_of else datetime.date.today()
    folder = config_dir(config)
    setting, said = find(folder, key, date), f"{folder} ({_chosen_by(config)})"
    if format == "json":
        print(json.dumps(policy.setting_document(setting, said, date.isoformat()), ensure_ascii=False, indent=1))
    else:
        policy.show_setting(setting, said, origin)
    return 0


def check(config: Config = None, format: Annotated[str, typer.Option("--format", help="table, json, jsonl or csv.")] = "table") -> int:
    """Read every file, hold them against one another, and run the rules' examples; all findings at once."""
    from qqloan_cli.policy.check import check as look
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import formats, policy

    formats.known(format, ("table", "json", "jsonl", "csv"))
    folder = config_dir(config)
    rows = look(folder)
    policy.show_check(rows, format)
    wrong = [row["what"] for row in rows if not row["ok"]]
    if wrong:
        raise ConfigError("config-wrong", f"{len(wrong)} of {len(rows)} checks failed: {', '.join(wrong)}", str(folder), "The list says what is wrong with each.")
    return 0


def _chosen_by(option: Path | None) -> str:
    """Options override the environment, which overrides ./configs, which overrides what is shipped."""
    if option is not None:
        return "--config"
    if os.environ.get("QQLOAN_CONFIG"):
        return "QQLOAN_CONFIG"
    return "./configs" if (Path("configs") / "products.toml").is_file() else "shipped with qqloan"


app = group("config", "Settings with their origin, dates and law.", show, check)
