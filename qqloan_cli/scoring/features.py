"""Features: defined once, in features.toml, as expressions over the stages' tables; read by a parser that allows only what is safe."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.parse import Node, read
from qqloan_cli.engine.session import literal, quoted
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.load import load
from qqloan_cli.scoring.bins import as_float32

TABLES = ("applicants", "verify", "income", "credit", "social")
BEST = "M-BEST"
_KEYS = ("application_id", "applicant_id", "src_file", "src_row", "employer_uscc", "product", "purpose", "consent_scope", "checks_not_applicable")
_CODE = r"^(|M-[A-Z0-9-]+)$"
_OF_LISTS = {"len", "length", "list_contains", "list_has", "array_contains", "array_has"}
_FUNCTIONS = {"nullif", "greatest", "least", "abs", "ln", "sqrt", "replace"} | _OF_LISTS
_TYPES = ("BIGINT", "INTEGER", "SMALLINT", "DOUBLE", "BOOLEAN", "VARCHAR")


class Feature(BaseModel):
    """``sql`` is an expression over a run's tables, or over a flat table's columns; without one, the feature is the column of its name."""

    model_config = ConfigDict(defer_build=True, extra="forbid")

    sql: str | None = None
    description: str = ""
    unit: str = ""
    direction: Literal[-1, 0, 1] = 0
    missing: str = "not given"
    block: Literal["", "social"] = ""
    reason: str = Field(default="", pattern=_CODE)
    reason_missing: str = Field(default="", pattern=_CODE)


class Features(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")

    protected: list[str] = []
    feature: dict[str, Feature] = Field(min_length=1)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.feature)

    @property
    def directions(self) -> tuple[int, ...]:
        return tuple(f.direction for f in self.feature.values())

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reason code of each feature, in its order."""
        return tuple(f.reason for f in self.feature.values())

    @property
    def reasons_missing(self) -> tuple[str, ...]:
        """The same where the feature's value is missing."""
        return tuple(f.reason_missing or f.reason for f in self.feature.values())

    @property
    def without_social(self) -> tuple[str, ...]:
        return tuple(name for name, f in self.feature.items() if f.block != "social")

    @property
    def over_runs(self) -> bool:
        """The features look at a run's tables; else at a flat table's columns."""
        return any(self.source(name) != "table" for name in self.feature)

    def without(self, names: list[str]) -> "Features":
        """These features but for some. Raises ConfigError at a name that none has, or where none is left."""
        unknown = [name for name in names if name not in self.feature]
        kept = {name: feature for name, feature in self.feature.items() if name not in names}
        if unknown or not kept:
            raise ConfigError("feature-unknown", f"no feature is called {', '.join(unknown)}" if unknown else "no feature is left", "--ignore", "qqloan features lists them.")
        return self.model_copy(update={"feature": kept})

    def source(self, name: str) -> str:
        """Tables of a run that the feature reads; ``table`` where it reads a flat one."""
        sql = self.feature[name].sql or ""
        return ", ".join(table for table in TABLES if re.search(rf"\b{table}\.", sql)) or "table"

    def select(self) -> str:
        """DuckDB SQL of all features, one row per application of a run. Raises ConfigError at an expression that is not allowed."""
        for name, feature in self.feature.items():
            if feature.sql is None:
                raise ConfigError("feature-without-sql", "a feature over the chain's tables needs an expression", f"features.toml: {name}", "Give it sql = \"...\".")
            if not feature.reason:
                raise ConfigError("feature-without-reason", "a feature needs a reason code", f"features.toml: {name}", "Give it reason = \"M-...\".")
        trees = self._trees(lambda node, where, parent: _may_read(node, where, parent, self.protected))
        return Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").replace("\nFROM applicants", f",\n  {_as_floats(trees)}\nFROM applicants")

    def reads(self) -> dict[str, set[str]]:
        """Columns of a flat table that each feature reads. Raises ConfigError at an expression that is not allowed."""

        def bare(node: Node, where: str, parent: Node | None) -> None:
            if node.table:
                raise ConfigError("feature-table-unknown", f"{node.table}.{node.name} names a table", where, "In a flat table's features a column stands alone.")

        trees = self._trees(bare)
        return {name: {node.name for node in trees[name].walk() if node.kind == "column"} if name in trees else {name} for name in self.feature}

    def select_table(self) -> str:
        """DuckDB SQL of the features that have an expression, over a view ``flat`` with a flat table's columns, in the order of its rows."""
        return f"SELECT {_as_floats(self._trees(lambda node, where, parent: None))} FROM flat"

    def _trees(self, may_read) -> dict[str, Node]:
        """Every expression that reads only columns which ``may_read(node, where, parent)`` lets pass, and does only arithmetic with them."""
        asked = {name: feature.sql for name, feature in self.feature.items() if feature.sql is not None}
        trees = dict(zip(asked, read(list(asked.values()))))
        for name, tree in trees.items():
            _check(tree, None, f"features.toml: {name}", may_read)
        return trees

    def toml(self) -> str:
        """These features as a features.toml."""
        lines = ["# What the model looks at, in this order.", f"protected = {json.dumps(self.protected, ensure_ascii=False)}"]
        for name, feature in self.feature.items():
            lines.append(f"\n[feature.{json.dumps(name, ensure_ascii=False)}]")
            lines += [
                f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in feature.model_dump(exclude_none=True).items() if value != "" or key == "description"
            ]
        return "\n".join(lines) + "\n"


def load_features(path: Path) -> Features:
    return load(path, Features)


def of_columns(columns: dict[str, list[str] | str | None]) -> Features:
    """Features of a flat table, free in their direction, a reason for each column.

    By column: None where it holds numbers, the expression that makes it a number, or the words for which a feature each is 1 where
    they stand there and 0 where others do. A word that training never saw is among the others.
    """
    named, taken = {}, set()
    for column, kind in columns.items():
        code = code_of(column, taken)
        if isinstance(kind, list):
            there = quoted(column)
            for word in kind:
                named[f"{column}={word}"] = Feature(
                    sql=f"CASE WHEN COALESCE({there}, '') = '' THEN NULL WHEN {there} = {literal(word)} THEN 1 ELSE 0 END", description=f"{column} is {word}", reason=code,
                )
        else:
            named[column] = Feature(sql=kind, description=column, reason=code)
    return Features(feature=named)


def code_of(column: str, taken: set[str]) -> str:
    """``M-`` and the column in capitals; a number after it where two columns would share one. Adds it to ``taken``."""
    outline = "".join(c if c.isascii() and c.isalnum() else "-" for c in column.upper())
    stem = "M-" + ("-".join(part for part in outline.split("-") if part) or "COLUMN")
    code, n = stem, 1
    while code in taken or code == BEST:
        n += 1
        code = f"{stem}-{n}"
    taken.add(code)
    return code


def columns_of(table, names: tuple[str, ...]) -> list[np.ndarray]:
    """Float32 columns of an Arrow table, missing as NaN, in the order of ``names``."""
    return [as_float32(table.column(name).combine_chunks().to_numpy(zero_copy_only=False)) for name in names]


def _as_floats(trees: dict[str, Node]) -> str:
    return ",\n  ".join(f"TRY_CAST({tree.sql} AS FLOAT) AS {quoted(name)}" for name, tree in trees.items())


def _check(node: Node, parent: Node | None, where: str, may_read) -> None:
    if node.kind == "unreadable":
        raise ConfigError("feature-unreadable", "the expression cannot be read as SQL", where, "Mend its sql.")
    if node.kind == "other" or (node.kind == "call" and node.name not in _FUNCTIONS):
        raise ConfigError("feature-not-allowed", f"{node.name} may not stand in a feature", where, "The head of features.toml lists what may.")
    if node.kind == "column":
        may_read(node, where, parent)
    for part in node.parts:
        _check(part, node, where, may_read)


def _may_read(node: Node, where: str, parent: Node | None, protected: list[str]) -> None:
    table, column = node.table, node.name
    if table not in TABLES:
        raise ConfigError("feature-table-unknown", f"{node.name} names no table that a feature may read", where, f"Write table.column; tables: {', '.join(TABLES)}.")
    contract = CONTRACTS[table]
    if column not in contract.names:
        raise ConfigError("feature-column-unknown", f"{table} has no column {column}", where, "qqloan config and the contracts list a table's columns.")
    found = contract.column(column)
    counted = found.type == "VARCHAR[]" and parent is not None and parent.kind == "call" and parent.name in _OF_LISTS  # how many, or whether one is there
    if found.personal or column in _KEYS or column.endswith("_hash") or not (counted or found.type in _TYPES):
        raise ConfigError("feature-column-not-allowed", f"{table}.{column} is a key or an identifier, not evidence", where, "Use another column.")
    if column in protected:
        raise ConfigError("feature-column-protected", f"{table}.{column} is protected: no feature may touch it", where, "Compliance keeps the list `protected`.")
