"""what-if: one application with something about it changed, scored and decided anew, beside what it is."""

from __future__ import annotations

import difflib
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from qqloan_cli.asking import question
from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage
from qqloan_cli.errors import UsageError

_KEYS = ("application_id", "applicant_id", "src_file", "src_row", "applied_at")
_DECISION = ("decision", "amount_fen", "term_months", "annual_rate", "all_in_annual_cost", "monthly_payment_fen", "max_amount_fen", "binding_cap", "reason_codes", "refer_to")
_SCORE = ("score", "grade", "pd", "grade_without_social")
STAGE = Stage(name="what_if", kind="map", reads=(), writes=(), module=__name__, settings=question.settings)


class Change(NamedTuple):
    """A column of a stage's table, and what it would be: an SQL literal."""

    table: str
    column: str
    literal: str


def read_change(text: str, where: str = "--what-if") -> Change:
    """``NAME=VALUE``: a column of applicants, links, verify, income, credit or social, alone where only one has it, else TABLE.NAME; money
    in yuan, without _fen; nothing after = is a missing value."""
    name, sign, value = text.partition("=")
    if not sign:
        raise UsageError("change-wrong", f"{text!r} is not NAME=VALUE", where, "Write it like monthly_income=30000, or utilisation= for a missing value.")
    named, _, column = name.strip().rpartition(".")
    known = [(table, c) for table in question.TABLES if table != "reviews" for c in CONTRACTS[table].columns if c.name not in _KEYS and not c.personal and not c.type.endswith("]")]
    found = [(table, c) for table, c in known if c.name.removesuffix("_fen") == column.removesuffix("_fen") and named in ("", table)]
    if not found:
        near = difflib.get_close_matches(column, [c.name.removesuffix("_fen") for _, c in known], 3)
        raise UsageError("change-unknown", f"nothing that counts is called {name.strip()!r}", where, f"Near: {', '.join(near)}." if near else "qqloan features and qqloan rule --facts list what counts.")
    if len(found) > 1:
        raise UsageError("change-ambiguous", f"{column} stands in {' and '.join(table for table, _ in found)}", where, f"Write {found[0][0]}.{column}=VALUE.")
    table, c = found[0]
    return Change(table, c.name, _literal(c, value.strip(), where))


def _literal(column, value: str, where: str) -> str:
    from qqloan_cli.engine.session import literal

    if value == "":
        return "NULL"
    if column.type == "BOOLEAN":
        if value.lower() not in ("true", "false"):
            raise UsageError("change-wrong", f"{column.name} is true or false", where, f"Write {column.name}=true.")
        return value.lower()
    if column.type in ("VARCHAR", "DATE", "TIMESTAMP"):
        return literal(value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UsageError("change-wrong", f"{column.name} is a number", where, f"Write {column.name.removesuffix('_fen')}=1234.") from None
    if column.name.endswith("_fen"):
        number *= 100
    return str(number if column.type in ("DOUBLE",) or column.type.startswith("DECIMAL") else int(number))


def what_if(run: Run, application_id: str, bucket: int, changes: list[Change]) -> dict[str, dict]:
    """``before`` and ``after``: what the decision and the score say, and ``steps``: every cap of the waterfall by its step."""
    with question.on_the_spot(run, bucket, STAGE) as task:
        con = task.con
        question.bind(task)
        con.execute("""
            CREATE TEMP TABLE asked AS
            SELECT application_id || '#' || side AS candidate_id, application_id, requested_amount_fen AS asks_fen, term_months, product
            FROM all_applicants, (VALUES ('0'), ('1')) sides(side) WHERE application_id = ?
        """, [application_id])
        updates = [f"UPDATE \"{change.table}\" SET \"{change.column}\" = CAST({change.literal} AS {type_of(change)}) WHERE application_id LIKE '%#1'" for change in changes]
        question.put(task, updates)
        sides = {}
        for side, name in (("0", "before"), ("1", "after")):
            candidate = {"id": f"{application_id}#{side}"}
            [decided] = con.sql('SELECT * FROM "limit" WHERE application_id = $id', params=candidate).to_arrow_table().to_pylist()
            [scored] = con.sql("SELECT * FROM score WHERE application_id = $id", params=candidate).to_arrow_table().to_pylist()
            steps = con.sql("SELECT CAST(step AS VARCHAR), cap_fen FROM limit_steps WHERE application_id = $id ORDER BY step_no", params=candidate).fetchall()
            sides[name] = {**{key: decided[key] for key in _DECISION}, **{key: scored[key] for key in _SCORE}, "steps": dict(steps)}
        return sides


def type_of(change: Change) -> str:
    return next(c.type for c in CONTRACTS[change.table].columns if c.name == change.column)
