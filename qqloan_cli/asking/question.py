"""A question: applications as they would be, put to the real score, rules and waterfall. Nothing is written anywhere."""

from __future__ import annotations

import contextlib
from typing import Iterator, Sequence

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.stages import limit, score

EVIDENCE = ("links", "verify", "income", "credit", "social", "reviews")
TABLES = ("applicants", *EVIDENCE)


def settings(run: Run) -> dict[str, object]:
    """What score and limit are to know."""
    return {**score.settings(run), **limit.settings(run)}


def bind(task: Task, *more: str) -> None:
    """The run's own tables, of the bucket, as ``all_NAME``."""
    for table in (*TABLES, *more):
        task.con.execute(f'DROP VIEW IF EXISTS "{table}"')
        task.run.bind(task.con, table, task.bucket, f"all_{table}")


def put(task: Task, changes: Sequence[str] = (), columns: str = "*") -> None:
    """Puts what ``asked`` asks for: candidate_id, application_id, and asks_fen, term_months, product, which stand in for the application's own.

    ``changes``: UPDATE statements over the candidates' tables, whose application_id is the candidate_id. Leaves score, limit (of it
    ``columns``) and limit_steps, by candidate_id.
    """
    con = task.con
    free(con)
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
    for change in changes:
        con.execute(change)
    if changes:  # an update moves rows, and the limit takes them side by side
        for table in TABLES:
            con.execute(f'CREATE TEMP TABLE moved AS SELECT * FROM "{table}" ORDER BY application_id; DROP TABLE "{table}"; ALTER TABLE moved RENAME TO "{table}"')
    score.compute(task)
    con.execute(f"CREATE TEMP TABLE scored AS {CONTRACTS['score'].select('score', order=True)}")
    con.unregister("score")
    con.execute("ALTER TABLE scored RENAME TO score")
    limit.compute(task)
    con.execute(f'CREATE OR REPLACE TEMP TABLE answers AS SELECT {columns} FROM "limit"; DROP VIEW "limit"; CREATE TEMP VIEW "limit" AS FROM answers')


def free(con) -> None:
    """The names free again, for another question and for the next bucket."""
    con.execute('DROP VIEW IF EXISTS "limit"; DROP VIEW IF EXISTS limit_steps')
    for table in (*TABLES, "score", "offers"):  # offers: those that limit prices
        con.execute(f'DROP TABLE IF EXISTS "{table}"')


@contextlib.contextmanager
def on_the_spot(run: Run, bucket: int, stage: Stage) -> Iterator[Task]:
    """A session furnished for ``stage`` outside any walk."""
    from qqloan_cli.engine.session import connect
    from qqloan_cli.engine.stage import furnish

    con = connect(1)
    try:
        values = stage.prepare(run, con)
        furnish(con, values)
        yield Task(run, con, bucket, values)
    finally:
        con.close()
