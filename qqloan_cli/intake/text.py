"""Text files: which encoding, which delimiter, and records that a broken line cannot swallow.

Nothing is guessed where it can be known: a byte order mark, then valid UTF-8, then valid GB18030 (which holds GBK and
GB2312); a statistical guess is the last resort.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from typing import BinaryIO, Iterator, NamedTuple

from qqloan_cli.errors import InputError
from qqloan_cli.intake.files import File

BLANKS = " \t\r\n\u00a0\u3000\ufeff\u200b"
DELIMITERS = (",", ";", "\t", "|")
_HEAD = 1 << 18
_LINES_A_RECORD = 500  # more line breaks than that in one record is a quote that was never closed
csv.field_size_limit(1 << 24)


class Record(NamedTuple):
    line: int  # where it begins in the file, from 1
    cells: list[str]
    whole: bool  # False: a quote that is not closed


def encoding_of(file: File, whole: bool = True) -> str:
    """A codec's name, with a byte order mark taken off by it. ``whole`` reads to the end; else the beginning decides, and may be wrong."""
    with file.open() as handle:
        head = handle.read(_HEAD)
    for mark, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return _checked(file, name) if whole else name
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd * 3 > len(head) // 2 and not even:
        return _checked(file, "utf-16-le")
    if even * 3 > len(head) // 2 and not odd:
        return _checked(file, "utf-16-be")
    if b"\0" in head:
        raise _binary(file)
    for name in ("utf-8", "gb18030"):
        if _decodes(head, name) and (not whole or _all_decodes(file, name)):
            return _checked(file, name) if name == "gb18030" else _printable(file, head, name)
    return _checked(file, _guessed(file, head))


def _decodes(head: bytes, name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(head, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _all_decodes(file: File, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)()
    with file.open() as handle:
        try:
            while chunk := handle.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _printable(file: File, head: bytes, name: str) -> str:
    text = head.decode(name, errors="ignore")
    control = sum(1 for character in text if character < " " and character not in "\t\r\n\x0b\x0c\x1a")
    if control > len(text) // 1000 + 1:
        raise _binary(file)
    return name


def _checked(file: File, name: str) -> str:
    if not _all_decodes(file, name):
        raise file.wrong("encoding-unknown", "the text is in no encoding that can be told, or is cut in the middle of a character", "Save it as UTF-8.")
    with file.open() as handle:
        return _printable(file, handle.read(_HEAD), name)


def _guessed(file: File, head: bytes) -> str:
    """What a few other encodings look like; never of what is UTF-8 but for some bytes, which would turn every name into signs."""
    from charset_normalizer import from_bytes

    almost = head.decode("utf-8", errors="replace")
    if sum(character > "\x7f" for character in almost) > 2 * almost.count("\ufffd"):
        raise file.wrong("encoding-unknown", "the text is UTF-8 with bytes in it that are not", "Save it as UTF-8.")
    best = from_bytes(head).best()
    if best is None:
        raise _binary(file)
    return best.encoding


def _binary(file: File) -> InputError:
    return file.wrong("file-binary", "the file is neither text nor a workbook nor Parquet", "Export it again as CSV, XLSX or Parquet.")


class _Lines:
    """Physical lines with their numbers, some of which may be put back."""

    def __init__(self, handle: io.TextIOBase) -> None:
        self._handle, self._back, self.number, self.taken = iter(handle), [], 0, []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) > _LINES_A_RECORD:
            raise csv.Error("a record of too many lines")
        line = self._back.pop() if self._back else next(self._handle)
        self.number += 1
        self.taken.append(line)
        return line

    def put_back_all_but_one(self) -> str:
        """Keeps the first line of the present record and gives the others back."""
        first, *others = self.taken
        self._back += reversed(others)
        self.number -= len(others)
        self.taken = []
        return first


def records(file: File, encoding: str, delimiter: str, quote: str = '"', width: int | None = None) -> Iterator[Record]:
    """The records of a delimited file; lines with nothing in them are no records.

    A record over several lines that has not ``width`` cells, or never ends, is a quote that was not closed: its first line
    is given as broken and the others are read anew.
    """
    with file.open() as raw:
        lines = _Lines(_universal(io.TextIOWrapper(raw, encoding, newline="")))
        reader = _reader(lines, delimiter, quote)
        while True:
            lines.taken = []
            start = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                cells = None
            except UnicodeDecodeError:
                raise file.wrong("encoding-wrong", f"the text is not {encoding}", "Name its encoding in the mapping, or save it as UTF-8.") from None
            several = len(lines.taken) > 1
            if cells is None or (several and width is not None and not width <= len(_trimmed(cells, width)) <= width):
                first = lines.put_back_all_but_one() if lines.taken else ""
                reader = _reader(lines, delimiter, quote)
                yield Record(start, first.rstrip("\r\n").split(delimiter), False)
            elif cells:
                yield Record(start, cells, True)
            elif width == 1:
                yield Record(start, [""], True)


def _reader(lines: _Lines, delimiter: str, quote: str):
    return csv.reader(lines, delimiter=delimiter, quotechar=quote or None, quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE)


def _universal(handle: io.TextIOWrapper) -> Iterator[str]:
    """Lines without NULs and without the end-of-file sign of old systems; a bare CR ends a line where no LF is in sight."""
    for line in handle:
        yield line.replace("\0", "").replace("\x1a", "") if "\0" in line or "\x1a" in line else line


def _trimmed(cells: list[str], width: int) -> list[str]:
    """Without the empty cells beyond ``width``."""
    end = len(cells)
    while end > width and not cells[end - 1].strip(BLANKS):
        end -= 1
    return cells[:end]


def _number(digits: str) -> str:
    """A number as text; one of more digits than many programs keep is shown as what it may have become (see ``sheets``)."""
    return f"{float(digits):.14E}" if len(digits.lstrip("-")) > 15 and digits.lstrip("-").isdigit() else digits


_AS_TEXT = {"parse_int": _number, "parse_float": str, "parse_constant": lambda _: None}


def json_rows(file: File, encoding: str) -> Iterator[tuple[int, dict | None]]:
    """(line, object) of a file with one JSON object a line; None where the line is none. A file that is one JSON list is read too."""
    with file.open() as raw:
        handle = io.TextIOWrapper(raw, encoding)
        for number, line in enumerate(handle, 1):
            line = line.strip(BLANKS)
            if not line:
                continue
            if number == 1 and line[:1] == "[":
                yield from _json_list(file, line + handle.read())
                return
            try:
                row = json.loads(line, **_AS_TEXT)
            except (ValueError, RecursionError):
                row = None
            yield number, row if isinstance(row, dict) else None


def _json_list(file: File, text: str) -> Iterator[tuple[int, dict | None]]:
    try:
        rows = json.loads(text, **_AS_TEXT)
    except (ValueError, RecursionError):
        raise file.wrong("json-broken", "the file is not JSON", "Export it again as JSON Lines: one object a line.") from None
    for number, row in enumerate(rows, 1):
        yield number, row if isinstance(row, dict) else None


def transcode(file: File, encoding: str, out: BinaryIO) -> None:
    """The file as UTF-8 without a byte order mark."""
    writer = codecs.getwriter("utf-8")(out)
    with file.open() as raw:
        reader = io.TextIOWrapper(raw, encoding, newline="")
        while chunk := reader.read(1 << 20):
            writer.write(chunk)
