"""configs/reference/tax_cn.toml: wage tax, insurance and housing fund, and net pay by them. Whole columns of integer fen."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from qqloan_cli.policy.load import load

_BP = 10_000  # rates are held in hundredths of a per cent
_NO_CAP = 1 << 60


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class Wages(_Strict):
    from_: datetime.date = Field(alias="from")
    document: str
    certainty: str
    monthly_deduction: int
    brackets: tuple[tuple[int, float], ...] = Field(min_length=1)


class Insurance(_Strict):
    region: str
    from_: datetime.date = Field(alias="from")
    document: str
    certainty: str
    pension: float
    medical: float
    unemployment: float
    base_floor: int = 0
    base_cap: int | None = None


class HousingFund(_Strict):
    region: str
    from_: datetime.date = Field(alias="from")
    document: str
    certainty: str
    lowest_rate: float
    highest_rate: float
    base_floor: int = 0
    base_cap: int | None = None


class TaxTables(_Strict):
    iit: tuple[Wages, ...] = Field(min_length=1)
    insurance: tuple[Insurance, ...]
    fund: tuple[HousingFund, ...]


def load_tax(config_dir: Path) -> TaxTables:
    return load(config_dir / "reference" / "tax_cn.toml", TaxTables)


def _bp(rate: float) -> int:
    return round(rate * _BP)


def _in_force(entries, region: str, on: datetime.date):
    """The entry of the closest place (longest prefix), then of the latest date, that holds on ``on``; None where there is none."""
    held = [e for e in entries if e.from_ <= on and region.startswith(getattr(e, "region", ""))]
    return max(held, key=lambda e: (len(getattr(e, "region", "")), e.from_)) if held else None


class RateBook:
    """The tables, and what was looked up in them. One for all buckets."""

    def __init__(self, tables: TaxTables) -> None:
        self.tables, self._known = tables, {}

    def entry(self, region: str, on: datetime.date) -> tuple[int, ...]:
        """insurance rate, base floor and cap, highest fund rate, fund cap and lowest rate, number of the wage tax table."""
        if (region, on) not in self._known:
            insurance, fund = _in_force(self.tables.insurance, region, on), _in_force(self.tables.fund, region, on)
            wages = _in_force(self.tables.iit, region, on)
            self._known[region, on] = (
                _bp(insurance.pension + insurance.medical + insurance.unemployment) if insurance else 0,
                insurance.base_floor * 100 if insurance else 0,
                insurance.base_cap * 100 if insurance and insurance.base_cap else _NO_CAP,
                _bp(fund.highest_rate) if fund else _BP,
                fund.base_cap * 100 if fund and fund.base_cap else _NO_CAP,
                _bp(fund.lowest_rate) if fund else _BP,
                self.tables.iit.index(wages) if wages else -1,
            )
        return self._known[region, on]


class Rates:
    """What holds for each row: insurance, fund and tax of its place and date."""

    def __init__(self, book: RateBook, kinds: list[tuple[str, datetime.date]], of) -> None:
        """``kinds``: the distinct (region, date) there are; ``of``: which of them each row is."""
        self.tables = book.tables
        table = np.array([book.entry(region or "", on) for region, on in kinds], np.int64).reshape(len(kinds), 7)[of]
        self.insurance_bp, self.floor, self.cap, self.fund_bp, self.fund_cap, self.least_fund_bp, self.wage_table = table.T

    def insurance(self, gross):
        """What the employee pays in a month on this gross pay."""
        return np.clip(gross, self.floor, self.cap) * self.insurance_bp // _BP

    def fund(self, gross):
        """The most that the employee's side of the fund can take from this gross pay: the net pay left is the least."""
        return np.minimum(gross, self.fund_cap) * self.fund_bp // _BP

    def fund_base(self, personal, employer):
        """What the base is at least: either side's deposit over the highest rate. Never the halves of a sum: the rates may differ."""
        return np.maximum(personal, employer) * _BP // self.fund_bp

    def fund_base_most(self, deposit):
        """What the base is at most: the deposit over the lowest rate."""
        return np.minimum(deposit * _BP // self.least_fund_bp, self.fund_cap)

    def deduction(self):
        """Free of tax a month."""
        free = np.array([w.monthly_deduction * 100 for w in self.tables.iit] + [0], np.int64)
        return free[self.wage_table]

    def tax(self, taxable):
        """Tax on a taxable income of the year so far. 0 where no table was in force."""
        owed = np.zeros(len(taxable), np.int64)
        for number, wages in enumerate(self.tables.iit):
            mine, below = self.wage_table == number, 0
            for upto, rate in wages.brackets:
                top = upto * 100 if upto else _NO_CAP
                part = np.clip(taxable, below, top) - below
                owed += np.where(mine, part * _bp(rate), 0)
                below = top
        return (owed + _BP // 2) // _BP

    def yearly_net(self, gross, fund):
        """Net pay a month of an even year at this gross pay, with this much going to the fund each month."""
        kept = gross - self.insurance(gross) - fund
        year = self.tax(np.maximum(12 * (kept - self.deduction()), 0))
        return np.maximum(kept - (year + 11) // 12, 0)


def withheld(rates: Rates, gross, fund, segment, month, months_before):
    """Tax withheld from each slip by cumulative withholding: tax on the year so far at this employer, less what was withheld.

    Rows in order of pay within ``segment`` (person, employer and year, numbered upwards). ``month``: 1 to 12;
    ``months_before``: months of the year assumed paid alike before the segment's first slip. Returns fen per row.
    """
    if not len(gross):
        return np.zeros(0, np.int64)
    first = np.r_[True, segment[1:] != segment[:-1]]
    start = np.maximum.accumulate(np.where(first, np.arange(len(gross)), 0))
    taxable_part = gross - rates.insurance(gross) - fund
    before = taxable_part[start] * months_before[start]
    summed = np.cumsum(taxable_part)
    so_far = summed - (summed - taxable_part)[start] + before
    months = month - month[start] + 1 + months_before[start]
    owed = rates.tax(np.maximum(so_far - rates.deduction() * months, 0))
    opening = rates.tax(np.maximum(before - rates.deduction() * months_before[start], 0))
    # What was withheld is not given back within the year: each slip pays the rise of the highest tax owed so far.
    highest = np.maximum(owed, opening)
    place = np.arange(len(gross)) - start
    for step in range(1, int(place.max()) + 1):
        at = np.flatnonzero(place == step)
        highest[at] = np.maximum(highest[at], highest[at - 1])
    return highest - np.where(first, opening, np.r_[0, highest[:-1]])
