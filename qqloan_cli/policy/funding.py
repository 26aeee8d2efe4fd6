"""configs/funding.toml as a model: who funds, what they take, and the agreements by which they share a loan."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qqloan_cli.policy.load import load

PPM = 1_000_000
Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]
Yuan = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class Source(_Strict):
    """Amounts in yuan, rates a year, shares of a loan. An absent list takes everything; ``regions`` are prefixes of region codes;
    ``licences``: of lenders with whom it shares a loan."""

    title_en: str
    title_zh: str
    kind: Literal["own", "institution"]
    partner_group: str | None = None
    capacity: Yuan
    daily_cash: Yuan | None = None
    commitment: Yuan = 0
    cost_of_funds: Annotated[Decimal, Field(ge=0, lt=1)]
    min_share: Share = Decimal(0)
    max_share: Share = Decimal(1)
    licences: list[str] | None = None
    products: list[str] | None = None
    grades: list[str] | None = None
    regions: list[str] | None = None
    regions_excluded: list[str] = []
    term_min: Annotated[int, Field(ge=1)] = 1
    term_max: Annotated[int, Field(ge=1)] = 600
    amount_min: Yuan = 0
    amount_max: Yuan | None = None
    grade_limits: dict[str, Yuan] = {}

    @model_validator(mode="after")
    def _in_order(self) -> "Source":
        if self.min_share > self.max_share:
            raise ValueError("min_share is above max_share: no loan could have this source")
        if self.term_min > self.term_max or (self.amount_max is not None and self.amount_min > self.amount_max):
            raise ValueError("a lower bound is above its upper bound: no loan could have this source")
        if self.commitment > self.capacity:
            raise ValueError(f"{self.commitment:,} yuan are promised, but only {self.capacity:,} are offered")
        if self.kind == "own" and self.partner_group is not None:
            raise ValueError("the lender's own money has no partner_group")
        return self


class Guarantor(_Strict):
    """Who stands for the loans of ``products``: in all ``multiple`` times its net assets, less ``outstanding``; for one debtor ``single_share`` of them. Yuan."""

    title_en: str
    title_zh: str
    products: Annotated[list[str], Field(min_length=1)]
    net_assets: Yuan
    multiple: Annotated[Decimal, Field(gt=0, le=15)]
    single_share: Share
    outstanding: Yuan = 0


class Structure(_Strict):
    """One way to fund a loan, whole. ``shares`` are fixed by the agreement and add up to 1."""

    shares: dict[str, Share]
    priority: int = 100

    def ppm(self, source: str) -> int:
        return int(self.shares.get(source, Decimal(0)) * PPM)


class Concentration(_Strict):
    """How much of our own money may lie in loans with one partner and its affiliates, and with all partners. Yuan.

    ``outstanding`` is what lies there already, by partner group.
    """

    licences: list[str]
    net_tier1_capital: Yuan
    single_partner_share: Share
    total_loans: Yuan
    joint_share: Share
    outstanding: dict[str, Yuan] = {}


class Priority(_Strict):
    """Weights of a funded yuan in the objective; what is not named weighs 1."""

    products: dict[str, Annotated[float, Field(gt=0, le=10)]] = {}
    grades: dict[str, Annotated[float, Field(gt=0, le=10)]] = {}
    loss_given_default: Share = Decimal("0.6")


class Funding(_Strict):
    partner_share_min: dict[str, Share]
    own_share_min: dict[str, Share] = {}
    sources: dict[str, Source]
    structures: dict[str, Structure]
    guarantors: dict[str, Guarantor] = {}
    concentration: Concentration
    priority: Priority = Priority()

    @model_validator(mode="after")
    def _agree(self) -> "Funding":
        for name, structure in self.structures.items():
            for source, share in structure.shares.items():
                if source not in self.sources:
                    raise ValueError(f"structure {name} names {source}, which is no source")
                given = self.sources[source]
                if not given.min_share <= share <= given.max_share:
                    raise ValueError(f"structure {name} gives {source} {share:.2%}, outside its {given.min_share:.2%} to {given.max_share:.2%}")
            if sum(structure.shares.values()) != 1:
                raise ValueError(f"the shares of structure {name} add up to {sum(structure.shares.values())}, not to 1")
        idle = sorted(set(self.sources) - {source for structure in self.structures.values() for source in structure.shares})
        if idle:
            raise ValueError(f"{idle[0]} is in no structure, so nothing could use it")
        unknown = sorted(set(self.concentration.outstanding) - {source.partner_group for source in self.sources.values()})
        if unknown:
            raise ValueError(f"concentration.outstanding names {unknown[0]}, which is no partner_group")
        return self

    def is_joint(self, structure: Structure) -> bool:
        """Lender and partner both have money in it."""
        return len({self.sources[source].kind for source in structure.shares}) == 2

    def own_share(self, structure: Structure) -> Decimal:
        return sum((share for source, share in structure.shares.items() if self.sources[source].kind == "own"), Decimal(0))

    def allowed(self, licence: str) -> dict[str, Structure]:
        """The structures that a lender with ``licence`` may use, in their fixed order: by priority, then by name."""
        partner, own = self.partner_share_min.get(licence, Decimal(0)), self.own_share_min.get(licence, Decimal(0))
        return {
            name: structure for name, structure in sorted(self.structures.items(), key=lambda item: (item[1].priority, item[0]))
            if all(self.sources[source].licences is None or licence in self.sources[source].licences for source, share in structure.shares.items() if share)
            and (not self.is_joint(structure) or (1 - self.own_share(structure) >= partner and self.own_share(structure) >= own))
        }


def load_funding(config_dir: Path) -> Funding:
    return load(config_dir / "funding.toml", Funding)
