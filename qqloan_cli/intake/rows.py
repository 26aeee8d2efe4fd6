"""The careful way in: any file as rows of text, its header found, what is no data set aside, every broken line kept with its number.

Large, regular CSV and Parquet do not come this way; DuckDB reads them itself (``relations.py``). This is for workbooks, JSON,
files with lines before the header or after the data, and those in which DuckDB met something that is not right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

from qqloan_cli.intake import sheets, text
from qqloan_cli.intake.files import File
from qqloan_cli.intake.text import BLANKS, DELIMITERS, Record

_TOTAL = re.compile(r"(合计|总计|小计|本页合计|本页小计|合计金额|总额|totals?|grand total|sub-?total|sum)\s*[:：]?", re.I)
_BATCH = 20_000


@dataclass(frozen=True)
class Layout:
    """What is known of a file before it is read: a mapping's ``[[files]]``, or our own column names."""

    header: tuple[str, ...] = ()  # columns that must be in the header
    header_max_row: int = 40
    columns: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str | None = None
    quote: str = '"'
    sheet: int | str = "header"
    end_before: str | None = None
    skip_rows: str | None = None
    also: tuple[str, ...] = ()  # columns that may be there though the first rows lack them (JSON)
    exact: bool = False  # no other column may be there

    def found_in(self, cells: Iterable[str]) -> bool:
        there = {cell for cell in cells if cell}
        return there == set(self.header) if self.exact else set(self.header) <= there


@dataclass
class Top:
    """The first rows of a file as cells, and how it was read."""

    rows: list[list[str]]
    format: str
    encoding: str = ""
    delimiter: str = ""
    sheet: int = 0


class Broken(NamedTuple):
    row: int
    line: int
    reason: str


@dataclass
class Loaded:
    """A file in Parquet: its columns as text, ``_row`` and ``_line``."""

    path: Path
    columns: list[str]
    preamble: list[str]
    rows: int = 0  # data rows, broken ones included
    broken: list[Broken] = field(default_factory=list)
    skipped: dict[str, list[int]] = field(default_factory=dict)


def clean(cells: Iterable[str]) -> list[str]:
    return [cell.strip(BLANKS) for cell in cells]


def tops(file: File, layout: Layout = Layout(), limit: int = 60) -> Iterator[Top]:
    """The beginning of a file in every way that it could be read: each delimiter, each sheet. The caller takes the one it knows."""
    if file.format in ("xlsx", "xls"):
        chosen = range(len(sheets.sheet_names(file))) if layout.sheet == "header" else [layout.sheet]
        for sheet in chosen:
            yield Top([clean(row) for _, row in zip(range(limit), sheets.rows(file, sheet))], file.format, sheet=sheet)
    elif file.format == "jsonl":
        encoding = layout.encoding or text.encoding_of(file, whole=False)
        keys: dict[str, None] = {}
        values = []
        for _, (line, row) in zip(range(limit), text.json_rows(file, encoding)):
            keys.update(dict.fromkeys(row or ()))
            values.append(row or {})
        if not keys:
            raise file.wrong("json-broken", "its first lines are no JSON objects", "Export it again as JSON Lines: one object a line.")
        yield Top([list(keys), *([_json_text(row.get(key)) for key in keys] for row in values)], "jsonl", encoding)
    elif file.format == "csv":
        encoding = layout.encoding or text.encoding_of(file, whole=False)
        for delimiter in [layout.delimiter] if layout.delimiter else DELIMITERS:
            yield Top([clean(r.cells) for _, r in zip(range(limit), text.records(file, encoding, delimiter, layout.quote))], "csv", encoding, delimiter)
    else:
        import pyarrow.parquet as pq

        try:
            schema = pq.read_schema(file.path)
        except Exception:  # pyarrow's words for a footer that is not there
            raise file.wrong("parquet-broken", "the file is cut short or damaged", "Export it again.") from None
        yield Top([list(schema.names)], "parquet")


def header_at(top: Top, layout: Layout) -> int | None:
    """Which of the rows is the header."""
    return next((i for i, cells in enumerate(top.rows[: layout.header_max_row]) if layout.found_in(cells)), None)


def load(file: File, layout: Layout, top: Top, to: Path) -> Loaded:
    """Reads a whole file into Parquet at ``to``. The header must have been found in ``top``, unless the layout names the columns."""
    place = header_at(top, layout) if layout.header else None
    header = list(layout.columns) or (unique(top.rows[place]) if place is not None else [])
    if top.format == "jsonl":
        header += [name for name in layout.also if name not in header]
    loaded = Loaded(to, [name for name in header if name], [",".join(row) for row in top.rows[:place or 0]])
    body = _numbered(_records(file, layout, top, len(header)), place, header, loaded) if top.format != "jsonl" else _objects(file, top, header, loaded)
    _write(_data(body, layout, clean(header), loaded, top.format), header, loaded)
    return loaded


def unique(header: list[str]) -> list[str]:
    """Names that come twice get ``_2``, ``_3``; a cell without a name stays without."""
    seen: dict[str, int] = {}
    names = []
    for cell in clean(header):
        seen[cell] = seen.get(cell, 0) + 1
        names.append(cell if not cell or seen[cell] == 1 else f"{cell}_{seen[cell]}")
    return names


def _records(file: File, layout: Layout, top: Top, width: int) -> Iterator[Record]:
    if top.format == "csv":
        encoding = layout.encoding or text.encoding_of(file)
        yield from text.records(file, encoding, top.delimiter, layout.quote, width or None)
    else:
        yield from (Record(number, row, True) for number, row in enumerate(sheets.rows(file, top.sheet), 1))


def _numbered(records: Iterator[Record], place: int | None, header: list[str], loaded: Loaded) -> Iterator[tuple[int, Record]]:
    """Rows after the header, from 1."""
    for number, record in enumerate(records, 0 if place is None else -place):
        if number >= 1 or place is None:
            yield number + (place is None), record


def _objects(file: File, top: Top, header: list[str], loaded: Loaded) -> Iterator[tuple[int, Record]]:
    for number, (line, row) in enumerate(text.json_rows(file, top.encoding), 1):
        if row is None:
            yield number, Record(line, [], False)
        else:
            yield number, Record(line, [_json_text(row.get(name)) for name in header], True)


def _json_text(value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ""  # lists and objects have no place in a table


def _data(body: Iterator[tuple[int, Record]], layout: Layout, header: list[str], loaded: Loaded, format: str) -> Iterator[tuple[int, int, list[str]]]:
    """(row, line, cells) of what is data. Blank rows go without a word; broken ones, totals and repeated headers are noted."""
    end = re.compile(layout.end_before) if layout.end_before else None
    skip = re.compile(layout.skip_rows) if layout.skip_rows else None
    named = max((i for i, name in enumerate(header, 1) if name), default=0)
    for row, (line, raw, whole) in body:
        cells = clean(raw)
        if whole and not any(cells):
            continue
        if end is not None or skip is not None:
            joined = ",".join(raw).strip()
            if end is not None and end.search(joined):
                break
            if skip is not None and skip.search(joined):
                loaded.skipped.setdefault("skip_rows", []).append(row)
                continue
        first = next((cell for cell in cells if cell), "")
        if whole and _TOTAL.fullmatch(first):
            loaded.skipped.setdefault("total-row", []).append(row)
            continue
        if whole and cells[: len(header)] == header:
            loaded.skipped.setdefault("repeated-header", []).append(row)
            continue
        loaded.rows += 1
        reason = _what_is_wrong(cells, whole, named, len(header), format)
        if reason:
            loaded.broken.append(Broken(row, line, f"line {line}: {reason}" if format != "xlsx" else reason))
            continue
        yield row, line, cells


def _what_is_wrong(cells: list[str], whole: bool, named: int, width: int, format: str) -> str:
    if not whole:
        return "not a JSON object" if format == "jsonl" else "a quote is not closed"
    if format in ("xlsx", "xls", "jsonl"):
        return ""
    fields = len(cells)
    while fields > width and not cells[fields - 1]:
        fields -= 1
    if fields > width:
        return f"{fields} fields where the header has {width}"
    return f"{fields} fields where the header has {named}" if fields < named else ""


def _write(data: Iterator[tuple[int, int, list[str]]], header: list[str], loaded: Loaded) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = [i for i, name in enumerate(header) if name]
    schema = pa.schema([*((header[i], pa.string()) for i in kept), ("_row", pa.int64()), ("_line", pa.int64())])
    width = len(header)
    with pq.ParquetWriter(loaded.path, schema, compression="lz4") as writer:
        while True:
            batch = [item for _, item in zip(range(_BATCH), data)]
            if not batch:
                return
            padded = [cells + [""] * (width - len(cells)) for _, _, cells in batch]
            columns = list(zip(*(cells[:width] for cells in padded)))
            arrays = [pa.array(columns[i], pa.string()) for i in kept]
            writer.write_batch(pa.record_batch([*arrays, pa.array([b[0] for b in batch]), pa.array([b[1] for b in batch])], schema=schema))
