"""Parts of a year between two dates, exactly, by the conventions that contracts name. Published examples: tests/oracles/day_counts.json."""

from __future__ import annotations

import calendar
import datetime
from fractions import Fraction
from typing import Callable

Date = datetime.date


def act_over(days: int) -> Callable[[Date, Date], Fraction]:
    """Real days over a year of so many: act/365, act/360, act/364."""
    return lambda start, end: Fraction((end - start).days, days)


def act_act(start: Date, end: Date) -> Fraction:
    """act/act ISDA: the days that lie in each year over that year's 365 or 366."""
    share, year = Fraction(0), start.year
    while start < end:
        until = min(end, Date(year + 1, 1, 1))
        share += Fraction((until - start).days, 366 if calendar.isleap(year) else 365)
        start, year = until, year + 1
    return share


def thirty_european(start: Date, end: Date) -> Fraction:
    """30E/360: the 31st counts as the 30th."""
    return _thirty(start, end, min(start.day, 30), min(end.day, 30))


def thirty_us(start: Date, end: Date) -> Fraction:
    """30U/360: the end of February counts as the 30th; the 31st does where the period begins on the 30th or 31st."""
    first, last = start.day, end.day
    if _february_ends(start):
        first, last = 30, 30 if _february_ends(end) else last
    first = min(first, 30)
    return _thirty(start, end, first, 30 if last == 31 and first == 30 else last)


def _thirty(start: Date, end: Date, first: int, last: int) -> Fraction:
    return Fraction(360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first, 360)


def _february_ends(date: Date) -> bool:
    return date.month == 2 and date.day == calendar.monthrange(date.year, 2)[1]


DAY_COUNTS: dict[str, Callable[[Date, Date], Fraction]] = {
    "act/365": act_over(365), "act/360": act_over(360), "act/364": act_over(364), "act/act": act_act, "30E/360": thirty_european, "30U/360": thirty_us,
}
MONTHS = "30/360"  # a whole month is a twelfth of the year whatever its days: contract.py knows the periods, so it works these out
