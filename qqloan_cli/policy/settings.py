"""One setting of a configuration by its dotted name: value, file and line, and the law that bears on it on a date."""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qqloan_cli.errors import UsageError
from qqloan_cli.policy.load import read_toml
from qqloan_cli.policy.products import load_lender
from qqloan_cli.policy.regulation import OPEN, Regulation, load_regulation

_NAMES = ("code", "id", "grade", "name")  # what an entry of a list is called by
_TOPICS = {"amount_max": "amount_max", "terms": "term_max", "payee_kind": "self_payment_max", "rates": "price_cap", "term_adds": "price_cap", "person_max": "amount_max"}
_KEY = re.compile(r'\s*((?:[A-Za-z0-9_-]+|"[^"]*"|\'[^\']*\')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|\'[^\']*\'))*)\s*=')
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")


@dataclass(frozen=True)
class Setting:
    key: str
    value: Any
    file: Path
    line: int
    law: list[Regulation] = field(default_factory=list)


def find(config_dir: Path, key: str, as_of: datetime.date) -> Setting:
    """``key``: FILE.NAME..., e.g. limit.payment.stress, products.cash_loan.amount_max, limit.grade.C.cap, regulation.rate.bank24.
    Raises UsageError with the names there are."""
    if not key.strip("."):
        raise UsageError("setting-unnamed", "no setting is named", "KEY", "Write FILE.NAME, e.g. limit.payment.stress.")
    names: list[str] | None = None
    for path, rest in _files(config_dir, key):
        document = read_toml(path)
        tree = document.get(path.stem, document) if len(document) == 1 and isinstance(document.get(path.stem), dict) else document
        way = [path.stem] if tree is not document else []
        if rest == "":
            return Setting(key, tree, path, 1)
        try:
            value, way = _walk(tree, rest, way)
        except KeyError as error:
            names = error.args[0] if names is None else names
            continue
        return Setting(key, value, path, line_of(path, way), _law(config_dir, value, way, as_of))
    if names is not None:
        raise UsageError("setting-unknown", f"no setting {key}", str(config_dir), f"There is: {', '.join(names[:12])}.")
    files = sorted(path.stem for path in config_dir.glob("*.toml"))
    near = difflib.get_close_matches(key.split(".")[0], files, 3)
    raise UsageError("setting-unknown", f"no file for {key}", str(config_dir), f"Files: {', '.join(near or files)}, regulation, reasons.")


def _files(config_dir: Path, key: str) -> list[tuple[Path, str]]:
    """Files that may hold it, with what is left of the name. regulation and reasons are folders: any file in them may."""
    head, _, rest = key.partition(".")
    if (config_dir / f"{head}.toml").is_file():
        return [(config_dir / f"{head}.toml", rest)]
    if head in ("regulation", "reasons", "sources", "reference"):
        named = rest.partition(".")
        inside = [(path, named[2]) for path in sorted((config_dir / head).glob("*.toml")) if path.stem == named[0]]
        return inside + [(path, rest) for path in sorted((config_dir / head).glob("*.toml")) if rest]
    return []


def _walk(tree: Any, rest: str, way: list) -> tuple[Any, list]:
    """Follows ``rest``; names may have dots in them, so the longest is tried first. KeyError with the names there are."""
    steps = entries(tree)
    if steps is None:
        raise KeyError([])
    for name in sorted(steps, key=len, reverse=True):
        if rest == name:
            return steps[name][1], [*way, steps[name][0]]
        if rest.startswith(f"{name}."):
            return _walk(steps[name][1], rest[len(name) + 1:], [*way, steps[name][0]])
    only = next(iter(steps.values())) if len(steps) == 1 else None
    if only is not None and isinstance(only[1], list):  # a file that is one list: its entries need not say so
        return _walk(only[1], rest, [*way, only[0]])
    raise KeyError(sorted(steps))


def entries(tree: Any) -> dict[str, tuple[Any, Any]] | None:
    """What stands in a table or in a list of tables, by what it is called, each with its key or place; None of anything else."""
    if isinstance(tree, dict):
        return {str(name): (name, tree[name]) for name in tree}
    if isinstance(tree, list) and tree and isinstance(tree[0], dict):
        return {str(next((item[n] for n in _NAMES if n in item), index)): (index, item) for index, item in enumerate(tree)}
    return None


def line_of(path: Path, way: list) -> int:
    """The line where a setting stands, or where the nearest thing around it begins."""
    lines = _lines(path)
    for length in range(len(way), 0, -1):
        if tuple(way[:length]) in lines:
            return lines[tuple(way[:length])]
    return 1


def _lines(path: Path) -> dict[tuple, int]:
    """Every table and key of a TOML file with its line. An inline table or a long list is at its first line."""
    found: dict[tuple, int] = {}
    table: tuple = ()
    counts: dict[tuple, int] = {}
    pending = ""
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if pending:  # inside a list or a text that runs over several lines
            pending += "\n" + text
            if _whole(pending):
                pending = ""
            continue
        header, key = _HEADER.match(text), _KEY.match(text)
        if header:
            table = _counted(_parts(header[2]), header[1] == "[[", counts)
            for way in (table[:-1], table):  # a list of tables begins with its first entry
                found.setdefault(way, number)
        elif key:
            parts = _parts(key[1])
            for length in range(1, len(parts) + 1):
                found.setdefault((*table, *parts[:length]), number)
            if not _whole(text):
                pending = text
    return found


def _whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _parts(name: str) -> tuple[str, ...]:
    tree, parts = tomllib.loads(f"{name} = 0"), []
    while isinstance(tree, dict):
        part, tree = next(iter(tree.items()))
        parts.append(part)
    return tuple(parts)


def _counted(parts: tuple[str, ...], is_list: bool, counts: dict[tuple, int]) -> tuple:
    """The way to a table, with the number of the entry where a part of it is a list."""
    way: tuple = ()
    for index, part in enumerate(parts):
        way = (*way, part)
        if is_list and index == len(parts) - 1:
            counts[way] = counts.get(way, -1) + 1
        if way in counts:
            way = (*way, counts[way])
    return way


def _law(config_dir: Path, value: Any, way: list, as_of: datetime.date) -> list[Regulation]:
    """What the law of the date says to a setting: the regulation itself, or what limits the kind of thing that it is."""
    book, lender = load_regulation(config_dir), load_lender(config_dir)
    if isinstance(value, dict) and "document" in value and "id" in value:
        return [rule for rule in book.rules if rule.id == value["id"]]
    topic = next((_TOPICS[part] for part in reversed(way) if part in _TOPICS), None)
    return book.binding(lender, topic, as_of) if topic else []


def dates(rule: Regulation) -> str:
    """From and to, in words."""
    return f"{rule.from_} to {rule.to}" if rule.to != OPEN else f"from {rule.from_}"
