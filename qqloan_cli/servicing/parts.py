"""A table that every bucket makes a part of, as one file: whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Callable

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
