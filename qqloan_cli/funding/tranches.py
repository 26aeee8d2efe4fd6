"""When a product's money leaves and when it comes back: tranches as dated shares, and the due dates that they have in common.

Every loan of a batch is paid from the same as-of date, so these are small
tables by product, looked up by whole columns of loans.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Mapping

import numpy as np

from qqloan_cli.errors import ConfigError
from qqloan_cli.loans.calendar import Calendar
from qqloan_cli.loans.due_dates import DAY, add_months, day_of_month, days_30_360, due_dates, in_month
from qqloan_cli.loans.schedule import MONTH_DAYS
from qqloan_cli.loans.shares import largest_remainder
from qqloan_cli.policy.products import Product, Tranche, ppm

AT_LEAST = 15  # days from a payment to its first due date: a shorter period joins the next
DRAWDOWN = "drawdown"


@dataclass(frozen=True)
class RealDays:
    """``table`` [P + 1 products x tranches, months], ``year_days`` [P + 1]."""

    table: np.ndarray
    year_days: np.ndarray
    tranches: int

    def of(self, plan: np.ndarray, tranche=0) -> dict[str, np.ndarray]:
        """What Terms wants to know of loans of these products."""
        plan = plan % len(self.year_days)
        return {"calendar": plan * self.tranches + tranche, "year_days": self.year_days[plan], "days": self.table}


@dataclass(frozen=True)
class Plans:
    """P products and one more, last, for an unknown one (plan -1); T tranches at most. Shares are zero where a product has fewer."""

    products: list[str]
    share_ppm: np.ndarray  # [P + 1, T]
    pay_date: np.ndarray  # [P + 1, T], working days
    skipped: np.ndarray  # [P + 1, T]: common due dates before the tranche's own first one
    first_days: np.ndarray  # [P + 1, T]: length of its first period, 30/360
    first_due: np.ndarray  # [P + 1]
    due_day: np.ndarray  # [P + 1]: day of the month
    year_days: np.ndarray  # [P + 1]: what a year counts as where interest goes by real days; 0 where a month is a twelfth of it
    conditions: list[list[str | None]]
    warnings: list[dict]

    @property
    def most(self) -> int:
        return self.share_ppm.shape[1]

    @classmethod
    def of(cls, products: Mapping[str, Product], as_of: datetime.date) -> "Plans":
        """From configs/products.toml; of a product that it no longer knows all leaves at once. The first money leaves on the first working day after ``as_of``; a later tranche so many days
        after that, or on the first working day from then."""
        names = sorted(products)
        tranches = [_checked(name, products[name].tranches) for name in names] + [[Tranche(share=1, after_days=0)]]
        fixed = np.array([0 if (day := products[name].due_day) == DRAWDOWN else day for name in names] + [0], np.int64)
        most = max(map(len, tranches))
        after = np.array([[t.after_days for t in row] + [0] * (most - len(row)) for row in tranches], np.int64)
        share = np.array([[ppm(t.share) for t in row] + [0] * (most - len(row)) for row in tranches], np.int64)
        calendar = Calendar.around(as_of, int(after.max()) + 1)
        pay = calendar.next_working_day(calendar.working_days_after(as_of, 1) + after)
        first_due, day = _first_due(fixed, pay[:, 0])
        skipped, days = _later(pay, first_due, day)
        days[fixed == 0, 0] = MONTH_DAYS  # from the 31st to the 28th is a month too
        warning = calendar.warning(pay, "payment dates")
        return cls(
            names, share, pay, skipped, days, first_due, day,
            np.array([int(products[name].day_count.split("/")[1]) if products[name].day_count.startswith("act") else 0 for name in names] + [0], np.int64),
            [[t.condition for t in row] + [None] * (most - len(row)) for row in tranches],
            [warning] if warning else [],
        )

    def split(self, plan: np.ndarray, term_months: np.ndarray, amount_fen: np.ndarray) -> np.ndarray:
        """Fen [loans, T] by tranche. A tranche that would leave after the last due date but one goes with the first."""
        share = self.share_ppm[plan]
        in_time = term_months[:, None] > self.skipped[plan]
        weights = np.where(in_time, share, 0)
        weights[:, 0] += np.where(in_time, 0, share).sum(axis=1)
        return largest_remainder(amount_fen, weights)

    def due_dates(self, months: int) -> np.ndarray:
        """[P + 1, months]: the common due dates."""
        return due_dates(self.first_due, months, self.due_day)

    def real_days(self, months: int) -> "RealDays | None":
        """Days of each month of every product's every tranche, for products whose interest goes by them; None where there are none."""
        if not self.year_days.any():
            return None
        dates = self.due_dates(months + int(self.skipped.max()))
        first = np.take_along_axis(dates, self.skipped, axis=1)
        table = np.zeros((*self.skipped.shape, months), np.int64)
        table[:, :, 0] = (first - self.pay_date).astype(np.int64)
        for tranche in range(self.most):
            at = self.skipped[:, tranche, None] + np.arange(1, months)[None, :]
            table[:, tranche, 1:] = (np.take_along_axis(dates, at, axis=1) - np.take_along_axis(dates, at - 1, axis=1)).astype(np.int64)
        table[self.year_days == 0] = 0
        return RealDays(table.reshape(-1, months), np.where(self.year_days > 0, self.year_days, 360), self.most)

    def days(self) -> np.ndarray:
        """The days on which money leaves, in order."""
        return np.unique(self.pay_date[self.share_ppm > 0])

    def leaving(self, products: list[str], product: np.ndarray, term_months: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How each loan's money leaves: a way for each, and the ways as shares in millionths [days, ways]. ``product``: codes into ``products``."""
        plan = np.array([self.products.index(name) if name in self.products else -1 for name in products] + [-1], np.int64)[product]
        in_time = term_months[:, None] > self.skipped[plan]
        key = (plan + 1) * 2**self.most + in_time @ (1 << np.arange(self.most))
        _, first, way = np.unique(key, return_index=True, return_inverse=True)
        shares = self.split(plan[first], term_months[first], np.full(len(first), 1_000_000, np.int64))
        leaves = np.zeros((len(self.days()), len(first)), np.int64)
        for tranche in range(self.most):
            np.add.at(leaves, (np.searchsorted(self.days(), self.pay_date[plan[first], tranche]) % len(leaves), np.arange(len(first))), shares[:, tranche])
        return way.ravel(), leaves


def _checked(name: str, tranches: list[Tranche]) -> list[Tranche]:
    after = [tranche.after_days for tranche in tranches]
    if after[0] != 0 or sorted(set(after)) != after:
        raise ConfigError("tranches-out-of-order", f"the tranches of {name} do not begin at 0 days, or two fall on one day", "products.toml", "Give after_days in growing order from 0.")
    return tranches


def _first_due(fixed: np.ndarray, paid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First due date [P + 1] and the day of the month that is kept: a month after payment, or the first ``fixed`` day (0: none) at least
    AT_LEAST days away."""
    day = np.where(fixed > 0, fixed, day_of_month(paid))
    earliest = paid + AT_LEAST
    soon = in_month(earliest.astype("datetime64[M]"), day)
    soon = np.where(soon < earliest, add_months(soon, 1, day), soon)
    return np.where(fixed > 0, soon, add_months(paid, 1)).astype(DAY), day


def _later(pay: np.ndarray, first_due: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each tranche, how many common due dates pass before its own first, and the days of its first period."""
    months = int((pay.max() - first_due.min()).astype(np.int64) // 28) + 4 if pay.size else 1
    dates = due_dates(first_due, max(months, 1), day)
    skipped = (dates[:, None, :] < (pay + AT_LEAST)[:, :, None]).sum(axis=2)
    skipped[:, 0] = 0
    return skipped, days_30_360(pay, np.take_along_axis(dates, skipped, axis=1))
