"""offers: for an applicant who was cut or declined, the nearest loans that would be approved as they stand, if asked for.

They are found by asking: each product and term is put to the real score, the
real rules and the real waterfall as if it had been applied for. First what was
asked for, which says how much there could be; then that much. What comes out
approved, whole and unchanged, is an offer.
"""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.stages import limit, score

HERE = Path(__file__)
EVIDENCE = ("links", "verify", "income", "credit", "social")
AT_ONCE = 5_000  # applications asked about together: each has a few dozen candidates
MOST = 3


def settings(run: Run) -> dict[str, object]:
    import pyarrow as pa

    return {**score.settings(run), **limit.settings(run), "offer_settings": pa.table({"most": pa.array([MOST], pa.int32())})}


def compute(task: Task, only: str | None = None) -> None:
    con = task.con
    for table in STAGE.reads:
        con.execute(f'DROP VIEW IF EXISTS "{table}"')
        task.run.bind(con, table, task.bucket, f"all_{table}")
    if only is not None:
        con.execute("CREATE OR REPLACE TEMP TABLE one_limit AS SELECT * FROM all_limit WHERE application_id = ?", [only])
        con.execute("CREATE OR REPLACE TEMP VIEW all_limit AS FROM one_limit")
    task.script(HERE.with_suffix(".sql"))
    con.execute("CREATE OR REPLACE TEMP TABLE places AS SELECT application_id, row_number() OVER (ORDER BY application_id) - 1 AS place FROM (SELECT DISTINCT application_id FROM candidates)")
    count = con.execute("SELECT count(*) FROM places").fetchall()[0][0]
    con.execute(f"CREATE OR REPLACE TEMP TABLE approvable AS SELECT c.*, l.amount_fen, l.method, l.annual_rate, l.all_in_annual_cost, l.all_in_nominal, l.all_in_effective, "
                f"l.cost_cap, l.monthly_payment_fen FROM candidates c, ({CONTRACTS['limit'].empty()}) l LIMIT 0")
    for first in range(0, count, AT_ONCE):
        con.execute(f"CREATE OR REPLACE TEMP TABLE asked AS SELECT c.* FROM candidates c JOIN places p USING (application_id) WHERE p.place >= {first} AND p.place < {first + AT_ONCE}")
        _ask(task)
        # There could be so much; where a rule stood against all of it, perhaps not against a quarter.
        con.execute("""
            CREATE OR REPLACE TEMP TABLE asked AS
            SELECT c.* REPLACE (greatest(coalesce(least(c.asks_fen, l.max_amount_fen), c.asks_fen // 4), c.amount_min_fen) // c.amount_step_fen * c.amount_step_fen AS asks_fen)
            FROM asked c JOIN "limit" l ON l.application_id = c.candidate_id
        """)
        _ask(task)
        con.execute("""
            INSERT INTO approvable
            SELECT c.*, l.amount_fen, l.method, l.annual_rate, l.all_in_annual_cost, l.all_in_nominal, l.all_in_effective, l.cost_cap, l.monthly_payment_fen
            FROM asked c JOIN "limit" l ON l.application_id = c.candidate_id
            WHERE l.decision = 'approve' AND l.amount_fen = c.asks_fen AND l.term_months = c.term_months
        """)
    _leave(con)
    task.script(HERE.with_name("offers_nearest.sql"))


def offers_of(run: Run, application_id: str, bucket: int) -> list[dict]:
    """One application's offers, worked out on the spot: the contract's rows as dictionaries, nearest first."""
    from qqloan_cli.engine.session import connect
    from qqloan_cli.engine.stage import furnish

    con = connect(1)
    try:
        values = STAGE.prepare(run, con)
        furnish(con, values)
        compute(Task(run, con, bucket, values), only=application_id)
        return con.sql(CONTRACTS["offers"].select("offers", order=True)).to_arrow_table().to_pylist()
    finally:
        con.close()


def _ask(task: Task) -> None:
    """Puts what ``asked`` asks for to the score, the rules and the waterfall. Leaves ``limit``, by candidate_id."""
    con = task.con
    _leave(con)
    con.execute("""
        CREATE TEMP TABLE applicants AS
        SELECT a.* REPLACE (c.candidate_id AS application_id, c.asks_fen AS requested_amount_fen, c.term_months AS term_months, c.product AS product)
        FROM all_applicants a JOIN asked c ON c.application_id = a.application_id ORDER BY c.candidate_id
    """)
    for table in EVIDENCE:
        con.execute(f"""
            CREATE TEMP TABLE "{table}" AS
            SELECT t.* REPLACE (c.candidate_id AS application_id) FROM "all_{table}" t JOIN asked c ON c.application_id = t.application_id ORDER BY c.candidate_id
        """)
    score.compute(task)
    con.execute(f"CREATE TEMP TABLE scored AS {CONTRACTS['score'].select('score', order=True)}")
    con.unregister("score")
    con.execute("ALTER TABLE scored RENAME TO score")
    limit.compute(task)
    con.execute('CREATE OR REPLACE TEMP TABLE answers AS SELECT application_id, decision, amount_fen, term_months, max_amount_fen, method, annual_rate, all_in_annual_cost, '
                'all_in_nominal, all_in_effective, cost_cap, monthly_payment_fen FROM "limit"; DROP VIEW "limit"; DROP VIEW limit_steps; CREATE TEMP VIEW "limit" AS FROM answers')


def _leave(con) -> None:
    """The names free again, for another question and for the next bucket."""
    con.execute('DROP VIEW IF EXISTS "limit"')
    for table in ("applicants", *EVIDENCE, "score", "offers"):  # offers: those that limit prices
        con.execute(f'DROP TABLE IF EXISTS "{table}"')


STAGE = Stage(
    name="offers", kind="map", reads=("applicants", *EVIDENCE, "limit"), writes=("offers",), module=__name__, settings=settings, compute=compute,
)
