"""From what a file says to what the contract wants, in SQL: cheap tests first, mending where they fail.

A column is read by its raw type. Text is tried as it stands and mended only if that fails; a typed column of a Parquet file
is cast. What cannot be read is NULL here and *failed*, so that it is refused and never passed on as missing.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.contracts.model import Column, Rule
from qqloan_cli.engine.session import distrust_statistics, literal

_TEXT = "VARCHAR"
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
_FLOAT = ("FLOAT", "DOUBLE")
_NUMBERED = {"id_number": "identifier", "employer_uscc": "identifier", "phone": "number_text", "contact_phone": "number_text", "bank_card": "number_text"}
# What needs no mending: one cheap test for most rows.
_SOUND = {"id_number": "[0-9]{17}[0-9X]", "employer_uscc": "[0-9A-Z]{18}", "phone": "1[0-9]{10}", "contact_phone": "1[0-9]{10}", "bank_card": "[1-9][0-9]{13,18}"}
_KEYS = ("application_id", "applicant_id", "src", "dst")
_FROM, _TO = "DATE '1900-01-01'", "DATE '2199-12-31'"


@dataclass(frozen=True)
class Reading:
    """How a column is read: ``value`` and ``failed`` are SQL over the raw column, ``failed`` also over the value under its own name."""

    column: Column
    value: str
    failed: str | None = None
    rule: str = ""
    reason: str = ""


@cache
def macros() -> str:
    return resources.files("qqloan_cli.intake").joinpath("macros.sql").read_text(encoding="utf-8")


@cache
def _each() -> dict[str, str]:
    """The macros' statements by name, in their order."""
    found = re.split(r"^(?=CREATE OR REPLACE MACRO )", macros(), flags=re.MULTILINE)
    return {re.match(r"CREATE OR REPLACE MACRO (\w+)", statement)[1]: statement for statement in found if statement.startswith("CREATE")}


def macros_of(sql: str) -> list[str]:
    """Names of the macros that ``sql`` calls, and of those that they call, in their order: DuckDB takes its time over each."""
    called, known = set(re.findall(r"\w+(?=\()", sql)), _each()
    for name in reversed(known):  # a macro calls only those before it
        if name in called:
            called |= set(re.findall(r"\w+(?=\()", known[name]))
    return [name for name in known if name in called]


def statement(macro: str) -> str:
    return _each()[macro]


def make_ready(con) -> None:
    """For files that others wrote, and for whatever macro is called."""
    distrust_statistics(con)
    con.execute(macros())


def raw_name(column: str) -> str:
    return f'"r_{column}"'


def can_be_read(type: str) -> bool:
    """Lists, structs, maps and bytes have no place in a table of ours."""
    return not (type.endswith("]") or type.startswith(("STRUCT", "MAP", "UNION", "BLOB", "BIT")))


def raw(expression: str, type: str) -> str:
    """The raw column as the readings want it: a number that is none is missing, an instant is told by the clock in China."""
    if type in _FLOAT:
        return f"CASE WHEN isnan({expression}) THEN NULL ELSE {expression} END"
    if type == "TIMESTAMP WITH TIME ZONE":
        return f"({expression} AT TIME ZONE 'Asia/Shanghai')"
    if type.startswith("TIMESTAMP"):
        return f"CAST({expression} AS TIMESTAMP)"
    return expression


def reading(contract: str, column: Column, type: str | None, in_fen: bool) -> Reading:
    """``type`` is the raw column's, None where the file has none. ``in_fen``: the raw column is in fen already."""
    if type is None:
        return Reading(column, f"CAST(NULL AS {column.type})")
    if type == "TIMESTAMP WITH TIME ZONE" or type.startswith("TIMESTAMP"):
        type = "TIMESTAMP"
    x = raw_name(column.name)
    if column.name in _NUMBERED:
        return _number_text(column, x, type)
    if column.type == "VARCHAR":
        return _text(contract, column, x, type)
    if column.name.endswith("_fen"):
        return _fen(column, x, type, in_fen)
    if column.type in ("DATE", "TIMESTAMP"):
        return _time(column, x, type)
    if column.type == "BOOLEAN":
        value = x if type == "BOOLEAN" else f"yes_no({_as_text(x, type)})" if type != _TEXT else f"CASE WHEN {x} IN ('true', 'false') THEN {x} = 'true' ELSE yes_no({x}) END"
        return Reading(column, value, _unread(column, x, type), "not-a-yes-or-no", f"{column.name} is neither yes nor no")
    return _number(column, x, type)


def _as_text(x: str, type: str) -> str:
    if type == _TEXT:
        return x
    if type in _FLOAT or type.startswith("DECIMAL"):
        return (f"CASE WHEN abs({x}) < 1e15 AND {x} = trunc({x}) THEN CAST(CAST({x} AS BIGINT) AS VARCHAR) "
                f"WHEN abs({x}) >= 1e15 THEN printf('%.14E', CAST({x} AS DOUBLE)) ELSE CAST({x} AS VARCHAR) END")
    return f"CAST({x} AS VARCHAR)"


def _else(first: str, mended: str) -> str:
    """``mended`` where ``first`` is NULL, and only there: a coalesce would work it out for every row."""
    return f"CASE WHEN {first} IS NULL THEN {mended} ELSE {first} END"


def _plain(x: str, careful: bool = False) -> str:
    """Without blanks around, NULL where empty; most values pass the test untouched."""
    wide = " OR ".join(f"starts_with({x}, chr({c})) OR ends_with({x}, chr({c}))" for c in (160, 12288)) if careful else "false"
    return f"CASE WHEN {x} < '!' OR ends_with({x}, ' ') OR ends_with({x}, chr(9)) OR {wide} THEN tidy({x}) ELSE {x} END"


def _text(contract: str, column: Column, x: str, type: str) -> Reading:
    t = _as_text(x, type)
    name = column.name
    if name in _KEYS:
        odd = f"{t} < '!' OR {t} > '~' OR ends_with({t}, ' ') OR ends_with({t}, chr(9)) OR ends_with({t}, '.0')"
        none = f"WHEN is_missing({t}) THEN NULL " if contract == "applicants" else ""  # elsewhere nobody is called so
        value = f"CASE {none}WHEN {odd} THEN regexp_replace(tidy(half_width({t})), '^([0-9]{{1,15}})[.]0+$', '\\1') ELSE {t} END"
        failed = f"CASE WHEN contains({t}, 'E+') OR contains({t}, 'e+') THEN was_number({t}) ELSE false END"
        return Reading(column, value, failed, "stored-as-number", f"{name} was kept as a number and has lost digits")
    if contract == "applicants" and name == "gender":
        return Reading(column, f"CASE WHEN {t} IN ('male', 'female') THEN {t} ELSE sex({t}) END")
    if name == "consent_scope":
        return Reading(column, f"CASE WHEN regexp_full_match({t}, '[a-z;]+') THEN {t} ELSE lower(regexp_replace(tidy(half_width({t})), '[\\s,;|、]+', ';', 'g')) END")
    if name == "kind" and contract in ("blocklist", "social_edges"):
        return Reading(column, f"lower(tidy({t}))")
    if name == "currency":
        return Reading(column, f"CASE WHEN {t} IN ('RMB', '人民币', '元', '¥', '￥') THEN 'CNY' ELSE {_plain(t)} END")
    return Reading(column, _plain(t, contract == "applicants"))


def _number_text(column: Column, x: str, type: str) -> Reading:
    t = _as_text(x, type)
    value = f"CASE WHEN regexp_full_match({t}, '{_SOUND[column.name]}') THEN {t} WHEN is_missing({t}) OR was_number({t}) THEN NULL ELSE {_NUMBERED[column.name]}({t}) END"
    failed = f'CASE WHEN "{column.name}" IS NULL AND {x} IS NOT NULL THEN was_number({t}) ELSE false END'
    return Reading(column, value, failed, "stored-as-number", f"{column.name} was kept as a number and has lost digits")


def _unread(column: Column, x: str, type: str) -> str:
    """True where something stands that could not be read."""
    there = f"NOT is_missing({x})" if type == _TEXT else "true"
    return f'CASE WHEN "{column.name}" IS NULL AND {x} IS NOT NULL THEN {there} ELSE false END'


def _fen(column: Column, x: str, type: str, in_fen: bool) -> Reading:
    if in_fen:
        value = f"whole({_as_text(x, type)})" if type not in _WHOLE else f"TRY_CAST({x} AS BIGINT)"
    elif type == _TEXT:
        plain = f"CASE WHEN contains({x}, 'e') OR contains({x}, 'E') THEN NULL ELSE CAST(TRY_CAST({x} AS DECIMAL(15, 2)) * 100 AS BIGINT) END"
        value = _else(plain, f"TRY_CAST(yuan({x}) * 100 AS BIGINT)")
    elif type in _FLOAT:
        value = f"CASE WHEN abs({x}) < 9e13 THEN CAST(round({x} * 100) AS BIGINT) END"
    elif type in _WHOLE or type.startswith("DECIMAL"):
        value = f"TRY_CAST({x} * 100 AS BIGINT)"
    else:
        value = f"TRY_CAST(yuan({_as_text(x, type)}) * 100 AS BIGINT)"
    return Reading(column, value, _unread(column, x, type), "not-an-amount", f"{column.name.removesuffix('_fen')} is not an amount that can be read")


def _time(column: Column, x: str, type: str) -> Reading:
    month, date = column.name == "month", column.type == "DATE"
    macro = "month_of" if month else "day_of" if date else "moment"
    if type in ("DATE", "TIMESTAMP"):
        value = f"CAST({x} AS {column.type})"
    elif type == _TEXT:
        value = _else(f"TRY_CAST({x} AS {column.type})", f"{macro}({x})")
    else:
        value = f"{macro}({_as_text(x, type)})"
    if month and type in ("DATE", "TIMESTAMP", _TEXT):
        value = f"CAST(date_trunc('month', {value}) AS DATE)"
    outside = f'coalesce(CAST("{column.name}" AS DATE) NOT BETWEEN {_FROM} AND {_TO}, false)'
    return Reading(column, value, f"({_unread(column, x, type)} OR {outside})", "not-a-date", f"{column.name} is not a date that can be read")


def _number(column: Column, x: str, type: str) -> Reading:
    if column.type == "DOUBLE":
        value = _else(f"TRY_CAST({x} AS DOUBLE)", f"TRY_CAST(yuan({x}) AS DOUBLE)") if type == _TEXT else f"TRY_CAST({x} AS DOUBLE)"
        failed = f'({_unread(column, x, type)} OR coalesce(NOT isfinite("{column.name}"), false))'
    else:
        if type == _TEXT:
            value = _else(f"TRY_CAST({x} AS {column.type})", f"TRY_CAST(whole({x}) AS {column.type})")
            fraction = f"CASE WHEN contains({x}, '.') OR contains({x}, 'e') OR contains({x}, 'E') THEN whole({x}) IS NULL AND NOT is_missing({x}) ELSE false END"
        elif type in _WHOLE:
            value, fraction = f"TRY_CAST({x} AS {column.type})", "false"
        elif type in _FLOAT or type.startswith("DECIMAL"):
            value, fraction = f"TRY_CAST({x} AS {column.type})", f"coalesce({x} <> trunc({x}), false)"
        else:
            value, fraction = f"TRY_CAST(whole({_as_text(x, type)}) AS {column.type})", "false"
        failed = f"({_unread(column, x, type)} OR {fraction})"
    return Reading(column, value, failed, "not-a-number", f"{column.name} is not a {'number' if column.type == 'DOUBLE' else 'whole number'} that can be read")


def rules(contract: str, as_of: datetime.date | None) -> tuple[Rule, ...]:
    """The contract's rules, and intake's own: nobody applies after the as-of date."""
    own = CONTRACTS[contract].rules
    if contract == "applicants" and as_of is not None:
        own += (Rule("applied-after-as-of", "applied_at", f"CAST(applied_at AS DATE) > DATE {literal(as_of.isoformat())}", "applied after the as-of date"),)
    return own
