"""Everything that a run holds on one application, from its one bucket."""

from __future__ import annotations

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run, bucket_of
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError

TABLES = (
    "applicants", "links", "verify", "income", "income_lines", "credit", "social", "score", "limit", "limit_steps",
    "funding", "funding_shares", "disburse_plan", "schedule", "decisions",
)


def dossier(run: Run, application_id: str) -> dict[str, list[dict]]:
    """Rows by table, as dictionaries, in the order of each contract's key; inputs without what is personal."""
    con = connect(1)
    try:
        bucket = _bucket(con, run, application_id)
        return {table: _rows(con, run, table, bucket, application_id) for table in TABLES}
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
