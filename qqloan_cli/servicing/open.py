"""A run's funded loans into a book: every tranche of the disburse plan is a loan."""

from __future__ import annotations

import shutil

from pathlib import Path

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.products import PPM, load_products, ppm
from qqloan_cli.policy.servicing import load_servicing
from qqloan_cli.servicing.book import Book

TABLES = ("loans", "instalments", "funded_by")


def open_run(run: Run, root: Path) -> dict:
    """Returns what was taken in: run_id, loans, principal_fen. Raises UsageError where the run has no plan, or is in the
    book already."""
    if not run.whole("disburse_plan") or not run.whole("limit"):
        raise UsageError("run-without-plan", "the run has no disburse plan", str(run.root), "qqloan disburse-plan RUN makes one.")
    book = Book.open(root) if (root / "book.json").is_file() else Book.begin(root, run.buckets, run.as_of)
    run_id = run.run_id
    if any(opened["run_id"] == run_id for opened in book.document["opens"]):
        raise UsageError("run-in-book", "the book has this run already", run_id, "Every run is opened once.")
    day = max(run.as_of, book.today) if book.closed_to else run.as_of
    number, beside = book.new_folder("opens")
    products = load_products(run.config_dir)
    load_servicing(run.config_dir, list(products))
    con = connect(2)
    try:
        for table in ("disburse_plan", "schedule", "limit"):
            run.bind(con, table)
        times = ", ".join(f"({name!r}, {ppm(product.shown.late_rate_times)})" for name, product in products.items())
        con.execute(f"CREATE TEMP TABLE late_times AS SELECT * FROM (VALUES {times}) t(product, times_ppm)")
        con.execute("SET VARIABLE opened_on = $1::DATE", [day])
        con.execute("SET VARIABLE run_id = $1::VARCHAR", [run_id])
        con.execute("SET VARIABLE ppm = $1::BIGINT", [PPM])
        con.execute("SET VARIABLE shift = $1::INTEGER", [16 - (book.buckets.bit_length() - 1)])
        con.execute(Path(__file__).with_name("open.sql").read_text(encoding="utf-8"))
        for table in TABLES:
            for bucket in range(book.buckets):
                path = beside / table / f"{bucket:03d}.parquet"
                path.parent.mkdir(exist_ok=True)
                put(con, table, path, f"(SELECT * FROM opened_{table} WHERE bucket = {bucket})", True)
        loans, principal = con.execute("SELECT count(*), coalesce(sum(principal_fen), 0)::BIGINT FROM opened_loans").fetchall()[0]
    finally:
        con.close()
    shutil.copytree(run.config_dir, beside / "config", ignore=shutil.ignore_patterns("model", "sources"))
    book.put_in_place(beside, book.root / "opens" / f"{number:05d}")
    told = {"number": number, "run_id": run_id, "as_of": run.as_of.isoformat(), "opened_on": day.isoformat(), "loans": loans, "principal_fen": principal}
    book.document["opens"].append(told)
    book.save()
    return told
