"""configs/worth.toml: sources of data, the inputs that each brings, and what a query costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from qqloan_cli.contracts import INPUTS
from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Strict

KEYS = ("device", "phone", "contact", "card")
_LEAVABLE = tuple(contract.name for contract in INPUTS if contract.name not in ("applicants", "funding_refusals"))


class DataSource(Strict):
    """``inputs`` that it brings, or ``keys`` by which applicants are tied to one another; ``cost_fen`` a query."""

    title_en: Annotated[str, Field(min_length=1)]
    title_zh: Annotated[str, Field(min_length=1)]
    inputs: list[Literal[_LEAVABLE]] = []
    keys: list[Literal[KEYS]] = []
    cost_fen: Annotated[int, Field(ge=0)]
    charged: Literal["query", "hit"]

    @model_validator(mode="after")
    def _brings_something(self) -> "DataSource":
        if bool(self.inputs) == bool(self.keys):
            raise ValueError("give inputs or keys, one of them")
        return self


class WorthPolicy(Strict):
    months: Annotated[int, Field(ge=1, le=60)]
    sources: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], DataSource], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_name_is_taken(self) -> "WorthPolicy":
        if "all" in self.sources:
            raise ValueError("sources.all: all stands for every source together")
        return self


def load_worth(config_dir: Path) -> WorthPolicy:
    return load(config_dir / "worth.toml", WorthPolicy)
