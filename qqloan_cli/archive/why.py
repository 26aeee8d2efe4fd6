"""Why one application was decided otherwise in another run: one thing is swapped at a time, from the first run to the second, and what
changes at each swap is that thing's part. The parts add up to the whole, since each step starts where the last one ended.

In this order: code (the first run as it was sealed, then worked out today), date, data (the person's evidence and links), model, policy,
and code again (the second run worked out today, then as it was sealed). Another order can share the change in another way.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from qqloan_cli.archive.differences import filed
from qqloan_cli.archive.layout import Archive, Entry
from qqloan_cli.archive.one import Small, decision_of
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError

FIGURES = {
    "income": ("monthly_income_fen",), "score": ("score", "pd", "grade"),
    "limit": ("decision", "amount_fen", "max_amount_fen", "annual_rate", "all_in_annual_cost", "binding_cap", "reason_codes"),
}
NUMBERS = ("monthly_income_fen", "score", "pd", "amount_fen", "max_amount_fen", "annual_rate", "all_in_annual_cost")


class Step(NamedTuple):
    """``what`` was swapped; ``figures`` after it; ``parts``: by how much it moved each number, null where either side has none."""

    what: str
    figures: dict
    parts: dict


def why(archive: Archive, first: Entry, second: Entry, application_id: str, scratch: Path) -> list[Step]:
    """Steps from the first run's answer to the second's. Raises UsageError where either did not decide the application."""
    con = connect(1, memory_mb=800)
    try:
        people = [decision_of(con, archive, entry, application_id, scratch)["applicant_id"] for entry in (first, second)]
        if people[0] != people[1]:
            raise UsageError("application-of-another", "the two runs have this application of two people", application_id, "Name an application that is the same in both.")
        date = second.document["predicate"]["buildDefinition"]["externalParameters"]["as_of"]
        plan = [
            ("code, then to now", Small(archive, first, people[0], scratch / "1")),
            ("date", Small(archive, first, people[0], scratch / "2", as_of=date)),
            ("data", Small(archive, second, people[0], scratch / "3", policy=first, as_of=date)),
            ("model", Small(archive, second, people[0], scratch / "4", policy=first, model=second, as_of=date)),
            ("policy", Small(archive, second, people[0], scratch / "5")),
        ]
        now = _sealed(con, Small(archive, first, people[0], scratch / "0"), application_id)
        steps = [Step("as sealed first", now, {})]
        for number, (what, small) in enumerate(plan, 1):
            run = small.walk(con, scratch / str(number) / "run")
            figures = _figures(con, {table: run.source(table) for table in FIGURES}, application_id)
            steps.append(Step(what, figures, _parts(now, figures)))
            now = figures
        last = _sealed(con, plan[-1][1], application_id)
        steps.append(Step("code, now to then", last, _parts(now, last)))
        return steps
    finally:
        con.close()


def _sealed(con, small: Small, application_id: str) -> dict:
    return _figures(con, {table: filed(table, small.sealed(table)) for table in FIGURES}, application_id)


def _figures(con, sources: dict[str, str], application_id: str) -> dict:
    found = {}
    for table, names in FIGURES.items():
        columns = ", ".join(f'"{name}"' for name in names)
        rows = con.sql(f"SELECT {columns} FROM ({sources[table]}) WHERE application_id = {literal(application_id)}").to_arrow_table().to_pylist()
        found |= rows[0]
    return found


def _parts(before: dict, after: dict) -> dict:
    return {name: None if before[name] is None or after[name] is None else round(after[name] - before[name], 9) for name in NUMBERS if before[name] != after[name]}
