"""configs/review.toml: who may decide what on a referred application."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from qqloan_cli.policy.load import load


class Why(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    exception: bool


class ReviewPolicy(BaseModel):
    """``second_person_above`` in yuan; ``exception_days`` that an exception may last; ``shown_income``: as how sure income counts that a
    person was shown."""

    model_config = ConfigDict(defer_build=True, extra="forbid")

    second_person_above: int = Field(ge=0)
    exception_days: int = Field(ge=1)
    shown_income: Literal["high", "medium", "low"] = "medium"
    reasons: dict[str, Why] = Field(min_length=1)


def load_review(config_dir: Path) -> ReviewPolicy:
    return load(config_dir / "review.toml", ReviewPolicy)
