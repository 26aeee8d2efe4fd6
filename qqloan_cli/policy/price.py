"""configs/price.toml as a model: the rate of each product, grade and term, and how far an offer may be cut to meet a cap."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.limits import Limits
from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Product, Strict, ppm

Rate = Annotated[Decimal, Field(ge=0, lt=1, decimal_places=6)]


class Cut(Strict):
    step: Annotated[Decimal, Field(gt=0, le=Decimal("0.01"), decimal_places=6)]
    floor: Rate


class TermAdd(Strict):
    over: Annotated[int, Field(ge=0)]
    add: Rate


class ProductPrice(Strict):
    rates: dict[str, Rate]
    term_adds: list[TermAdd] = []

    @model_validator(mode="after")
    def _in_order(self) -> "ProductPrice":
        overs = [step.over for step in self.term_adds]
        if overs != sorted(set(overs)):
            raise ValueError("term_adds are not in rising order of over")
        return self

    def rate_ppm(self, grade: str, term: int) -> int:
        adds = [step.add for step in self.term_adds if term > step.over]
        return ppm(self.rates[grade] + (adds[-1] if adds else 0))


class Price(Strict):
    cut: Cut
    products: dict[str, ProductPrice]


def load_price(config_dir: Path, products: dict[str, Product], limits: Limits) -> Price:
    """Prices for every product and grade there is, none cheaper for a worse grade. Raises ConfigError."""
    path = config_dir / "price.toml"
    price, grades = load(path, Price), [grade.grade for grade in limits.grade]
    for name in products:
        rates = price.products[name].rates if name in price.products else {}
        missing = [grade for grade in grades if grade not in rates]
        if missing:
            raise ConfigError("price-missing", f"{name} has no rate for grade {missing[0]}", str(path), "Every product needs a rate for every grade.")
        if any(rates[better] > rates[worse] for better, worse in pairwise(grades)):
            raise ConfigError("price-falls", f"a worse grade pays less for {name}", str(path), "Rates must not fall from grade to grade.")
    return price


def payments(price: Price, limits: Limits, products: dict[str, Product]) -> list[dict]:
    """Rate and instalment of each product, term and grade: product, term_months, grade, rate_ppm, and what a
    month takes (principal, interest, monthly fee) per million of principal, ``payment`` at the one rate and ``stressed`` at the other, rounded up."""
    rows = []
    for name, product in products.items():
        for term in product.terms:
            repaying = term - product.principal_free_months
            months = repaying if product.method in ("equal_instalment", "equal_principal") else max(term, limits.payment.at_once_counts_months)
            for grade in (grade.grade for grade in limits.grade):
                rate = price.products[name].rate_ppm(grade, term)
                stressed = rate + ppm(limits.payment.stress)
                fee = ppm(product.monthly_fee_rate)
                rows.append({
                    "product": name, "term_months": term, "grade": grade, "rate_ppm": rate,
                    "payment": _per_million(rate, months, product.method) + fee,
                    "stressed": _per_million(stressed, months, product.method) + fee,
                })
    return rows


def _per_million(rate_ppm: int, months: int, method: str) -> int:
    """The largest instalment of a loan of a million, rounded up: whole numbers throughout."""
    year = 12_000_000
    if method == "equal_principal":
        return -(-1_000_000 // months) + -(-rate_ppm // 12)
    if rate_ppm == 0:
        return -(-1_000_000 // months)
    grown, base = (year + rate_ppm) ** months, year**months
    return -(-1_000_000 * rate_ppm * grown // (year * (grown - base)))
