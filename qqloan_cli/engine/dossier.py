"""Everything that a run holds on one application, from its one bucket."""

from __future__ import annotations

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run, bucket_of
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError

TABLES = (
    "applicants", "links", "verify", "income", "income_lines", "credit", "social", "score", "limit", "limit_steps",
    "funding", "funding_shares", "disburse_plan", "schedule", "decisions", "offers", "cost_table", "reviews",
)


def dossier(run: Run, application_id: str) -> dict[str, list[dict]]:
    """Rows by table, as dictionaries, in the order of each contract's key; inputs without what is personal."""
    con = connect(1)
    try:
        bucket = _bucket(con, run, application_id)
        found = {table: _rows(con, run, table, bucket, application_id) for table in TABLES}
        if found["income_lines"]:
            _say_where_they_stood(con, run, bucket, found)
        return found
    finally:
        con.close()


def bucket_holding(run: Run, application_id: str) -> int:
    """The bucket of an application; UsageError where the run does not have it."""
    con = connect(1)
    try:
        return _bucket(con, run, application_id)
    finally:
        con.close()


def _bucket(con, run: Run, application_id: str) -> int:
    files = run.whole("decisions") or run.whole("applicants")
    found = con.execute(
        "SELECT applicant_id FROM read_parquet(?) WHERE application_id = ?", [[str(path) for path in files], application_id]
    ).fetchall() if files else []
    if not found:
        refused = con.execute("SELECT count(*) FROM read_parquet(?) WHERE input = 'applicants'", [str(run.file("quarantine"))]).fetchall()[0][0]
        raise UsageError(
            "application-not-found", "no such application in this run", str(run.root),
            f"{refused:,} applicant rows were refused: quarantine.parquet says which." if refused else "Check the application_id.",
        )
    return bucket_of(found[0][0], run.buckets)


def _rows(con, run: Run, table: str, bucket: int, application_id: str) -> list[dict]:
    path = run.file(table, bucket)
    if not path.exists():
        return []
    contract = CONTRACTS[table]
    shown = ", ".join(f'"{column.name}"' for column in contract.columns if not column.personal)
    order = ", ".join(contract.key)
    return con.sql(
        f"SELECT {shown} FROM read_parquet({literal(str(path))}) WHERE application_id = ? ORDER BY {order}", params=[application_id]
    ).to_arrow_table().to_pylist()


# A line of evidence is known by its person, day and amount: (input, its date, its amounts).
_EVIDENCE = (
    ("payroll", "pay_date", ("net_fen", "gross_fen")),
    ("provident_fund", "month", ("base_fen", "personal_amount_fen", "employer_amount_fen")),
    ("bank_statements", "CAST(booked_at AS DATE)", ("amount_fen",)),
)


def _say_where_they_stood(con, run: Run, bucket: int, found: dict[str, list[dict]]) -> None:
    """Adds ``stood`` to each line of income_lines: ["file:row", ...] of the lender's files (several where lines are alike)."""
    files = {entry["no"]: entry["file"] for entry in run.document["inputs"]}
    applicant = next((row["applicant_id"] for row in found["applicants"]), None)
    stood: dict[tuple, set[str]] = {}
    for table, day, amounts in _EVIDENCE:
        path = run.file(table, bucket)
        if not path.exists() or applicant is None:  # erased: nothing of theirs stands anywhere
            continue
        rows = con.execute(
            f"SELECT {day}, [{', '.join(amounts)}], src_file, src_row FROM read_parquet({literal(str(path))}) WHERE applicant_id = ?", [applicant]
        ).fetchall()
        for on_date, values, file, row in rows:
            for value in values:
                stood.setdefault((table, on_date, value), set()).add(f"{files.get(file, file)}:{row}")
    for line in found["income_lines"]:
        line["stood"] = sorted(stood.get((line["input"], line["on_date"], line["amount_fen"]), ()))
