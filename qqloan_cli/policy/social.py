"""configs/social.toml: what social evidence is worth, what the graph is made of, and when ties look like a ring."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qqloan_cli.policy.load import load

MEASURES = (
    "account_age_days", "active_days_avg", "activity_months", "contacts", "payments_avg", "wealth_avg_yuan",
    "reciprocity_percent", "clustering_percent", "core", "neighbours_good_percent",
)


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")


class Window(_Strict):
    months: int = Field(ge=2, le=24)
    thin_activity_months: int = Field(ge=0)
    new_account_days: int = Field(ge=0)


class ScoreBands(_Strict):
    known_percent: int = Field(ge=1, le=100)
    strong_from: int = Field(ge=0, le=100)
    fair_from: int = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _in_order(self) -> "ScoreBands":
        if self.fair_from > self.strong_from:
            raise ValueError("fair_from is above strong_from")
        return self


class Points(_Strict):
    """``bands``: (from, points), rising, the first from 0."""

    bands: list[tuple[int, int]] = Field(min_length=1)

    @field_validator("bands")
    @classmethod
    def _rising(cls, bands):
        starts = [start for start, _ in bands]
        if starts != sorted(set(starts)) or starts[0] != 0:
            raise ValueError("bands begin at 0 and rise")
        if [points for _, points in bands] != sorted(points for _, points in bands) or bands[0][1] < 0:
            raise ValueError("points do not fall as the value rises, and are not below 0")
        return bands


class Neighbours(_Strict):
    rate_percent: int = Field(ge=0, le=100)
    weight: int = Field(ge=1)
    bad_from_percent: int = Field(ge=0, le=100)
    bad_at_least: int = Field(ge=1)


class EdgeKind(_Strict):
    tie: bool
    both_ways: bool
    money: bool
    ring: bool


class MoneyCycle(_Strict):
    shortest: Literal[2, 3]
    most_arcs: int = Field(ge=1, le=200)


class Graph(_Strict):
    negative_weights: Literal["leave_out", "keep"]
    pagerank_rounds: int = Field(ge=1, le=100)
    kinds: dict[str, EdgeKind]
    money_cycle: MoneyCycle


class Rings(_Strict):
    ties: list[Literal["id", "phone", "card", "device", "contact"]]
    most_sharing: int = Field(ge=2)
    contact_holder_from: int = Field(ge=1)


class RingAlert(_Strict):
    size: int = Field(ge=2)
    ties_per_applicant_percent: int = Field(ge=0)
    ties_size: int = Field(ge=2)
    money_cycle_size: int = Field(ge=1)


class SocialPolicy(_Strict):
    window: Window
    score: ScoreBands
    points: dict[str, Points]
    neighbours: Neighbours
    graph: Graph
    rings: Rings
    ring_alert: RingAlert

    @field_validator("points")
    @classmethod
    def _known_measures(cls, points):
        unknown = sorted(set(points) - set(MEASURES))
        if unknown:
            raise ValueError(f"no such measure: {', '.join(unknown)}; there are {', '.join(MEASURES)}")
        if not any(entry.bands[-1][1] for entry in points.values()):
            raise ValueError("no measure gives any points")
        return points

    def point_rows(self) -> list[tuple[str, int, int | None, int, int]]:
        """(measure, from, below, points, most points of the measure); below is None for the last band."""
        rows = []
        for measure, entry in self.points.items():
            ends = [start for start, _ in entry.bands[1:]] + [None]
            rows += [(measure, start, end, points, entry.bands[-1][1]) for (start, points), end in zip(entry.bands, ends)]
        return rows


def load_social(config_dir: Path) -> SocialPolicy:
    return load(config_dir / "social.toml", SocialPolicy)
