"""The second look: what was refused, and why, as rows of the quarantine. Values are masked before they leave DuckDB."""

from __future__ import annotations

import datetime
from pathlib import Path

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import literal
from qqloan_cli.intake.files import File
from qqloan_cli.intake.relations import Group

_COLUMNS = "file_no USMALLINT, file VARCHAR, row BIGINT, \"column\" VARCHAR, rule VARCHAR, reason VARCHAR, raw_masked VARCHAR"


def begin(con) -> None:
    con.execute(f"CREATE OR REPLACE TEMP TABLE refused ({_COLUMNS})")


def explain(con, group: Group, as_of: datetime.date | None) -> None:
    """Adds a group's refused rows to the table ``refused``, one row a rule broken."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE looked AS {group.looked_at(as_of)}")
    named = names(con, group.files)
    for file, kind, number in _skipped(con, group.files):
        file.skipped.setdefault(kind, []).append(number)
    con.execute("DELETE FROM looked WHERE _skip IS NOT NULL")
    for column, rule, reason, where in group.conditions(as_of):
        shown = f"mask({_shown(group, column)})"
        words = f"CASE WHEN _line IS NULL THEN {literal(reason)} ELSE 'line ' || _line || ': ' || {literal(reason)} END"
        con.execute(
            f"INSERT INTO refused SELECT src_file, n.name, src_row, {literal(column)}, {literal(rule)}, {words}, {shown} "
            f"FROM looked JOIN {named} AS n ON n.no = looked.src_file WHERE {where}"
        )
    con.execute("DROP TABLE looked")


def _shown(group: Group, column: str) -> str:
    """What the file said, as text; nothing for a column that it has not."""
    return f'"t_{column}"' if column in group.given and column not in group.constants else "NULL"


def _skipped(con, files: list[File]) -> list[tuple[File, str, int]]:
    by_no = {file.no: file for file in files}
    found = con.execute("SELECT src_file, _skip, src_row FROM looked WHERE _skip IS NOT NULL ORDER BY ALL").fetchall()
    return [(by_no[no], kind, row) for no, kind, row in found]


def rows(con) -> int:
    """Distinct rows refused so far."""
    return con.execute("SELECT count(DISTINCT (file_no, row)) FROM refused").fetchone()[0]


def add_doubles(con, files: list[File]) -> None:
    """Applications that come twice: of equal rows one stayed, of rows that contradict each other none."""
    named = names(con, files)
    con.execute(f"""INSERT INTO refused
      SELECT src_file, n.name, src_row, 'application_id', CASE WHEN contradicts THEN 'application-id-conflict' ELSE 'repeated-row' END,
        CASE WHEN contradicts THEN 'several rows with this application_id say different things' ELSE 'the same row stands before it' END, mask(application_id)
      FROM doubles JOIN {named} AS n ON n.no = src_file""")


def add_broken(con, group: Group) -> None:
    """Lines that could not be read as rows at all."""
    rows = [(file.no, file.name, broken.row, broken.reason) for file, broken in group.broken]
    if rows:
        import pyarrow as pa

        no, name, row, reason = zip(*rows)
        con.register("broken_lines", pa.table({"no": pa.array(no, pa.uint16()), "name": name, "row": pa.array(row, pa.int64()), "reason": reason}))
        con.execute("INSERT INTO refused SELECT no, name, row, NULL, 'broken-line', reason, NULL FROM broken_lines")
        con.unregister("broken_lines")


def names(con, files: list[File]) -> str:
    import pyarrow as pa

    con.register("file_names", pa.table({"no": pa.array([f.no for f in files], pa.uint16()), "name": pa.array([f.name for f in files], pa.string())}))
    return "file_names"


def write(con, name: str, path: Path) -> None:
    """The table ``refused`` as a part of the quarantine."""
    con.execute(f"COPY (SELECT {literal(name)} AS input, file, row, \"column\", rule, reason, raw_masked FROM refused) TO {literal(str(path))} (FORMAT parquet)")


def top_rule(con) -> tuple[str, int]:
    found = con.execute("SELECT rule, count(DISTINCT (file_no, row)) AS rows FROM refused GROUP BY rule ORDER BY rows DESC, rule LIMIT 1").fetchone()
    return (found[0], found[1]) if found else ("", 0)


def gather(con, parts: list[Path], path: Path) -> None:
    """The whole quarantine, in order of its key; an empty one has its columns too."""
    contract = CONTRACTS["quarantine"]
    source = f"read_parquet([{', '.join(literal(str(part)) for part in parts)}])" if parts else f"({contract.empty()})"
    beside = path.with_suffix(".tmp")
    con.execute(f"COPY ({contract.select(source)}) TO {literal(str(beside))} (FORMAT parquet, COMPRESSION zstd)")
    beside.replace(path)
