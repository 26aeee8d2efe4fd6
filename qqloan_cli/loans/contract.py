"""One loan's contract: every setting by its name in the trade, with what it is where it is left out.

A contract is worked out exactly, in decimals, whatever its conventions
(instalments.py). Whole books in the usual ones go through schedule.py, which
gives the same to the fen and a thousand times faster; a test holds them together.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qqloan_cli.loans.day_counts import DAY_COUNTS, MONTHS, moved, thirty_european
from qqloan_cli.loans.settings import SETTINGS

Date = datetime.date
Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=2)]
Rate = Annotated[Decimal, Field(ge=0, le=10, max_digits=14, decimal_places=12)]
Unit = Annotated[Decimal, Field(gt=0, decimal_places=2)]
REQUIRED = ("principal", "annual_rate", "instalments", "start")


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class Drawdown(_Strict):
    date: Date
    amount: Money


class RateChange(_Strict):
    date: Date
    annual_rate: Rate


class Charge(_Strict):
    """Something the borrower pays besides interest: an amount, or a rate of the principal; at drawdown it is taken off what is paid out.

    ``contingent``: paid only if something happens (late, early); it stands beside the cost, not in it.
    """

    name: str
    amount: Money | None = None
    rate: Rate | None = None
    at: Literal["drawdown", "first", "every", "last"] = "every"
    contingent: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> "Charge":
        if (self.amount is None) == (self.rate is None):
            raise ValueError(f"charge {self.name}: give an amount or a rate, one of them")
        return self


class Contract(_Strict):
    """Money in yuan, rates a year as decimals (0.12), dates as YYYY-MM-DD. settings.py says what each is for and what it is where left out."""

    id: str
    principal: Annotated[Money, Field(gt=0)]
    annual_rate: Rate
    instalments: Annotated[int, Field(ge=1, le=1200)]
    start: Date
    method: str
    every: Annotated[str, Field(pattern=r"^\d{1,3} (day|week|month|year)s?$")]
    first_due: Date | None
    due_day: Annotated[int, Field(ge=1, le=31)] | None
    business_days: str
    interest_to: str
    day_count: str
    broken_period: str
    broken_interest: str
    rate_kind: str
    level_from: str
    payment: Money | None
    payment_rounding: str
    payment_unit: Unit
    interest_rounding: str
    interest_unit: Unit
    remainder: str
    balance: str
    time_count: str
    principal_free: Annotated[int, Field(ge=0)]
    drawdowns: tuple[Drawdown, ...]
    rate_changes: tuple[RateChange, ...]
    charges: tuple[Charge, ...]

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, given: dict) -> dict:
        left_out = {name: () if setting.many else setting.default for name, setting in SETTINGS.items() if name not in REQUIRED}
        return {**left_out, **given}

    @field_validator(*(name for name, setting in SETTINGS.items() if setting.choices))
    @classmethod
    def _one_of_the_choices(cls, value: str, info) -> str:
        if value not in SETTINGS[info.field_name].choices:
            raise ValueError(f"is none of {', '.join(SETTINGS[info.field_name].choices)}")
        return value

    @model_validator(mode="after")
    def _possible(self) -> "Contract":
        if self.principal_free >= self.instalments:
            raise ValueError("principal_free leaves no instalment that repays")
        if self.first_due is not None and self.first_due < self.start:
            raise ValueError("first_due lies before start")
        last = self.due_dates()[-1]
        for what, dates in (("drawdowns", self.drawdowns), ("rate_changes", self.rate_changes)):
            if any(not self.start <= each.date < last for each in dates):
                raise ValueError(f"{what}: a date is not between start and the last due date")
        if sum((each.amount for each in self.drawdowns), Decimal(0)) > self.principal:
            raise ValueError("drawdowns are more than the principal")
        if self.method in ("flat", "sum_of_digits") and (self.rate_changes or self.drawdowns or self.principal_free):
            raise ValueError(f"{self.method} goes with one drawdown and one rate, and repays from the first instalment")
        if self.payment_rounding == "none" and (self.balance, self.remainder) == ("rounded", "last"):
            raise ValueError("payment_rounding none goes with balance exact, or remainder carry")
        if self.business_days != "none" and self.every_months is None:
            raise ValueError("business_days goes with months")
        return self

    @cached_property
    def every_months(self) -> int | None:
        """Months from one instalment to the next, None where they are counted in days."""
        number, unit = self.every.split()
        return int(number) * {"month": 1, "year": 12}[unit.rstrip("s")] if unit.rstrip("s") in ("month", "year") else None

    @cached_property
    def every_days(self) -> int:
        number, unit = self.every.split()
        return int(number) * {"day": 1, "week": 7}[unit.rstrip("s")]

    def periods_a_year(self) -> Fraction:
        return Fraction(12, self.every_months) if self.every_months else Fraction(52, 1) * 7 / self.every_days if self.every_days % 7 == 0 else Fraction(365, self.every_days)

    def due_dates(self) -> list[Date]:
        """One an instalment, on the same day of every month through short ones, before any move to a working day."""
        if self.every_months is None:
            first = self.first_due or self.start + datetime.timedelta(self.every_days)
            return [first + datetime.timedelta(self.every_days * k) for k in range(self.instalments)]
        day = self.due_day or (self.first_due or self.start).day
        months = self.every_months
        first = moved(self.first_due or self.start, 0 if self.first_due else months, day) if self.due_day or not self.first_due else self.first_due
        return [moved(first, k * months, day) for k in range(self.instalments)]

    def paid_on(self, due: list[Date]) -> list[Date]:
        """The due dates moved to working days, as the State Council announces them."""
        if self.business_days == "none":
            return due
        from qqloan_cli.loans.calendar import Calendar

        days = Calendar(due[0] - datetime.timedelta(40), due[-1] + datetime.timedelta(40))
        paid = []
        for date in due:
            later, earlier = date, date
            while not days.is_working(later):
                later += datetime.timedelta(1)
            while not days.is_working(earlier):
                earlier -= datetime.timedelta(1)
            back = self.business_days == "preceding" or (self.business_days == "modified_following" and later.month != date.month)
            paid.append(earlier if back else later)
        return paid

    def warning(self) -> dict[str, str] | None:
        """What to say where payments rest on working days that nobody has announced."""
        if self.business_days == "none":
            return None
        from qqloan_cli.loans.calendar import Calendar

        due = self.due_dates()
        return Calendar(due[0] - datetime.timedelta(40), due[-1] + datetime.timedelta(40)).warning([due[-1]], "payment dates")

    def year_fraction(self, start: Date, end: Date, due: Date) -> Fraction:
        """The part of a year from ``start`` to ``end``, which lie within the period that falls due on ``due``."""
        if self.day_count != MONTHS:
            return DAY_COUNTS[self.day_count](start, end)
        if self.every_months is None:  # weeks of a year of 52, days of one of 365
            return Fraction((end - start).days, self.every_days) / self.periods_a_year()
        months, day = self.every_months, self.due_day or (self.first_due or self.start).day
        whole, at, before = 0, end, moved(due, -months, day)
        while end == due and before >= start:
            whole, at = whole + 1, before
            before = moved(due, -months * (whole + 1), day)
        share = Fraction(whole * months, 12)
        if at == start:
            return share
        if self.broken_period == "actual":
            return share + Fraction((at - start).days * months, (moved(due, -months * whole, day) - before).days * 12)
        return share + thirty_european(start, at)
