"""XLSX and XLS through calamine: the cells that are there, whatever the sheet says of its size.

A sheet keeps numbers to fifteen digits. A longer one has lost what followed, so it is given the way a sheet shows it, in
scientific notation: whoever reads it as an identifier sees that its digits are gone.
"""

from __future__ import annotations

import datetime
from typing import Iterator

from qqloan_cli.intake.files import File

_KEPT = 10 ** 15


def sheet_names(file: File) -> list[str]:
    return list(_workbook(file).sheet_names)


def rows(file: File, sheet: int | str) -> Iterator[list[str]]:
    """A sheet's rows from its first, blank ones included, as text."""
    workbook = _workbook(file)
    try:
        found = workbook.get_sheet_by_index(sheet) if isinstance(sheet, int) else workbook.get_sheet_by_name(sheet)
        cells = found.to_python(skip_empty_area=False)
    except IndexError:
        raise file.wrong("sheet-missing", f"there is no sheet {sheet}", "Name one of its sheets in the mapping.") from None
    except Exception as error:  # calamine's errors share no parent, and some carry cells
        missing = "not found" in str(error).lower() or type(error).__name__ == "WorksheetNotFound"
        if missing:
            raise file.wrong("sheet-missing", f"there is no sheet {sheet!r}", "Name one of its sheets in the mapping.") from None
        raise file.wrong("workbook-broken", "a sheet of the workbook cannot be read", "Open it and save it again.") from None
    for row in cells:
        yield [text(cell) for cell in row]


def _workbook(file: File):
    from python_calamine import CalamineWorkbook, PasswordError

    try:
        return CalamineWorkbook.from_path(str(file.path))
    except PasswordError:
        raise file.wrong("workbook-locked", "the workbook has a password", "Save it without one.") from None
    except Exception:  # calamine raises many kinds; what they say may quote the content
        raise file.wrong("workbook-broken", "the workbook is cut short, damaged, or something else", "Open it and save it again, or export CSV.") from None


def text(cell) -> str:
    """A cell as text: whole numbers without a fraction, dates as 2024-03-01, numbers that are longer than a sheet keeps in scientific notation."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        if abs(cell) >= _KEPT:
            return f"{cell:.14E}"
        return str(int(cell)) if cell == int(cell) else repr(cell)
    if isinstance(cell, datetime.datetime):
        return cell.strftime("%Y-%m-%d") if cell.time() == datetime.time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, datetime.date):
        return cell.isoformat()
    if isinstance(cell, datetime.time):
        return cell.isoformat("seconds")
    return str(cell)
