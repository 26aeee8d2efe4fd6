"""configs/reserve.toml: the risk reserve pool, how its moves are measured, and the scenarios it is looked at under."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.funding import Funding
from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Strict

LIVE = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M6+")
STATES = (*LIVE, "paid", "written_off")
Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]
Shift = Annotated[float, Field(ge=-5, le=5)]


class Known(Strict):
    """Where a figure is from, and how sure it is."""

    document: str
    source: str
    certainty: Literal["H", "M", "L"]
    verified_through: datetime.date


class Pool(Known):
    opening: Annotated[int, Field(ge=0)]


class Contribution(Strict):
    """Shares of the covered part's principal drawn and interest received."""

    from_: datetime.date = Field(alias="from")
    of_drawn: Share
    of_interest: Annotated[Decimal, Field(ge=0, decimal_places=6)]


class Cover(Strict):
    sources: list[str]
    share: Share
    from_bucket: Literal["M1", "M2", "M3", "M4", "M5", "M6", "M6+"]
    without_book: Share

    @property
    def trigger(self) -> int:
        return LIVE.index(self.from_bucket)

    def funders(self, funding: Funding) -> list[str]:
        return sorted(self.sources) or sorted(name for name, source in funding.sources.items() if source.kind == "institution")


class Recovery(Known):
    cost: Share
    after_write_off: Share


class Segments(Strict):
    month_bands: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    other: str
    regions: dict[str, list[str]]

    @model_validator(mode="after")
    def _fit(self) -> "Segments":
        if self.month_bands[0] != 0 or self.month_bands != sorted(set(self.month_bands)):
            raise ValueError("month_bands begins with 0 and rises")
        if self.other in self.regions:
            raise ValueError(f"other is called as the group {self.other}")
        prefixes = [prefix for group in self.regions.values() for prefix in group]
        clash = sorted({a for i, a in enumerate(prefixes) for k, b in enumerate(prefixes) if i != k and a.startswith(b)})
        if clash:
            raise ValueError(f"region {clash[0]} is in two groups")
        return self

    @property
    def names(self) -> list[str]:
        return [*self.regions, self.other]


class Estimation(Strict):
    window_months: Annotated[int, Field(ge=1)]
    segment_moves: Annotated[float, Field(ge=0)]
    prior_moves: Annotated[float, Field(gt=0)]


class Prior(Known):
    amortisation: Share
    annual_rate: Share
    moves: dict[str, dict[str, Share]]

    @model_validator(mode="after")
    def _whole(self) -> "Prior":
        if set(self.moves) != set(LIVE):
            raise ValueError(f"moves has {', '.join(LIVE)}, each once")
        for name, row in self.moves.items():
            unknown = sorted(set(row) - set(STATES))
            if unknown:
                raise ValueError(f"moves.{name} names {unknown[0]}, which is no bucket")
            if sum(row.values()) != 1:
                raise ValueError(f"moves.{name} adds up to {sum(row.values())}, not to 1")
        return self

    @property
    def matrix(self) -> list[list[float]]:
        """By STATES; a row for each of LIVE."""
        return [[float(self.moves[name].get(state, 0)) for state in STATES] for name in LIVE]


class Factor(Known):
    correlation: Annotated[float, Field(ge=0, le=0.5)]
    over: Literal["year", "month"]
    between_regions: Annotated[float, Field(ge=0, le=1)]
    persistence: Annotated[float, Field(ge=0, lt=1)]


class Noise(Strict):
    loans: Literal["none", "poisson"]


class Scenario(Strict):
    common: Shift = 0.0
    regions: dict[str, Shift] = {}
    withdrawn: Share = Decimal(0)
    run_off: list[Share] = []
    sources: list[str] = []

    @model_validator(mode="after")
    def _at_most_all(self) -> "Scenario":
        if sum(self.run_off) > 1:
            raise ValueError(f"run_off adds up to {sum(self.run_off)}: no more than all can be wanted back")
        return self


class Reserve(Strict):
    pool: Pool
    contribution: Annotated[list[Contribution], Field(min_length=1)]
    cover: Cover
    recovery: Recovery
    segments: Segments
    estimation: Estimation
    prior: Prior
    factor: Factor
    noise: Noise
    scenario: Annotated[dict[str, Scenario], Field(min_length=1)]

    @model_validator(mode="after")
    def _agree(self) -> "Reserve":
        days = [one.from_ for one in self.contribution]
        if days != sorted(set(days)):
            raise ValueError("the contributions' dates do not rise")
        for name, scenario in self.scenario.items():
            unknown = sorted(set(scenario.regions) - set(self.segments.names))
            if unknown:
                raise ValueError(f"scenario.{name} shifts {unknown[0]}, which is no region group")
        return self

    def contributes(self, day: datetime.date) -> Contribution:
        """What is agreed on for a day; of days before the first, what that says."""
        return [self.contribution[0], *(one for one in self.contribution if one.from_ <= day)][-1]

    def unverified(self, day: datetime.date) -> list[str]:
        """What rests on figures that nobody has looked at since, or that are no more than assumed."""
        parts = {"pool": self.pool, "recovery": self.recovery, "prior": self.prior, "factor": self.factor}
        return [name for name, part in parts.items() if part.certainty == "L" or part.verified_through < day]


def load_reserve(config_dir: Path, funding: Funding | None = None) -> Reserve:
    """Raises ConfigError also at a source that funding.toml, where it is given, does not have."""
    path = config_dir / "reserve.toml"
    found = load(path, Reserve)
    named = {*found.cover.sources, *(source for scenario in found.scenario.values() for source in scenario.sources)}
    unknown = sorted(named - set(funding.sources)) if funding is not None else []
    if unknown:
        raise ConfigError("funder-unknown", f"there is no source {unknown[0]}", str(path), f"There are: {', '.join(funding.sources)}.")
    return found
