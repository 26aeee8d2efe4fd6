"""A book of many loans: closed, asked for its state, aged, rolled and reported. One JSON line.

    python tests/benchmarks/bench_servicing.py [LOANS] [BUCKETS] [FOLDER]

Every loan has 24 instalments, and payments of a year: most on time, some late, short, or none. Roll rates are also taken with pandas, of
the same panel in the same run; the two must agree.
"""

from __future__ import annotations

import datetime
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.policy.home import shipped
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.close import close
from qqloan_cli.servicing.measured_book import measured_book
from qqloan_cli.servicing.measures import MEASURES, measure
from qqloan_cli.servicing.panel import write_panel
from qqloan_cli.servicing.portfolio import portfolio
from qqloan_cli.servicing.state import write_state

FIRST, MONTHS = datetime.date(2024, 1, 1), 12


def made_here(root: Path, loans: int, buckets: int) -> Book:
    """Drawn over a year, level instalments by hand (principal in equal parts, interest falling)."""
    book = Book.begin(root, buckets, FIRST)
    number, beside = book.new_folder("opens")
    shutil.copytree(shipped("configs"), beside / "config", ignore=shutil.ignore_patterns("model", "sources"))
    con = connect(2, 3_000)
    con.execute(f"""CREATE TEMP TABLE made AS SELECT
        'L' || lpad(CAST(n AS VARCHAR), 8, '0') AS loan_id, n, CAST(n % {buckets} AS USMALLINT) AS bucket, DATE '2024-01-01' + CAST(hash(n) % 330 AS INTEGER) AS drawn_on,
        2400000 + (hash(n + 7) % 100) * 24000 AS principal_fen, hash(n + 3) % 100 AS kind FROM range({loans}) t(n)""")
    con.execute("""CREATE TEMP VIEW loans AS SELECT loan_id, loan_id AS application_id, 1 AS tranche_no, loan_id AS applicant_id, 'bench' AS run_id, DATE '2024-01-01' AS opened_on,
        'cash_loan' AS product, drawn_on, principal_fen, 120000 AS annual_rate_ppm, 180000 AS penalty_rate_ppm, NULL AS cost_cap, 'equal_principal' AS method, 24 AS term_months,
        'R' || (n % 30) AS region, 'C' AS grade, 0.05 AS pd, bucket FROM made""")
    con.execute("""CREATE TEMP VIEW instalments AS SELECT loan_id, k AS instalment_no, CAST(drawn_on + INTERVAL (k) MONTH AS DATE) AS due_date, principal_fen // 24 AS principal_fen,
        (principal_fen * (25 - k)) // 2400 AS interest_fen, 0 AS fee_fen, bucket FROM made, range(1, 25) t(k)""")
    con.execute("CREATE TEMP VIEW funded_by AS SELECT loan_id, 'own' AS source, principal_fen AS amount_fen, bucket FROM made")
    con.execute("""CREATE TEMP VIEW lines AS SELECT loan_id AS line_id, loan_id AS applicant_id, 'bench' AS run_id, 'cash_loan' AS product, 2 * principal_fen AS limit_fen,
        principal_fen AS amount_fen, DATE '2024-01-01' AS opened_on, DATE '2027-01-01' AS expires_on, 'C' AS grade, 0.05 AS pd, 'R' || (n % 30) AS region,
        1000000 AS monthly_income_fen, 'high' AS income_confidence, principal_fen // 12 AS monthly_payment_fen, 0.3 AS dti, bucket FROM made""")
    for table in ("loans", "instalments", "funded_by", "lines"):
        (beside / table).mkdir()
        for bucket in range(buckets):
            put(con, table, beside / table / f"{bucket:03d}.parquet", f"(SELECT * FROM {table} WHERE bucket = {bucket})", True)
    con.execute("""CREATE TEMP VIEW told AS SELECT bucket, 'E' || loan_id || '-' || k AS event_id, loan_id, 'repayment' AS kind,
        CAST(drawn_on + INTERVAL (k) MONTH AS DATE) + CASE WHEN kind < 80 THEN 0 ELSE CAST(hash(n * 31 + k) % 45 AS INTEGER) END AS value_date,
        (principal_fen // 24 + (principal_fen * (25 - k)) // 2400) * CASE WHEN kind BETWEEN 90 AND 94 THEN 60 ELSE 100 END // 100 AS amount_fen, NULL AS reverses, NULL AS component,
        CAST(NULL AS DATE) AS until, NULL AS term_months, NULL AS rate_ppm, DATE '2024-01-01' AS received_on, 'bench' AS file, k AS row
        FROM made, range(1, 13) t(k) WHERE kind < 95 OR k < hash(n) % 12""")
    book.put_in_place(beside, root / "opens" / f"{number:05d}")
    (root / "events").mkdir()
    put(con, "events", root / "events" / "00001.parquet", "told", True)
    con.close()
    book.document["opens"].append({"number": 1, "run_id": "bench", "as_of": str(FIRST), "opened_on": str(FIRST), "loans": loans, "principal_fen": 0})
    book.document["posts"].append({"number": 1, "received_on": str(FIRST), "aside": 0, "last_day": "2026-01-31"})
    book.save()
    return book


def timed(function):
    started = time.perf_counter()
    found = function()
    return round(time.perf_counter() - started, 2), found


def with_pandas(path: Path) -> pd.DataFrame:
    """Roll rates of a panel by from_month, from_bucket, to_bucket."""
    panel = pd.read_parquet(path, columns=["loan_id", "month", "status", "dpd", "balance_fen"])
    bucket = "M" + ((panel["dpd"] + 29) // 30).astype(str)
    bucket = bucket.where(panel["dpd"] <= 180, "M6+")
    panel["bucket"] = panel["status"].where(panel["status"].isin(["paid", "written_off"]), bucket)
    panel["month"] = pd.to_datetime(panel["month"])
    panel = panel.sort_values(["loan_id", "month"])
    after = panel.groupby("loan_id")[["month", "bucket"]].shift(-1)
    panel["to_bucket"] = after["bucket"].where(after["month"] == panel["month"] + pd.offsets.MonthEnd(1), "left")
    panel = panel[(panel["month"] < panel["month"].max()) & ~panel["bucket"].isin(["paid", "written_off"])]
    return panel.groupby(["month", "bucket", "to_bucket"]).agg(loans=("loan_id", "size"), balance_fen=("balance_fen", "sum")).reset_index()


def main() -> None:
    loans = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    buckets = int(sys.argv[2]) if len(sys.argv) > 2 else max(2, 1 << max(0, (loans // 65_536)).bit_length())
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as scratch:
        root, out = Path(scratch) / "book", Path(scratch)
        book = made_here(root, loans, buckets)
        closing, told = timed(lambda: close(book, datetime.date(2024, 12, 15), 2))
        nightly, more = timed(lambda: close(Book.open(root), datetime.date(2024, 12, 16), 2))
        ending, _ = timed(lambda: close(Book.open(root), datetime.date(2024, 12, 31), 2))
        book = Book.open(root)
        stating, _ = timed(lambda: write_state(book, datetime.date(2024, 12, 31), None, out / "state.parquet", 2))
        paneling, rows = timed(lambda: write_panel(book, FIRST, datetime.date(2024, 12, 31), out / "panel.parquet", 2))
        standing, _ = timed(lambda: portfolio(book, datetime.date(2024, 12, 31), 2))
        by_bucket, _ = timed(lambda: measured_book(book, datetime.date(2024, 12, 31), 2))
        measuring = {name: timed(lambda name=name: measure([out / "panel.parquet"], name)) for name in MEASURES}
        theirs, other = timed(lambda: with_pandas(out / "panel.parquet"))
        ours = measuring["rolls"][1].to_pandas()
        if int(ours["balance_fen"].sum()) != int(other["balance_fen"].sum()) or len(ours) != len(other):
            raise SystemExit("the two disagree")
    print(json.dumps({
        "bench": "servicing", "date": str(datetime.date.today()), "loans": loans, "instalments": loans * 24, "buckets": buckets, "entries": told["entries"],
        "close_s": closing, "next_night_s": nightly, "to_month_end_s": ending, "state_s": stating, "panel_s": paneling, "panel_rows": rows, "panel_rows_a_second": round(rows / paneling),
        **{f"{name}_s": seconds for name, (seconds, _) in measuring.items()}, "pandas_rolls_s": theirs, "rolls_times_pandas": round(theirs / measuring["rolls"][0], 1),
        "portfolio_s": standing, "all_measures_by_bucket_s": by_bucket, "next_night_entries": more["entries"],
    }))


if __name__ == "__main__":
    main()
