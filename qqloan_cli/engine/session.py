"""A DuckDB that does what it is told and nothing else: no downloads, no extensions by itself, a stated number of threads."""

from __future__ import annotations

from pathlib import Path


def connect(threads: int = 1, memory_mb: int = 1500, scratch: Path | None = None):
    """An in-memory DuckDB. One thread makes sums of floats repeatable; spills go to ``scratch``."""
    import duckdb

    con = duckdb.connect(":memory:", config={
        "threads": threads,
        "memory_limit": f"{memory_mb}MB",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
    })
    con.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    if scratch is not None:
        con.execute(f"SET temp_directory = {literal(str(scratch))}")
    return con


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
