"""How people's decisions turned out."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.archive.review import Case
from qqloan_cli.engine.session import connect, duckdb_error, literal
from qqloan_cli.errors import InputError
from qqloan_cli.policy.review import ReviewPolicy


def turned_out(found: list[Case], policy: ReviewPolicy, decisions: Path, outcomes: Path) -> list[dict]:
    """A row a side: applications, those with an outcome, bad rate, and mean pd of those. ``outcomes``: Parquet or CSV with application_id, bad."""
    sides = {case.application_id: _side(case, policy) for case in found}
    con = connect(1)
    try:
        reader = "read_parquet" if outcomes.suffix == ".parquet" else "read_csv"
        try:
            con.execute(f"CREATE TEMP TABLE known AS SELECT CAST(application_id AS VARCHAR) AS application_id, CAST(bad AS BOOLEAN) AS bad FROM {reader}({literal(str(outcomes))}) WHERE bad IS NOT NULL")
        except duckdb_error() as error:
            raise InputError("outcomes-unreadable", f"the outcomes cannot be read ({type(error).__name__})", outcomes.name, "Bring application_id and bad, as CSV or Parquet.") from None
        con.execute("CREATE TEMP TABLE sides (application_id VARCHAR, side VARCHAR)")
        if sides:
            con.executemany("INSERT INTO sides VALUES (?, ?)", list(sides.items()))
        return con.sql(f"""
            SELECT
              CASE WHEN s.side IS NOT NULL THEN s.side WHEN d.decision = 'approve' THEN 'approved by the chain' ELSE 'declined by the chain' END AS side,
              count(*) AS applications, count(k.bad) AS with_outcome, count(*) FILTER (WHERE k.bad) AS bad,
              round(count(*) FILTER (WHERE k.bad) / nullif(count(k.bad), 0), 6) AS bad_rate, round(avg(d.pd) FILTER (WHERE k.bad IS NOT NULL), 6) AS mean_pd
            FROM read_parquet({literal(str(decisions))}) d LEFT JOIN sides s USING (application_id) LEFT JOIN known k USING (application_id)
            GROUP BY 1 ORDER BY 1
        """).to_arrow_table().to_pylist()
    finally:
        con.close()


def _side(case: Case, policy: ReviewPolicy) -> str:
    if case.state != "decided":
        return "still waiting"
    reason = policy.reasons.get(case.said[-1]["reason"])
    return f"{case.decision}d by a person" + (", by exception" if reason is not None and reason.exception else "")
