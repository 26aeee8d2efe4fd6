"""What is due in each month of a loan: whole columns of integers, one month after another.

A million loans are a loop over their months, not over loans: each turn takes
every loan one month further. Interest is balance x rate / 12 (30/360), or goes
by the real days of each month, rounded to the fen on the rounded balance; the
last instalment takes what is left, so principal adds up to the loan whatever
the rounding. contract.py and instalments.py have every other convention.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Callable, Literal

import numpy as np

from qqloan_cli.loans.rounding import Mode, divide

METHODS = ("equal_instalment", "equal_principal", "interest_only", "bullet")
EQUAL_INSTALMENT, EQUAL_PRINCIPAL, INTEREST_ONLY, BULLET = range(4)

YEAR_PPM = 12 * 1_000_000  # a month's interest is balance x ppm / YEAR_PPM
MONTH_DAYS = 30
LARGEST = 2**61  # headroom for twice the product of balance, rate and days in int64
BLOCK = 32_768  # loans taken together: their columns stay in the cache


@dataclass(frozen=True)
class Rounding:
    """``payment`` and ``interest``: half_up, half_even, up, down. ``payment_unit_fen``: 100 where instalments are whole yuan;
    ``interest_unit_fen`` likewise. ``remainder``: into the last instalment, or with ``level`` the level is moved where that brings the
    last nearer to it."""

    payment: Mode = "half_up"
    interest: Mode = "half_up"
    payment_unit_fen: int = 1
    interest_unit_fen: int = 1
    remainder: Literal["last", "level"] = "last"

    @classmethod
    def of(cls, product) -> "Rounding":
        """As a product of configs/products.toml has it (policy/products.py)."""
        return cls(product.payment_rounding, product.interest_rounding, int(product.payment_unit * 100), int(product.interest_unit * 100), product.remainder)


def by_rounding(codes: np.ndarray, roundings: list[Rounding], work: Callable) -> dict[str, np.ndarray]:
    """``work(rows, rounding)``, arrays [n] by name, for the loans of each rounding, put together again in their order.
    ``codes`` [n] say whose rounding a loan has; where all are the same, nothing is taken apart."""
    distinct = sorted(set(roundings), key=roundings.index)
    if len(distinct) == 1:
        return work(slice(None), distinct[0])
    of = np.array([distinct.index(rounding) for rounding in roundings], np.int64)[codes]
    whole: dict[str, np.ndarray] = {}
    for number, rounding in enumerate(distinct):
        rows = np.flatnonzero(of == number)
        for name, values in work(rows, rounding).items():
            whole.setdefault(name, np.zeros((len(codes), *values.shape[1:]), values.dtype))[rows] = values
    return whole


def schedule_by(terms: Terms, codes: np.ndarray, roundings: list[Rounding]) -> Schedule:
    """``schedule``, where loans have roundings of their own."""
    months = terms.months

    def some(rows, rounding: Rounding) -> dict[str, np.ndarray]:
        made = schedule(terms[rows], rounding)
        if made.principal_fen.shape[1] == months:
            return {name: getattr(made, name) for name in ("principal_fen", "interest_fen", "fee_fen")}
        return {name: np.pad(getattr(made, name), ((0, 0), (0, months - made.principal_fen.shape[1]))) for name in ("principal_fen", "interest_fen", "fee_fen")}

    return Schedule(**by_rounding(codes, roundings, some), terms=terms)


def _one(value: int):
    return field(default_factory=lambda: np.full(1, value, np.int64))


@dataclass(frozen=True)
class Terms:
    """n loans; int64 arrays of shape [n], or anything that broadcasts to ``principal_fen``.

    ``annual_rate_ppm``: nominal a year in millionths (0.24 is 240,000). ``method``: the codes above.
    ``monthly_fee_fen`` is due with every instalment, ``upfront_fee_fen`` with the first. ``first_days``: length of the first period
    (30/360), 30 being a month; an odd one changes the first interest alone, and no repayment of principal. ``principal_free``: first
    months that pay interest alone, fewer than there are (interest_only and bullet pay none before their end as it is).

    Interest by real days: ``days`` [calendars, months] has the days of each month of each calendar, ``calendar`` [n] says whose a loan
    has, and ``year_days`` [n] what a year counts as (365, 360). A month of 0 days is a twelfth of the year as before.
    """

    principal_fen: np.ndarray
    annual_rate_ppm: np.ndarray
    term_months: np.ndarray
    method: np.ndarray = _one(0)
    monthly_fee_fen: np.ndarray = _one(0)
    upfront_fee_fen: np.ndarray = _one(0)
    first_days: np.ndarray = _one(MONTH_DAYS)
    principal_free: np.ndarray = _one(0)
    calendar: np.ndarray = _one(0)
    year_days: np.ndarray = _one(360)
    days: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.principal_fen)
        for name in _COLUMNS:
            given = np.asarray(getattr(self, name))
            if given.dtype.kind not in "iu":
                raise ValueError(f"{name}: whole numbers are wanted, not {given.dtype}")
            object.__setattr__(self, name, np.broadcast_to(given.astype(np.int64, copy=False), shape))
        if len(shape) != 1:
            raise ValueError("principal_fen: one dimension, a loan each")
        if not len(self):
            return
        if min(int(getattr(self, name).min()) for name in _COLUMNS) < 0 or int(self.term_months.min()) < 1:
            raise ValueError("terms: nothing below zero, and at least one month")
        if (self.principal_free >= self.term_months).any():
            raise ValueError("principal_free: fewer months than there are")
        if int(self.method.max()) > BULLET:
            raise ValueError(f"method: {', '.join(METHODS)} are 0 to {BULLET}")
        months = int(self.term_months.max()) if (self.method == BULLET).any() else 1
        most = MONTH_DAYS if self.days is None or not self.days.size else max(MONTH_DAYS, int(self.days.max()))
        days = most * months + int(self.first_days.max())
        if int(self.principal_fen.max()) * max(1, int(self.annual_rate_ppm.max())) * days > LARGEST:
            raise ValueError("principal_fen x annual_rate_ppm: too large for exact arithmetic")

    def __len__(self) -> int:
        return len(self.principal_fen)

    def __getitem__(self, rows) -> "Terms":
        """Some of the loans: a slice, indices or a mask."""
        return Terms(*(getattr(self, name)[rows] for name in _COLUMNS), days=self.days)

    @property
    def months(self) -> int:
        return int(self.term_months.max()) if len(self) else 0


_COLUMNS = tuple(name for name in Terms.__dataclass_fields__ if name != "days")


@dataclass(frozen=True)
class Schedule:
    """int64 arrays of shape [n, months], column-major; zero beyond a loan's own term. Fen."""

    principal_fen: np.ndarray
    interest_fen: np.ndarray
    fee_fen: np.ndarray
    terms: Terms

    @cached_property
    def payment_fen(self) -> np.ndarray:
        return self.principal_fen + self.interest_fen + self.fee_fen

    @cached_property
    def due(self) -> np.ndarray:
        """Booleans [n, months]: an instalment falls due. A bullet has one, at its end."""
        month = np.arange(1, self.terms.months + 1)
        term = self.terms.term_months[:, None]
        return np.where((self.terms.method == BULLET)[:, None], month == term, month <= term)


def schedule(terms: Terms, rounding: Rounding = Rounding()) -> Schedule:
    """The instalments of every loan. Time and memory go with len(terms) x terms.months."""
    columns = tuple(np.zeros((terms.months, len(terms)), np.int64) for _ in range(3))
    for start in range(0, len(terms), BLOCK):
        part = slice(start, start + BLOCK)
        some, into = terms[part], tuple(column[:, part] for column in columns)
        level = level_payment(some, rounding)
        _month_by_month(some, rounding, level, *into)
        if rounding.remainder == "level":
            _level_the_last(some, rounding, level, *into)
    return Schedule(*(column.T for column in columns), terms)


def _month_by_month(terms: Terms, rounding: Rounding, level: np.ndarray, principal: np.ndarray, interest: np.ndarray, fee: np.ndarray) -> None:
    """Fills the three, of shape [months, n] and zero, for some of the loans. Works in place: moving memory is most of the time."""
    others = np.flatnonzero(terms.method != EQUAL_INSTALMENT)
    # What the others repay each month but the last: an equal share, or nothing.
    part = np.where(terms.method == EQUAL_PRINCIPAL, _rounded_share(terms, rounding), 0)[others]
    balance, ending = terms.principal_fen.copy(), _ending(terms.term_months)
    most_free = int(terms.principal_free.max())
    for month in range(terms.months):
        due, paid = interest[month], principal[month]
        _interest(balance, terms, _days(terms, month), rounding, due)
        np.subtract(level, due, out=paid)
        if len(others):
            paid[others] = part
        np.maximum(paid, 0, out=paid)
        np.minimum(paid, balance, out=paid)
        if month < most_free:
            paid[terms.principal_free > month] = 0
        paid[ending[month]] = balance[ending[month]]
        balance -= paid  # past its term a loan's balance is zero, so are its interest and principal
    interest[0] = _interest(terms.principal_fen, terms, _first_days(terms), rounding)
    if terms.monthly_fee_fen.any():
        for month in range(terms.months):
            np.multiply(terms.monthly_fee_fen, month < terms.term_months, out=fee[month])
    if terms.upfront_fee_fen.any():
        fee[0] += terms.upfront_fee_fen
    _gather_at_end(terms, rounding, interest, fee)


def _ending(term_months: np.ndarray) -> list[np.ndarray]:
    """For each month, the loans whose last it is."""
    order = np.argsort(term_months, kind="stable")
    return np.split(order, np.searchsorted(term_months[order], np.arange(2, int(term_months.max()) + 1)))


def _interest(balance: np.ndarray, terms: Terms, days, rounding: Rounding, out: np.ndarray | None = None) -> np.ndarray:
    """Interest on ``balance``, rounded: of ``days`` over the year's, or of a month where that is None."""
    unit = rounding.interest_unit_fen
    owed = balance * terms.annual_rate_ppm if days is None else balance * terms.annual_rate_ppm * days
    if days is None or terms.days is None:
        over = np.int64(YEAR_PPM * unit * (1 if days is None else MONTH_DAYS))
    else:
        over = terms.year_days * (1_000_000 * unit)
    rounded = divide(owed, over, rounding.interest, out)
    return rounded if unit == 1 else np.multiply(rounded, unit, out=out)


def _days(terms: Terms, month: int) -> np.ndarray | None:
    """Days of the month for each loan; None where every month is a twelfth of the year."""
    if terms.days is None:
        return None
    days = terms.days[terms.calendar, month]
    return np.where(days > 0, days, terms.year_days // 12)


def _first_days(terms: Terms) -> np.ndarray:
    if terms.days is None:
        return terms.first_days
    days = terms.days[terms.calendar, 0]
    return np.where(days > 0, days, terms.first_days)


def _level_the_last(terms: Terms, rounding: Rounding, level: np.ndarray, principal: np.ndarray, interest: np.ndarray, fee: np.ndarray) -> None:
    """Where the last instalment is off the one before it by more than half a fen a month, the level that spreads it over all is tried."""
    def off(of: Terms, principal: np.ndarray, interest: np.ndarray) -> np.ndarray:
        at, n = of.term_months - 1, np.arange(len(of))
        paid = principal + interest
        return paid[at, n] - paid[np.maximum(at - 1, 0), n]

    now = off(terms, principal, interest)
    at = np.flatnonzero((terms.method == EQUAL_INSTALMENT) & (np.abs(now) > terms.term_months // 2))
    if not len(at):
        return
    some = terms[at]
    more = np.sign(now[at]) * ((2 * np.abs(now[at]) + some.term_months) // (2 * some.term_months))
    tried = tuple(np.zeros((some.months, len(at)), np.int64) for _ in range(3))
    _month_by_month(some, rounding, level[at] + more, *tried)
    better = np.abs(off(some, *tried[:2])) < np.abs(now[at])
    for whole, new in zip((principal, interest, fee), tried):
        whole[: some.months, at[better]] = new[:, better]


def _rounded_share(terms: Terms, rounding: Rounding) -> np.ndarray:
    unit = rounding.payment_unit_fen
    return divide(terms.principal_fen, (terms.term_months - terms.principal_free) * unit, rounding.payment) * unit


def _gather_at_end(terms: Terms, rounding: Rounding, interest: np.ndarray, fee: np.ndarray) -> None:
    """A bullet pays nothing before its end: simple interest and all fees fall due with the principal."""
    at = np.flatnonzero(terms.method == BULLET)
    if not len(at):
        return
    last = terms.term_months[at] - 1
    some = terms[at]
    days = MONTH_DAYS * last + some.first_days if terms.days is None else _first_days(some) + sum(
        np.where(month <= last, _days(some, month), 0) for month in range(1, terms.months))
    owed = _interest(some.principal_fen, some, days, rounding)
    fees = fee[:, at].sum(axis=0)
    interest[:, at], fee[:, at] = 0, 0
    interest[last, at], fee[last, at] = owed, fees


def level_payment(terms: Terms, rounding: Rounding = Rounding()) -> np.ndarray:
    """The level instalment P r (1+r)^n / ((1+r)^n - 1) in fen, int64 [n], correctly rounded.

    Worked out in float64, whose error is far below a fen; where it falls so near
    a rounding boundary that the error could decide, whole numbers decide.
    """
    unit, repaying = rounding.payment_unit_fen, terms.term_months - terms.principal_free
    rate = terms.annual_rate_ppm / YEAR_PPM
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = terms.principal_fen * rate / -np.expm1(-repaying * np.log1p(rate)) / unit
    if terms.days is not None:
        exact = terms.principal_fen / _worth_by_days(terms) / unit
    free = terms.annual_rate_ppm == 0
    exact[free] = 0.0
    whole = np.floor(exact)
    boundary = 0.5 if rounding.payment.startswith("half") else 0.0
    away = np.abs(exact - whole - boundary)
    near = np.minimum(away, 1.0 - away) <= exact * 1e-12 + 1e-9
    up = {"down": False, "up": True}.get(rounding.payment, exact - whole >= 0.5)
    level = (whole + up).astype(np.int64) * unit
    level[free] = _rounded_share(terms, rounding)[free]
    at = np.flatnonzero(near & ~free)
    if len(at) and terms.days is not None:
        level[at] = [_exact_level_by_days(terms[n:n + 1], rounding) for n in at]
    elif len(at):
        cases, which = np.unique(np.stack([terms.principal_fen[at], terms.annual_rate_ppm[at], repaying[at]]), axis=1, return_inverse=True)
        level[at] = np.array([_exact_level(*map(int, case), rounding) for case in cases.T], np.int64)[which.ravel()]
    return level


def _worth_by_days(terms: Terms) -> np.ndarray:
    """What a yuan in every month that repays is worth where the principal begins to be repaid: float64 [n]."""
    worth, total = np.ones(len(terms)), np.zeros(len(terms))
    for month in range(terms.months):
        growth = 1 + terms.annual_rate_ppm * _days(terms, month) / (terms.year_days * 1e6)
        worth = np.where(month >= terms.principal_free, worth / growth, worth)
        total += np.where((month >= terms.principal_free) & (month < terms.term_months), worth, 0)
    return total


def _exact_level_by_days(one: Terms, rounding: Rounding) -> int:
    worth, total = Fraction(1), Fraction(0)
    for month in range(int(one.principal_free[0]), int(one.term_months[0])):
        worth /= 1 + Fraction(int(one.annual_rate_ppm[0] * _days(one, month)[0]), int(one.year_days[0]) * 1_000_000)
        total += worth
    exact = Fraction(int(one.principal_fen[0])) / total / rounding.payment_unit_fen
    return _rounded(exact.numerator, exact.denominator, rounding)


def _exact_level(principal: int, ppm: int, months: int, rounding: Rounding) -> int:
    grown, base = (YEAR_PPM + ppm) ** months, YEAR_PPM**months
    return _rounded(principal * ppm * grown, YEAR_PPM * (grown - base) * rounding.payment_unit_fen, rounding)


def _rounded(above: int, below: int, rounding: Rounding) -> int:
    whole, rest = divmod(above, below)
    up = {
        "down": False, "up": rest > 0, "half_up": 2 * rest >= below, "half_even": 2 * rest > below or (2 * rest == below and whole & 1 == 1),
    }[rounding.payment]
    return (whole + up) * rounding.payment_unit_fen
