"""How the process runs: what a short-lived program that works in whole columns asks of its allocator, collector and libraries."""

from __future__ import annotations

import ctypes
import gc
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_LARGEST_MMAP_THRESHOLD, _KEPT_BYTES = 32 << 20, 1 << 30


def prepare() -> None:
    """To be called before NumPy is imported.

    Columns are asked for and given back by the hundred: an allocator that keeps them spares the kernel a tenth of the
    run. A linear-algebra library with threads of its own would make sums depend on the machine.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(50_000, 20, 20)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
