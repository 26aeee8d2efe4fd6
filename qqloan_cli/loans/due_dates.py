"""The day on which each instalment falls due: the same day of every month, kept from the first one through short months."""

from __future__ import annotations

import numpy as np

MONTH = "datetime64[M]"
DAY = "datetime64[D]"


def day_of_month(dates: np.ndarray) -> np.ndarray:
    """1 to 31."""
    dates = np.asarray(dates, DAY)
    return (dates - dates.astype(MONTH)).astype(np.int64) + 1


def in_month(months: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The ``day`` of each month, or its last day where it is shorter."""
    months = np.asarray(months, MONTH)
    first = months.astype(DAY)
    last = (months + 1).astype(DAY) - 1
    return np.minimum(first + (np.asarray(day, np.int64) - 1), last)


def add_months(dates: np.ndarray, months, day=None) -> np.ndarray:
    """``dates`` moved by whole months; on ``day`` of the month where one is given, else on their own."""
    dates = np.asarray(dates, DAY)
    return in_month(dates.astype(MONTH) + np.asarray(months, np.int64), day_of_month(dates) if day is None else day)


def due_dates(first_due: np.ndarray, months: int, day=None) -> np.ndarray:
    """Dates [n, months] from the first due date [n]. 31 January is followed by 29 February and 31 March: the first due date's own
    day is kept, or ``day`` where the contract names one (a loan of the 31st whose first due date is 29 February)."""
    return add_months(np.asarray(first_due, DAY)[:, None], np.arange(months)[None, :], None if day is None else np.asarray(day)[:, None])


def days_30_360(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Days between dates where every month has 30 (30E/360)."""
    months = (np.asarray(end, MONTH) - np.asarray(start, MONTH)).astype(np.int64)
    return 30 * months + np.minimum(day_of_month(end), 30) - np.minimum(day_of_month(start), 30)
