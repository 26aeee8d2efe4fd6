"""What one loan costs a year, all in, by every figure that the trade knows; contingent charges stand apart."""

from __future__ import annotations

import datetime
import decimal
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from qqloan_cli.loans import annual_cost
from qqloan_cli.loans.contract import Contract
from qqloan_cli.loans.day_counts import TIME_COUNTS, us_unit_periods
from qqloan_cli.loans.instalments import EXACT, FEN, Instalment, charge, instalments


@dataclass(frozen=True)
class Cost:
    """Money in yuan. Shares a year, None where there is no rate (less comes back than was paid out).

    ``nominal``: the periodic internal rate times the periods of a year. ``effective``: that rate compounded over a year.
    ``dated``: the internal rate of the dated flows, time measured by the contract's ``time_count``. ``simple``: what it costs over the
    principal really used, day by day.
    """

    received: Decimal
    interest: Decimal
    charges: tuple[tuple[str, Decimal], ...]
    contingent: tuple[tuple[str, Decimal], ...]
    repaid: Decimal
    nominal: float | None
    effective: float | None
    dated: float | None
    time_count: str
    simple: float | None

    @property
    def total(self) -> Decimal:
        return self.repaid - self.received


def cost(contract: Contract, rows: list[Instalment] | None = None) -> Cost:
    with decimal.localcontext(EXACT):
        return _cost(contract, instalments(contract) if rows is None else rows)


def _cost(contract: Contract, rows: list[Instalment]) -> Cost:
    drawn = _drawn(contract)
    held_back = [each for each in contract.charges if each.at == "drawdown" and not each.contingent]
    drawn[0] = (drawn[0][0], drawn[0][1] - sum((charge(contract, each) for each in held_back), Decimal(0)))
    flows = [*drawn, *((row.pay_date, -row.payment) for row in rows)]
    amounts = np.array([[float(amount) for _, amount in flows]])
    periodic = _rate(amounts, np.array([_periods(contract, drawn, rows)]))
    a_year = float(contract.periods_a_year())
    return Cost(
        sum((amount for _, amount in drawn), Decimal(0)), sum((row.interest for row in rows), Decimal(0)),
        tuple((each.name, _times(contract, each) * charge(contract, each)) for each in contract.charges if not each.contingent),
        tuple((each.name, charge(contract, each)) for each in contract.charges if each.contingent),
        sum((row.payment for row in rows), Decimal(0)),
        None if periodic is None else periodic * a_year, None if periodic is None else (1 + periodic) ** a_year - 1,
        _dated(contract, flows), contract.time_count, _simple(contract, drawn, rows),
    )


def _drawn(contract: Contract) -> list[tuple[datetime.date, Decimal]]:
    later = sorted((each.date, each.amount) for each in contract.drawdowns if each.date > contract.start)
    return [(contract.start, contract.principal - sum((amount for _, amount in later), Decimal(0))), *later]


def _times(contract: Contract, each) -> int:
    return contract.instalments if each.at == "every" else 1


def _periods(contract: Contract, drawn, rows: list[Instalment]) -> list[float]:
    """When each flow comes, in periods from the start: whole ones where dates are regular."""
    a_year = contract.periods_a_year()
    first = contract.year_fraction(contract.start, rows[0].due_date, rows[0].due_date) * a_year
    ends = [contract.start, *(row.due_date for row in rows)]
    times = []
    for date, _ in drawn:
        at = next(k for k in range(len(rows)) if date < ends[k + 1] or k == len(rows) - 1)
        whole = 0 if at == 0 else first + at - 1
        part = (date - ends[at]).days / (ends[at + 1] - ends[at]).days * float(first if at == 0 else 1)
        times.append(float(whole) + part)
    return times + [float(first) + k for k in range(len(rows))]


def _dated(contract: Contract, flows: list[tuple[datetime.date, Decimal]]) -> float | None:
    if contract.time_count == "us_months":
        if any(amount > 0 for _, amount in flows[1:]):
            return None  # Appendix J's equation here is of one advance
        periods = [us_unit_periods(contract.start, date) for date, _ in flows[1:]]
        rate = annual_cost.actuarial(float(flows[0][1]), np.array([float(-amount) for _, amount in flows[1:]]),
                                     np.array([whole for whole, _ in periods]), np.array([float(part) for _, part in periods]))
        return None if np.isnan(rate) else rate * 12
    count = TIME_COUNTS[contract.time_count]
    return _rate(np.array([[float(amount) for _, amount in flows]]), np.array([[float(count(contract.start, date)) for date, _ in flows]]))


def _rate(amounts: np.ndarray, times: np.ndarray) -> float | None:
    rate = float(annual_cost.irr(amounts, times)[0])
    return None if np.isnan(rate) else rate


def _simple(contract: Contract, drawn, rows: list[Instalment]) -> float | None:
    """Costs over yuan and days really used: what was paid out less principal paid back."""
    events = sorted([*drawn, *((row.pay_date, -row.principal) for row in rows)])
    used, balance, before = Decimal(0), Decimal(0), contract.start
    for date, amount in events:
        used += max(balance, Decimal(0)) * (date - before).days
        balance, before = balance + amount, date
    costs = sum((row.payment for row in rows), Decimal(0)) - sum((amount for _, amount in drawn), Decimal(0))
    return float(costs * 365 / used) if used > FEN else None
