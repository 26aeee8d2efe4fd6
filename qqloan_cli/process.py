"""How the process runs and ends: what a short-lived program that works in whole columns asks of its allocator, collector and libraries."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_STOPS = (signal.SIGINT, signal.SIGTERM)
_LATER_SECONDS = 0.02
_LARGEST_MMAP_THRESHOLD, _KEPT_BYTES = 32 << 20, 1 << 30

# Read by each library when it is loaded. jemalloc is DuckDB's own, which gives no memory back with these. For NumPy's huge pages the
# kernel moves others out of the way: what is touched once took twice its time.
_LIBRARIES = {
    "OPENBLAS_NUM_THREADS": "1",
    "DUCKDB_JE_MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # to look for them reads what every installed package says of itself
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


def heed_signals() -> None:
    """Ctrl-C raises KeyboardInterrupt and SIGTERM ends in exit code 143, as soon as no module is being imported: a C++ library
    that meets an exception while it is loaded aborts the process."""
    for number in _STOPS:
        signal.signal(number, _stop)


def _stop(number: int, frame) -> None:
    if _imports(frame) and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda _, later: _stop(number, later))
        signal.setitimer(signal.ITIMER_REAL, _LATER_SECONDS)
    elif number == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        raise SystemExit(128 + number)


def _imports(frame) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """While a process is forked: what a signal raises in a callback of the fork is dropped, and the run would go on.
    The new process begins with its signals waiting, see ``signals_come``."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (*_STOPS, signal.SIGALRM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def signals_come() -> None:
    """To be called in a new process that has settled what it does with them."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_STOPS, signal.SIGALRM))


def leave(code: int) -> None:
    """Ends the process. Taking every object of a long run apart, only to give the memory back, would take longer than many a stage."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.flush()
    os._exit(code)
