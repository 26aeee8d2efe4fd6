"""An Arrow table for people (table) or machines (json, jsonl, csv, parquet), on stdout."""

from __future__ import annotations

import datetime
import decimal
import json
import sys
from pathlib import Path

from qqloan_cli.errors import UsageError
from qqloan_cli.reports.console import SCHEMA_VERSION

FORMATS = ("table", "json", "jsonl", "csv", "parquet")


def plain(value):
    """A value as JSON has it: decimals as numbers' text would lose nothing, dates as ISO."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


def document(told: dict) -> None:
    """Writes one document for machines to stdout."""
    print(json.dumps(plain({"schema_version": SCHEMA_VERSION, **told}), ensure_ascii=False, indent=1))


def emit(table, format: str, title: str | None = None) -> None:
    """Writes ``table`` (pyarrow.Table) to stdout."""
    known(format, FORMATS)
    if format == "parquet":
        _parquet(table)
    elif format == "csv":
        import pyarrow.csv

        pyarrow.csv.write_csv(_flat(table), sys.stdout.buffer)
    elif format == "jsonl":
        for row in _rows(table):
            print(json.dumps(row, ensure_ascii=False))
    elif format == "json":
        document({"rows": list(_rows(table))})
    else:
        draw([str(name) for name in table.column_names], [[_shown(v) for v in row.values()] for row in _rows(table)], title, _numeric(table))


def _rows(table):
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            yield plain(row)


def _numeric(table) -> list[bool]:
    import pyarrow as pa

    return [pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_decimal(t) for t in table.schema.types]


def _shown(value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) or any(isinstance(v, dict) for v in value) else " ".join(map(str, value))
    return str(value)


def _flat(table):
    """Lists and structs as JSON text: a CSV cell holds one value. Text that a spreadsheet would run is made text."""
    import pyarrow as pa

    columns = []
    for name, column in zip(table.column_names, table.columns):
        if pa.types.is_nested(column.type):
            column = pa.array([None if v is None else json.dumps(plain(v), ensure_ascii=False) for v in column.to_pylist()], pa.string())
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            import pyarrow.compute as pc

            runs = pc.match_substring_regex(column, r"^[=+\-@\t\r]")
            column = pc.if_else(runs, pc.binary_join_element_wise(pa.scalar("'"), column, ""), column)
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def _parquet(table) -> None:
    import pyarrow.parquet

    if sys.stdout.isatty():
        raise UsageError("parquet-to-terminal", "Parquet is not for a terminal", hint="Send it to a file: --format parquet > FILE.parquet")
    pyarrow.parquet.write_table(table, sys.stdout.buffer)


def draw(names: list[str], rows: list[list[str]], title: str | None = None, numeric: list[bool] | None = None) -> None:
    """A table for people: Chinese text lines up, no colour where it is not wanted."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(emoji=False) if sys.stdout.isatty() else Console(width=4_000, emoji=False)  # a pipe has no width to wrap at; :book: is no picture
    drawn = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(names):
        drawn.add_column(name, justify="right" if numeric and numeric[index] else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn, markup=False, highlight=False)


def write(table, path: Path) -> None:
    """``table`` as a file, by its ending: xlsx, csv, jsonl, json or parquet; whole or not at all."""
    import os

    beside = path.with_name(f".{path.name}.tmp")
    kind = path.suffix.lstrip(".").lower()
    if kind == "xlsx":
        _workbook(table, beside)
    elif kind == "csv":
        import pyarrow.csv

        with open(beside, "wb") as handle:
            handle.write(b"\xef\xbb\xbf")  # or a spreadsheet takes Chinese for something else
            pyarrow.csv.write_csv(_flat(table), handle)
    elif kind in ("jsonl", "json"):
        with open(beside, "w", encoding="utf-8") as handle:
            if kind == "json":
                json.dump({"schema_version": SCHEMA_VERSION, "rows": list(_rows(table))}, handle, ensure_ascii=False, indent=1)
            else:
                for row in _rows(table):
                    handle.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif kind == "parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, beside)
    else:
        raise UsageError("format-unknown", f"no way to write {path.suffix or 'a file without an ending'}", str(path), "Use .xlsx, .csv, .jsonl, .json or .parquet.")
    os.replace(beside, path)


_SHEET_ROWS = 1_048_575


def _workbook(table, path: Path) -> None:
    """Every text is written as text, so no cell can run as a formula, and a long number keeps its digits."""
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False})
    bold, money, day = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"}), book.add_format({"num_format": "yyyy-mm-dd"})
    sheet, at = None, _SHEET_ROWS
    for row in (row for batch in table.to_batches(max_chunksize=10_000) for row in batch.to_pylist()):
        if at == _SHEET_ROWS:
            sheet, at = book.add_worksheet(), 0
            sheet.freeze_panes(1, 0)
            for index, name in enumerate(table.column_names):
                sheet.write_string(0, index, name.removesuffix("_fen"), bold)
        at += 1
        for index, (name, value) in enumerate(row.items()):
            _cell(sheet, at, index, name, value, money, day)
    if sheet is None:
        sheet = book.add_worksheet()
        for index, name in enumerate(table.column_names):
            sheet.write_string(0, index, name.removesuffix("_fen"), bold)
    book.close()


def _cell(sheet, row: int, column: int, name: str, value, money, day) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int) and name.endswith("_fen"):
        sheet.write_number(row, column, value / 100, money)
    elif isinstance(value, (int, float, decimal.Decimal)):
        sheet.write_number(row, column, float(value))
    elif isinstance(value, (datetime.datetime, datetime.date)):
        sheet.write_datetime(row, column, value, day)
    else:
        sheet.write_string(row, column, _shown(plain(value)))


def known(format: str, formats: tuple[str, ...] = ("table", "json")) -> None:
    """Refuses a format before any file is read."""
    if format not in formats:
        raise UsageError("format-unknown", f"--format {format} is not known", hint=f"Use {' or '.join(formats) if len(formats) == 2 else ', '.join(formats)}.")
