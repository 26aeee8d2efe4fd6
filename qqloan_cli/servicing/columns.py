"""Tables as whole columns of numbers, and days as numbers in them."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa


def columns(con, query: str) -> dict[str, np.ndarray]:
    """Whole columns in int64; dates as days since 1970."""
    table = con.sql(query).to_arrow_table().combine_chunks()
    return {name: (table[name].cast(pa.int32()) if pa.types.is_date(table[name].type) else table[name]).to_numpy().astype(np.int64) for name in table.column_names}


def day_number(date: datetime.date) -> int:
    return (date - datetime.date(1970, 1, 1)).days
