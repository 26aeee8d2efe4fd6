"""Due dates through short months, and working days as announced."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from qqloan_cli.loans.calendar import Calendar
from qqloan_cli.loans.due_dates import add_months, days_30_360, due_dates

DUE = json.loads((ROOT / "tests/oracles/due_dates.json").read_text())
DATES = st.dates(datetime.date(2004, 1, 1), datetime.date(2060, 12, 31))

# The State Council's notices for 2025 and 2026: days off, and weekend days that are worked.
OFF = {
    2025: ["01-01:01-01", "01-28:02-04", "04-04:04-06", "05-01:05-05", "05-31:06-02", "10-01:10-08"],
    2026: ["01-01:01-03", "02-15:02-23", "04-04:04-06", "05-01:05-05", "06-19:06-21", "09-25:09-27", "10-01:10-07"],
}
WORKED = {2025: ["01-26", "02-08", "04-27", "09-28", "10-11"], 2026: ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]}


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[D]")


@pytest.mark.parametrize("case", DUE, ids=lambda case: case["id"])
def test_as_printed_elsewhere(case):
    assert due_dates(days(case["first_due"]), len(case["expected"]))[0].astype(str).tolist() == case["expected"]


def test_a_due_day_of_31_comes_back_after_february():
    """G16: first due 2024-01-31, five instalments."""
    assert due_dates(days("2024-01-31"), 5)[0].astype(str).tolist() == ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"]


def test_paid_on_the_30th_of_january_due_on_the_30th_but_in_february():
    """The day of payment is kept though the first due date is a shorter month's last."""
    first = add_months(days("2026-01-30"), 1)
    assert due_dates(first, 3, np.array([30])).astype(str).tolist() == [["2026-02-28", "2026-03-30", "2026-04-30"]]


@given(DATES, st.integers(1, 84))
def test_one_due_date_a_month_never_a_day_later_than_the_first(first, months):
    made = due_dates(np.array([first], "datetime64[D]"), months)[0]
    assert made[0] == np.datetime64(first)
    assert (np.diff(made.astype("datetime64[M]").astype(int)) == 1).all()
    assert max(day.item().day for day in made) == first.day


@given(DATES, DATES)
def test_days_of_30_360_are_those_of_the_rule(start, end):
    start, end = sorted((start, end))
    rule = 360 * (end.year - start.year) + 30 * (end.month - start.month) + min(end.day, 30) - min(start.day, 30)
    assert days_30_360(np.array([start], "datetime64[D]"), np.array([end], "datetime64[D]"))[0] == rule


@pytest.mark.parametrize("year", [2025, 2026])
def test_working_days_are_the_state_councils(year):
    off = set()
    for span in OFF[year]:
        start, end = (datetime.date.fromisoformat(f"{year}-{part}") for part in span.split(":"))
        off |= {start + datetime.timedelta(n) for n in range((end - start).days + 1)}
    worked = {datetime.date.fromisoformat(f"{year}-{day}") for day in WORKED[year]}
    calendar = Calendar(datetime.date(year, 1, 1), datetime.date(year, 12, 31))
    for n in range(365):
        day = datetime.date(year, 1, 1) + datetime.timedelta(n)
        assert calendar.is_working(np.datetime64(day)) == (day in worked or (day.weekday() < 5 and day not in off)), day


def test_before_and_over_the_national_holiday():
    calendar = Calendar.around(datetime.date(2026, 9, 30), 10)
    assert calendar.next_working_day(days("2026-10-01", "2026-10-08")).astype(str).tolist() == ["2026-10-08", "2026-10-08"]
    # 10 October 2026 is a Saturday that is worked.
    assert calendar.working_days_after(np.datetime64("2026-09-30"), np.array([1, 2, 3])).astype(str).tolist() == ["2026-10-08", "2026-10-09", "2026-10-10"]


@given(st.dates(datetime.date(2005, 1, 1), datetime.date(2026, 12, 1)), st.integers(1, 5))
def test_so_many_working_days_lie_between(date, count):
    calendar = Calendar.around(date, 10)
    last = calendar.working_days_after(np.datetime64(date), count)
    assert calendar.is_working(last)
    between = np.arange(np.datetime64(date) + 1, last + 1)
    assert calendar.is_working(between).sum() == count


def test_a_year_not_announced_is_said_and_not_guessed():
    calendar = Calendar.around(datetime.date(2026, 12, 30), 10)
    assert calendar.warning(days("2026-12-31"), "payment dates") is None
    warning = calendar.warning(days("2027-01-04"), "payment dates")
    assert warning["ref"] == "calendar-unannounced" and "2027" in warning["text"] and "2026" not in warning["text"]
    assert calendar.is_working(days("2027-01-01", "2027-01-02")).tolist() == [True, False]  # weekdays only: a Friday, a Saturday


def test_before_the_table_begins_weekdays_stand_in_and_it_is_said():
    calendar = Calendar(datetime.date(2003, 9, 29), datetime.date(2003, 10, 31))
    assert calendar.is_working(days("2003-10-01"))[0]
    assert calendar.unannounced(days("2003-10-01"))


def test_a_date_outside_the_calendar_is_refused():
    with pytest.raises(ValueError):
        Calendar.around(datetime.date(2026, 1, 1), 5).is_working(days("2025-12-31"))
