"""Which file is what: by our own names (``applicants*.csv``, ``payroll/*.parquet``), by the mapping that is named, or by the file's own header.

What is found and not understood is said with what would mend it; no cell of a row is ever repeated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.contracts import INPUTS
from qqloan_cli.errors import InputError
from qqloan_cli.intake import mapping as mappings
from qqloan_cli.intake.files import ENDINGS, File, matches
from qqloan_cli.intake.mapping import FileKind, Mapping, missing_columns, our_columns
from qqloan_cli.intake.rows import Layout, Top, clean, header_at, tops

_NAMES = [contract.name for contract in INPUTS]


@dataclass
class Read:
    """A file and the way to read it."""

    file: File
    layout: Layout
    top: Top
    careful: bool = False  # DuckDB met something in it that is not regular


@dataclass
class Plan:
    own: dict[str, list[Read]] = field(default_factory=dict)  # by input
    mapped: list[tuple[Mapping, dict[str, list[Read]]]] = field(default_factory=list)  # by table
    ignored: list[File] = field(default_factory=list)

    @property
    def files(self) -> list[File]:
        used = [read.file for reads in self.own.values() for read in reads]
        used += [read.file for _, tables in self.mapped for reads in tables.values() for read in reads]
        return sorted(set(used), key=lambda file: (file.name, str(file.path)))

    def inputs(self) -> list[str]:
        """The inputs that come in, in the contracts' order."""
        given = set(self.own) | {name for mapping, _ in self.mapped for name in mapping.inputs}
        return [name for name in _NAMES if name in given]


def recognise(files: list[File], config: Path, source: str | None) -> Plan:
    """Raises InputError where a named file is of no use, or a mapping's files are not there; ConfigError where a mapping cannot be right."""
    plan = Plan()
    chosen = mappings.by_name(config, source) if source else None
    rest: list[File] = []
    for file in files:
        name = own_name(file)
        if chosen is None and name is not None:
            read = own_read(file, name)
            if read is not None:
                plan.own.setdefault(name, []).append(read)
                continue
        rest.append(file)
    if chosen is not None:
        tables, left = _assign(chosen, rest)
        _complete(chosen, tables, rest)
        plan.mapped.append((chosen, tables))
        rest = _also_own(plan, left)
    else:
        rest = _by_header(plan, [file for file in rest], config)
    _settle(plan, rest, config, chosen)
    for number, file in enumerate(plan.files):
        file.no = number
    return plan


def own_name(file: File) -> str | None:
    """The input that a file's name, or its folder's, says it is."""
    parts = [*file.name.lower().split("/")[:-1], file.path.parent.name.lower()]
    for name in _NAMES:
        if re.fullmatch(rf"{name}(?![a-z]).*", file.stem) or (name in parts and file.ending in ENDINGS):
            return name
    return None


def own_read(file: File, name: str) -> Read | None:
    """How to read a file of our own layout; None where its header is another."""
    known = our_columns(name)
    for top in tops(file):
        for cells in top.rows[:40]:
            given = {known[cell.lower()] for cell in cells if cell.lower() in known}
            if given and not missing_columns(name, given):
                wanted = [cell for cell in cells if cell.lower() in known]
                twice = sorted({cell for cell in wanted if wanted.count(cell) > 1})
                if twice:
                    raise file.wrong("column-twice", f"the header has {', '.join(twice)} twice", "Take one of them out.")
                return Read(file, Layout(header=tuple(wanted), also=tuple(known), delimiter=top.delimiter or None), top)
    return None


def _also_own(plan: Plan, files: list[File]) -> list[File]:
    """Files that the mapping does not know and that are ours by name: a lender may send both."""
    left = []
    for file in files:
        name = own_name(file)
        read = own_read(file, name) if name else None
        if read is None:
            left.append(file)
        else:
            plan.own.setdefault(name, []).append(read)
    return left


def layout_of(kind: FileKind) -> Layout:
    return Layout(
        tuple(clean(kind.header)), kind.header_max_row, tuple(kind.columns), kind.delimiter, kind.encoding, kind.quote, kind.sheet, kind.end_before, kind.skip_rows,
        also=tuple(kind.header), exact=kind.exact,
    )


def read_as(file: File, kind: FileKind, seen: dict | None = None) -> Read | None:
    """How to read ``file`` as this kind; None where it is not one."""
    if kind.pattern and not matches(file, kind.pattern):
        return None
    if not kind.pattern and file.ending not in ENDINGS and not file.explicit:
        return None
    if kind.format and file.format != kind.format:
        return None
    layout = layout_of(kind)
    if kind.encoding or kind.header_max_row > 55 or (kind.delimiter or ",") not in ",;\t|" or kind.quote != '"' or kind.sheet != "header" or seen is None:
        found = list(tops(file, layout, max(60, kind.header_max_row + 10)))
    else:
        if file not in seen:
            seen[file] = list(tops(file))
        found = [top for top in seen[file] if not kind.delimiter or top.format != "csv" or top.delimiter == kind.delimiter]
    if not layout.header:
        return Read(file, layout, found[0]) if found else None
    return next((Read(file, layout, top) for top in found if header_at(top, layout) is not None), None)


def _assign(mapping: Mapping, files: list[File], seen: dict | None = None) -> tuple[dict[str, list[Read]], list[File]]:
    """A mapping's tables with the files that are theirs, and the files that are not. The kind that asks for the most columns wins."""
    tables: dict[str, list[Read]] = {}
    left = []
    seen = {} if seen is None else seen
    for file in files:
        fits = [(len(kind.header), kind.name, read) for kind in mapping.files if (read := read_as(file, kind, seen)) is not None]
        if fits:
            _, name, read = max(fits, key=lambda fit: fit[0])
            tables.setdefault(name, []).append(read)
        else:
            left.append(file)
    return tables, left


def _complete(mapping: Mapping, tables: dict[str, list[Read]], files: list[File]) -> None:
    for kind in mapping.files:
        if kind.optional or kind.name in tables:
            continue
        candidates = [file for file in files if not kind.pattern or matches(file, kind.pattern)]
        if kind.header and len(candidates) > 0 and (kind.pattern or len(mapping.files) == 1 or len(candidates) == 1):
            nearest = min((_differs(file, kind) for file in candidates), key=Difference.size)
            raise InputError(
                "columns-missing", f"mapping {mapping.name} {nearest}", candidates[0].name,
                "Another mapping may fit: qqloan source list. Or the layout is new: qqloan source draft FILE.",
            )
        raise InputError(
            "source-file-missing", f"mapping {mapping.name} wants a file {kind.pattern or 'of kind ' + kind.name}, and none was found", kind.name,
            "Name the folder that has it.",
        )


class Difference(NamedTuple):
    """Columns of a kind that a file has not, and of the file that the kind has not, where its beginning comes nearest."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    def size(self) -> tuple[int, int]:
        return len(self.missing), len(self.unknown)

    def __str__(self) -> str:
        wants = f"wants the columns {', '.join(self.missing)}" if self.missing else ""
        strange = f"does not know {', '.join(self.unknown)[:200]}" if self.unknown else ""
        return " and ".join(part for part in (wants, strange) if part)


def _differs(file: File, kind: FileKind) -> Difference:
    best = Difference(tuple(kind.header), ())
    for top in tops(file, layout_of(kind)):
        for cells in top.rows[: kind.header_max_row]:
            missing = tuple(name for name in kind.header if name not in set(cells))
            # A row that has less than half of the columns is no header of this kind: what stands in it is not repeated.
            unknown = tuple(cell for cell in dict.fromkeys(cells) if cell and cell not in kind.header) if len(missing) * 2 < len(kind.header) else ()
            best = min(best, Difference(missing, unknown), key=Difference.size)
    return best


def _by_header(plan: Plan, files: list[File], config: Path) -> list[File]:
    """Mappings found by the files' own headers: the one that is complete and knows the most of them, then the next, until none is left."""
    wanted = [file for file in files if file.explicit or file.ending in ENDINGS]
    if not wanted:
        return files
    known, seen = mappings.every(config), {}
    left = list(wanted)
    for file in wanted:
        try:
            file.format
            seen[file] = list(tops(file))
        except InputError:
            if file.explicit or own_name(file) or len(files) == 1:
                raise
            left.remove(file)
    while left:
        best = None
        for mapping in known:
            tables, others = _assign(mapping, left, seen)
            complete = all(kind.optional or kind.name in tables for kind in mapping.files)
            if tables and complete:
                columns = sum(len(kind.header) for kind in mapping.files if kind.name in tables)
                if best is None or (len(left) - len(others), columns) > best[0]:
                    best = ((len(left) - len(others), columns), mapping, tables, others)
        if best is None:
            break
        plan.mapped.append((mappings.by_name(config, best[1].name), best[2]))
        left = best[3]
    used = set(plan.files)
    return [file for file in files if file not in used]


def _settle(plan: Plan, rest: list[File], config: Path, chosen: Mapping | None) -> None:
    """What nothing knows: an error where it was named, or is ours by name, or is all there is; a note otherwise."""
    for file in rest:
        if own_name(file) is not None and file.ending in (*ENDINGS, "") and chosen is None:
            raise wrong_columns(file, own_name(file))
    explicit = [file for file in rest if file.explicit]
    if chosen is None and (explicit or not plan.files):
        looked_at = explicit or [file for file in rest if file.ending in ENDINGS]
        if not looked_at:
            raise InputError("input-not-recognised", f"none of {len(rest)} files is a lender's file", rest[0].name if rest else "",
                             "Files are told by name (applicants.csv, payroll.parquet, ...) or by a mapping: qqloan source list.")
        raise _unknown(looked_at[0], config)
    plan.ignored = rest


def _header_like(cells: list[str]) -> bool:
    """Not a row of data: no cell is a number, a date or a long run of digits."""
    return bool(cells) and not any(re.search(r"\d{4}|^[-+¥￥$]?[\d.,/:-]+$|@", cell) for cell in cells) and any(cells)


def wrong_columns(file: File, name: str) -> InputError:
    known = our_columns(name)
    best: tuple[int, list[str]] = (-1, [])
    for top in tops(file):
        for cells in top.rows[:40]:
            count = sum(cell.lower() in known for cell in cells)
            best = max(best, (count, cells), key=lambda pair: (pair[0], len(pair[1])) if pair[0] else (0, len(pair[1]) * (pair[1] == top.rows[0])))
    cells = best[1]
    missing = missing_columns(name, {known[cell.lower()] for cell in cells if cell.lower() in known})
    there = f"it has {', '.join(cell for cell in cells if cell)[:200]}" if best[0] > 0 or _header_like(cells) else "its first row does not look like a header"
    return file.wrong("columns-missing", f"as {name} it lacks {', '.join(missing)}; {there}", "Name the columns so, or write a mapping: qqloan source draft FILE.")


def _known(file: File, config: Path, name: str) -> bool:
    """Whether the file is of one of the mapping's kinds, though others are not there."""
    return any(read_as(file, kind) is not None for kind in mappings.by_name(config, name).files if kind.header)


def _unknown(file: File, config: Path) -> InputError:
    nearest: tuple[float, str, Difference] = (0.5, "", Difference((), ()))
    for mapping in mappings.every(config):
        for kind in mapping.files:
            if kind.header and not (kind.format and kind.format != file.format):
                differs = _differs(file, kind)
                share = 1 - (len(differs.missing) + 0.1 * len(differs.unknown)) / len(kind.header)
                if share > nearest[0]:
                    nearest = (share, mapping.name, differs)
    hint = "Write one: qqloan source draft FILE; or name the file as one of ours: applicants.csv, payroll.csv, ..."
    if nearest[1]:
        if nearest[2].missing or (nearest[2].unknown and not _known(file, config, nearest[1])):
            return file.wrong("columns-missing", f"the nearest mapping is {nearest[1]}, which {nearest[2]}", hint)
        return file.wrong("source-incomplete", f"mapping {nearest[1]} knows this file and wants others beside it", f"Name its folder. qqloan source list shows what {nearest[1]} is made of.")
    return file.wrong("source-not-found", "no mapping knows this file's header, and its name is none of ours", hint)
