"""What becomes of loans: instalments fall due, money comes in, penalty runs. Whole columns of loans, one step of each after another.

A *lane* is a loan as it was known at one time (lanes.py). Every lane goes from one thing that happens to it to the next; a turn takes
every lane one thing further, so a million loans are a loop over their months and payments, not over loans. Between two things nothing
changes but the penalty, which grows by unpaid principal x rate x days in whole numbers that nothing has rounded: how often it is looked
at changes no fen of it.

Dates are days since 1970-01-01 in int64, money is fen in int64. What is done leaves movements from account to account (``Moves``), of
which the ledger is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qqloan_cli.loans.due_dates import DAY, MONTH, add_months, day_of_month, days_30_360, due_dates
from qqloan_cli.loans.rounding import divide
from qqloan_cli.loans.schedule import EQUAL_INSTALMENT, EQUAL_PRINCIPAL, Rounding, Terms, schedule
from qqloan_cli.servicing.moves import (
    ADVANCE, BY_TIME, CASH, DRAWDOWN, DUE, FEE_INCOME, FEES, FROM_ADVANCE, INTEREST, INTEREST_INCOME, PENALTY, PENALTY_INCOME, PRINCIPAL, RECOVERY, WAIVED, WRITTEN_OFF, Moves,
)

FAR = np.int64(10_000_000)  # a day that never comes
KINDS = ("fee", "pause", "resume", "repayment", "prepayment", "waiver", "restructure", "re_age", "write_off")  # in the order of a day
COMPONENTS = {"fees": FEES, "penalty": PENALTY, "interest": INTEREST, "principal": PRINCIPAL}
STANDS = (
    "rate_ppm", "day", "fallen", "late", "last", "grown", "penalty_booked", "penalty_paid", "charged", "charged_paid", "advance_fen", "outstanding", "off", "off_fen",
    "recovered", "paused", "pauses", "restructured", "re_aged", "changed", "bad_last", "at_least", "reckoned",
)
PAID = ("paid_fees", "paid_interest", "paid_principal")
_F, _I, _P = range(3)  # an instalment's parts
_PARTS = {"fees": _F, "interest": _I, "principal": _P}


@dataclass(frozen=True)
class How:
    """What a product agrees on (configs/servicing.toml): ``order`` of allocation, by ``components`` over all that is due or by
    ``instalments``, the oldest first; ``excess`` is held or repays principal; ``year_days`` of the penalty; ``shorten``: whether early
    principal leaves the level as it is and takes the term down. ``real_days``: 0 where interest counts months of a twelfth. A loan is not late
    by ``tolerance_fen``. ``bad_dpd``: from which a loan is bad; ``watch_months`` and ``cure_months``: how long a restructured, and a bad one, is not as good as it looks."""

    order: tuple[str, ...]
    across: str
    excess: str
    grace_days: int
    year_days: int
    pause_stops_penalty: bool
    shorten: bool
    early_fee_ppm: int
    method: int
    real_days: int
    principal_free: int
    rounding: Rounding
    tolerance_fen: int
    bad_dpd: int
    watch_months: int
    cure_months: int


class Accounts:
    """n lanes of loans that agree on ``how``. ``due`` [n, m] is FAR beyond the last instalment; ``amounts`` [3, n, m] are fee, interest, principal."""

    def __init__(self, how: How, drawn: np.ndarray, rate_ppm: np.ndarray, penalty_ppm: np.ndarray, due: np.ndarray, amounts: np.ndarray) -> None:
        n = len(drawn)
        self.how, self.drawn, self.rate_ppm, self.penalty_ppm = how, drawn, rate_ppm.copy(), penalty_ppm
        self.due, self.amounts = due.copy(), amounts.copy()
        self.count = (due < FAR).sum(axis=1)
        self.cum = np.zeros((3, n, due.shape[1] + 1), np.int64)
        self.day = np.where(due < FAR, day_of_month(np.where(due < FAR, due, 0).astype(DAY)), 0).max(axis=1, initial=1)
        self.fallen, self.late = np.zeros(n, np.int64), np.zeros(n, np.int64)  # instalments that fell due, and that bear penalty
        self.last = drawn.copy()
        self.reckoned = drawn.copy()  # the day to which interest that is not due by an instalment was paid or made principal
        self.grown = np.zeros(n, np.int64)  # penalty, in fen x year_days x 1,000,000
        self.penalty_booked, self.penalty_paid = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.paid = np.zeros((3, n), np.int64)  # of the instalments as they stand now
        self.charged, self.charged_paid = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.advance_fen = np.zeros(n, np.int64)
        self.outstanding = amounts[_P].sum(axis=1)
        self.off, self.off_fen, self.recovered = np.zeros(n, bool), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.paused, self.pauses = np.zeros(n, bool), np.zeros(n, np.int64)
        self.restructured, self.re_aged = np.full(n, FAR), np.zeros(n, np.int64)
        self.bad_last, self.at_least = np.full(n, -1), np.zeros(n, np.int64)  # the last day on which it was bad; the class under watch
        self.changed = np.zeros(n, bool)  # whether the instalments are others than at the drawdown
        self.moves, self.refused = Moves(), []  # refused: (lane, event, why)
        self._sum_up(np.arange(n))
        self.moves.add(np.arange(n), drawn, DRAWDOWN, PRINCIPAL, CASH, self.outstanding)

    def __len__(self) -> int:
        return len(self.drawn)

    # --- where they stand, to go on from there ---

    @classmethod
    def resumed(cls, how: How, drawn: np.ndarray, penalty_ppm: np.ndarray, due: np.ndarray, amounts: np.ndarray, stood: dict[str, np.ndarray]) -> "Accounts":
        """Accounts that ``stood`` (``standing``) with the instalments of that time; they move on from there, and what moved before is not said again."""
        made = cls(how, drawn, stood["rate_ppm"], penalty_ppm, due, amounts)
        made.moves = Moves()
        for name in STANDS:
            setattr(made, name, stood[name].astype(getattr(made, name).dtype))
        made.paid = np.stack([stood[name] for name in PAID])
        return made

    def standing(self) -> dict[str, np.ndarray]:
        """Everything about them but their instalments: columns in int64."""
        return {**{name: getattr(self, name).astype(np.int64) for name in STANDS}, **dict(zip(PAID, self.paid))}

    # --- the way through time ---

    def happen(self, lane: np.ndarray, day: np.ndarray, kind: np.ndarray, told: dict[str, np.ndarray], to: np.ndarray) -> None:
        """Takes every lane through its events up to ``to`` [n]. Events are in order of lane and of what happens first in it; ``told`` has
        their ``event``, ``fen``, ``part``, ``rate_ppm``, ``term``."""
        first = np.searchsorted(lane, np.arange(len(self)))
        step = np.arange(len(lane)) - first[lane]
        by_step = np.argsort(step, kind="stable")
        bounds = np.searchsorted(step[by_step], np.arange(int(step.max(initial=-1)) + 2))
        for start, end in zip(bounds, bounds[1:]):
            rows = by_step[start:end]
            who, when = lane[rows], np.maximum(day[rows], self.drawn[lane[rows]])
            self.advance(who, when)
            for code in np.unique(kind[rows]).tolist():
                of = kind[rows] == code
                getattr(self, f"_{KINDS[code]}")(who[of], when[of], {name: values[rows[of]] for name, values in told.items()})
        self.advance(np.arange(len(self)), np.maximum(to, self.drawn))

    def advance(self, lane: np.ndarray, to: np.ndarray) -> None:
        """Lets time pass: what falls due falls due, penalty grows, and is booked at the end of each month."""
        while len(lane):
            base = self._bears_penalty(lane)
            due, late = self._next(self.fallen, self.count, lane), self._next(self.late, self.fallen, lane, self.how.grace_days)
            month_end = np.where(base > 0, ((self.last[lane] + 1).astype(DAY).astype(MONTH) + 1).astype(DAY).astype(np.int64) - 1, FAR)
            now = np.minimum(np.minimum(due, late), np.minimum(month_end, to))
            self.grown[lane] += base * self.penalty_ppm[lane] * (now - self.last[lane])
            self.last[lane] = now
            at_due, at_late, at_end = now == due, now == late, now == month_end
            self.late[lane[at_late]] += 1
            if at_end.any():
                self._book_penalty(lane[at_end], now[at_end])
            if at_due.any():
                self._fall_due(lane[at_due], now[at_due])
            on = (now < to) | at_due | at_late
            lane, to = lane[on], to[on]

    def _next(self, at: np.ndarray, count: np.ndarray, lane: np.ndarray, later: int = 0) -> np.ndarray:
        """The day of the next instalment of which fewer than ``count`` are past."""
        place = np.minimum(at[lane], self.due.shape[1] - 1)
        return np.where(at[lane] < count[lane], self.due[lane, place] + later, FAR)

    def _bears_penalty(self, lane: np.ndarray) -> np.ndarray:
        """Principal past its grace and unpaid."""
        base = np.maximum(self.cum[_P, lane, self.late[lane]] - self.paid[_P, lane], 0)
        stopped = self.off[lane] | (self.paused[lane] if self.how.pause_stops_penalty else False)
        return np.where(stopped, 0, base)

    def _fall_due(self, lane: np.ndarray, day: np.ndarray) -> None:
        k = self.fallen[lane]
        live = ~self.off[lane]
        self.moves.add(lane, day, DUE - k, INTEREST, INTEREST_INCOME, np.where(live, self.amounts[_I, lane, k], 0))
        self.moves.add(lane, day, DUE - k, FEES, FEE_INCOME, np.where(live, self.amounts[_F, lane, k], 0))
        self.fallen[lane] += 1
        self._pay_from_advance(lane[live], day[live])

    def _pay_from_advance(self, lane: np.ndarray, day: np.ndarray) -> None:
        """What waits pays what is owed now."""
        some = self.advance_fen[lane] > 0
        if some.any():
            lane, day = lane[some], day[some]
            self.advance_fen[lane] = self._allocate(lane, day, FROM_ADVANCE, ADVANCE, self.advance_fen[lane])

    # --- what is owed, and what pays it ---

    def penalty(self, lane=slice(None)) -> np.ndarray:
        """What has grown by now, to the fen."""
        return divide(self.grown[lane], np.int64(self.how.year_days * 1_000_000))

    def owed(self, what: str, lane=slice(None)) -> np.ndarray:
        """Due and unpaid, fen."""
        if what == "penalty":
            return np.where(self.off[lane], 0, self.penalty(lane) - self.penalty_paid[lane])
        part = _PARTS[what]
        lanes = np.arange(len(self))[lane]
        owed = self.cum[part, lanes, self.fallen[lanes]] - self.paid[part, lanes]
        if what == "fees":
            owed = owed + self.charged[lanes] - self.charged_paid[lanes]
        return np.where(self.off[lanes], 0, owed)

    def _book_penalty(self, lane: np.ndarray, day: np.ndarray) -> None:
        grown = np.where(self.off[lane], 0, self.penalty(lane) - self.penalty_booked[lane])
        self.moves.add(lane, day, BY_TIME, PENALTY, PENALTY_INCOME, grown)
        self.penalty_booked[lane] += grown

    def _allocate(self, lane: np.ndarray, day: np.ndarray, event, source: int, fen: np.ndarray) -> np.ndarray:
        """Pays what is owed in the agreed order, and gives back what is left."""
        self._note_bad(lane, day)
        self._book_penalty(lane, day)
        left = fen.copy()
        if self.how.across == "components":
            for what in self.how.order:
                left -= self._pay(what, lane, day, event, source, np.minimum(left, self.owed(what, lane)))
            return left
        before = self.how.order.index("penalty") < self.how.order.index("interest")
        left -= self._pay_charged(lane, day, event, source, np.minimum(left, self.charged[lane] - self.charged_paid[lane]))
        if before:
            left -= self._pay("penalty", lane, day, event, source, np.minimum(left, self.owed("penalty", lane)))
        at = self.oldest(lane)
        while ((left > 0) & (at < self.fallen[lane])).any():
            upto = np.minimum(at + 1, self.fallen[lane])
            for what in self.how.order:
                if what != "penalty":
                    part = _PARTS[what]
                    left -= self._pay_part(part, lane, day, event, source, np.minimum(left, np.maximum(self.cum[part, lane, upto] - self.paid[part, lane], 0)))
            at = at + 1
        if not before:
            left -= self._pay("penalty", lane, day, event, source, np.minimum(left, self.owed("penalty", lane)))
        return left

    def _pay(self, what: str, lane: np.ndarray, day: np.ndarray, event, source: int, fen: np.ndarray) -> np.ndarray:
        """``fen``, which is at most what is owed."""
        if what == "penalty":
            self.penalty_paid[lane] += fen
            self.moves.add(lane, day, event, source, PENALTY, fen)
            return fen
        charged = self._pay_charged(lane, day, event, source, np.minimum(fen, self.charged[lane] - self.charged_paid[lane])) if what == "fees" else 0
        return charged + self._pay_part(_PARTS[what], lane, day, event, source, fen - charged)

    def _pay_charged(self, lane: np.ndarray, day: np.ndarray, event, source: int, fen: np.ndarray) -> np.ndarray:
        self.charged_paid[lane] += fen
        self.moves.add(lane, day, event, source, FEES, fen)
        return fen

    def _pay_part(self, part: int, lane: np.ndarray, day: np.ndarray, event, source: int, fen: np.ndarray) -> np.ndarray:
        self.paid[part, lane] += fen
        if part == _P:
            self.outstanding[lane] -= fen
        self.moves.add(lane, day, event, source, (FEES, INTEREST, PRINCIPAL)[part], fen)
        return fen

    def oldest(self, lane=slice(None), more_than_fen: int = 0) -> np.ndarray:
        """The place of the oldest instalment up to which more than so much is unpaid; as many as fell due where none is."""
        lanes = np.arange(len(self))[lane]
        unpaid = np.maximum(self.cum[:, lanes, 1:] - self.paid[:, lanes, None], 0).sum(axis=0) > more_than_fen
        unpaid &= np.arange(self.due.shape[1]) < self.fallen[lanes][:, None]
        return np.where(unpaid.any(axis=1), unpaid.argmax(axis=1), self.fallen[lanes])

    def _note_bad(self, lane: np.ndarray, day: np.ndarray) -> None:
        """Before it is paid, or agreed anew: a cure is counted from the last day on which the loan was bad."""
        behind = (self.cum[:, lane, self.fallen[lane]] > self.paid[:, lane]).any(axis=0)
        lane, day = lane[behind], day[behind]
        oldest = self.oldest(lane, self.how.tolerance_fen)
        bad = (oldest < self.fallen[lane]) & (day - self.due[lane, np.minimum(oldest, self.due.shape[1] - 1)] >= self.how.bad_dpd)
        self.bad_last[lane[bad]] = day[bad]

    # --- events ---

    def _fee(self, lane, day, told) -> None:
        self._only_live(lane, day, told, self._charge)

    def _charge(self, lane, day, told) -> None:
        self.charged[lane] += told["fen"]
        self.moves.add(lane, day, told["event"], FEES, FEE_INCOME, told["fen"])
        self._pay_from_advance(lane, day)

    def _pause(self, lane, day, told) -> None:
        self._book_penalty(lane, day)
        self.paused[lane] = True
        self.pauses[lane] += 1

    def _resume(self, lane, day, told) -> None:
        self.paused[lane] = False

    def _repayment(self, lane, day, told) -> None:
        self._take(lane, day, told, early=self.how.excess == "principal")

    def _prepayment(self, lane, day, told) -> None:
        self._take(lane, day, told, early=True)

    def _take(self, lane, day, told, early: bool) -> None:
        """Money: on a loan that is written off it is a recovery; else it pays what is owed, and what is left is held, or repays principal early."""
        event, fen = told["event"], told["fen"]
        off = self.off[lane]
        if off.any():
            self.recovered[lane[off]] += fen[off]
            self.moves.add(lane[off], day[off], event[off], CASH, RECOVERY, fen[off])
        lane, day, event, fen = lane[~off], day[~off], event[~off], fen[~off]
        left = self._allocate(lane, day, event, CASH, fen)
        if early:
            left = self._repay_early(lane, day, event, left)
        self.advance_fen[lane] += left
        self.moves.add(lane, day, event, CASH, ADVANCE, left)

    def _waiver(self, lane, day, told) -> None:
        self._only_live(lane, day, told, self._waive)

    def _waive(self, lane, day, told) -> None:
        """Less is owed, and no money came. More than is owed cannot be waived."""
        self._note_bad(lane, day)
        self._book_penalty(lane, day)
        for code, what in enumerate(COMPONENTS):
            of = told["part"] == code
            if of.any():
                who, fen, event = lane[of], told["fen"][of], told["event"][of]
                over = fen > self.owed(what, who)
                self._refuse(who[over], event[over], f"more {what} is waived than is owed")
                self._pay(what, who[~over], day[of][~over], event[~over], WAIVED, fen[~over])

    def _write_off(self, lane, day, told) -> None:
        self._only_live(lane, day, told, self._write_it_off)

    def _write_it_off(self, lane, day, told) -> None:
        """All that is owed, or was to come, less what waits."""
        event = told["event"]
        self._pay_from_advance(lane, day)
        self._book_penalty(lane, day)
        held = np.minimum(self.advance_fen[lane], self.outstanding[lane])
        self.advance_fen[lane] -= held
        self._pay_part(_P, lane, day, FROM_ADVANCE, ADVANCE, held)
        total = self.outstanding[lane].copy()
        self.moves.add(lane, day, event, WRITTEN_OFF, PRINCIPAL, self.outstanding[lane])
        for what in ("interest", "penalty", "fees"):
            fen = self.owed(what, lane)
            self.moves.add(lane, day, event, WRITTEN_OFF, COMPONENTS[what], fen)
            total += fen
        self.off[lane], self.off_fen[lane], self.outstanding[lane] = True, total, 0

    def _restructure(self, lane, day, told) -> None:
        self._only_live(lane, day, told, lambda *of: self._agree_anew(*of, restructured=True))

    def _re_age(self, lane, day, told) -> None:
        self._only_live(lane, day, told, lambda *of: self._agree_anew(*of, restructured=False))

    def _agree_anew(self, lane, day, told, restructured: bool) -> None:
        """What is outstanding, with interest to the day and unpaid interest and fees of instalments in it, is spread anew over the months to come."""
        event = told["event"]
        self._note_bad(lane, day)
        self._book_penalty(lane, day)
        interest = self.accrued(lane, day)
        self.moves.add(lane, day, event, PRINCIPAL, INTEREST_INCOME, interest)
        self.outstanding[lane] += interest
        self.reckoned[lane] = day
        for part, account in ((_I, INTEREST), (_F, FEES)):
            unpaid = self.cum[part, lane, self.fallen[lane]] - self.paid[part, lane]
            self.moves.add(lane, day, event, PRINCIPAL, account, unpaid)
            self.outstanding[lane] += unpaid
        left = self.count[lane] - self.fallen[lane]
        term = np.where(told["term"] > 0, told["term"], np.maximum(left, 1))
        self.rate_ppm[lane] = np.where(told["rate_ppm"] >= 0, told["rate_ppm"], self.rate_ppm[lane])
        self._widen(int((self.fallen[lane] + term).max(initial=0)))
        place = np.minimum(self.fallen[lane], self.due.shape[1] - 1)
        last = np.where(left > 0, self.due[lane, place], self.due[lane, np.maximum(self.count[lane] - 1, 0)])
        behind = np.maximum((day.astype(DAY).astype(MONTH) - last.astype(DAY).astype(MONTH)).astype(np.int64), 0)
        first = add_months(last.astype(DAY), behind, self.day[lane]).astype(np.int64)
        first = np.where(first <= day, add_months(first.astype(DAY), 1, self.day[lane]).astype(np.int64), first)
        dates = due_dates(first.astype(DAY), int(term.max(initial=1)), self.day[lane]).astype(np.int64)
        column = np.arange(self.due.shape[1])
        for row, who in enumerate(lane.tolist()):  # few loans are agreed anew on one day
            at = int(self.fallen[who])
            self.amounts[:, who] = 0
            self.due[who, at:] = np.where(column[at:] < at + term[row], np.pad(dates[row], (0, len(column)))[: len(column) - at], FAR)
        self.paid[:, lane], self.late[lane] = 0, self.fallen[lane]
        self.count[lane] = self.fallen[lane] + term
        self._spread(lane, day, self.outstanding[lane])
        if restructured:
            bad = self._within(self.bad_last[lane], day, self.how.cure_months)
            again = self._within(np.where(self.restructured[lane] < FAR, self.restructured[lane], -1), day, self.how.watch_months)
            self.at_least[lane] = np.where(bad | again, 2, 1)
            self.restructured[lane] = day
        else:
            self.re_aged[lane] += 1

    def _within(self, since: np.ndarray, day: np.ndarray, months: int) -> np.ndarray:
        """Whether ``day`` is less than so many months after ``since``, which is below 0 where it never was."""
        return (since >= 0) & (day < add_months(np.maximum(since, 0).astype(DAY), months).astype(np.int64))

    def _only_live(self, lane, day, told, act) -> None:
        off = self.off[lane] | ((self.outstanding[lane] == 0) & (self.fallen[lane] >= self.count[lane]))
        self._refuse(lane[off & self.off[lane]], told["event"][off & self.off[lane]], "the loan is written off")
        self._refuse(lane[off & ~self.off[lane]], told["event"][off & ~self.off[lane]], "nothing is left of the loan")
        if not off.all():
            act(lane[~off], day[~off], {name: values[~off] for name, values in told.items()})

    def _refuse(self, lane: np.ndarray, events: np.ndarray, why: str) -> None:
        self.refused += [(of, event, why) for of, event in zip(lane.tolist(), events.tolist())]

    # --- principal before its time ---

    def accrued(self, lane: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Interest since the last due date on principal that is not due yet, fen."""
        before = self.due[lane, np.maximum(self.fallen[lane] - 1, 0)]
        since = np.maximum(np.where(self.fallen[lane] > 0, before, self.drawn[lane]), self.drawn[lane])
        since = np.minimum(np.maximum(since, self.reckoned[lane]), day)
        if self.how.real_days:
            days, year = day - since, self.how.real_days
        else:
            days, year = days_30_360(since.astype(DAY), day.astype(DAY)), 360
        return divide(self._to_come(lane) * self.rate_ppm[lane] * days, np.int64(year * 1_000_000), self.how.rounding.interest)

    def _to_come(self, lane: np.ndarray) -> np.ndarray:
        return np.where(self.off[lane], 0, self.cum[_P, lane, self.count[lane]] - self.cum[_P, lane, self.fallen[lane]])

    def _repay_early(self, lane, day, event, fen) -> np.ndarray:
        """Interest to the day, the agreed fee, then principal. Gives back what is left: all, where it would not even pay the interest."""
        interest, to_come = self.accrued(lane, day), self._to_come(lane)
        fee_ppm = self.how.early_fee_ppm
        principal = np.minimum((fen - interest) * 1_000_000 // (1_000_000 + fee_ppm), to_come)
        some = np.flatnonzero((principal > 0) & (to_come > 0))
        if not len(some):
            return fen
        lane, day, event = lane[some], day[some], np.asarray(event)[some]
        interest, principal, to_come = interest[some], principal[some], to_come[some]
        fee = divide(principal * fee_ppm, np.int64(1_000_000))
        for income, account, due in ((INTEREST_INCOME, INTEREST, interest), (FEE_INCOME, FEES, fee)):
            self.moves.add(lane, day, event, account, income, due)
            self.moves.add(lane, day, event, CASH, account, due)
        self.moves.add(lane, day, event, CASH, PRINCIPAL, principal)
        self.outstanding[lane] -= principal
        self.reckoned[lane] = day
        left = fen.copy()
        left[some] -= interest + fee + principal
        whole = principal == to_come
        if whole.any():
            self._nothing_to_come(lane[whole])
        if not whole.all():
            self._spread(lane[~whole], day[~whole], (to_come - principal)[~whole])
        return left

    def _nothing_to_come(self, lane: np.ndarray) -> None:
        self.changed[lane] = True
        gone = np.arange(self.due.shape[1]) >= self.fallen[lane][:, None]
        self.due[lane] = np.where(gone, FAR, self.due[lane])
        self.amounts[:, lane] = np.where(gone, 0, self.amounts[:, lane])
        self.count[lane] = self.fallen[lane]
        self._sum_up(lane)

    def _spread(self, lane: np.ndarray, day: np.ndarray, principal: np.ndarray) -> None:
        """``principal`` over the instalments to come, on their dates; interest of the first from ``day`` on."""
        self.changed[lane] = True
        at, left = self.fallen[lane], self.count[lane] - self.fallen[lane]
        months = int(left.max())
        column = np.minimum(at[:, None] + np.arange(months), self.due.shape[1] - 1)
        dates = np.where(np.arange(months) < left[:, None], self.due[lane[:, None], column], 0)
        from_ = np.concatenate([day[:, None], dates[:, :-1]], axis=1)
        if self.how.shorten and self.how.method in (EQUAL_INSTALMENT, EQUAL_PRINCIPAL):
            paid, interest, term = self._at_its_level(lane, from_, dates, principal, left)
        else:
            paid, interest, term = *self._level_anew(lane, from_, dates, principal, left), left
        for month in range(months):
            some = month < left
            who, where = lane[some], at[some] + month
            self.amounts[_P, who, where], self.amounts[_I, who, where] = paid[some, month], interest[some, month]
            gone = month >= term[some]
            self.due[who[gone], where[gone]] = FAR
            self.amounts[:, who[gone], where[gone]] = 0
        self.count[lane] = at + term
        self._sum_up(lane)

    def _level_anew(self, lane, from_, dates, principal, left) -> tuple[np.ndarray, np.ndarray]:
        """Principal and interest [n, months] of as many instalments as before."""
        if self.how.real_days:
            how = {"days": np.maximum(dates - from_, 0), "calendar": np.arange(len(lane)), "year_days": np.full(len(lane), self.how.real_days)}
        else:
            how = {"first_days": np.maximum(days_30_360(from_[:, 0].astype(DAY), dates[:, 0].astype(DAY)), 0)}
        free = np.clip(self.how.principal_free - self.fallen[lane], 0, left - 1)
        made = schedule(Terms(principal, self.rate_ppm[lane], left, np.full(len(lane), self.how.method), principal_free=free, **how), self.how.rounding)
        return made.principal_fen, made.interest_fen

    def _at_its_level(self, lane, from_, dates, principal, left) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Principal and interest [n, months] where the instalment, or its principal, stays as it is, and how many are left then."""
        at = np.minimum(self.fallen[lane], self.due.shape[1] - 1)
        kept = self.amounts[_P, lane, at] + (self.amounts[_I, lane, at] if self.how.method == EQUAL_INSTALMENT else 0)
        paid, interest = np.zeros(dates.shape, np.int64), np.zeros(dates.shape, np.int64)
        balance, term = principal.copy(), np.zeros(len(lane), np.int64)
        for month in range(dates.shape[1]):
            if self.how.real_days:
                days, year = np.maximum(dates[:, month] - from_[:, month], 0), self.how.real_days
            else:
                days, year = (days_30_360(from_[:, 0].astype(DAY), dates[:, 0].astype(DAY)) if month == 0 else np.full(len(lane), 30)), 360
            owed = divide(balance * self.rate_ppm[lane] * days, np.int64(year * 1_000_000), self.how.rounding.interest)
            part = np.maximum(kept - owed, 0) if self.how.method == EQUAL_INSTALMENT else kept
            part = np.where(month == left - 1, balance, np.minimum(part, balance))
            interest[:, month], paid[:, month] = owed, part
            term += balance > 0
            balance = balance - part
        return paid, interest, np.clip(term, 1, left)

    def _sum_up(self, lane: np.ndarray) -> None:
        self.cum[:, lane, 1:] = np.cumsum(self.amounts[:, lane], axis=2)

    def _widen(self, columns: int) -> None:
        more = columns - self.due.shape[1]
        if more > 0:
            self.due = np.pad(self.due, ((0, 0), (0, more)), constant_values=FAR)
            self.amounts = np.pad(self.amounts, ((0, 0), (0, 0), (0, more)))
            self.cum = np.pad(self.cum, ((0, 0), (0, 0), (0, more)), mode="edge")
