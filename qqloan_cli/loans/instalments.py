"""A contract's instalments, exact to the fen whatever its conventions: one loan at a time, in decimals of 50 digits."""

from __future__ import annotations

import datetime
import decimal
from dataclasses import dataclass
from decimal import Decimal

from qqloan_cli.loans.contract import Contract

EXACT = decimal.Context(prec=60)
_SETTLED = Decimal(1).scaleb(-30)  # past this a figure is what it is: half a fen is half a fen, not a hair more or less
_MODES = {"half_up": decimal.ROUND_HALF_UP, "half_even": decimal.ROUND_HALF_EVEN, "up": decimal.ROUND_CEILING, "down": decimal.ROUND_FLOOR}
FEN = Decimal("0.01")


@dataclass(frozen=True)
class Instalment:
    """Yuan. ``balance`` is what is owed after it; ``charges`` by name, contingent ones left out."""

    number: int
    due_date: datetime.date
    pay_date: datetime.date
    principal: Decimal
    interest: Decimal
    charges: Decimal
    balance: Decimal

    @property
    def payment(self) -> Decimal:
        return self.principal + self.interest + self.charges


def instalments(contract: Contract) -> list[Instalment]:
    with decimal.localcontext(EXACT):
        periods = _periods(contract)
        if contract.remainder == "level" and contract.method == "equal_instalment":
            rows = _levelled(contract, periods)
        else:
            rows = _rows(contract, periods)
        return [_with_charges(contract, number, period, *row) for number, (period, row) in enumerate(zip(periods, rows), 1)]


@dataclass
class _Period:
    """``parts``: (drawn at the part's start, growth of a yuan over it). ``rate``: in force at its end. ``anew``: something changed in it,
    so the level is worked out anew."""

    due: datetime.date
    paid: datetime.date
    parts: list[tuple[Decimal, Decimal]]
    years: Decimal
    rate: Decimal
    anew: bool


def rounded(amount: Decimal, mode: str, unit: Decimal = FEN) -> Decimal:
    return EXACT.divide(amount, unit).quantize(_SETTLED, decimal.ROUND_HALF_EVEN, EXACT).quantize(Decimal(1), _MODES[mode], EXACT) * unit


def _periods(contract: Contract) -> list[_Period]:
    due = contract.due_dates()
    paid = contract.paid_on(due)
    ends = paid if contract.interest_to == "adjusted_date" else due
    starts = [contract.start, *ends[:-1]]
    later = {each.date: each.amount for each in contract.drawdowns if each.date > contract.start}
    drawn = {contract.start: contract.principal - sum(later.values(), Decimal(0)), **later}
    rates = sorted({contract.start: contract.annual_rate, **{each.date: each.annual_rate for each in contract.rate_changes}}.items())
    periods = []
    for start, end, date, pay in zip(starts, ends, due, paid):
        cuts = sorted({start, *(d for d in (*drawn, *dict(rates)) if start < d < end)})
        parts = []
        for begin, until in zip(cuts, [*cuts[1:], end]):
            rate = [r for d, r in rates if d <= begin][-1]
            parts.append((drawn.get(begin, Decimal(0)), _growth(contract, rate, _years(contract, begin, until, date))))
        events = [d for d in (*later, *(each.date for each in contract.rate_changes)) if start <= d < end and d > contract.start]
        known = [r for d, r in rates if d <= start or d < end][-1]
        periods.append(_Period(date, pay, parts, _years(contract, start, end, date), known, bool(events)))
    return periods


def _years(contract: Contract, start: datetime.date, end: datetime.date, due: datetime.date) -> Decimal:
    share = contract.year_fraction(start, end, due)
    return Decimal(share.numerator) / Decimal(share.denominator)


def _growth(contract: Contract, rate: Decimal, years: Decimal) -> Decimal:
    """Interest on a yuan."""
    if contract.rate_kind == "effective":
        return (1 + rate) ** years - 1
    return rate * years


def _interest(contract: Contract, balance: Decimal, period: _Period) -> tuple[Decimal, Decimal]:
    """(interest of the period, unrounded; balance with what was drawn in it)."""
    owed = Decimal(0)
    for drawn, growth in period.parts:
        balance += drawn
        part = balance * growth
        owed += rounded(part, contract.interest_rounding, contract.interest_unit) if contract.broken_interest == "rounded" and len(period.parts) > 1 else part
    return owed, balance


def _level(contract: Contract, periods: list[_Period], at: int, balance: Decimal, owed: Decimal) -> Decimal:
    """The level instalment from period ``at`` on, unrounded: what it brings back is worth what is owed."""
    left = len(periods) - at
    rate = periods[at].rate  # as it is known then: what changes later changes the level then
    if contract.level_from == "dates":
        later = [_growth(contract, rate, period.years) for period in periods[at + 1:]]
    else:
        share = contract.periods_a_year()
        years = Decimal(share.denominator) / Decimal(share.numerator) if contract.level_from == "equal_periods" else periods[0].years
        later, owed = [_growth(contract, rate, years)] * (left - 1), balance * _growth(contract, rate, years)
    worth, total = Decimal(1), Decimal(1)
    for growth in later:
        worth /= 1 + growth
        total += worth
    return (balance + owed) / total


def _rows(contract: Contract, periods: list[_Period], more: Decimal = Decimal(0)) -> list[tuple[Decimal, Decimal, Decimal]]:
    """(principal, interest, balance after) of each. ``more``: added to every level instalment."""
    if contract.method in ("flat", "sum_of_digits"):
        return _by_first_principal(contract, periods)
    count, free = len(periods), contract.principal_free
    pay, unit = contract.payment_rounding, contract.payment_unit
    rows: list[tuple[Decimal, Decimal, Decimal]] = []
    balance, level, carried, repaid, gathered = Decimal(0), None, Decimal(0), Decimal(0), Decimal(0)
    for at, period in enumerate(periods):
        owed, balance = _interest(contract, balance, period)
        last = at == count - 1
        if contract.remainder == "carry":
            interest = rounded(owed + carried, "down", contract.interest_unit)
            carried = owed + carried - interest
        else:
            interest = rounded(owed, contract.interest_rounding, contract.interest_unit)
        if contract.method == "bullet":
            gathered += owed
            interest = rounded(gathered, contract.interest_rounding, contract.interest_unit) if last else Decimal(0)
        if last:
            principal = contract.principal - repaid
        elif at < free or contract.method in ("interest_only", "bullet"):
            principal = Decimal(0)
        elif contract.method == "equal_principal":
            if level is None or period.anew:
                level = rounded(balance / (count - at), pay, unit)
            principal = level
        else:
            if level is None or period.anew:
                exact = _level(contract, periods, at, balance, owed)
                level = contract.payment if contract.payment is not None else exact if pay == "none" else rounded(exact, pay, unit) + more
            principal = rounded(level - owed, "half_up") if contract.remainder == "carry" else rounded(level, "half_up") - interest
        if last:
            # An unrounded balance owes what it owes; what printed principal is off by is taken from the interest beside it.
            interest = max(rounded(balance + owed, "half_up") - principal, Decimal(0)) if contract.balance == "exact" else interest
        else:
            principal = min(max(principal, Decimal(0)), rounded(balance, "half_up"), contract.principal - repaid)
        repaid += principal
        if contract.balance == "exact":
            balance = max(balance + owed - (level if pay == "none" and principal else principal + interest), Decimal(0))
        else:
            balance -= principal
        rows.append((principal, interest, Decimal(0) if last else rounded(balance, "half_up")))
    return rows


def _levelled(contract: Contract, periods: list[_Period]) -> list[tuple[Decimal, Decimal, Decimal]]:
    """The level moved by what the last instalment is off, spread over all, where that brings it nearer."""
    rows = _rows(contract, periods)
    off = _off(rows)
    if abs(off) / FEN <= len(rows) // 2:
        return rows
    tried = _rows(contract, periods, rounded(off / len(rows), "half_up"))
    return tried if abs(_off(tried)) < abs(off) else rows


def _off(rows) -> Decimal:
    level = rows[-2] if len(rows) > 1 else rows[-1]
    return rows[-1][0] + rows[-1][1] - level[0] - level[1]


def _by_first_principal(contract: Contract, periods: list[_Period]) -> list[tuple[Decimal, Decimal, Decimal]]:
    """Flat: interest on the first principal in every period. Sum of digits (rule of 78): the same interest in all, falling by equal steps."""
    count, principal = len(periods), contract.principal
    shares = [principal * sum((growth for _, growth in period.parts), Decimal(0)) for period in periods]
    whole = rounded(sum(shares, Decimal(0)), contract.interest_rounding, contract.interest_unit)
    if contract.method == "sum_of_digits":
        digits = count * (count + 1) // 2
        shares = [whole * (count - at) / digits for at in range(count)]
        level = rounded((principal + whole) / count, contract.payment_rounding, contract.payment_unit)
    part = rounded(principal / count, contract.payment_rounding, contract.payment_unit)
    rows, balance, charged = [], principal, Decimal(0)
    for at, share in enumerate(shares):
        last = at == count - 1
        interest = rounded(share, contract.interest_rounding, contract.interest_unit)
        interest = whole - charged if last and contract.method == "sum_of_digits" else interest
        repaid = balance if last else part if contract.method == "flat" else level - interest
        repaid = min(max(repaid, Decimal(0)), balance)
        balance, charged = balance - repaid, charged + interest
        rows.append((repaid, interest, balance))
    return rows


def charge(contract: Contract, each) -> Decimal:
    return each.amount if each.amount is not None else rounded(contract.principal * each.rate, "half_up")


def _with_charges(contract: Contract, number: int, period: _Period, principal: Decimal, interest: Decimal, balance: Decimal) -> Instalment:
    due = [each for each in contract.charges if not each.contingent and (
        each.at == "every" or (each.at == "first" and number == 1) or (each.at == "last" and number == contract.instalments))]
    return Instalment(number, period.due, period.paid, principal, interest, sum((charge(contract, each) for each in due), Decimal("0.00")), balance)
