"""Letters that were written (qqloan notice), as the check of the duty to write them reads them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from qqloan_cli.errors import InputError


def written(path: Path) -> pa.Table:
    """application_id, kind and lang of every letter in a Parquet file. Raises InputError where it is none."""
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=["application_id", "kind", "lang"])
    except (OSError, pa.ArrowInvalid, KeyError):
        raise InputError("notices-unreadable", "this is no table of letters", str(path), "qqloan notice RUN --out FILE.parquet writes one.") from None
