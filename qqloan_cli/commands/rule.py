"""qqloan rule: a policy rule or reason code in full, the list of rules, and the facts they may name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config
from qqloan_cli.errors import UsageError


def rule(
    code: Annotated[Optional[str], typer.Argument(metavar="[CODE]", help="A code, e.g. R-LIAN3-LEI6 or L-CAP-INCOME; none: all rules.", show_default=False)] = None,
    lang: Annotated[str, typer.Option("--lang", help="en or zh.", envvar="QQLOAN_LANG")] = "en",
    facts: Annotated[bool, typer.Option("--facts", help="List the facts that a rule may name.")] = False,
    hits: Annotated[Optional[Path], typer.Option("--hits", metavar="RUN", help="What the rules did in a run: hits, and those never hit, always hit, shadowed, overlapping.", show_default=False)] = None,
    config: Config = None,
    format: Annotated[str, typer.Option("--format", help="table or json; of the lists also jsonl, csv, parquet.")] = "table",
) -> int:
    """What a rule does, why, what a missing value does, and cases that it hits and misses; of any other code, what it says."""
    import pyarrow as pa

    from qqloan_cli.policy.facts import FACTS
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.rules import load_rules
    from qqloan_cli.reports import formats, policy

    if lang not in ("en", "zh"):
        raise UsageError("lang-unknown", f"--lang {lang} is not known", hint="Use en or zh.")
    if facts:
        formats.emit(pa.Table.from_pylist([fact._asdict() for fact in FACTS]), format)
        return 0
    if hits is not None:
        from qqloan_cli.engine.run import Run
        from qqloan_cli.policy.usage import usage

        formats.emit(usage(Run.open(hits)), format)
        return 0
    rules = load_rules(config_dir(config))
    if code is None:
        formats.emit(pa.Table.from_pylist(policy.rule_rows(rules, lang)), format)
        return 0
    code = code.upper()
    if code not in rules.reasons:
        import difflib

        near = difflib.get_close_matches(code, rules.reasons, 3)
        raise UsageError("code-unknown", f"no rule or reason {code}", hint=f"Near: {', '.join(near)}." if near else "qqloan rule lists the rules.")
    formats.known(format)
    found = next((one for one in rules if one.code == code), None)
    if format == "json":
        print(json.dumps(policy.rule_document(code, found, rules.reasons[code], lang), ensure_ascii=False, indent=1))
    else:
        policy.show_rule(code, found, rules.reasons[code], lang)
    return 0
