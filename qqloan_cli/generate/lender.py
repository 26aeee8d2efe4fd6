"""A whole lender, block by block: files as intake reads them, and the truth beside.

A block (16,384 people) is drawn from (seed, block) alone, so memory is a block's, the
number of workers changes no byte, and a longer lender begins with a shorter one's
whole blocks.
"""

from __future__ import annotations

import multiprocessing
import shutil
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Callable, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from qqloan_cli.generate import applications, credit, faults, pay, people, social, statements, truth
from qqloan_cli.generate.block import BLOCK, EPOCH, Block

INPUTS = (
    "applicants", "payroll", "provident_fund", "bank_statements", "credit_accounts", "credit_inquiries",
    "wealth", "social_activity", "social_edges", "outcomes", "blocklist",
)
TRUTH = ("truth_applications", "truth_outcomes", "truth_lines")
# Rows for each applicant, and bytes a row in CSV and in Parquet: for --dry-run.
SIZES = {
    "applicants": (1.0, 285, 128), "payroll": (2.09, 77, 18), "provident_fund": (2.78, 83, 8), "bank_statements": (12.2, 94, 26),
    "credit_accounts": (1.28, 112, 22), "credit_inquiries": (1.45, 52, 7), "wealth": (1.5, 30, 10), "social_activity": (5.0, 43, 13),
    "social_edges": (2.02, 42, 11), "outcomes": (0.08, 38, 14), "blocklist": (0.013, 55, 25),
}


class Order(NamedTuple):
    applicants: int
    seed: int
    as_of: int  # days since 1970
    format: str  # csv or parquet
    folder: Path


def blocks(count: int) -> int:
    return -(-count // BLOCK)


def draw(order: Order, number: int) -> dict[str, pa.Table]:
    """Every input and truth table of one block."""
    block = Block(order.seed, number, min(BLOCK, order.applicants - number * BLOCK), order.as_of)
    people.draw_people(block)
    applications.draw_applications(block)
    faults.plant(block)
    credit.draw_credit(block)
    truth.draw_truth(block)
    lines, truly = statements.bank_statements(block)
    activity = social.social_activity(block)
    edges, outcomes = social.edges_and_outcomes(block)
    return {name: pa.table(columns) for name, columns in {
        "applicants": applications.applicants(block), "payroll": pay.payroll(block), "provident_fund": pay.provident_fund(block),
        "bank_statements": lines, "credit_accounts": credit.credit_accounts(block), "credit_inquiries": credit.credit_inquiries(block),
        "wealth": social.wealth(block), "social_activity": activity, "social_edges": edges, "outcomes": outcomes,
        "blocklist": social.blocklist(block), "truth_applications": truth.truth_applications(block),
        "truth_outcomes": truth.truth_outcomes(block), "truth_lines": truly,
    }.items()}


def part(order: Order, name: str, number: int) -> Path:
    """Where a block's part of a table goes: a file of the input's folder, or beside until all are there."""
    if name in TRUTH:
        return order.folder / "parts" / f"{name}-{number:05d}.parquet"
    if order.format == "csv":
        return order.folder / "parts" / f"{name}-{number:05d}.csv"
    return order.folder / name / f"{number:05d}.parquet"


def write_block(order: Order, number: int) -> dict[str, int]:
    rows = {}
    for name, table in draw(order, number).items():
        path = part(order, name, number)
        if path.suffix == ".csv":
            _write_csv(table, path)
        else:
            pq.write_table(table, path, compression="snappy", store_schema=False)
        rows[name] = len(table)
    return rows


def _write_csv(table: pa.Table, path: Path) -> None:
    """UTF-8, a header, line feeds, nothing quoted, empty where null; money with two places, moments to the second."""
    for position, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type) or pa.types.is_boolean(column.type):
            table = table.set_column(position, column.name, table.column(position).cast(pa.string()))
        elif pa.types.is_timestamp(column.type):
            table = table.set_column(position, column.name, table.column(position).cast(pa.timestamp("s")))
        elif pa.types.is_floating(column.type):
            table = table.set_column(position, column.name, table.column(position).cast(pa.int64()))
    with open(path, "wb") as handle:
        if path.name.endswith("-00000.csv"):
            handle.write((",".join(table.column_names) + "\n").encode())
        pa.csv.write_csv(table, handle, pa.csv.WriteOptions(include_header=False, quoting_style="none"))


def generate(order: Order, workers: int, advanced: Callable[[int], None] = lambda _: None) -> dict[str, int]:
    """Writes the lender into ``order.folder``, which exists and is empty; returns rows by table."""
    number_of_blocks = blocks(order.applicants)
    (order.folder / "parts").mkdir()
    (order.folder / "truth").mkdir()
    if order.format == "parquet":
        for name in INPUTS:
            (order.folder / name).mkdir()
    rows = dict.fromkeys((*INPUTS, *TRUTH), 0)

    def finished(number: int, counts: dict[str, int]) -> None:
        for name, count in counts.items():
            rows[name] += count
        advanced(min(BLOCK, order.applicants - number * BLOCK))

    if workers == 1 or number_of_blocks == 1:
        for number in range(number_of_blocks):
            finished(number, write_block(order, number))
    else:
        with ProcessPoolExecutor(min(workers, number_of_blocks), mp_context=multiprocessing.get_context("spawn")) as pool:
            futures = {pool.submit(write_block, order, number): number for number in range(number_of_blocks)}
            todo = set(futures)
            try:
                while todo:
                    done, todo = wait(todo, return_when=FIRST_COMPLETED)
                    for future in done:
                        finished(futures[future], future.result())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    _gather(order, number_of_blocks)
    return rows


def _gather(order: Order, number_of_blocks: int) -> None:
    """The parts that belong into one file, in the order of blocks."""
    if order.format == "csv":
        for name in INPUTS:
            with open(order.folder / f"{name}.csv", "wb") as whole:
                for number in range(number_of_blocks):
                    with open(part(order, name, number), "rb") as handle:
                        shutil.copyfileobj(handle, whole, 1 << 20)
    for name in TRUTH:
        first = pq.read_schema(part(order, name, 0))
        with pq.ParquetWriter(order.folder / "truth" / f"{name}.parquet", first, compression="snappy", store_schema=False) as writer:
            for number in range(number_of_blocks):
                writer.write_table(pq.read_table(part(order, name, number)))
    (order.folder / "truth" / "README.md").write_text(truth.readme(), encoding="utf-8")
    shutil.rmtree(order.folder / "parts")


def days(date) -> int:
    """Days since 1970 of a date."""
    return (date - EPOCH).days
