"""A file of cases that a policy has to decide as it says: an application of some inputs, what is changed about it, and what is expected."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qqloan_cli.policy.load import load


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class Expected(_Strict):
    """What is named is held to: ``reasons`` are all among the decision's, ``reasons_not`` none; ``amount`` in yuan, null for no amount;
    ``cap`` is the step of the waterfall that set it."""

    decision: Literal["approve", "refer", "decline"] | None = None
    reasons: list[str] = []
    reasons_not: list[str] = []
    cap: str | None = None
    amount: Annotated[int, Field(ge=0)] | None = None
    term_months: Annotated[int, Field(ge=1)] | None = None
    annual_rate: Annotated[Decimal, Field(ge=0, le=1)] | None = None
    grade: str | None = None
    refer_to: str | None = None

    @model_validator(mode="after")
    def _something(self) -> "Expected":
        if not self.model_fields_set:
            raise ValueError("nothing is expected")
        return self


class Case(_Strict):
    """``change``: as qqloan explain --what-if takes it; a text that is empty is a missing value."""

    name: Annotated[str, Field(min_length=1)]
    application: Annotated[str, Field(min_length=1)]
    change: dict[str, bool | int | Decimal | str] = {}
    expect: Expected

    def changes(self) -> list[str]:
        """As NAME=VALUE."""
        return [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in self.change.items()]


class Cases(_Strict):
    """``inputs``: the lender's files that the applications are of, from the file's own folder."""

    inputs: str
    as_of: datetime.date
    case: Annotated[list[Case], Field(min_length=1)]

    @model_validator(mode="after")
    def _told_apart(self) -> "Cases":
        names = [case.name for case in self.case]
        if len(set(names)) < len(names):
            raise ValueError(f"two cases are called {next(name for name in names if names.count(name) > 1)!r}")
        return self


def load_cases(path: Path) -> Cases:
    return load(path, Cases)
