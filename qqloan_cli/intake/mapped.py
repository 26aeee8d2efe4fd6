"""Runs a mapping: its files become tables of text, its SQL writes each input to Parquet in the scratch folder.

The SQL runs in a DuckDB of its own that can reach the mapping's own files and the scratch folder, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qqloan_cli.engine.session import connect, literal, quoted
from qqloan_cli.errors import ConfigError, InputError
from qqloan_cli.intake.files import File
from qqloan_cli.intake.groups import csv_source, load, parquet_columns, regular
from qqloan_cli.intake.mapping import InputMap, Mapping
from qqloan_cli.intake.mend import can_be_read, make_ready
from qqloan_cli.intake.recognise import Read
from qqloan_cli.intake.relations import Group
from qqloan_cli.intake.rows import Broken

_LARGE = 32 << 20  # bytes from which a regular CSV is read by DuckDB itself, not the careful way


@dataclass
class LeftOut:
    """Rows that a mapping's WHERE says are no data."""

    rows: int = 0
    first: list[int] = field(default_factory=list)


@dataclass
class Outcome:
    groups: dict[str, Group]
    left_out: dict[str, LeftOut]


def run_mapping(mapping: Mapping, tables: dict[str, list[Read]], scratch: Path, threads: int, memory_mb: int) -> Outcome:
    """One group an input. Raises ConfigError where the SQL does not fit the files, InputError where it fails on what they hold."""
    con = connect(threads, memory_mb, scratch)
    try:
        make_ready(con)
        broken = {kind.name: _table(con, kind.name, list(kind.header or kind.columns), tables.get(kind.name, []), scratch) for kind in mapping.files}
        _lock(con, [read.file for reads in tables.values() for read in reads], scratch)
        return _outputs(con, mapping, tables, broken, scratch)
    finally:
        con.close()


def _lock(con, files: list[File], scratch: Path) -> None:
    paths = ", ".join(literal(str(file.path)) for file in files)
    con.execute(f"SET allowed_directories = [{literal(str(scratch))}]; SET allowed_paths = [{paths}]")
    con.execute("SET enable_external_access = false; SET lock_configuration = true")


def _table(con, name: str, header: list[str], reads: list[Read], scratch: Path) -> list[tuple[File, Broken]]:
    """A view of the files' rows as clean text, or an empty table with the header's columns where the lender left it out."""
    if not reads:
        columns = ", ".join(f"{quoted(column)} VARCHAR" for column in header)
        con.execute(f"CREATE OR REPLACE TABLE {quoted(name)} ({columns}, _row BIGINT, _file VARCHAR, _preamble VARCHAR[])")
        return []
    selects, broken = [], []
    for read in reads:
        file = literal(read.file.name)
        if read.top.format == "parquet":
            columns = dict(parquet_columns(con, read.file))
            texts = ", ".join(f"{_cleaned(column)} AS {quoted(column)}" for column, type in columns.items() if can_be_read(type))
            selects.append(f"SELECT {texts}, file_row_number + 1 AS _row, {file} AS _file, CAST([] AS VARCHAR[]) AS _preamble FROM read_parquet({literal(str(read.file.path))}, file_row_number = true)")
            read.file.rows = con.execute(f"SELECT count(*) FROM read_parquet({literal(str(read.file.path))})").fetchone()[0]
        elif _large(con, read, scratch):
            texts = ", ".join(f"{_cleaned(column)} AS {quoted(column)}" for column in read.top.rows[0])
            selects.append(f"SELECT {texts}, row_number() OVER () AS _row, {file} AS _file, CAST([] AS VARCHAR[]) AS _preamble FROM {csv_source(read, scratch)}")
        else:
            loaded = load(read, scratch)
            preamble = ", ".join(literal(line) for line in loaded.preamble)
            columns = ", ".join(quoted(column) for column in loaded.columns)
            selects.append(f"SELECT {columns}, _row, {file} AS _file, CAST([{preamble}] AS VARCHAR[]) AS _preamble FROM read_parquet({literal(str(loaded.path))})")
            broken += [(read.file, line) for line in loaded.broken]
    con.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS {' UNION ALL BY NAME '.join(selects)}")
    return broken


def _large(con, read: Read, scratch: Path) -> bool:
    """Whether DuckDB can read the file itself, which pays where it is large; its lines are counted, and one that is not regular shows."""
    import duckdb

    if not regular(read) or read.file.path.stat().st_size <= _LARGE:
        return False
    try:
        read.file.rows = con.execute(f"SELECT count(*) FROM {csv_source(read, scratch)}").fetchone()[0]
    except duckdb.Error:
        return False
    return True


def _cleaned(column: str) -> str:
    return f"coalesce(tidy({quoted(column)}), '')"


def _outputs(con, mapping: Mapping, tables: dict[str, list[Read]], broken: dict[str, list], scratch: Path) -> Outcome:
    outcome, told = Outcome({}, {}), set()
    for name, mapped in mapping.inputs.items():
        query = mapped.query
        if mapped.where:
            outcome.left_out[name] = _left_out(con, mapping, mapped)
            query += f"\nWHERE {mapped.where}"
        path = scratch / f"mapped-{mapping.name}-{name}.parquet"
        _guarded(con, f"COPY (\n{query}\n) TO {literal(str(path))} (FORMAT parquet, COMPRESSION lz4_raw)", mapping, name)
        columns = {row[0]: row[1] for row in con.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))})").fetchall()}
        used = [table for table in tables if table not in told and _uses(mapped, table)]
        told.update(used)
        outcome.groups[name] = _group(name, mapped, columns, path, tables, used, broken)
    return outcome


def _uses(mapped: InputMap, table: str) -> bool:
    import re

    return mapped.from_ == table if mapped.from_ else re.search(rf"\b{table}\b", mapped.sql or "", re.I) is not None


def _group(name: str, mapped: InputMap, columns: dict[str, str], path: Path, tables: dict[str, list[Read]], used: list[str], broken: dict[str, list]) -> Group:
    """The rows' file is known by name; where the SQL gave none, it is the first file that it uses."""
    reads = [read for table, found in tables.items() if _uses(mapped, table) for read in found] or [read for found in tables.values() for read in found]
    files = [read.file for read in reads]
    source = f"read_parquet({literal(str(path))}, file_row_number = true)"
    row = "coalesce(_row, file_row_number + 1)" if "_row" in columns else "file_row_number + 1"
    if "_file" in columns and len(files) > 1:
        names = ", ".join(f"({literal(file.name)}, {file.no})" for file in files)
        source = f"(SELECT m.*, f.no AS _no FROM {source} AS m LEFT JOIN (VALUES {names}) AS f(name, no) ON f.name = m._file)"
        no = f"coalesce(_no, {files[0].no})"
    else:
        no = str(files[0].no)
    constants = {"checks_not_applicable": ";".join(mapped.checks_not_applicable)} if mapped.checks_not_applicable else {}
    lost = [pair for table in used for pair in broken[table]]
    return Group(name, files, source, {c: t for c, t in columns.items() if c not in ("_row", "_file")}, row, no, constants=constants, broken=lost)


def _left_out(con, mapping: Mapping, mapped: InputMap) -> LeftOut:
    question = f'SELECT count(*), list(_row ORDER BY _file, _row)[:5] FROM {quoted(mapped.from_ or "")} WHERE NOT coalesce(({mapped.where}), false)'
    rows, first = _guarded(con, question, mapping, "where").fetchone()
    return LeftOut(rows, list(first or []))


def _guarded(con, sql: str, mapping: Mapping, where: str):
    """DuckDB's own words may hold a cell; what is said here does not."""
    import duckdb

    try:
        return con.execute(sql)
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.PermissionException) as error:
        said = str(error).splitlines()[0].split("Error: ", 1)[-1]
        raise ConfigError("source-sql-wrong", f"{mapping.name}: inputs.{where}: {said[:160]}", f"{mapping.name}.toml", "Mend the mapping's SQL; qqloan source check tries it.") from None
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException) as error:
        raise InputError(
            "source-sql-failed", f"{mapping.name}: inputs.{where} failed on the data ({type(error).__name__.removesuffix('Exception')})", f"{mapping.name}.toml",
            "Use TRY_CAST, yuan() or moment() in the mapping, so that one odd cell refuses its row alone.",
        ) from None
