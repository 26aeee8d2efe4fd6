"""A lender's files: found on the command line, told by their content, opened whatever they are packed in.

``name`` is how run.json and the quarantine call a file: relative to the folder or glob it was found by, so that the same
files elsewhere make the same run.
"""

from __future__ import annotations

import contextlib
import fnmatch
import gzip
import hashlib
import lzma
import os
import shutil
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Iterator

from qqloan_cli.errors import InputError

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".asc", ".dat", ".jsonl", ".ndjson", ".json")
ENDINGS = (*TEXT_ENDINGS, ".xlsx", ".xls", ".parquet")
PACKED = (".gz", ".zip")
_XLS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(eq=False)
class File:
    path: Path
    name: str
    explicit: bool  # named by the caller, not found in a folder: then it must be of use
    no: int = -1  # its number in run.json, given when it is known to be used
    rows: int = 0  # data rows, blank lines not counted
    skipped: dict[str, list[int]] = field(default_factory=dict)  # what was no data: totals, repeated headers, notes -> rows

    @property
    def stem(self) -> str:
        """Lower case, without folders and endings."""
        stem = os.path.basename(self.name).lower()
        while stem.endswith(ENDINGS + PACKED):
            stem = stem[: stem.rindex(".")]
        return stem

    @property
    def ending(self) -> str:
        """The format's ending, that of the packing left out."""
        name = self.name.lower()
        while name.endswith(PACKED):
            name = name[: name.rindex(".")]
        return name[name.rindex("."):] if "." in os.path.basename(name) else ""

    @cached_property
    def packing(self) -> str:
        """``gz``, ``zip`` or nothing, by content."""
        start = self._start(8)
        if start[:2] == b"\x1f\x8b":
            return "gz"
        if start[:4] == b"PK\x03\x04" and self._member() is not None:
            return "zip"
        return ""

    @cached_property
    def format(self) -> str:
        """parquet, xlsx, xls, jsonl or csv, by content; InputError where the content cannot be what the ending says."""
        if self.path.stat().st_size == 0:
            raise self.wrong("file-empty", "the file is empty", "Export it again.")
        start = self._start(8)
        if start[:4] == b"PAR1":
            return "parquet"
        if self.ending == ".parquet":
            raise self.wrong("parquet-broken", "the file is not Parquet though its name says so", "Export it again, or give it its right ending.")
        if start == _XLS:
            return "xls"
        if start[:4] == b"PK\x03\x04" and self.packing != "zip":
            return "xlsx"
        if start[:4] == b"PK\x05\x06":
            raise self.wrong("archive-broken", "the zip file holds nothing", "Pack it again.")
        if start[:2] == b"PK" and not self.packing:
            raise self.wrong("workbook-broken", "the file is no workbook and no archive that can be opened", "Export it again.")
        if self.ending == ".xlsx":
            raise self.wrong("workbook-broken", "the file is not a workbook though its name says so", "Export it again, or give it its right ending.")
        with self.open() as handle:
            first = handle.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
        if not first:
            raise self.wrong("file-empty", "the file has nothing in it", "Export it again.")
        return "jsonl" if self.ending in (".jsonl", ".ndjson", ".json") or first[:1] == b"{" else "csv"

    def wrong(self, ref: str, what: str, hint: str) -> InputError:
        return InputError(ref, what, self.name, hint)

    def _start(self, size: int) -> bytes:
        with open(self.path, "rb") as handle:
            return handle.read(size)

    def _member(self) -> str | None:
        """The one file in a zip; None where the zip is a workbook."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = [entry.filename for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
        except zipfile.BadZipFile:
            if self.ending in (".xlsx", ".xls"):
                raise self.wrong("workbook-broken", "the workbook is cut short or damaged", "Export it again.") from None
            raise self.wrong("archive-broken", "the zip file is cut short or damaged", "Pack it again.") from None
        if "[Content_Types].xml" in names or "xl/workbook.xml" in names:
            return None
        if len(names) != 1:
            raise self.wrong("archive-of-several", f"the zip file holds {len(names)} files, not one", "Unpack it and name the folder.")
        return names[0]

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The unpacked bytes. What is cut short shows as InputError while it is read."""
        try:
            if self.packing == "gz":
                with gzip.open(self.path, "rb") as handle:
                    yield handle
            elif self.packing == "zip":
                with zipfile.ZipFile(self.path) as archive, archive.open(self._member()) as handle:
                    yield handle
            else:
                with open(self.path, "rb") as handle:
                    yield handle
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, lzma.LZMAError):
            raise self.wrong("archive-broken", "the packed file is cut short or damaged", "Pack it again.") from None
        except (NotImplementedError, RuntimeError):  # zipfile's words for a password and for a method it lacks
            raise self.wrong("archive-locked", "the zip file has a password or an unknown method", "Unpack it first.") from None

    def unpack(self, to: Path) -> Path:
        with self.open() as handle, open(to, "wb") as out:
            shutil.copyfileobj(handle, out, 1 << 20)
        return to

    def digest(self) -> str:
        with open(self.path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()


def find(inputs: list[Path]) -> list[File]:
    """Every file that is meant, in order of name. Hidden ones are not. InputError where there is none."""
    found: dict[Path, File] = {}
    for given in inputs:
        if given.is_dir():
            paths = [(p, str(p.relative_to(given)), False) for p in given.rglob("*") if p.is_file() and not _hidden(p.relative_to(given))]
        elif given.exists():
            paths = [(given, given.name, True)]
        elif any(sign in str(given) for sign in "*?["):
            paths = [(p, p.name, True) for p in _glob(given) if p.is_file() and not p.name.startswith(".")]
        else:
            raise InputError("input-not-found", "no such file or folder", str(given), "Check the path.")
        if not paths:
            raise InputError("input-not-found", "nothing that could be read is there", str(given), "Check the path.")
        for path, name, explicit in paths:
            found.setdefault(path.resolve(), File(path, name.replace(os.sep, "/"), explicit))
    files = list(found.values())
    names = [file.name for file in files]
    for file in files:
        if names.count(file.name) > 1:  # the same name in two folders: say which
            file.name = "/".join(file.path.parts[-2 - file.name.count("/"):])
    return sorted(files, key=lambda file: (file.name, str(file.path)))


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _glob(pattern: Path) -> list[Path]:
    base = Path(pattern.anchor or ".")
    parts = pattern.parts[1:] if pattern.anchor else pattern.parts
    return sorted(base.glob("/".join(parts)))


def matches(file: File, pattern: str) -> bool:
    """Whether a mapping's pattern fits the file's name, its folder or its packing left out."""
    name = file.name.lower()
    unpacked = name
    while unpacked.endswith(PACKED):
        unpacked = unpacked[: unpacked.rindex(".")]
    return any(fnmatch.fnmatch(candidate, pattern.lower()) for candidate in (name, os.path.basename(name), os.path.basename(unpacked)))
