"""A DuckDB that does what it is told and nothing else: no downloads, no extensions by itself, a stated number of threads."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from qqloan_cli.errors import UsageError

_NEVER, _LITTLE_MB = "1TB", 200
USUAL_MB, LEAST_MB = 2_400, 512  # what the databases of a command may hold together
BUDGET = "QQLOAN_MEMORY_MB"


def allowed(memory_mb: int) -> int:
    """What a database may hold that usually may hold ``memory_mb``, of the budget that QQLOAN_MEMORY_MB sets. Raises UsageError where
    that is no number, or too little."""
    told = os.environ.get(BUDGET)
    if not told:
        return memory_mb
    if not told.isdecimal() or int(told) < LEAST_MB:
        raise UsageError("memory-wrong", f"{told!r} is not a number of megabytes from {LEAST_MB} on", BUDGET, "Write it as 1024.")
    return memory_mb * int(told) // USUAL_MB


def connect(threads: int = 1, memory_mb: int = 1500, scratch: Path | None = None):
    """An in-memory DuckDB. One thread makes sums of floats repeatable; spills go to ``scratch``."""
    import duckdb

    arrow_without_pandas()
    con = duckdb.connect(":memory:", config={
        "threads": threads,
        "memory_limit": f"{allowed(memory_mb)}MB",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allocator_flush_threshold": _NEVER,  # giving memory back and asking for it again took a tenth of a run
        "allocator_bulk_deallocation_flush_threshold": _NEVER,
    })
    settle(con)
    if scratch is not None:
        con.execute(f"SET temp_directory = {literal(str(scratch))}")
    return con


_at_hand: list = []


@contextlib.contextmanager
def at_hand(con) -> Iterator[None]:
    """While this lasts, ``aside`` asks ``con``'s database."""
    _at_hand.append(con)
    try:
        yield
    finally:
        _at_hand.remove(con)


def aside():
    """A session for a question that needs no tables: of the database at hand, for to open one takes 25 ms; where none is, of a new one."""
    return _at_hand[-1].cursor() if _at_hand else connect(1)


def settle(con) -> None:
    """What belongs to a connection and not to its database: a cursor begins without it."""
    con.execute("SET TimeZone = 'UTC'")
    if "ipykernel" not in sys.modules:  # in a notebook without ipywidgets DuckDB 2.0 refuses to have the setting touched
        con.execute("SET enable_progress_bar = false")


def clear(con) -> None:
    """Drops a session's own tables, and sets back what a stage may set, for DuckDB keeps that for the whole database. To close the
    session would make DuckDB give all the free memory of the process back to the system, and whoever comes next asks for it again,
    page by page."""
    con.execute("RESET preserve_insertion_order")
    for (table,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall():
        con.execute(f'DROP TABLE "{table}"')


@contextlib.contextmanager
def leaving_room(con) -> Iterator[None]:
    """While others need the memory: what dropped tables held goes back to the system, and of those that stand all but a little to
    the scratch folder. DuckDB does both where its limit is set."""
    limit = con.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    con.execute(f"SET memory_limit = '{allowed(_LITTLE_MB)}MB'")
    try:
        yield
    finally:
        con.execute(f"SET memory_limit = {literal(limit)}")


def distrust_statistics(con) -> None:
    """For files that others wrote. A Parquet file's least and most leave NaN out, and DuckDB 2.0 takes them to mean that there is none."""
    con.execute("SET disabled_optimizers = 'statistics_propagation'")


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A table's or a column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def duckdb_error() -> type[Exception]:
    """What DuckDB raises, for modules that load it late."""
    import duckdb

    return duckdb.Error


class _NotNow:
    """Tells whoever imports pandas that it is not there."""

    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name)


@functools.cache
def arrow_without_pandas() -> None:
    """Arrow looks for pandas when it makes its first array, which takes a third of a second for nothing: our arrays come
    from NumPy and lists. It looks again when somebody asks for a data frame, so nobody misses it."""
    import pyarrow

    if "pandas" in sys.modules:
        return
    finder = _NotNow()
    sys.meta_path.insert(0, finder)
    try:
        pyarrow.array([0])
    finally:
        sys.meta_path.remove(finder)
