"""Cases: applications with something about them changed, put to the score, rules and waterfall all at once, and held to what is expected."""

from __future__ import annotations

from typing import NamedTuple

from qqloan_cli.asking import question
from qqloan_cli.asking.what_if import read_change, type_of
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import literal
from qqloan_cli.engine.stage import Stage
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.cases import Case

STAGE = Stage(name="cases", kind="map", reads=(), writes=(), module=__name__, settings=question.settings)


class Outcome(NamedTuple):
    """``wrong``: (what, expected, found) for each expectation that does not hold. ``rules_hit``, ``rules_unknown``: codes."""

    name: str
    application_id: str
    decision: str
    wrong: list[tuple[str, str, str]]
    rules_hit: list[str]
    rules_unknown: list[str]


def decide(run: Run, cases: list[Case]) -> list[Outcome]:
    """Every case's outcome, in their order. Raises UsageError where the run has no such application, or nothing is called as a change says."""
    found: dict[int, dict] = {}
    for bucket in range(run.buckets):
        with question.on_the_spot(run, bucket, STAGE) as task:
            con = task.con
            question.bind(task)
            numbered = ", ".join(f"({number}, {literal(case.application)})" for number, case in enumerate(cases))
            con.execute(f"""
                CREATE TEMP TABLE asked AS
                SELECT a.application_id || '#' || lpad(CAST(c.number AS VARCHAR), 6, '0') AS candidate_id, c.number, a.application_id,
                       a.requested_amount_fen AS asks_fen, a.term_months, a.product
                FROM all_applicants a JOIN (VALUES {numbered}) c(number, application_id) USING (application_id)
            """)
            here = [number for number, in con.sql("SELECT number FROM asked ORDER BY number").fetchall()]
            if not here:
                continue
            question.put(task, [_update(read_change(text, f"case {cases[number].name!r}"), f"{cases[number].application}#{number:06d}") for number in here for text in cases[number].changes()])
            for row in con.sql('SELECT c.number, l.*, s.grade AS scored FROM asked c JOIN "limit" l ON l.application_id = c.candidate_id JOIN score s ON s.application_id = c.candidate_id').to_arrow_table().to_pylist():
                found[row["number"]] = row
    missing = [case for number, case in enumerate(cases) if number not in found]
    if missing:
        raise UsageError("case-unknown", f"the inputs have no application {missing[0].application}, or refused it", f"case {missing[0].name!r}", "Name one of theirs.")
    return [
        Outcome(case.name, case.application, found[number]["decision"], _wrong(case, found[number]), found[number]["rules_hit"], found[number]["rules_unknown"])
        for number, case in enumerate(cases)
    ]


def _update(change, candidate: str) -> str:
    return f"UPDATE \"{change.table}\" SET \"{change.column}\" = CAST({change.literal} AS {type_of(change)}) WHERE application_id = {literal(candidate)}"


def _wrong(case: Case, row: dict) -> list[tuple[str, str, str]]:
    approved = row["decision"] == "approve"
    has = {
        "decision": row["decision"], "cap": row["binding_cap"], "amount": row["amount_fen"] // 100 if approved else None, "term_months": row["term_months"] if approved else None,
        "annual_rate": row["annual_rate"] if approved else None, "grade": row["grade"], "refer_to": row["refer_to"],
    }
    wrong = [(name, _told(getattr(case.expect, name)), _told(has[name])) for name in has if name in case.expect.model_fields_set and getattr(case.expect, name) != has[name]]
    codes = row["reason_codes"]
    wrong += [("reasons", code, " ".join(codes)) for code in case.expect.reasons if code not in codes]
    return wrong + [("reasons_not", f"no {code}", " ".join(codes)) for code in case.expect.reasons_not if code in codes]


def _told(value) -> str:
    return "nothing" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
