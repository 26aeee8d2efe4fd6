"""Where an input's rows come from, as SQL: our own files read by DuckDB, or what the careful way and the mappings left in Parquet.

A ``Group`` is files that are read alike. ``checked`` is its rows as the contract has them with a flag for those to be
refused; ``looked_at`` is the refused ones alone, with what the file said, for the second look that explains them.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from functools import cached_property

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import literal, quoted
from qqloan_cli.intake.files import File
from qqloan_cli.intake.mapping import our_columns
from qqloan_cli.intake.mend import Reading, can_be_read, raw, raw_name, reading, rules
from qqloan_cli.intake.rows import Broken

TOTAL_WORDS = "合计|总计|小计|本页合计|本页小计|合计金额|总额|totals?|grand total|sub-?total|sum"


@dataclass
class Group:
    """``source`` is a FROM item; ``columns`` maps a raw column to its type, in the file's order; ``row``, ``no`` and ``line`` are SQL."""

    input: str
    files: list[File]
    source: str
    columns: dict[str, str]
    row: str
    no: str
    line: str = "NULL"
    constants: dict[str, str] = field(default_factory=dict)
    broken: list[tuple[File, Broken]] = field(default_factory=list)
    parquet: bool = False  # our own Parquet files as they stand
    reads: list = field(default_factory=list)  # of CSV that DuckDB reads: how to read it the careful way should that fail

    @cached_property
    def given(self) -> dict[str, str]:
        """Contract column -> raw column."""
        known, given = our_columns(self.input), {}
        for name in self.columns:  # the first that means it: JSON's names end with ours, in case a later object has them
            if name.lower() in known:
                given.setdefault(known[name.lower()], name)
        return given

    @property
    def unused(self) -> list[str]:
        known = our_columns(self.input)
        return [name for name in self.columns if name and name.lower() not in known and name not in ("_row", "_file", "_no", "_line")]

    @cached_property
    def readings(self) -> list[Reading]:
        made = []
        for column in CONTRACTS[self.input].columns:
            if column.name in ("src_file", "src_row"):
                continue
            if column.name in self.constants:
                made.append(Reading(column, literal(self.constants[column.name])))
                continue
            name = self.given.get(column.name)
            in_fen = name is not None and name.lower().endswith("_fen")
            made.append(reading(self.input, column, self.columns[name] if name else None, in_fen))
        return made

    def _raw(self) -> str:
        parts = [f"{raw(quoted(name), self.columns[name])} AS {raw_name(column)}" for column, name in self.given.items() if column not in self.constants]
        for column, name in self.given.items():
            if not can_be_read(self.columns[name]):
                raise self.files[0].wrong("column-type-wrong", f"the column {name} is of type {self.columns[name][:40]}", "Export it as text, number or date.")
        return f"SELECT {', '.join(parts)}, CAST({self.row} AS BIGINT) AS src_row, CAST({self.no} AS USMALLINT) AS src_file, CAST({self.line} AS BIGINT) AS _line FROM {self.source}"

    def _read(self) -> str:
        values = ", ".join(f'CAST({r.value} AS {r.column.type}) AS "{r.column.name}"' for r in self.readings)
        return f"SELECT {values}, src_file, src_row, _line, {', '.join(self._raws())} FROM ({self._raw()})"

    def _raws(self) -> list[str]:
        return [raw_name(column) for column in self.given if column not in self.constants]

    def conditions(self, as_of: datetime.date | None) -> list[tuple[str, str, str, str]]:
        """(column, rule, reason, SQL) of everything that a row can be refused for."""
        failed = {r.column.name: r.failed for r in self.readings if r.failed}
        found = [(r.column.name, r.rule, r.reason, r.failed) for r in self.readings if r.failed]
        for rule in rules(self.input, as_of):
            where = f"coalesce({rule.where}, false)"
            if rule.name.endswith("-missing") and rule.column in failed:  # what could not be read is not missing as well
                where = f"({where} AND NOT {failed[rule.column]})"
            found.append((rule.column, rule.name, rule.reason, where))
        return found

    def checked(self, as_of: datetime.date | None) -> str:
        """The contract's columns and ``_bad``."""
        names = ", ".join(quoted(name) for name in CONTRACTS[self.input].names)
        # A missing value is bad whether it is missing or unreadable, so the rules stand here without the second half.
        tests = [r.failed for r in self.readings if r.failed] + [f"coalesce({rule.where}, false)" for rule in rules(self.input, as_of)]
        tests += [self._no_data()] if self.files and self.reads else []
        return f"SELECT {names}, ({' OR '.join(tests)}) AS _bad FROM ({self._read()})"

    def _no_data(self) -> str:
        """Rows that the contract might pass though they are none: a header said again, a total."""
        key = next(iter(CONTRACTS[self.input].names))
        name = self.given[key]
        words = f"{raw_name(key)} = {literal(name)}"
        if self.input == "applicants":
            words += f" OR regexp_full_match(tidy({raw_name(key)}), '(?i)({TOTAL_WORDS})\\s*[:：]?')"
        return f"coalesce({words}, false)"

    def looked_at(self, as_of: datetime.date | None) -> str:
        """The refused rows with typed and raw columns, the raw ones as text, and ``_skip``: why a row is no data after all."""
        raws = [column for column in self.given if column not in self.constants]
        text = ", ".join(f"CAST({raw_name(c)} AS VARCHAR) AS {quoted('t_' + c)}" for c in raws)
        first = f"coalesce({', '.join(f'tidy({raw_name(c)})' for c in raws)})"
        header = " AND ".join(f"coalesce(tidy({raw_name(c)}), '') = {literal(self.given[c])}" for c in raws)
        blank = f"{first} IS NULL"
        skip = (f"CASE WHEN {blank} THEN 'blank-row' WHEN {header} THEN 'repeated-header' "
                f"WHEN regexp_full_match({first}, '(?i)({TOTAL_WORDS})\\s*[:：]?') THEN 'total-row' END") if self.reads else "CAST(NULL AS VARCHAR)"
        bad = " OR ".join(f"({sql})" for *_, sql in self.conditions(as_of)) + (f" OR {self._no_data()}" if self.reads else "")
        return f"SELECT *, {text}, {skip} AS _skip FROM ({self._read()}) WHERE {bad}"
