"""Rules and what was found of each, on the terminal: what is failed or not known first."""

from __future__ import annotations

from qqloan_cli.reports import formats
from qqloan_cli.reports.money import yuan

_ORDER = ("failed", "unknown", "passed", "not_applicable")
_EVIDENCE = 3  # rows of each rule that are shown


def show(rules, rows: dict, day: str) -> None:
    """``rules``, ``rows``: of a check (oversight/compliance/check.py)."""
    listed = sorted(rules.to_pylist(), key=lambda rule: (_ORDER.index(rule["status"]), rule["rule_id"]))
    formats.draw(
        ["result", "rule", "looked at", "offending", "kind", "sure", "document", "note"],
        [[rule["status"].replace("_", " "), rule["rule_id"], _count(rule["looked_at"]), _count(rule["offending"]), rule["kind"], rule["certainty"], rule["document"], rule["note"] or ""] for rule in listed],
        f"Rules as of {day}", [False, False, True, True, False, False, False, False],
    )
    for rule in listed:
        if rule["rule_id"] in rows:
            of = rows[rule["rule_id"]]
            formats.draw(["in", "subject", "day", "found", "allowed", "yuan"], [
                [row["made_in"], row["subject"], str(row["on_date"]), _number(row["found"]), _number(row["allowed"]), "-" if row["amount_fen"] is None else yuan(row["amount_fen"])] for row in of.slice(0, _EVIDENCE).to_pylist()
            ], f"{rule['rule_id']}: {len(of):,} rows" + (f", the first {_EVIDENCE}" if len(of) > _EVIDENCE else ""), [False, False, False, True, True, True])


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.6g}"
