"""configs/collections.toml: stages, strategies and their arms, holds, what a chance is drawn to, what a contact costs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from qqloan_cli.contracts.collections import CHANNELS, OUTCOMES, PARTIES
from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Strict

Channel = Literal[CHANNELS]
Party = Literal[PARTIES]
Part = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]+$")]
BUCKETS = ("M1", "M2", "M3", "M4", "M5", "M6", "M6+")


class Conduct(Strict):
    observe: list[Literal["law", "guidance", "standard", "self_regulation"]]
    hours_channels: list[Channel]
    unreachable_after: Annotated[int, Field(ge=1)]


class Slots(Strict):
    own: Annotated[int, Field(ge=1, le=9)]
    contact: Annotated[int, Field(ge=0, le=9)]


class Stage(Strict):
    name: Name
    from_dpd: Annotated[int, Field(ge=1)]


class Arms(Strict):
    salt: Annotated[str, Field(min_length=1)]
    control: Name
    shares: Annotated[dict[Name, Part], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> "Arms":
        if sum(self.shares.values()) != 1:
            raise ValueError(f"the shares of the arms add up to {sum(self.shares.values())}, not 1")
        if self.control not in self.shares:
            raise ValueError(f"control: there is no arm {self.control}")
        return self


class Step(Strict):
    channels: Annotated[list[Channel], Field(min_length=1)]
    script: Name


class Scripts(Strict):
    third_party: Name


class Chance(Strict):
    months: Annotated[int, Field(ge=1, le=36)]
    weight: Annotated[int, Field(ge=1)]
    prior: dict[Literal[BUCKETS], Part]

    @model_validator(mode="after")
    def _all(self) -> "Chance":
        if set(self.prior) != set(BUCKETS):
            raise ValueError(f"prior has {', '.join(BUCKETS)}")
        return self


class Promises(Strict):
    grace_days: Annotated[int, Field(ge=0, le=10)]


class Hold(Strict):
    """``days``: the last day is so many after the first; without, and without ``ends``, it lasts until it is lifted."""

    opened_by: list[Literal[OUTCOMES]] = []
    told_by: list[Party] = ["debtor"]
    days: Annotated[int, Field(ge=0)] | None = None
    ends: Literal["promise_date"] | None = None
    channels: list[Channel] = list(CHANNELS)
    parties: list[Party] = list(PARTIES)
    lifted_by: Annotated[list[Name], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_end(self) -> "Hold":
        if self.days is not None and self.ends is not None:
            raise ValueError("give days or ends, one of them")
        if self.ends and self.opened_by != ["promise"]:
            raise ValueError("only a promise has a promise_date")
        return self


class Records(Strict):
    keep_months: Annotated[int, Field(ge=1)]
    basis: Annotated[str, Field(min_length=1)]


class Compare(Strict):
    days: Annotated[int, Field(ge=1, le=365)]
    confidence: Annotated[Decimal, Field(gt=0, lt=1)]
    imbalance: Annotated[Decimal, Field(gt=0)]
    cost_fen: dict[Channel, Annotated[int, Field(ge=0)]]

    @model_validator(mode="after")
    def _all(self) -> "Compare":
        if set(self.cost_fen) != set(CHANNELS):
            raise ValueError(f"cost_fen has {', '.join(CHANNELS)}")
        return self


class Collections(Strict):
    conduct: Conduct
    slots: Slots
    stage: Annotated[list[Stage], Field(min_length=1)]
    arms: Arms
    strategy: dict[Name, dict[Name, Step]]
    scripts: Scripts
    chance: Chance
    promises: Promises
    hold: dict[Name, Hold]
    records: Records
    compare: Compare

    @model_validator(mode="after")
    def _fits(self) -> "Collections":
        names, days = [stage.name for stage in self.stage], [stage.from_dpd for stage in self.stage]
        if days != sorted(set(days)) or len(set(names)) != len(names):
            raise ValueError("stages have names of their own and rising days")
        if set(self.strategy) != set(self.arms.shares):
            raise ValueError(f"every arm wants a strategy, and there is one of no other: {', '.join(sorted(set(self.strategy) ^ set(self.arms.shares)))}")
        for arm, steps in self.strategy.items():
            if set(steps) != set(names):
                raise ValueError(f"strategy.{arm} has a step for each stage: {', '.join(names)}")
        return self


def load_collections(config_dir: Path) -> Collections:
    return load(config_dir / "collections.toml", Collections)
