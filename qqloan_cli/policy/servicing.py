"""configs/servicing.toml: what is agreed on for the time after the money leaves."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Strict

Component = Literal["fees", "penalty", "interest", "principal"]
CLASSES = ("normal", "special_mention", "substandard", "doubtful", "loss")


class Agreed(Strict):
    allocation: Annotated[list[Component], Field(min_length=4, max_length=4)]
    across: Literal["components", "instalments"]
    excess: Literal["hold", "principal"]
    early: Literal["lower", "shorten"]
    grace_days: Annotated[int, Field(ge=0, le=30)]
    penalty_year_days: Literal[360, 365]
    pause_stops_penalty: bool
    tolerance: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]

    @model_validator(mode="after")
    def _each_once(self) -> "Agreed":
        if len(set(self.allocation)) != 4:
            raise ValueError("allocation has fees, penalty, interest and principal, each once")
        return self


class Classes(Strict):
    """Days past due, inclusive, from which a loan is at least of the class. A restructured loan is watched, and a bad one cured, for so many
    months and so many instalments, the longer of the two. ``by``: each loan, or all of a borrower as the worst of them."""

    by: Literal["loan", "borrower"]
    special_mention: Annotated[int, Field(ge=1)]
    substandard: int
    doubtful: int
    loss: int
    technical_days: Annotated[int, Field(ge=0, le=30)]
    watch_months: Annotated[int, Field(ge=0)]
    watch_periods: Annotated[int, Field(ge=0)]
    cure_months: Annotated[int, Field(ge=0)]
    cure_periods: Annotated[int, Field(ge=0)]
    document: str
    source: str
    certainty: Literal["H", "M", "L"]
    verified_through: datetime.date

    @model_validator(mode="after")
    def _rise(self) -> "Classes":
        if not self.special_mention < self.substandard < self.doubtful < self.loss:
            raise ValueError("the days of the classes do not rise")
        return self


Part = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]


class Provisions(Strict):
    """Shares of what is outstanding, by class."""

    normal: Part
    special_mention: Part
    substandard: Part
    doubtful: Part
    loss: Part
    document: str
    source: str
    certainty: Literal["H", "M", "L"]
    verified_through: datetime.date


class ExpectedLoss(Strict):
    """``pd_12m_late``: chance of default within twelve months of a loan that is late, by bucket; M1 to M3."""

    lgd: Part
    stage_2_from_dpd: Annotated[int, Field(ge=1)]
    stage_3_from_dpd: int
    pd_12m_late: dict[Literal["M1", "M2", "M3"], Part]

    @model_validator(mode="after")
    def _rise(self) -> "ExpectedLoss":
        if not self.stage_2_from_dpd < self.stage_3_from_dpd:
            raise ValueError("stage_3_from_dpd is not above stage_2_from_dpd")
        if set(self.pd_12m_late) != {"M1", "M2", "M3"}:
            raise ValueError("pd_12m_late has M1, M2 and M3")
        return self


class Settlement(Strict):
    """Of each part of a loan's money: ``shares``, as the sources funded it, or the name of the one that has it."""

    principal: Literal["shares"]
    interest: str
    penalty: str
    fees: str
    recovered: str

    @property
    def named(self) -> set[str]:
        return {self.interest, self.penalty, self.fees, self.recovered} - {"shares"}


class Takeover(Strict):
    """From so many days past due on, what the sources ``of`` have in a loan passes to ``to``, who pays them for it; ``pays``: for which parts."""

    from_dpd: Annotated[int, Field(ge=1)]
    of: Annotated[list[str], Field(min_length=1)]
    to: str
    pays: Annotated[list[Literal["principal", "interest"]], Field(min_length=1)]

    @model_validator(mode="after")
    def _not_itself(self) -> "Takeover":
        if self.to in self.of:
            raise ValueError(f"{self.to} cannot take over from itself")
        return self


class Compensation(Takeover):
    """By a guarantor, who has ``fee_of_interest`` of what they receive for it."""

    fee_of_interest: Part


class Servicing(Strict):
    """``product``: what one agrees on otherwise than ``terms``."""

    terms: Agreed
    product: dict[str, dict[str, object]] = {}
    classes: Classes
    provisions: Provisions
    expected_loss: ExpectedLoss
    settlement: Settlement
    compensation: Compensation | None = None
    buy_back: Takeover | None = None

    @model_validator(mode="after")
    def _others_can_be(self) -> "Servicing":
        for name in self.product:
            try:
                self.of(name)
            except ValidationError as error:
                first = error.errors()[0]
                raise ValueError(f"product {name}, {'.'.join(map(str, first['loc'])) or 'terms'}: {first['msg']}") from None
        return self

    @property
    def named(self) -> set[str]:
        """Who has money of it besides those that lent."""
        return self.settlement.named | {terms.to for terms in (self.compensation, self.buy_back) if terms}

    def settles_as(self, other: "Servicing") -> bool:
        return (self.settlement, self.compensation, self.buy_back) == (other.settlement, other.compensation, other.buy_back)

    def of(self, product: str) -> Agreed:
        return Agreed(**(self.terms.model_dump() | self.product.get(product, {})))


def load_servicing(config_dir: Path, products: list[str] | None = None) -> Servicing:
    """Raises ConfigError also at a product that products.toml, whose ``products`` are, does not have."""
    path = config_dir / "servicing.toml"
    found = load(path, Servicing)
    unknown = sorted(set(found.product) - set(products)) if products is not None else []
    if unknown:
        raise ConfigError("product-unknown", f"there is no product {unknown[0]}", str(path), f"There are: {', '.join(products)}.")
    return found
