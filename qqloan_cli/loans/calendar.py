"""Working days as the State Council announces them: holidays, and the weekends that are worked for them.

A year that has not been announced is not guessed: its weekdays stand in, and
whoever asked is told so.
"""

from __future__ import annotations

import datetime

import numpy as np

DAY = "datetime64[D]"


class Calendar:
    """Working days from ``first`` to ``last``. ``unannounced`` says whether a date lies where no announcement is known."""

    def __init__(self, first: datetime.date, last: datetime.date) -> None:
        import chinese_calendar

        self.first = np.datetime64(first, "D")
        days = (last - first).days + 1
        self.working, self.announced = np.zeros(days, bool), np.ones(days, bool)
        for number in range(days):
            day = first + datetime.timedelta(number)
            try:
                self.working[number] = chinese_calendar.is_workday(day)
            except NotImplementedError:  # before 2004, or not announced yet
                self.working[number], self.announced[number] = day.weekday() < 5, False
        self._open = np.flatnonzero(self.working)

    @classmethod
    def around(cls, date: datetime.date, days: int) -> "Calendar":
        """From ``date`` on, far enough for ``days`` more and the longest holiday after them."""
        return cls(date, date + datetime.timedelta(days + 40))

    def _number(self, dates) -> np.ndarray:
        numbers = (np.asarray(dates, DAY) - self.first).astype(np.int64)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= len(self.working)):
            raise ValueError("calendar: a date outside the days it was made for")
        return numbers

    def is_working(self, dates) -> np.ndarray:
        return self.working[self._number(dates)]

    def next_working_day(self, dates) -> np.ndarray:
        """The date itself where it is a working day, else the first one after it."""
        return self.first + self._open[np.searchsorted(self._open, self._number(dates))]

    def working_days_after(self, date, days) -> np.ndarray:
        """The ``days``-th working day after ``date``, which is not counted itself."""
        return self.first + self._open[np.searchsorted(self._open, self._number(date), side="right") + np.asarray(days, np.int64) - 1]

    def unannounced(self, dates) -> bool:
        """Whether any of the dates, or a day between ``first`` and it, has only weekdays to go by."""
        numbers = self._number(dates)
        return bool(numbers.size) and not self.announced[: int(numbers.max()) + 1].all()

    def warning(self, dates, what: str) -> dict[str, str] | None:
        """What to add to the run's warnings, where ``what`` rests on days that nobody has announced."""
        if not self.unannounced(dates):
            return None
        years = sorted({int(str(day)[:4]) for day in self.first + np.flatnonzero(~self.announced[: int(self._number(dates).max()) + 1])})
        named = ", ".join(map(str, years))
        return {"ref": "calendar-unannounced", "text": f"{what}: holidays and make-up working days of {named} are not known here; weekdays stand in for working days"}
