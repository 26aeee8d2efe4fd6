"""The nightly report as one document: what matters first, then every figure with its rows and the SQL that gave it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.oversight import figures, reserve
from qqloan_cli.oversight.compliance import made
from qqloan_cli.oversight.compliance.check import Law, compliance, file_of, query
from qqloan_cli.oversight.compliance.letters import written
from qqloan_cli.oversight.monitor import look
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.oversight.watched import ASKED
from qqloan_cli.policy import drift
from qqloan_cli.policy.monitor import load_monitoring
from qqloan_cli.policy.reasons import load_reasons

DRIFT = Path(drift.__file__).with_suffix(".sql")
_A_MONTH = datetime.timedelta(31)  # of the book's contracts those of the last month are looked at every night; all of them by qqloan compliance
_EVIDENCE = 20  # rows of a rule that is broken


class Beside(NamedTuple):
    """What may be given besides runs and a book: a file of outcomes, the archive with people's decisions, folders of letters."""

    outcomes: Path | None = None
    archive: Path | None = None
    notices: list[Path] = []


def nightly(sight: Sight, config: Path, beside: Beside = Beside()) -> dict:
    """``status``, ``alerts`` and ``measures`` (monitor.py), ``rules`` with ``offending`` rows (compliance/), ``figures`` (name, section, rows,
    sql, beneath) and ``left_out``. ``config``: the folder that limits and rules are read from."""
    since = sight.at - _A_MONTH if sight.at else None
    if sight.book is not None:
        sight.work_out("state", "panel")
        reserve.work_out(sight, config)
    made.work_out(sight, since)
    looked = look(sight, load_monitoring(config), beside.outcomes, beside.archive)
    as_of = max([*sight.dates[:1], *([sight.at] if sight.at else [])])
    checked = compliance(sight, Law.of(config), as_of, letters=written(beside.notices) if beside.notices else None, since=since)
    rules = [{**rule, "query": file_of(rule["topic"])} for rule in checked.rules.to_pylist()]
    alerts, measures = sorted(looked.alerts.to_pylist(), key=lambda alert: alert["severity"] != "red"), looked.measures.to_pylist()
    taken, left_out = [], []
    for name, section in figures.FIGURES.items():
        lacks = figures.lacking(sight, name)
        if lacks:
            left_out.append({"name": name, "section": section, "lacks": lacks})
            continue
        taken.append({"name": name, "section": section, "rows": figures.take(sight, name).to_pylist(), "sql": figures.sql(name), "beneath": figures.beneath(sight, name)})
    return {
        "as_of": as_of,
        "runs": [{"run_id": run.run_id, "as_of": run.as_of} for run in sight.runs if sight.age(run) == 0],
        "before": sight.dates[1] if len(sight.dates) > 1 else None,
        "book": None if sight.book is None else {"name": sight.book.root.name, "closed_to": sight.at},
        "status": _worst([*(alert["severity"] for alert in alerts), *("red" for rule in rules if rule["status"] == "failed")]),
        "words": _reasons(sight, taken), "alerts": alerts, "measures": measures, "rules": rules,
        "queries": {"measures": {path.name: path.read_text(encoding="utf-8") for path in sorted(ASKED.glob("*.sql"))}, "csi": {DRIFT.name: DRIFT.read_text(encoding="utf-8")}, "rules": _queries(rules)},
        "offending": {name: rows.slice(0, _EVIDENCE).to_pylist() for name, rows in checked.rows.items()}, "figures": taken, "left_out": left_out, "notes": sight.notes,
    }


def _queries(rules: list[dict]) -> dict[str, str]:
    """Of every topic whose rules were held against anything."""
    topics = {rule["topic"] for rule in rules if rule["looked_at"] is not None or rule["offending"] is not None}
    return {file_of(topic): query(topic) for topic in sorted(topics)}


def _worst(severities: list[str]) -> str:
    return next((severity for severity in ("red", "amber") if severity in severities), "green")


def _reasons(sight: Sight, taken: list[dict]) -> dict[str, dict[str, str]]:
    """The words of every reason code in the figures, as the latest run had them."""
    reasons = load_reasons(sight.runs[-1].config_dir) if sight.runs else {}
    codes = {row["code"] for figure in taken for row in figure["rows"] if "code" in row}
    return {code: {lang: reasons[code].text(lang) for lang in ("en", "zh")} for code in sorted(codes) if code in reasons}
