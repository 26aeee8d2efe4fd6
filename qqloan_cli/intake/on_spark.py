"""Intake's shuffle on Spark: every file is read and dealt out to buckets by a task of its own, and every bucket put together by one.

A task runs the very SQL that this process would run, over its one file. The run's folder, and the lender's files, must be
reachable under the same paths by every executor. What mappings make, and files that only the careful way can read, come here
as Parquet that the driver made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.spark import EXECUTOR_MEMORY_MB, on_executors
from qqloan_cli.intake import write
from qqloan_cli.intake.groups import apart
from qqloan_cli.intake.mend import make_ready
from qqloan_cli.intake.relations import Group


class OnSpark:
    """Deals rows out as ``write.Here`` does."""

    def __init__(self, master: str) -> None:
        self._master = master

    def deal(self, run: Run, select: Callable[[list[Group]], str], groups: list[Group], made: Path) -> None:
        root, document = run.root, run.document

        def work(task: tuple[int, str]) -> str | None:
            number, query = task
            return _deal(Run(root, document), query, made / f"part-{number:05d}")

        tasks = list(enumerate(select([part]) for group in groups for part in apart(group)))
        for kind in on_executors(self._master, work, tasks):
            if kind is not None:
                raise write.NotDealt(kind)

    def merge(self, todo: list[tuple[list[Path], Path]]) -> None:
        def work(task: tuple[list[Path], Path]) -> None:
            con = connect(1, EXECUTOR_MEMORY_MB)
            try:
                write.merge(con, *task)
            finally:
                con.close()

        on_executors(self._master, work, todo)


def _deal(run: Run, query: str, made: Path) -> str | None:
    """On an executor. The kind of error that DuckDB ended in, if it did: its words may hold a cell."""
    import shutil

    import duckdb

    shutil.rmtree(made, ignore_errors=True)  # of a task that was tried before
    made.parent.mkdir(parents=True, exist_ok=True)
    con = connect(1, EXECUTOR_MEMORY_MB, run.scratch)
    try:
        make_ready(con)
        write.know_batch(con, run)
        write.partition(con, run, query, made)
    except duckdb.Error as error:
        return type(error).__name__
    finally:
        con.close()
    return None
