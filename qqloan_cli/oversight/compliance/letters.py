"""Letters that were written (qqloan notice), as the check of the duty to write them reads them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from qqloan_cli.errors import InputError


def written(paths: list[Path]) -> pa.Table:
    """application_id, loan_id, kind, lang and dated of every letter in Parquet files or folders of them. Raises InputError where one is none."""
    import pyarrow.parquet as pq

    parts = []
    for path in paths:
        try:
            parts.append(pq.read_table(path, columns=["application_id", "loan_id", "kind", "lang", "dated"]))
        except (OSError, pa.ArrowInvalid, KeyError):
            raise InputError("notices-unreadable", "this is no table of letters", str(path), "qqloan notice RUN --to DIR --as parquet writes one.") from None
    return pa.concat_tables(parts, promote_options="permissive")
