"""One pass over an input: the accepted rows into their buckets' files, other people's rows counted, bad rows set aside for the second look."""

from __future__ import annotations

import datetime
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.contracts.inputs import SHARED
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import literal
from qqloan_cli.intake.relations import Group, quoted

_BAD, _STRANGER = 65_535, 65_534  # buckets that no applicant can have
_FORMAT = "FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 122880"


@dataclass
class Written:
    accepted: int = 0
    unmatched: int = 0
    bad: int = 0
    by_file: dict[int, int] = field(default_factory=dict)  # rows that were read, by file number
    files: list[Path] = field(default_factory=list)


def _union(groups: list[Group], as_of: datetime.date | None) -> str:
    return "\nUNION ALL BY NAME\n".join(f"SELECT * FROM ({group.checked(as_of)})" for group in groups)


def read_applicants(con, groups: list[Group], as_of: datetime.date, spool: Path) -> int:
    """All applications to ``spool`` with ``_bad`` and the leading bits of their applicant's hash; duplicates to the table ``doubles``. Returns how many are accepted."""
    hashed = "CAST('0x' || substr(sha256(applicant_id), 1, 4) AS USMALLINT)"
    con.execute(f"COPY (SELECT *, CASE WHEN NOT _bad THEN {hashed} END AS _hash FROM ({_union(groups, as_of)})) TO {literal(str(spool))} ({_FORMAT})")
    con.execute(f"CREATE OR REPLACE TEMP VIEW spooled AS SELECT * FROM read_parquet({literal(str(spool))})")
    return con.execute("SELECT count(*) FROM spooled WHERE NOT _bad").fetchall()[0][0] - find_doubles(con, "spooled")


def find_doubles(con, rows: str) -> int:
    """The table ``doubles`` of the applications in the table ``rows``; how many."""
    values = ", ".join(quoted(c.name) for c in CONTRACTS["applicants"].columns if c.name not in ("src_file", "src_row", "application_id"))
    con.execute(_DOUBLES.format(values=values, rows=rows))
    return con.execute("SELECT count(*) FROM doubles").fetchall()[0][0]


# Of rows that say the same, the first by file and row stays; of rows that contradict each other none does.
_DOUBLES = """
CREATE OR REPLACE TEMP TABLE doubles AS
WITH twice AS (SELECT application_id FROM {rows} WHERE NOT _bad GROUP BY application_id HAVING count(*) > 1),
said AS (
  SELECT application_id, src_file, src_row, md5(CAST(({values}) AS VARCHAR)) AS what
  FROM {rows} SEMI JOIN twice USING (application_id) WHERE NOT _bad
),
judged AS (
  SELECT *, count(DISTINCT what) OVER (PARTITION BY application_id) AS versions,
    row_number() OVER (PARTITION BY application_id ORDER BY src_file, src_row) AS nth
  FROM said
)
SELECT application_id, src_file, src_row, versions > 1 AS contradicts FROM judged WHERE versions > 1 OR nth > 1
"""


def write_applicants(con, run: Run, scratch: Path) -> Written:
    """The spooled applications into buckets."""
    columns = ", ".join(_applicant_column(name, run.as_of) for name in CONTRACTS["applicants"].names)
    shift = 16 - (run.buckets.bit_length() - 1)
    doubles = con.execute("SELECT count(*) FROM doubles").fetchone()[0]
    but = "ANTI JOIN doubles USING (src_file, src_row)" if doubles else ""
    written = _write(con, run, "applicants", f"SELECT {columns}, CAST(_hash >> {shift} AS USMALLINT) AS bucket FROM spooled {but} WHERE NOT _bad", scratch)
    written.bad = con.execute("SELECT count(*) FROM spooled WHERE _bad").fetchone()[0]
    written.by_file = dict(con.execute("SELECT src_file, count(*) FROM spooled GROUP BY ALL").fetchall())
    return written


def _applicant_column(name: str, as_of: datetime.date) -> str:
    if name == "applied_at":
        return f"coalesce(applied_at, TIMESTAMP {literal(as_of.isoformat())}) AS applied_at"
    return quoted(name)


def write_supporting(con, run: Run, name: str, groups: list[Group], scratch: Path) -> Written:
    """Another table's rows into the buckets of its applicants; social edges, outcomes and the blocklist are kept whole."""
    names = ", ".join(f"r.{quoted(column)}" for column in CONTRACTS[name].names)
    rows = f"({_union(groups, run.as_of)}) AS r"
    if name in SHARED:
        return _write(con, run, name, f"SELECT {names}, CAST(CASE WHEN _bad THEN {_BAD} ELSE 0 END AS USMALLINT) AS bucket FROM {rows}", scratch)
    bucket = f"CASE WHEN r._bad THEN {_BAD} ELSE coalesce(b.bucket, {_STRANGER}) END"
    return _write(con, run, name, f"SELECT {names}, CAST({bucket} AS USMALLINT) AS bucket FROM {rows} LEFT JOIN batch AS b ON b.applicant_id = r.applicant_id", scratch)


def know_batch(con, run: Run) -> None:
    """The table ``batch``: who applies, and in which bucket."""
    selects = [f"SELECT DISTINCT applicant_id, CAST({int(path.stem)} AS USMALLINT) AS bucket FROM read_parquet({literal(str(path))})" for path in run.whole("applicants")]
    nobody = "SELECT CAST(NULL AS VARCHAR) AS applicant_id, CAST(NULL AS USMALLINT) AS bucket WHERE false"
    con.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {' UNION ALL '.join(selects) or nobody}")


def _write(con, run: Run, name: str, query: str, scratch: Path) -> Written:
    made = scratch / f"buckets-{name}"
    shutil.rmtree(made, ignore_errors=True)
    con.execute(f"COPY ({query}) TO {literal(str(made))} ({_FORMAT}, PARTITION_BY (bucket))")
    return _put(con, run, name, made)


def _put(con, run: Run, name: str, made: Path) -> Written:
    """From ``bucket=7/data_0.parquet`` to ``inputs/NAME/007.parquet``."""
    import pyarrow.parquet as pq

    folder = run.folder(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written = Written()
    for part in sorted(made.glob("bucket=*")) if made.exists() else []:
        bucket, files = int(part.name.partition("=")[2]), sorted(part.glob("*.parquet"))
        rows = sum(pq.read_metadata(path).num_rows for path in files)
        _count_files(con, written, files)
        if bucket == _BAD:
            written.bad += rows
        elif bucket == _STRANGER:
            written.unmatched += rows
        else:
            written.accepted += rows
            written.files.append(_one(con, files, run.file(name, bucket)))
    shutil.rmtree(made, ignore_errors=True)
    if name in SHARED and not written.files:
        path = run.file(name)
        con.execute(f"COPY ({CONTRACTS[name].empty()}) TO {literal(str(path))} ({_FORMAT})")
        written.files.append(path)
    return written


def _count_files(con, written: Written, files: list[Path]) -> None:
    for path in files:
        for no, rows in con.execute(f"SELECT src_file, count(*) FROM read_parquet({literal(str(path))}) GROUP BY ALL").fetchall():
            written.by_file[no] = written.by_file.get(no, 0) + rows


def _one(con, files: list[Path], path: Path) -> Path:
    if len(files) == 1:
        os.replace(files[0], path)
    else:
        paths = ", ".join(literal(str(file)) for file in files)
        con.execute(f"COPY (SELECT * FROM read_parquet([{paths}], hive_partitioning = false)) TO {literal(str(path))} ({_FORMAT})")
    return path
