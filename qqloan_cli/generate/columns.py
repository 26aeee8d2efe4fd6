"""NumPy to Arrow without a Python object a row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def fixed_text(rows: np.ndarray, there: np.ndarray | None = None) -> pa.Array:
    """Strings of an (n, width) matrix of ASCII; a zero byte ends a shorter one."""
    rows = np.ascontiguousarray(rows)
    filled = rows != 0
    ends = np.zeros(len(rows) + 1, np.int32)
    np.cumsum(filled.sum(axis=1), out=ends[1:])
    text = pa.StringArray.from_buffers(len(rows), pa.py_buffer(ends), pa.py_buffer(rows[filled]))
    return text if there is None else only(text, there)


def words(vocabulary: pa.Array, codes: np.ndarray) -> pa.Array:
    """``vocabulary`` at ``codes``; a negative code is null."""
    if len(codes) and codes.min() < 0:
        return vocabulary.take(pa.array(codes, mask=codes < 0))
    return vocabulary.take(pa.array(codes))


def only(array: pa.Array, there: np.ndarray) -> pa.Array:
    """The same, null where ``there`` is false."""
    return pc.if_else(pa.array(there), array, pa.scalar(None, array.type))


def joined(*parts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def money(fen: np.ndarray, there: np.ndarray | None = None) -> pa.Array:
    """DECIMAL(18,2) yuan of integers of fen."""
    wide = np.empty((len(fen), 2), np.int64)
    wide[:, 0] = fen
    wide[:, 1] = wide[:, 0] >> 63
    valid = None if there is None else pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(fen), [valid, pa.py_buffer(wide)])


def dates(days: np.ndarray, there: np.ndarray | None = None) -> pa.Array:
    """DATE of days since 1970."""
    return pa.array(days.astype(np.int32), mask=None if there is None else ~there).cast(pa.date32())


def moments(seconds: np.ndarray, there: np.ndarray | None = None) -> pa.Array:
    """TIMESTAMP of seconds since 1970."""
    return pa.array(seconds.astype(np.int64) * 1_000_000, mask=None if there is None else ~there).cast(pa.timestamp("us"))


def numbers(values: np.ndarray, there: np.ndarray | None = None) -> pa.Array:
    return pa.array(values.astype(np.int32), mask=None if there is None else ~there)
