"""Who is tied to an applicant by keys that both have used, as it stood when the application came: a drawing's points and lines, by number.

Keys are keyed hashes already, and leave here as a number of their kind ("device 2"); applications are known by the lender's own pseudonyms.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.policy.social import load_social

MOST, FARTHEST = 24, 3  # applications shown, and steps from the applicant


def ring(run: Run, application_id: str) -> dict:
    """``members``: no (1 is the applicant), application_id, steps, decision, grade, days_before; ``keys``: no, kind, members that have it;
    ``ties``: member, key, kind; ``left_out``: tied applications that are not shown. All empty where nobody is tied, or nothing was linked."""
    nobody = {"members": [], "keys": [], "ties": [], "left_out": 0}
    files = run.whole("keys")
    if not files:
        return nobody
    con = connect(2)
    try:
        policy = load_social(run.config_dir)
        con.execute(f"CREATE TEMP VIEW keys AS FROM read_parquet([{', '.join(literal(str(path)) for path in files)}])")
        run.bind(con, "social_edges")
        con.register("ring_kinds", pa.table({"kind": pa.array([name for name, kind in policy.graph.kinds.items() if kind.ring], pa.string())}))
        con.register("ring_keys", pa.table({"kind": pa.array(policy.rings.ties, pa.string())}))
        con.execute("SET VARIABLE application_id = $1", [application_id])
        con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
        tied, left_out = _tied(con, application_id, policy.rings.most_sharing)
        if len(tied) < 2:
            return nobody
        con.execute("CREATE TEMP TABLE shown (application_id VARCHAR, no INTEGER, steps INTEGER)")
        con.executemany("INSERT INTO shown VALUES (?, ?, ?)", [(one, number, steps) for number, (one, steps) in enumerate(tied.items(), 1)])
        return {**_drawn(con, run), "left_out": left_out}
    finally:
        con.close()


def _tied(con, application_id: str, most_sharing: int) -> tuple[dict[str, int], int]:
    """Applications by their steps from this one, the nearest first, and how many more there are."""
    con.execute("""CREATE TEMP TABLE tying AS SELECT key FROM uses GROUP BY key HAVING count(DISTINCT applicant_id) BETWEEN 2 AND $1""", [most_sharing])
    con.execute("CREATE TEMP TABLE reached AS SELECT $1 AS application_id, 0 AS steps", [application_id])
    for steps in range(1, FARTHEST + 1):
        con.execute("""INSERT INTO reached
            SELECT DISTINCT other.application_id, $1 FROM reached JOIN uses USING (application_id) JOIN tying USING (key) JOIN uses AS other USING (key)
            WHERE reached.steps = $1 - 1 AND other.application_id NOT IN (SELECT application_id FROM reached)""", [steps])
    rows = con.execute("SELECT application_id, steps FROM reached ORDER BY steps, application_id").fetchall()
    return dict(rows[:MOST]), max(len(rows) - MOST, 0)


def _drawn(con, run: Run) -> dict:
    decided = run.whole("decisions")
    con.execute("CREATE TEMP VIEW decided AS " + (f"SELECT application_id, decision, grade FROM read_parquet([{', '.join(literal(str(path)) for path in decided)}])" if decided else
                                                 "SELECT CAST(NULL AS VARCHAR) AS application_id, CAST(NULL AS VARCHAR) AS decision, CAST(NULL AS VARCHAR) AS grade WHERE false"))
    members = con.sql("""
        SELECT shown.no, shown.application_id, shown.steps, decided.decision, decided.grade,
          datediff('day', any_value(uses.applied_at), (SELECT any_value(applied_at) FROM uses WHERE application_id = getvariable('application_id'))) AS days_before
        FROM shown JOIN uses USING (application_id) LEFT JOIN decided USING (application_id) GROUP BY ALL ORDER BY no""").to_arrow_table().to_pylist()
    con.execute("""CREATE TEMP TABLE named AS
        SELECT key, kind, row_number() OVER (PARTITION BY kind ORDER BY first_no, key) AS no, row_number() OVER (ORDER BY first_no, kind, key) AS place, members
        FROM (SELECT key, min(CASE WHEN kind = 'contact' THEN 'phone' ELSE kind END) AS kind, min(no) AS first_no, count(DISTINCT application_id) AS members
              FROM shown JOIN uses USING (application_id) SEMI JOIN tying USING (key) GROUP BY key)
        WHERE members > 1""")
    keys = con.sql("SELECT place AS no, kind, no AS of_kind, members FROM named ORDER BY place").to_arrow_table().to_pylist()
    ties = con.sql("SELECT DISTINCT shown.no AS member, named.place AS key, uses.kind FROM shown JOIN uses USING (application_id) JOIN named USING (key) ORDER BY ALL").to_arrow_table().to_pylist()
    return {"members": members, "keys": keys, "ties": ties}
