"""From files to groups that can be read in one go: Parquet of one schema together, each CSV by DuckDB or the careful way, each mapping's outputs."""

from __future__ import annotations

import itertools
from pathlib import Path

from qqloan_cli.engine.session import literal, quoted
from qqloan_cli.intake import rows, text
from qqloan_cli.intake.files import File
from qqloan_cli.intake.recognise import Read
from qqloan_cli.intake.relations import Group
from qqloan_cli.intake.rows import Loaded, unique

_numbers = itertools.count()


def own_groups(con, name: str, reads: list[Read], scratch: Path) -> list[Group]:
    """Groups of our own files of one input. ``con`` is asked for Parquet's types alone."""
    groups = []
    parquet: dict[tuple, list[File]] = {}
    for read in reads:
        if read.top.format == "parquet":
            parquet.setdefault(parquet_columns(con, read.file), []).append(read.file)
        elif regular(read):
            groups.append(csv_group(name, read, scratch))
        else:
            groups.append(careful_group(name, read, scratch))
    for columns, files in parquet.items():
        groups.append(parquet_group(name, files, dict(columns)))
    return groups


def parquet_columns(con, file: File) -> tuple[tuple[str, str], ...]:
    import duckdb

    try:
        return tuple((row[0], row[1]) for row in con.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(str(file.path))})").fetchall())
    except duckdb.Error:
        raise file.wrong("parquet-broken", "the file is cut short or damaged", "Export it again.") from None


def parquet_group(name: str, files: list[File], columns: dict[str, str]) -> Group:
    paths = ", ".join(literal(str(file.path)) for file in files)
    numbers = ", ".join(str(file.no) for file in files)
    no = str(files[0].no) if len(files) == 1 else f"([{numbers}])[CAST(file_index AS BIGINT) + 1]"
    source = f"read_parquet([{paths}], file_row_number = true)"
    return Group(name, files, source, columns, "file_row_number + 1", no, parquet=True)


def apart(group: Group) -> list[Group]:
    """A group for each file, where its files can be read apart."""
    if not group.parquet:
        return [group]
    return [parquet_group(group.input, [file], group.columns) for file in group.files]


def regular(read: Read) -> bool:
    """Whether DuckDB can read the file as it is: a header on the first line, names that are there and differ, rows of that width."""
    if read.top.format != "csv" or read.layout.end_before or read.layout.skip_rows or read.layout.columns or rows.header_at(read.top, read.layout) != 0:
        return False
    header, *others = read.top.rows
    return all(header) and len(set(header)) == len(header) and all(len(row) == len(header) for row in others) and read.layout.quote == '"'


def csv_source(read: Read, scratch: Path) -> str:
    """``read_csv`` over the file, packed or in another encoding as it may be."""
    file, encoding = read.file, read.layout.encoding or text.encoding_of(read.file, whole=False)
    path, packed = file.path, "none"
    if encoding.replace("-", "_").lower() not in ("utf_8", "utf_8_sig", "ascii"):
        path = scratch / f"decoded-{next(_numbers)}.csv"
        with open(path, "wb") as out:
            text.transcode(file, encoding, out)
    elif file.packing == "zip":
        path = file.unpack(scratch / f"unpacked-{next(_numbers)}.csv")
    elif file.packing == "gz":
        packed = "gzip"
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in read.top.rows[0])
    return (f"read_csv({literal(str(path))}, auto_detect = false, header = true, delim = {literal(read.top.delimiter)}, quote = '\"', escape = '\"', "
            f"strict_mode = true, compression = '{packed}', columns = {{{columns}}})")


def csv_group(name: str, read: Read, scratch: Path) -> Group:
    numbered = f"(SELECT *, row_number() OVER () AS _row FROM {csv_source(read, scratch)})"
    return Group(name, [read.file], numbered, dict.fromkeys(read.top.rows[0], "VARCHAR"), "_row", str(read.file.no), reads=[read])


def load(read: Read, scratch: Path) -> Loaded:
    """The careful way, with what it noticed told to the file."""
    loaded = rows.load(read.file, read.layout, read.top, scratch / f"rows-{next(_numbers)}.parquet")
    read.file.rows = loaded.rows
    read.file.skipped = loaded.skipped
    return loaded


def careful_group(name: str, read: Read, scratch: Path) -> Group:
    loaded = load(read, scratch)
    columns = dict.fromkeys(loaded.columns, "VARCHAR")
    return Group(
        name, [read.file], f"read_parquet({literal(str(loaded.path))})", columns, "_row", str(read.file.no), "_line",
        broken=[(read.file, broken) for broken in loaded.broken],
    )


def header_of(read: Read) -> list[str]:
    """The names that a read's columns will have."""
    if read.layout.columns:
        return list(read.layout.columns)
    place = rows.header_at(read.top, read.layout)
    return [name for name in unique(read.top.rows[place or 0]) if name]


__all__ = ["apart", "careful_group", "csv_group", "csv_source", "header_of", "load", "own_groups", "parquet_columns", "parquet_group", "quoted", "regular"]
