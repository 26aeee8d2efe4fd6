"""configs/limit.toml as a model, and as the small tables that the waterfall joins."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Share, Strict, Yuan, ppm

FEN = 100


class Income(Strict):
    """``counts``: share of the income that counts, by confidence."""

    counts: dict[str, Share]
    without: Yuan

    @model_validator(mode="after")
    def _in_order(self) -> "Income":
        order = ("high", "medium", "low", "none")
        if set(self.counts) != set(order):
            raise ValueError(f"counts needs {', '.join(order)}")
        if any(self.counts[better] < self.counts[worse] for better, worse in pairwise(order)):
            raise ValueError("income that is shown less well counts for more")
        return self


class Payment(Strict):
    stress: Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]
    at_once_counts_months: Annotated[int, Field(ge=1, le=360)]


class Grade(Strict):
    grade: str
    income_multiple: Annotated[Decimal, Field(ge=0, le=1000, decimal_places=2)]
    payment_share: Share
    debt_share: Share
    cap: Yuan


class History(Strict):
    none: Yuan
    thin: Yuan


class Overdue(Strict):
    months: Annotated[int, Field(ge=1)]
    cap: Yuan


class Social(Strict):
    """Shares of the grade's cap by which a band moves it."""

    at_most: Annotated[Decimal, Field(ge=0, le=Decimal("0.25"))]
    strong: Annotated[Decimal, Field(ge=0, decimal_places=6)]
    weak: Annotated[Decimal, Field(le=0, decimal_places=6)]

    @model_validator(mode="after")
    def _is_bounded(self) -> "Social":
        if self.strong > self.at_most or -self.weak > self.at_most:
            raise ValueError("a band moves the cap further than at_most")
        return self


class Exposure(Strict):
    person_max: Yuan


class Limits(Strict):
    income: Income
    payment: Payment
    grade: Annotated[list[Grade], Field(min_length=1)]
    history: History
    overdue: list[Overdue] = []
    social: Social
    exposure: Exposure

    @model_validator(mode="after")
    def _worse_is_never_better(self) -> "Limits":
        for better, worse in pairwise(self.grade):
            for name in ("income_multiple", "payment_share", "debt_share", "cap"):
                if getattr(worse, name) > getattr(better, name):
                    raise ValueError(f"grade {worse.grade} has more {name} than the better {better.grade}")
        for fewer, more in pairwise(self.overdue):
            if more.months <= fewer.months or more.cap > fewer.cap:
                raise ValueError("overdue: months must rise and caps must not")
        return self

    def one_row(self) -> dict:
        return {
            "without_income_fen": self.income.without * FEN, "history_none_fen": self.history.none * FEN, "history_thin_fen": self.history.thin * FEN,
            "social_strong_ppm": ppm(self.social.strong), "social_weak_ppm": ppm(self.social.weak), "person_max_fen": self.exposure.person_max * FEN,
            "worst_grade": self.grade[-1].grade,
            "stress_ppm": ppm(self.payment.stress),
        }

    def grades(self) -> list[dict]:
        return [
            {
                "grade": grade.grade, "multiple_hundredths": int(grade.income_multiple * 100), "payment_ppm": ppm(grade.payment_share),
                "debt_ppm": ppm(grade.debt_share), "cap_fen": grade.cap * FEN,
            }
            for grade in self.grade
        ]

    def confidence(self) -> list[dict]:
        return [{"confidence": name, "counts_ppm": ppm(share)} for name, share in self.income.counts.items()]

    def overdue_caps(self) -> list[dict]:
        ends = [step.months - 1 for step in self.overdue[1:]] + [1_000_000]
        return [{"from_months": step.months, "to_months": end, "cap_fen": step.cap * FEN} for step, end in zip(self.overdue, ends)]


def load_limits(config_dir: Path) -> Limits:
    return load(config_dir / "limit.toml", Limits)
