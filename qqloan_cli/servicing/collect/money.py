"""Money that came in, from the ledger: what promises are held against, and what strategies brought."""

from __future__ import annotations

import datetime

from qqloan_cli.engine.session import literal
from qqloan_cli.servicing.book import Book


def money_since(book: Book, first: datetime.date) -> str:
    """SQL of (loan_id, value_date, fen): cash from loans from a day on, less what was reversed, by day of value. What counts from then on was booked in that month
    or later, so that earlier files are not read."""
    paths = [path for path in book.files("ledger") if path.stem[-7:] >= first.strftime("%Y-%m") and not path.stem.startswith("unmatched")]
    if not paths:
        return "SELECT CAST(NULL AS VARCHAR) AS loan_id, CAST(NULL AS DATE) AS value_date, CAST(NULL AS BIGINT) AS fen WHERE false"
    return f"""SELECT loan_id, value_date, CAST(sum(debit_fen - credit_fen) AS BIGINT) AS fen
        FROM read_parquet([{', '.join(literal(str(path)) for path in paths)}])
        WHERE account = 'cash' AND event_id <> 'drawdown' AND loan_id IS NOT NULL AND value_date >= DATE {literal(first.isoformat())}
        GROUP BY loan_id, value_date"""
