"""What a contract is: columns with type, unit, meaning and the meaning of null; rules that find bad rows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    """``type`` is DuckDB's. ``unit`` is fen, days, months, share, date, ... ``null`` says what a missing value means."""

    name: str
    type: str
    meaning: str
    unit: str = ""
    null: str = "never"
    personal: bool = False  # stays inside inputs/


@dataclass(frozen=True)
class Rule:
    """``where`` is SQL over the contract's own columns that is true of a bad row; ``column`` is the one to look at."""

    name: str
    column: str
    where: str
    reason: str


@dataclass(frozen=True)
class Contract:
    """``key`` orders the rows of a file and is unique in it; ``grain`` says in words what a row is."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def select(self, source: str, order: bool = True, to_file: bool = True) -> str:
        """SQL that casts ``source``'s columns to the contract's, in its order of columns and rows. Text stays as it is where it goes
        ``to_file``: an ENUM is text to a file, and is written much faster as one."""
        casts = ",\n  ".join(f'"{c.name}"' if c.type == "VARCHAR" and to_file else f'CAST("{c.name}" AS {c.type}) AS "{c.name}"' for c in self.columns)
        ordered = "\nORDER BY " + ', '.join(f'"{key}"' for key in self.key) if order and self.key else ""
        return f"SELECT\n  {casts}\nFROM {source}{ordered}"

    def empty(self) -> str:
        """SQL for no rows with the full schema."""
        nulls = ", ".join(f'CAST(NULL AS {c.type}) AS "{c.name}"' for c in self.columns)
        return f"SELECT {nulls} WHERE false"
