"""What contracts really cost: the all-in annual cost of every approved application and every loan in the book, worked out anew from its
instalments as they stand, whatever the limit stage said of it."""

from __future__ import annotations

import datetime
from typing import Iterator

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.workers import each
from qqloan_cli.loans.annual_cost import effective, nominal, rate_of
from qqloan_cli.oversight.sight import Sight

_BLOCK = 1_500_000  # instalments worked out at a time
_OF_RUN = """SELECT application_id, CASE WHEN method = 'bullet' THEN term_months ELSE instalment_no END AS instalment_no, principal_fen, principal_fen + interest_fen + fee_fen AS paid_fen
    FROM read_parquet({}) JOIN (SELECT application_id, method, term_months FROM read_parquet({})) USING (application_id)"""
_OF_BOOK = """SELECT application_id, CASE WHEN method = 'bullet' THEN term_months ELSE instalment_no END AS instalment_no, i.principal_fen, i.principal_fen + interest_fen + fee_fen AS paid_fen
    FROM ({}) AS i JOIN (SELECT loan_id, application_id, method, term_months, min(drawn_on) OVER (PARTITION BY application_id) AS first_drawn_on FROM ({})) AS l USING (loan_id) WHERE first_drawn_on >= DATE {}"""
SCHEMA = pa.schema([("made_in", pa.string()), ("application_id", pa.string()), ("lent_fen", pa.int64()), ("instalments", pa.int32()), ("nominal", pa.float64()), ("effective", pa.float64())])


def work_out(sight: Sight, since: datetime.date | None = None) -> None:
    """Puts ``costs`` in sight: made_in (a run's id, or book), application_id, lent_fen, instalments, nominal (12 i) and effective
    ((1 + i)^12 - 1) of the monthly rate i at which all that is paid is worth what was lent; null where less comes back than was lent.
    ``since``: of the book, contracts first drawn from that day on. Tranches of an application count as drawn together, as the contract says
    them; an instalment as a month, but a bullet's only one as its last."""
    if sight.has("costs"):
        return
    asked = [(run.run_id, _OF_RUN.format(literal(str(path)), literal(str(run.folder("limit") / path.name)))) for run in sight.runs for path in run.whole("schedule")]
    if sight.book is not None:
        first = literal(str(since or datetime.date(1970, 1, 1)))
        asked += [("book", _OF_BOOK.format(sight.book.source("instalments", bucket), sight.book.source("loans", bucket), first)) for bucket in range(sight.book.buckets)]
    found = [part for _, part in sorted(each(list(enumerate(asked)), _Costs(), sight.workers if len(asked) > 1 and sight.begins_processes else 1), key=lambda one: one[0][0])]
    sight.register("costs", pa.concat_tables([SCHEMA.empty_table(), *found]))


class _Costs:
    def __call__(self, task: tuple[int, tuple[str, str]]) -> pa.Table:
        _, (made_in, source) = task
        con = connect(1)
        try:
            parts = [pa.table({"made_in": pa.repeat(made_in, len(rows["lent_fen"])), **rows}, schema=SCHEMA) for rows in _blocks(con, source)]
            return pa.concat_tables([SCHEMA.empty_table(), *parts])
        finally:
            con.close()


def _blocks(con, source: str) -> Iterator[dict]:
    con.execute(f"""CREATE TEMP TABLE flows AS
        SELECT application_id, CAST(instalment_no AS INTEGER) AS instalment_no, CAST(sum(principal_fen) AS BIGINT) AS principal_fen, CAST(sum(paid_fen) AS BIGINT) AS paid_fen
        FROM ({source}) GROUP BY ALL""")
    con.execute("""CREATE TEMP TABLE contracts AS
        SELECT application_id, lent_fen, instalments, CAST(row_number() OVER (ORDER BY application_id) - 1 AS BIGINT) AS place, CAST(sum(instalments) OVER (ORDER BY application_id) AS BIGINT) AS upto
        FROM (SELECT application_id, CAST(sum(principal_fen) AS BIGINT) AS lent_fen, max(instalment_no) AS instalments FROM flows GROUP BY application_id)""")
    [(last,)] = con.execute("SELECT coalesce(max(upto), 0) FROM contracts").fetchall()
    for start in range(0, last, _BLOCK):
        within = [start, start + _BLOCK]
        contracts = con.sql("SELECT application_id, lent_fen, instalments, place FROM contracts WHERE upto > $1 AND upto <= $2 ORDER BY place", params=within).to_arrow_table()
        if not len(contracts):
            continue
        lent, terms, place = (contracts.column(name).to_numpy() for name in ("lent_fen", "instalments", "place"))
        flows = con.sql("SELECT place - $3 AS place, instalment_no - 1 AS month, paid_fen FROM flows JOIN contracts USING (application_id) WHERE upto > $1 AND upto <= $2",
                        params=[*within, int(place[0])]).to_arrow_table()
        paid = np.zeros((len(lent), int(terms.max())), np.int64)
        paid[flows.column("place").to_numpy(), flows.column("month").to_numpy()] = flows.column("paid_fen").to_numpy()
        monthly = rate_of(lent, paid)
        nothing = np.isnan(monthly)
        yield {
            "application_id": contracts.column("application_id").combine_chunks(), "lent_fen": lent, "instalments": terms.astype(np.int32),
            "nominal": pa.array(nominal(monthly), mask=nothing), "effective": pa.array(effective(monthly), mask=nothing),
        }
