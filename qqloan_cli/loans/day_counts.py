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


# --- how an annual cost measures time: whole periods and the days left over ------------------------------------------------------------

def moved(date: Date, months: int, day: int | None = None) -> Date:
    """``date`` moved by whole months, on its own day of the month or ``day``; the last of a shorter month."""
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    return Date(year, month + 1, min(day or date.day, calendar.monthrange(year, month + 1)[1]))


def _whole_periods(start: Date, end: Date, unit: str) -> tuple[int, Date]:
    """Whole weeks, months or years from ``start``, and the day they reach. The end of February is a year after the end of February."""
    if unit == "weeks":
        whole = (end - start).days // 7
        return whole, start + datetime.timedelta(7 * whole)
    months = {"months": 1, "years": 12}[unit]
    whole = ((end.year - start.year) * 12 + end.month - start.month) // months
    while whole and moved(start, whole * months) > end:
        whole -= 1
    reached = moved(start, whole * months)
    return whole, end if unit == "years" and _february_ends(start) and _february_ends(end) and reached.month == 2 and reached.year == end.year else reached


_A_YEAR = {"weeks": 52, "months": 12, "years": 1}


def eu_2008_48(unit: str) -> Callable[[Date, Date], Fraction]:
    """Directive 2008/48/EC, Annex I: whole periods of a year of 52 weeks or 12 equal months, days left over over 365."""
    def share(start: Date, end: Date) -> Fraction:
        whole, reached = _whole_periods(start, end, unit)
        return Fraction(whole, _A_YEAR[unit]) + Fraction((end - reached).days, 365)

    return share


def uk_conc(unit: str) -> Callable[[Date, Date], Fraction]:
    """FCA CONC App 1.2: the same, but days left over are over the 365 or 366 of the year in which they lie."""
    def share(start: Date, end: Date) -> Fraction:
        whole, reached = _whole_periods(start, end, unit)
        return Fraction(whole, _A_YEAR[unit]) + act_act(reached, end)

    return share


def us_unit_periods(start: Date, end: Date) -> tuple[int, Fraction]:
    """12 CFR 1026, Appendix J: whole months counted back from the end (a month's end to a month's end), days left over over 30."""
    last_day = end.day == calendar.monthrange(end.year, end.month)[1]
    day = 31 if last_day else end.day
    whole = 0
    while moved(end, -(whole + 1), day) >= start:
        whole += 1
    return whole, Fraction((moved(end, -whole, day) - start).days, 30)


TIME_COUNTS: dict[str, Callable[[Date, Date], Fraction]] = {
    "act/365": act_over(365), **{f"eu_{unit}": eu_2008_48(unit) for unit in _A_YEAR}, **{f"uk_{unit}": uk_conc(unit) for unit in ("weeks", "months")},
}
