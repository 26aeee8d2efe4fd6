"""A run's funded loans into a book: every tranche of the disburse plan is a loan, every approved application a line."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.home import config_dir
from qqloan_cli.policy.lines import FILE, load_lines
from qqloan_cli.policy.products import PPM, load_products, ppm
from qqloan_cli.policy.servicing import load_servicing
from qqloan_cli.servicing.book import Book

TABLES = ("loans", "instalments", "funded_by")
LINES = "lines"


def open_run(run: Run, root: Path) -> dict:
    """Returns what was taken in: run_id, loans, lines, principal_fen. Of a run that was opened before a book had lines, the lines alone are
    taken in. Raises UsageError where the run has no plan, or is in the book already."""
    if not run.whole("disburse_plan") or not run.whole("limit"):
        raise UsageError("run-without-plan", "the run has no disburse plan", str(run.root), "qqloan disburse-plan RUN makes one.")
    book = Book.open(root) if (root / "book.json").is_file() else Book.begin(root, run.buckets, run.as_of)
    run_id = run.run_id
    stands = next((opened for opened in book.document["opens"] if opened["run_id"] == run_id), None)
    if stands is not None:
        if (book.opened(stands["number"]) / LINES).is_dir():
            raise UsageError("run-in-book", "the book has this run already", run_id, "Every run is opened once.")
        return _take(run, book, datetime.date.fromisoformat(stands["opened_on"]), (LINES,), stands)
    return _take(run, book, max(run.as_of, book.today) if book.closed_to else run.as_of, (*TABLES, LINES), None)


def _take(run: Run, book: Book, day: datetime.date, tables: tuple[str, ...], stands: dict | None) -> dict:
    number, beside = book.new_folder("opens")
    products = load_products(run.config_dir)
    load_servicing(run.config_dir, list(products))
    # A run of before lines were kept says nothing on how long they are valid: what is in force says it.
    lines = load_lines(run.config_dir if (run.config_dir / FILE).is_file() else config_dir())
    con = connect(2)
    try:
        for table in ("disburse_plan", "schedule", "limit", "income"):
            run.bind(con, table)
        times = ", ".join(f"({name!r}, {ppm(product.shown.late_rate_times)})" for name, product in products.items())
        con.execute(f"CREATE TEMP TABLE late_times AS SELECT * FROM (VALUES {times}) t(product, times_ppm)")
        con.register("some_valid", pa.table({"product": list(products), "months": [lines.validity.of(name) for name in products]}))
        con.execute("CREATE TEMP TABLE valid AS SELECT product, CAST(months AS INTEGER) AS months FROM some_valid")
        con.execute("SET VARIABLE opened_on = $1::DATE", [day])
        con.execute("SET VARIABLE run_id = $1::VARCHAR", [run.run_id])
        con.execute("SET VARIABLE ppm = $1::BIGINT", [PPM])
        con.execute("SET VARIABLE shift = $1::INTEGER", [16 - (book.buckets.bit_length() - 1)])
        con.execute(Path(__file__).with_name("open.sql").read_text(encoding="utf-8"))
        for table in tables:
            for bucket in range(book.buckets):
                path = beside / table / f"{bucket:03d}.parquet"
                path.parent.mkdir(exist_ok=True)
                put(con, table, path, f"(SELECT * FROM opened_{table} WHERE bucket = {bucket})", True)
        [(loans, principal)] = con.execute("SELECT count(*), coalesce(sum(principal_fen), 0)::BIGINT FROM opened_loans").fetchall()
        [(count,)] = con.execute("SELECT count(*) FROM opened_lines").fetchall()
    finally:
        con.close()
    if stands is not None:
        book.put_in_place(beside / LINES, book.opened(stands["number"]) / LINES)
        beside.rmdir()
        return {**stands, "loans": 0, "principal_fen": 0, "lines": count}
    shutil.copytree(run.config_dir, beside / "config", ignore=shutil.ignore_patterns("model", "sources"))
    book.put_in_place(beside, book.opened(number))
    told = {"number": number, "run_id": run.run_id, "as_of": run.as_of.isoformat(), "opened_on": day.isoformat(), "loans": loans, "principal_fen": principal}
    book.document["opens"].append(told)
    book.save()
    return {**told, "lines": count}
