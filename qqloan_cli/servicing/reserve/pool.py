"""The risk reserve pool of a book: what was in it, what went in, what it paid for and what came back, by month and on any closed day."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa

from qqloan_cli.policy.funding import Funding, load_funding
from qqloan_cli.policy.reserve import Reserve, load_reserve
from qqloan_cli.servicing.book import Book


def policies(config: Path) -> tuple[Reserve, Funding]:
    funding = load_funding(config)
    return load_reserve(config, funding), funding


def bind(con, book: Book, at: datetime.date, config: Path) -> Reserve:
    """Leaves the tables of pool.sql, and ``loans``, ``funded_by``, ``events`` and ``ledger`` as views of the book."""
    reserve, funding = policies(config)
    for table in ("loans", "funded_by", "events", "ledger"):
        con.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {book.source(table)}")
    con.register("funders", pa.table({"source": pa.array(reserve.cover.funders(funding), pa.string())}))
    agreed = reserve.contribution
    con.register("agreed", pa.table({
        "since": pa.array([datetime.date.min, *(one.from_ for one in agreed[1:])], pa.date32()),
        "of_drawn": [float(one.of_drawn) for one in agreed], "of_interest": [float(one.of_interest) for one in agreed],
    }))
    con.execute("SET VARIABLE upto = $1::DATE", [at])
    con.execute("SET VARIABLE part = $1::DOUBLE", [float(reserve.cover.share)])
    con.execute("SET VARIABLE kept = $1::DOUBLE", [1 - float(reserve.recovery.cost)])
    for path in (Path(__file__).parent.parent / "passed_on.sql", Path(__file__).with_suffix(".sql")):
        con.execute(path.read_text(encoding="utf-8"))
    return reserve


def balance(con, book: Book, at: datetime.date, config: Path | None = None) -> int:
    """Fen in the pool at the end of a day, as the book knows it now; below zero where it has paid more than was in it. ``config``: a
    folder with reserve.toml (default: that of the latest run). Raises UsageError at a day that is not closed."""
    book.must_be_closed(at, "--at")
    return standing(con, bind(con, book, at, config or book.configs[-1]))


def standing(con, reserve: Reserve) -> int:
    """The same of what ``bind`` left."""
    [(moved,)] = con.execute("SELECT coalesce(sum(drawn_fen + interest_fen - compensation_fen + recovered_fen), 0) FROM pool_moves").fetchall()
    return reserve.pool.opening * 100 + int(moved)


def history(con, book: Book, at: datetime.date, config: Path) -> pa.Table:
    """A row a month from the book's first to the day's: opening, contributions, compensations, recoveries, closing; fen."""
    book.must_be_closed(at, "--at")
    reserve = bind(con, book, at, config)
    return con.sql("""
        WITH months AS (
          SELECT unnest(generate_series(least(date_trunc('month', $1::DATE), (SELECT min(date_trunc('month', day)) FROM pool_moves)), date_trunc('month', $2::DATE), INTERVAL 1 MONTH))::DATE AS month
        ),
        moved AS (
          SELECT month, coalesce(sum(drawn_fen), 0) AS contributed_of_drawn_fen, coalesce(sum(interest_fen), 0) AS contributed_of_interest_fen,
            coalesce(sum(compensation_fen), 0) AS compensation_fen, coalesce(sum(recovered_fen), 0) AS recovered_fen
          FROM months LEFT JOIN pool_moves ON date_trunc('month', day) = month
          GROUP BY month
        ),
        running AS (
          SELECT *, contributed_of_drawn_fen + contributed_of_interest_fen - compensation_fen + recovered_fen AS net, $3 + sum(net) OVER (ORDER BY month) AS closing_fen FROM moved
        )
        SELECT least(last_day(month), $2::DATE) AS month, CAST(closing_fen - net AS BIGINT) AS opening_fen, CAST(contributed_of_drawn_fen AS BIGINT) AS contributed_of_drawn_fen,
          CAST(contributed_of_interest_fen AS BIGINT) AS contributed_of_interest_fen, CAST(compensation_fen AS BIGINT) AS compensation_fen,
          CAST(recovered_fen AS BIGINT) AS recovered_fen, CAST(closing_fen AS BIGINT) AS closing_fen
        FROM running ORDER BY month""", params=[book.document["opened_on"], at, reserve.pool.opening * 100]).to_arrow_table()
