"""What earlier runs (--history) let go on the days to come: a source's cash of a day is there once, however many runs plan to spend it."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import literal


def spent(run: Run, con):
    """An Arrow table (source, pay_date, fen) by source and day. A history that has no calendar, being of an older version, lets nothing go."""
    files = [path for folder in run.document.get("history") or () if (path := Path(folder) / "cash_calendar.parquet").is_file()]
    nothing = "SELECT CAST(NULL AS VARCHAR) AS source, CAST(NULL AS DATE) AS pay_date, CAST(NULL AS BIGINT) AS out_fen WHERE false"
    planned = f"SELECT source, pay_date, out_fen FROM read_parquet([{', '.join(literal(str(path)) for path in files)}])" if files else nothing
    return con.sql(f"SELECT source, pay_date, CAST(sum(out_fen) AS BIGINT) AS fen FROM ({planned}) GROUP BY source, pay_date ORDER BY source, pay_date").to_arrow_table()
