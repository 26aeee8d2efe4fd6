"""configs/scale.toml: from probability to points and grade."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qqloan_cli.policy.load import load


class Grade(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")

    grade: str = Field(min_length=1)
    pd_below: float = Field(gt=0)


class Scale(BaseModel):
    """``base_score`` points at odds of ``base_odds`` good to one bad; ``points_to_double`` more double those odds."""

    model_config = ConfigDict(defer_build=True, extra="forbid")

    base_score: float
    base_odds: float = Field(gt=0)
    points_to_double: float = Field(gt=0)
    lowest: int
    highest: int
    most_reasons: int = Field(ge=1, le=10)
    reason_at_least_points: float = Field(ge=0)
    decides: Literal["champion", "challenger"]
    drift_amber: float = Field(gt=0)
    drift_red: float = Field(gt=0)
    grades: list[Grade] = Field(min_length=1)

    @model_validator(mode="after")
    def _bands_cover_everything(self) -> "Scale":
        if self.drift_amber >= self.drift_red:
            raise ValueError("drift_amber is not below drift_red")
        if self.lowest >= self.highest:
            raise ValueError("lowest is not below highest")
        bounds = [grade.pd_below for grade in self.grades]
        if bounds != sorted(set(bounds)):
            raise ValueError("grades are not in rising order of pd_below")
        if bounds[-1] <= 1:
            raise ValueError("the last grade's pd_below is not above 1, so some pd would have no grade")
        if len({grade.grade for grade in self.grades}) != len(self.grades):
            raise ValueError("a grade stands twice")
        return self

    @property
    def factor(self) -> float:
        """Points for the odds to grow by e."""
        return self.points_to_double / math.log(2)

    @property
    def offset(self) -> float:
        """Points at even odds."""
        return self.base_score - self.factor * math.log(self.base_odds)

    def points(self, log_odds_bad):
        """Exact points, before rounding and clipping; of a number or an array of log odds of going bad."""
        return self.offset - self.factor * log_odds_bad

    def pd(self, points: float) -> float:
        """The probability that has exactly these points."""
        return 1 / (1 + math.exp((points - self.offset) / self.factor))


def load_scale(config_dir: Path) -> Scale:
    return load(config_dir / "scale.toml", Scale)
