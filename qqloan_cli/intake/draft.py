"""A first mapping for a file that no mapping knows: a guess to be read and mended, never used unseen.

It says nothing of what stands in the rows but their shape: no value of a row is
written into the draft.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from qqloan_cli.errors import InputError
from qqloan_cli.intake.files import File
from qqloan_cli.intake.mapping import missing_columns, our_columns
from qqloan_cli.intake.rows import Top, tops
from qqloan_cli.intake.words import WORDS, recognise

_DATE_FORMATS = (
    (r"\d{8}", "%Y%m%d"), (r"\d{8} \d{6}", "%Y%m%d %H%M%S"), (r"\d{8} \d{2}:\d{2}:\d{2}", "%Y%m%d %H:%M:%S"),
    (r"(0?[1-9]|1[0-2])/\d{1,2}/\d{4}", "%m/%d/%Y"), (r"\d{1,2}/(0?[1-9]|1[0-2])/\d{4}", "%d/%m/%Y"), (r"\d{4}/\d{1,2}/\d{1,2} \d{2}:\d{2}:\d{2}", "%Y/%m/%d %H:%M:%S"),
    (r"\d{4}/\d{1,2}/\d{1,2} \d{2}:\d{2}", "%Y/%m/%d %H:%M"), (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"), (r"\d{4}年\d{1,2}月\d{1,2}日", "%Y年%m月%d日"),
)
_SIGNS = {"收入": "+", "贷": "+", "贷 Cr": "+", "CREDIT": "+", "C": "+", "支出": "-", "借": "-", "借 Dr": "-", "DEBIT": "-", "D": "-"}
_DATES = ("booked_at", "applied_at", "consent_at", "birth_date", "pay_date", "opened_at", "closed_at", "since")


def draft(path: Path) -> str:
    """A mapping of the file as TOML. Raises InputError where no row looks like a header of something that a lender brings."""
    if not path.is_file():
        raise InputError("input-not-found", "no such file", str(path), "Name one file of the lender.")
    best: tuple[int, str | None, dict[str, int], Top | None] = (0, None, {}, None)
    for top in tops(File(path, path.name, True)):
        place, name, found = _header(top.rows)
        if len(found) > len(best[2]):
            best = (place, name, found, top)
    place, name, found, top = best
    if name is None or top is None:
        raise InputError(
            "draft-no-header", "no row of the first 40 looks like a header that is known", path.name,
            "Write the mapping by hand: configs/sources/ has examples of every kind.",
        )
    header = [cell.strip() for cell in top.rows[place]]
    body = [row for row in top.rows[place + 1:] if any(cell.strip() for cell in row)]
    return _toml(path, top, place, header, body, name, found)


def _header(rows: list[list[str]]) -> tuple[int, str | None, dict[str, int]]:
    best: tuple[int, int, str | None, dict[str, int]] = (0, 0, None, {})
    for place, row in enumerate(rows[:40]):
        name, found = recognise([cell.strip("\ufeff\t ") for cell in row])
        if name is not None and len(found) > best[0]:
            best = (len(found), place, name, found)
    return best[1], best[2], best[3]


def _quoted(column: str) -> str:
    return column if re.fullmatch(r"[a-z_][a-z0-9_]*", column) and column not in ("date", "limit", "from", "to", "month") else '"' + column.replace('"', '""') + '"'


def _toml(path: Path, top: Top, place: int, header: list[str], body: list[list[str]], name: str, found: dict[str, int]) -> str:
    key = re.sub(r"[^a-z0-9]+", "_", path.name.split(".")[0].lower()).strip("_") or "new_source"
    table = {"bank_statements": "statement", "applicants": "application", "social_edges": "edge", "credit_accounts": "account"}.get(name, "row_of_file")
    lines = [
        "# Drafted from a file's header and the shape of its rows: a guess. Read every line, then",
        f"#   qqloan source check FILE --source {key}",
        f"name = {json.dumps(key)}",
        'title = "to be written: who sends this file"',
        "",
        "[[files]]",
        f"name = {json.dumps(table)}",
        f"header = {json.dumps([cell for cell in header if cell], ensure_ascii=False)}",
        "exact = true",
    ]
    if place >= 40:
        lines.append(f"header_max_row = {place + 10}")
    if top.format == "csv":
        lines += ['format = "csv"', f"delimiter = {json.dumps(top.delimiter)}"]
    if top.encoding and top.encoding not in ("utf-8", "ascii"):
        lines.append(f"encoding = {json.dumps(top.encoding)}")
    lines += ["", f"[inputs.{name}]", f"from = {json.dumps(table)}", "", f"[inputs.{name}.columns]"]
    expressions = _expressions(name, header, body, found)
    lines += [f"{column} = {_text(expression)}{_doubt(column, expression)}" for column, expression in expressions.items()]
    lines += [f"{column} = {_text(guess)}  # not found in the header: {said}" for column, guess, said in _missing(name, set(expressions))]
    given = {place for place in found.values()}
    left = [cell for i, cell in enumerate(header) if cell and i not in given]
    if left:
        lines += ["", f"# Not used: {', '.join(left)}"]
    return "\n".join(lines) + "\n"


_STAND_INS = {
    "application_id": ("CAST(_row AS VARCHAR)", "the row's number stands for it"),
    "applicant_id": ("CAST(_row AS VARCHAR)", "every row is taken for a person of its own"),
}


def _missing(name: str, given: set[str]) -> list[tuple[str, str, str]]:
    """Columns that the input cannot do without and the file seems to lack, so that the draft can be tried as it is."""
    known = our_columns(name)
    found = []
    for words in missing_columns(name, {known[column] for column in given}):
        column = words.split(" or ")[0]
        if column == "applicant_id" and "application_id" in given:
            found.append((column, "CAST(_row AS VARCHAR)", "every application is taken for a person of its own"))
        else:
            found.append((column, *_STAND_INS.get(column, ("NULL", "to be written, or every row is refused"))))
    return found


def _doubt(column: str, expression: str) -> str:
    """A question that the file does not answer by itself."""
    if "%d/%m/%Y" in expression:
        return "  # day or month first? make sure"
    if column == "amount" and expression.startswith("yuan("):
        return "  # is money in positive? a card's statement often has spending positive: then -yuan(...)"
    return ""


def _text(expression: str) -> str:
    return f"'{expression}'" if "'" not in expression else f"'''{expression}'''" if "'''" not in expression else json.dumps(expression, ensure_ascii=False)


def _expressions(name: str, header: list[str], body: list[list[str]], found: dict[str, int]) -> dict[str, str]:
    cells = {column: [row[place].strip() for row in body if place < len(row)] for column, place in found.items()}
    names = {column: _quoted(header[place]) for column, place in found.items()}
    made: dict[str, str] = {}
    for column in WORDS[name]:
        if column in ("direction", "amount+", "amount-"):
            continue
        if column == "amount" and name == "bank_statements":
            amount = _amount(names, cells)
            if amount:
                made["amount"] = amount
        elif column == "applicant_id" and column not in found and name == "bank_statements":
            made[column] = "stem(_file)"  # an export belongs to one person; its name is the key until another is given
        elif column in found:
            made[column] = _date(names[column], cells[column]) if column in _DATES else names[column]
    return made


def _amount(names: dict[str, str], cells: dict[str, list[str]]) -> str | None:
    if "amount+" in names and "amount-" in names:
        into, out = names["amount+"], names["amount-"]
        return f"CASE WHEN yuan({into}) <> 0 AND yuan({out}) <> 0 THEN NULL ELSE coalesce(nullif(yuan({into}), 0), -yuan({out}), yuan({into})) END"
    if "amount" not in names:
        return None
    if "direction" in names and not any(re.match(r"[-−(]", cell) for cell in cells["amount"]):  # else the amounts carry their signs themselves
        words = sorted({word for word in cells["direction"] if word in _SIGNS})
        if words:
            arms = " ".join(f"WHEN '{word}' THEN {'-' if _SIGNS[word] == '-' else ''}yuan({names['amount']})" for word in words)
            return f"CASE {names['direction']} {arms} END"
    return f"yuan({names['amount']})"


def _date(column: str, cells: list[str]) -> str:
    """A format where all cells have it. Day and month that could be either are taken as day first: the reader is told to look."""
    seen = [re.sub(r"\s+", " ", cell) for cell in cells if cell]
    fits = [format for pattern, format in _DATE_FORMATS if seen and all(re.fullmatch(pattern, cell) for cell in seen)]
    return f"try_strptime({column}, '{fits[-1]}')" if fits else column
