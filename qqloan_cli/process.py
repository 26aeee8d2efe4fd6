"""How the process runs and ends: what a short-lived program that works in whole columns asks of its allocator, collector and libraries."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_LARGEST_MMAP_THRESHOLD, _KEPT_BYTES = 32 << 20, 1 << 30

# Read by each library when it is loaded. jemalloc is DuckDB's own, which gives no memory back with these.
_LIBRARIES = {
    "OPENBLAS_NUM_THREADS": "1",
    "DUCKDB_JE_MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


def prepare() -> None:
    """To be called before a library of columns is imported.

    Columns are asked for and given back by the hundred: an allocator that keeps them spares the kernel a tenth of the
    run. A linear-algebra library with threads of its own would make sums depend on the machine.
    """
    for name, value in _LIBRARIES.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(50_000, 20, 20)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def leave(code: int) -> None:
    """Ends the process. Taking every object of a long run apart, only to give the memory back, would take longer than many a stage."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.flush()
    os._exit(code)
