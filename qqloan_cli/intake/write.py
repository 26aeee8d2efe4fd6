"""One pass over an input: the accepted rows into their buckets' files, other people's rows counted, bad rows set aside for the second look."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.contracts.inputs import SHARED
from qqloan_cli.engine.run import Run, buckets_for
from qqloan_cli.engine.session import literal, quoted
from qqloan_cli.engine.stage import PARQUET
from qqloan_cli.intake.relations import Group

_BAD, _STRANGER = 65_535, 65_534  # buckets that no applicant can have
_ROWS_KEPT, _MOST_KEPT = 8_192, 1_048_576  # of a bucket, and of all
_FORMAT = f"FORMAT parquet, {PARQUET}, ROW_GROUP_SIZE 122880"


@dataclass
class Written:
    accepted: int = 0
    unmatched: int = 0
    bad: int = 0
    by_file: dict[int, int] = field(default_factory=dict)  # rows that were read, by file number
    files: list[Path] = field(default_factory=list)


class NotDealt(Exception):
    """DuckDB could not read what was to be dealt out; ``kind`` is the kind of its error, whose words may hold a cell."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@contextlib.contextmanager
def _or_not_dealt():
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise NotDealt(type(error).__name__) from None


class Here:
    """Deals rows out to buckets in this process: one query over all groups."""

    def __init__(self, con) -> None:
        self.con = con

    def deal(self, run: Run, select: Callable[[list[Group]], str], groups: list[Group], made: Path) -> None:
        """The rows of ``select(groups)`` under ``made``, by their column ``bucket``. Raises NotDealt."""
        shutil.rmtree(made, ignore_errors=True)
        with _or_not_dealt():
            partition(self.con, run, select(groups), made)

    def merge(self, todo: list[tuple[list[Path], Path]]) -> None:
        """Makes one file of several, for each."""
        for files, path in todo:
            merge(self.con, files, path)


def _union(groups: list[Group], as_of: datetime.date | None) -> str:
    return "\nUNION ALL BY NAME\n".join(f"SELECT * FROM ({group.checked(as_of)})" for group in groups)


def write_applicants(con, run: Run, groups: list[Group], scratch: Path, dealer: Here) -> Written:
    """All applications into their buckets, and how many of those there are; duplicates to the table ``doubles``, and none of them written.

    The number of buckets hangs on how many are accepted, which is known at the end. It is nearly always that of the rows that
    came in, so those are written once; where it is not, or there are doubles, what was written is dealt out anew.
    """
    made = scratch / "buckets-applicants"
    with _or_not_dealt():
        run.document["buckets"] = buckets_for(max(_rows_about(con, groups), 1))
    columns = ", ".join(_applicant_column(name, run.as_of) for name in CONTRACTS["applicants"].names)
    bucket = f"CASE WHEN _bad THEN {_BAD} ELSE {_HASH} >> {_shift(run)} END"

    def select(groups: list[Group]) -> str:
        return f"SELECT {columns}, CAST({bucket} AS USMALLINT) AS bucket FROM ({_union(groups, run.as_of)})"

    dealer.deal(run, select, groups, made)
    files = _by_bucket(made)
    by_file, bad = _count_files(con, files), _rows(files.pop(_BAD, []))
    good = [path for paths in files.values() for path in paths]
    listed = f"read_parquet([{', '.join(literal(str(path)) for path in good)}], hive_partitioning = false)" if good else f"({CONTRACTS['applicants'].empty()})"
    doubles = find_doubles(con, listed)
    if doubles or buckets_for(_rows(good) - doubles) != run.buckets:
        run.document["buckets"] = buckets_for(_rows(good) - doubles)
        again = scratch / "buckets-applicants-again"
        partition(con, run, f"SELECT *, CAST({_HASH} >> {_shift(run)} AS USMALLINT) AS bucket FROM {listed} ANTI JOIN doubles USING (src_file, src_row)", again)
        shutil.rmtree(made)
        os.replace(again, made)
    written = _put(con, run, "applicants", made, dealer, by_file)
    written.bad = bad
    return written


_HASH = "CAST('0x' || substr(sha256(applicant_id), 1, 4) AS USMALLINT)"


def _shift(run: Run) -> int:
    return 16 - (run.buckets.bit_length() - 1)


def _rows_about(con, groups: list[Group]) -> int:
    """Rows that came in; of a CSV its lines, and none of a packed one, which would have to be unpacked for it."""
    total = 0
    for group in groups:
        if group.reads:
            total += sum(_lines(file.path) for file in group.files if not file.packing)
        else:
            total += con.execute(f"SELECT count(*) FROM {group.source}").fetchall()[0][0]
    return total


def _lines(path: Path) -> int:
    with open(path, "rb") as file:
        return sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b"")) - 1


def find_doubles(con, rows: str) -> int:
    """The table ``doubles`` of the accepted applications ``rows``, a FROM item; how many."""
    values = ", ".join(quoted(c.name) for c in CONTRACTS["applicants"].columns if c.name not in ("src_file", "src_row", "application_id"))
    con.execute(_DOUBLES.format(values=values, rows=rows))
    return con.execute("SELECT count(*) FROM doubles").fetchall()[0][0]


# Of rows that say the same, the first by file and row stays; of rows that contradict each other none does.
_DOUBLES = """
CREATE OR REPLACE TEMP TABLE doubles AS
WITH twice AS (SELECT application_id FROM {rows} GROUP BY application_id HAVING count(*) > 1),
said AS (
  SELECT application_id, src_file, src_row, md5(CAST(({values}) AS VARCHAR)) AS what
  FROM {rows} SEMI JOIN twice USING (application_id)
),
judged AS (
  SELECT *, count(DISTINCT what) OVER (PARTITION BY application_id) AS versions,
    row_number() OVER (PARTITION BY application_id ORDER BY src_file, src_row) AS nth
  FROM said
)
SELECT application_id, src_file, src_row, versions > 1 AS contradicts FROM judged WHERE versions > 1 OR nth > 1
"""


def _applicant_column(name: str, as_of: datetime.date) -> str:
    if name == "applied_at":
        return f"coalesce(applied_at, TIMESTAMP {literal(as_of.isoformat())}) AS applied_at"
    return quoted(name)


def write_supporting(con, run: Run, name: str, groups: list[Group], scratch: Path, dealer: Here) -> Written:
    """Another table's rows into the buckets of its applicants; social edges, outcomes and the blocklist are kept whole."""
    names = ", ".join(f"r.{quoted(column)}" for column in CONTRACTS[name].names)

    def select(groups: list[Group]) -> str:
        rows = f"({_union(groups, run.as_of)}) AS r"
        if name in SHARED:
            return f"SELECT {names}, CAST(CASE WHEN _bad THEN {_BAD} ELSE 0 END AS USMALLINT) AS bucket FROM {rows}"
        bucket = f"CASE WHEN r._bad THEN {_BAD} ELSE coalesce(b.bucket, {_STRANGER}) END"
        return f"SELECT {names}, CAST({bucket} AS USMALLINT) AS bucket FROM {rows} LEFT JOIN batch AS b ON b.applicant_id = r.applicant_id"

    made = scratch / f"buckets-{name}"
    dealer.deal(run, select, groups, made)
    return _put(con, run, name, made, dealer, _count_files(con, _by_bucket(made)))


def know_batch(con, run: Run) -> None:
    """The table ``batch``: who applies, and in which bucket."""
    selects = [f"SELECT DISTINCT applicant_id, CAST({int(path.stem)} AS USMALLINT) AS bucket FROM read_parquet({literal(str(path))})" for path in run.whole("applicants")]
    nobody = "SELECT CAST(NULL AS VARCHAR) AS applicant_id, CAST(NULL AS USMALLINT) AS bucket WHERE false"
    con.execute(f"CREATE OR REPLACE TEMP TABLE batch AS {' UNION ALL '.join(selects) or nobody}")


def partition(con, run: Run, query: str, made: Path) -> None:
    """``query``'s rows by their column ``bucket``. A thread keeps so many rows of a bucket until it writes them: fewer make poor row
    groups, more fall out of the processor's cache, and of hundreds of buckets out of memory. (DuckDB says the threshold is a
    thread's; in 2.0 it is that of a bucket in a thread.)"""
    kept = min(_ROWS_KEPT, _MOST_KEPT // run.buckets)
    con.execute(f"SET preserve_insertion_order = false; SET partitioned_write_max_open_files = 4096; SET partitioned_write_flush_threshold = {kept}")
    con.execute(f"COPY ({query}) TO {literal(str(made))} ({_FORMAT}, PARTITION_BY (bucket))")


def _by_bucket(made: Path) -> dict[int, list[Path]]:
    """Files under ``made`` by the number in ``bucket=7/data_0.parquet``."""
    found: dict[int, list[Path]] = {}
    for path in sorted(made.rglob("*.parquet")):
        found.setdefault(int(path.parent.name.partition("=")[2]), []).append(path)
    return dict(sorted(found.items()))


def _put(con, run: Run, name: str, made: Path, dealer: Here, by_file: dict[int, int]) -> Written:
    """From ``bucket=7/data_0.parquet`` to ``inputs/NAME/007.parquet``; ``by_file`` as ``_count_files`` has it."""
    folder = run.folder(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written, several = Written(by_file=by_file), []
    for bucket, files in _by_bucket(made).items():
        rows = _rows(files)
        if bucket == _BAD:
            written.bad += rows
        elif bucket == _STRANGER:
            written.unmatched += rows
        else:
            written.accepted += rows
            path = run.file(name, bucket)
            written.files.append(path)
            if len(files) == 1:
                os.replace(files[0], path)
            else:
                several.append((files, path))
    dealer.merge(several)
    shutil.rmtree(made, ignore_errors=True)
    if name in SHARED and not written.files:
        path = run.file(name)
        con.execute(f"COPY ({CONTRACTS[name].empty()}) TO {literal(str(path))} ({_FORMAT})")
        written.files.append(path)
    return written


def _rows(files: list[Path]) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in files)


def _count_files(con, dealt: dict[int, list[Path]]) -> dict[int, int]:
    """Rows by the number of the file that they came from."""
    listed = ", ".join(literal(str(path)) for files in dealt.values() for path in files)
    if not listed:
        return {}
    return dict(con.execute(f"SELECT src_file, count(*) FROM read_parquet([{listed}], hive_partitioning = false) GROUP BY ALL").fetchall())


def merge(con, files: list[Path], path: Path) -> None:
    listed = ", ".join(literal(str(file)) for file in files)
    con.execute(f"COPY (SELECT * FROM read_parquet([{listed}], hive_partitioning = false)) TO {literal(str(path))} ({_FORMAT})")
