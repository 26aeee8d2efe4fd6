"""offers: for an applicant who was cut or declined, the nearest loans that would be approved as they stand, if asked for.

They are found by asking: each product and term is put to the real score, the
real rules and the real waterfall as if it had been applied for. First what was
asked for, which says how much there could be; then that much. What comes out
approved, whole and unchanged, is an offer.
"""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.asking import question
from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, Task

HERE = Path(__file__)
AT_ONCE = 5_000  # applications asked about together: each has a few dozen candidates
MOST = 3
_TERMS = "l.amount_fen, l.method, l.annual_rate, l.all_in_annual_cost, l.all_in_nominal, l.all_in_effective, l.cost_cap, l.monthly_payment_fen"
_ANSWER = "application_id, decision, term_months, max_amount_fen, " + _TERMS.replace("l.", "")


def settings(run: Run) -> dict[str, object]:
    import pyarrow as pa

    return {**question.settings(run), "offer_settings": pa.table({"most": pa.array([MOST], pa.int32())})}


def compute(task: Task, only: str | None = None) -> None:
    con = task.con
    question.bind(task, "limit")
    if only is not None:
        con.execute("CREATE OR REPLACE TEMP TABLE one_limit AS SELECT * FROM all_limit WHERE application_id = ?", [only])
        con.execute("CREATE OR REPLACE TEMP VIEW all_limit AS FROM one_limit")
    task.script(HERE.with_suffix(".sql"))
    con.execute("CREATE OR REPLACE TEMP TABLE places AS SELECT application_id, row_number() OVER (ORDER BY application_id) - 1 AS place FROM (SELECT DISTINCT application_id FROM candidates)")
    count = con.execute("SELECT count(*) FROM places").fetchall()[0][0]
    con.execute(f"CREATE OR REPLACE TEMP TABLE approvable AS SELECT c.*, {_TERMS} FROM candidates c, ({CONTRACTS['limit'].empty()}) l LIMIT 0")
    for first in range(0, count, AT_ONCE):
        con.execute(f"CREATE OR REPLACE TEMP TABLE asked AS SELECT c.* FROM candidates c JOIN places p USING (application_id) WHERE p.place >= {first} AND p.place < {first + AT_ONCE}")
        question.put(task, columns=_ANSWER)
        # There could be so much; where a rule stood against all of it, perhaps not against a quarter.
        con.execute("""
            CREATE OR REPLACE TEMP TABLE asked AS
            SELECT c.* REPLACE (greatest(coalesce(least(c.asks_fen, l.max_amount_fen), c.asks_fen // 4), c.amount_min_fen) // c.amount_step_fen * c.amount_step_fen AS asks_fen)
            FROM asked c JOIN "limit" l ON l.application_id = c.candidate_id
        """)
        question.put(task, columns=_ANSWER)
        con.execute(f"""
            INSERT INTO approvable
            SELECT c.*, {_TERMS}
            FROM asked c JOIN "limit" l ON l.application_id = c.candidate_id
            WHERE l.decision = 'approve' AND l.amount_fen = c.asks_fen AND l.term_months = c.term_months
        """)
    question.free(con)
    task.script(HERE.with_name("offers_nearest.sql"))


def offers_of(run: Run, application_id: str, bucket: int) -> list[dict]:
    """One application's offers, worked out on the spot: the contract's rows as dictionaries, nearest first."""
    with question.on_the_spot(run, bucket, STAGE) as task:
        compute(task, only=application_id)
        return task.con.sql(CONTRACTS["offers"].select("offers", order=True)).to_arrow_table().to_pylist()


STAGE = Stage(
    name="offers", kind="map", reads=(*question.TABLES, "limit"), writes=("offers",), module=__name__, settings=settings, compute=compute,
)
