"""What every bucket makes a part of: a table as one file, whole or not at all; or sums, of whole numbers that add up."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Callable, Iterable

import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import put
from qqloan_cli.engine.workers import each
from qqloan_cli.servicing.book import Book


def as_one(book: Book, table: str, out: Path, workers: int, making: Callable[[Path], Callable[[int], None]]) -> int:
    """``making(folder)(bucket)`` leaves ``folder/NNN.parquet``; all of them, in order of the contract's key, go to ``out``. Returns the rows."""
    beside = out.with_name(f".{out.name}.parts-{os.getpid()}")
    beside.mkdir(parents=True)
    try:
        for _ in each(list(range(book.buckets)), making(beside), book.workers(workers)):
            pass
        con = connect(2)
        try:
            return put(con, table, out, f"read_parquet([{', '.join(literal(str(path)) for path in sorted(beside.glob('*.parquet')))}])", True)
        finally:
            con.close()
    finally:
        shutil.rmtree(beside, ignore_errors=True)


_LARGEST = "largest_fen"  # of the largest the largest is kept


def counted(con, names: Iterable[str]) -> dict[str, pa.Table]:
    """The tables NAME_counted that a bucket's SQL left."""
    return {name: con.sql(f"SELECT * FROM {name}_counted").to_arrow_table() for name in names}


def add_up(con, parts: list[dict[str, pa.Table]], keys: dict[str, tuple[str, ...]]) -> None:
    """Leaves NAME_counted of all parts: ``keys`` say what its rows are of, every other column is added."""
    for name, of in keys.items():
        whole = pa.concat_tables([part[name] for part in parts])
        sums = [f"{'max' if field.name == _LARGEST else 'sum'}({field.name})::{'DECIMAL(38,0)' if pa.types.is_decimal(field.type) else 'BIGINT'} AS {field.name}" for field in whole.schema if field.name not in of]
        con.register("part", whole)
        con.execute(f"CREATE OR REPLACE TEMP TABLE {name}_counted AS SELECT {', '.join([*of, *sums])} FROM part GROUP BY ALL")
        con.unregister("part")
