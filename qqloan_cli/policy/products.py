"""configs/products.toml and lender.toml as models: what is sold, and by whom."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qqloan_cli.policy.load import load

LICENCES = ("bank", "cfc", "microloan_network", "microloan")
METHODS = ("equal_instalment", "equal_principal", "interest_only", "bullet")
Licence = Literal["bank", "cfc", "microloan_network", "microloan"]
Method = Literal["equal_instalment", "equal_principal", "interest_only", "bullet"]
Yuan = Annotated[int, Field(ge=0)]
Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]
Rounded = Literal["half_up", "half_even", "up", "down"]
Unit = Annotated[Decimal, Field(gt=0, le=100, decimal_places=2)]
PPM = 1_000_000


class Strict(BaseModel):
    """A key that is not known is a typing error, not a setting."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


def ppm(share: Decimal) -> int:
    """A share in millionths, exactly: configuration has at most six decimals."""
    return int(share * PPM)


class Tranche(Strict):
    share: Annotated[Decimal, Field(gt=0, le=1, decimal_places=6)]
    after_days: Annotated[int, Field(ge=0)]
    condition: str | None = None


class Payee(Strict):
    en: str
    zh: str


class Shown(Strict):
    """What the table of comprehensive costs says besides figures: to whom each charge goes, and what is charged only if something happens."""

    interest: Payee
    monthly_fee: Payee | None = None
    upfront_fee: Payee | None = None
    late_rate_times: Annotated[Decimal, Field(ge=1, le=2, decimal_places=6)]
    early_repayment_rate: Share = Decimal(0)


class Product(Strict):
    """Amounts in yuan, terms in months, fee rates as shares of the original amount."""

    title_en: str
    title_zh: str
    kind: Literal["consumption", "business"]
    amount_min: Yuan
    amount_max: Yuan
    amount_step: Annotated[int, Field(ge=1)]
    terms: Annotated[list[Annotated[int, Field(ge=1, le=360)]], Field(min_length=1)]
    term_usual: int
    method: Method
    age_min: Annotated[int, Field(ge=18)]
    age_max: int
    age_max_at_end: int
    decide_by_working_days: Annotated[int, Field(ge=1, le=3)]
    purposes: list[str]
    payee_kind: Literal["borrower", "merchant"]
    due_day: Literal["drawdown"] | Annotated[int, Field(ge=1, le=28)]
    day_count: Literal["30/360", "act/365", "act/360"]
    monthly_fee_rate: Share = Decimal(0)
    upfront_fee_rate: Share = Decimal(0)
    tranches: Annotated[list[Tranche], Field(min_length=1)]
    principal_free_months: Annotated[int, Field(ge=0)] = 0
    payment_rounding: Rounded = "half_up"
    payment_unit: Unit = Decimal("0.01")
    interest_rounding: Rounded = "half_up"
    interest_unit: Unit = Decimal("0.01")
    remainder: Literal["last", "level"] = "last"
    shown: Shown

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Product":
        for fee in ("monthly_fee", "upfront_fee"):
            if getattr(self, f"{fee}_rate") and getattr(self.shown, fee) is None:
                raise ValueError(f"{fee}_rate is charged, and shown does not say to whom")
        if self.terms != sorted(set(self.terms)):
            raise ValueError("terms are not in rising order, or one stands twice")
        if self.principal_free_months >= self.terms[0]:
            raise ValueError("principal_free_months leaves the shortest term no month that repays")
        if self.principal_free_months and self.method in ("interest_only", "bullet"):
            raise ValueError(f"principal_free_months says nothing to {self.method}")
        if self.term_usual not in self.terms:
            raise ValueError("term_usual is none of the terms")
        if not 0 < self.amount_min <= self.amount_max:
            raise ValueError("amount_min is not above 0 and at most amount_max")
        if self.amount_min % self.amount_step:
            raise ValueError("amount_min is no multiple of amount_step, so the smallest loan could not be offered")
        if not self.age_min <= self.age_max <= self.age_max_at_end:
            raise ValueError("age_min, age_max, age_max_at_end are not in rising order")
        if sum(tranche.share for tranche in self.tranches) != 1:
            raise ValueError("the shares of the tranches do not add up to 1")
        return self


class Products(Strict):
    products: Annotated[dict[str, Product], Field(min_length=1)]


class Figures(Strict):
    """Figures of the lender itself that rules are held against, as they stood ``on`` a day: yuan; ``area``: prefixes of the region codes in
    which it may lend. An absent one is not known, and what hangs on it is not judged."""

    on: datetime.date
    source: Annotated[str, Field(min_length=1)]
    net_assets: Yuan | None = None
    total_loans: Yuan | None = None
    area: list[str] | None = None


class Lender(Strict):
    """``legal_cost``: the figure of the all-in annual cost that each licence's law looks at."""

    licence: Licence
    region: str
    currency: str
    unknown_product: Literal["refer", "first"]
    purposes_refused: list[str]
    adopt_reports: list[str] = []
    legal_cost: dict[Licence, Literal["nominal", "effective"]]
    figures: Figures | None = None

    @model_validator(mode="after")
    def _knows_its_law(self) -> "Lender":
        if self.licence not in self.legal_cost:
            raise ValueError(f"legal_cost does not say which figure counts for {self.licence}")
        return self


def load_products(config_dir: Path) -> dict[str, Product]:
    return load(config_dir / "products.toml", Products).products


def load_lender(config_dir: Path) -> Lender:
    return load(config_dir / "lender.toml", Lender)
