"""The same question answered exactly: sealed runs decided anew with the coming rule in force, from the limit stage on, funding and all."""

from __future__ import annotations

import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

from qqloan_cli.archive.layout import Archive
from qqloan_cli.archive.redecide import redecide
from qqloan_cli.engine.files import write_text
from qqloan_cli.engine.run import Run
from qqloan_cli.policy.products import load_lender
from qqloan_cli.policy.regulation import Regulation

_PUT_IN_FORCE = """[[rule]]
id = "{id}.impact"
topic = "{topic}"
{value}
licence = ["{licence}"]
{of}from = 2000-01-01
kind = "law"
document = "{id}, looked at as if it were in force"
source = "qqloan compliance impact"
certainty = "H"
verified_through = 9999-12-31

"""


def anew(archive: Archive, runs: list[Run], rules: list[Regulation], caps_ppm: dict[str, int | None], workers: int, events) -> list[dict]:
    """One a run: run_id, from_stage, swapped, sums, moved (archive/redecide.py). ``caps_ppm``: of the price caps; None where each application's own
    date decides. Raises UsageError where a run is not sealed in ``archive``."""
    entries = [(run, archive.find(run.run_id)) for run in runs]
    found = []
    for run, entry in entries:
        with tempfile.TemporaryDirectory(prefix="qqloan-impact-") as scratch:
            config = Path(scratch) / "config"
            shutil.copytree(run.config_dir, config)
            write_text(config / "regulation" / "impact.toml", "".join(_text(rule, caps_ppm.get(rule.id), load_lender(config).licence) for rule in rules))
            told = redecide(archive, entry, Path(scratch) / "anew", config, None, workers, events)
        found.append({"run_id": entry.name, "from_stage": told.from_stage, "swapped": told.swapped, "sums": told.sums, "moved": told.moved})
    return found


def _text(rule: Regulation, cap_ppm: int | None, licence: str) -> str:
    if rule.topic == "price_cap":
        value = f"lpr_multiple = {rule.lpr_multiple}" if cap_ppm is None else f"value = {Decimal(cap_ppm) / 1_000_000}"
    else:
        value = f"value = {rule.value}"
    of = f'product_kind = "{rule.product_kind}"\n' if rule.product_kind else ""
    of += f"method = [{', '.join(repr(str(name)) for name in rule.method)}]\n" if rule.method else ""
    return _PUT_IN_FORCE.format(id=rule.id, topic=rule.topic, value=value, licence=licence, of=of)
