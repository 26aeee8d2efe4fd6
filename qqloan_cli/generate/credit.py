"""Tradelines with their grids of 24 months, and inquiries: what a credit bureau would say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qqloan_cli.generate import columns
from qqloan_cli.generate.block import SELF_EMPLOYED, STUDENT, UNEMPLOYED, Block, day_in, month_of, repeated, some_of
from qqloan_cli.generate.faults import CODE, who
from qqloan_cli.generate.vocabulary import LENDERS

KINDS = ("credit_card", "consumer_loan", "microloan", "mortgage", "car_loan", "business_loan", "quasi_card", "student_loan")
CARD, CONSUMER, MICRO, MORTGAGE, CAR, BUSINESS, QUASI, STUDY = range(8)
_SHARES = np.cumsum([0.47, 0.16, 0.14, 0.11, 0.06, 0.03, 0.015, 0.015])
_STATUS = ("open", "closed", "overdue", "written_off", "bad_debt")
OPEN, CLOSED, OVERDUE, WRITTEN_OFF, BAD_DEBT = range(5)
_LENDERS = pa.array([name for kind in KINDS for name in LENDERS[kind]])
FIRST_LENDER = np.cumsum([0] + [len(LENDERS[kind]) for kind in KINDS])
_REASONS = ("loan_approval", "card_approval", "guarantee_review", "merchant_review", "post_loan", "own")
_REASON_SHARES = np.cumsum([0.36, 0.24, 0.03, 0.05, 0.22, 0.10])
_CODES = np.frombuffer(b"N1234567", np.uint8)
_GRID = 24
# kind: months of income lent, term in months, yearly rate (for the instalment)
_LENT = {CONSUMER: (5.0, 24, 0.12), MICRO: (1.6, 12, 0.15), MORTGAGE: (75.0, 300, 0.038), CAR: (9.0, 36, 0.05), BUSINESS: (12.0, 24, 0.07), STUDY: (5.0, 120, 0.03)}


def draw_credit(block: Block) -> None:
    """Tradelines (``line_*`` columns of their own length, by person) and what each person owes a month (``due``, fen)."""
    rng, n, get = block.rng("credit"), block.n, block.get
    thin = (rng.random(n) < np.where((block.work == STUDENT) | (block.work == UNEMPLOYED), 0.5, 0.26)) | block.second
    count = np.where(thin, 0, 1 + rng.poisson(0.64 + 0.12 * np.maximum(-block.discipline, 0), n))
    heavy, lost, late = who(block, "debts-heavy"), who(block, "written-off"), who(block, "overdue-recent")
    forced = np.concatenate([lost, late])
    count[forced] = np.maximum(count[forced], 1)
    more = np.zeros(n, np.int64)
    more[heavy] = rng.integers(4, 8, len(heavy))
    person, nth = repeated(count + more)
    m = len(person)
    added = nth >= count[person]
    kind = some_of(rng, _SHARES, m)
    kind = np.where((kind == BUSINESS) & (block.work[person] != SELF_EMPLOYED), CARD, kind)
    age_days = block.applied_day[person] - block.birth[person]
    kind = np.where((kind == MORTGAGE) & (age_days < 27 * 365), CARD, kind)
    kind = np.where((nth > 0) & np.isin(kind, (MORTGAGE, CAR)), np.where(nth % 2 == 0, CARD, CONSUMER), kind)  # one home, one car
    kind = np.where(added, np.where(rng.random(m) < 0.6, MICRO, CONSUMER), kind)

    income = np.maximum(block.income[person], 300_000)
    revolving = (kind == CARD) | (kind == QUASI)
    term = np.full(m, 60)
    lent = (income * 2.4 * np.exp(0.5 * rng.standard_normal(m))).astype(np.int64)
    rate = np.full(m, 0.15)
    for which, (months, length, yearly) in _LENT.items():
        here = kind == which
        lent = np.where(here, (income * months * np.exp(0.45 * rng.standard_normal(m))).astype(np.int64), lent)
        term, rate = np.where(here, length, term), np.where(here, yearly, rate)
    lent = np.maximum(lent // 100_000 * 100_000, 200_000)
    age = np.where(revolving, 80 * rng.random(m) ** 1.3, np.minimum(term * 1.3 * rng.random(m), 150)).astype(np.int64) + 1  # months open
    age = np.where(added, rng.integers(1, 9, m), age)
    age = np.minimum(age, np.maximum((age_days - 18 * 365) // 31, 1))
    ended = ~revolving & (age >= term)
    used = np.clip(rng.beta(1.6, 3.2, m) * np.exp(-0.18 * block.discipline[person]), 0, 0.98)
    left = np.where(revolving, used, np.clip(1 - age / term, 0, 1))
    balance = np.where(ended, 0, (lent * left).astype(np.int64) // 100 * 100)
    monthly = rate / 12
    instalment = lent * monthly / (1 - (1 + monthly) ** -term)
    payment = np.where(revolving, balance // 10, instalment.astype(np.int64) // 100 * 100)
    payment = np.where(ended, 0, payment)
    # those deep in debt owe more than half of what they earn
    owed = np.bincount(person, payment, n)
    factor = np.where(np.isin(np.arange(n), heavy), np.maximum(0.55 * np.maximum(block.income, 300_000) / np.maximum(owed, 1), 1), 1)[person]
    payment = (payment * factor).astype(np.int64) // 100 * 100
    lent, balance = np.where(factor > 1, lent * factor, lent).astype(np.int64) // 100 * 100, np.where(factor > 1, balance * factor, balance).astype(np.int64) // 100 * 100

    now = month_of(block.applied_day)[person]
    opened_month = now - age
    opened = day_in(opened_month, rng.integers(1, 29, m))
    closed_month = np.where(ended, opened_month + term, -1)
    since_closing = np.where(ended, now - closed_month, -1)
    closed = np.where(ended, np.minimum(day_in(np.maximum(closed_month, 0), rng.integers(1, 29, m)), block.applied_day[person] - 1), -1)
    overdue, cells = _grids(rng, block.discipline[person], revolving, age, since_closing)
    status = np.where(ended, CLOSED, np.where(overdue[:, -1] > 0, OVERDUE, OPEN))

    # one tradeline of each of these: the first
    first = nth == 0
    gone = first & (block.fault[person] == CODE["written-off"])
    status = np.where(gone, np.where(rng.random(m) < 0.5, WRITTEN_OFF, BAD_DEBT), status)
    recent = first & (block.fault[person] == CODE["overdue-recent"])
    _plant_overdue(rng, np.flatnonzero(recent), np.flatnonzero(gone), overdue, cells)
    cells[gone, -1] = np.where(status[gone] == BAD_DEBT, ord("B"), ord("G"))  # second-generation report: bad debt; ended abnormally
    status = np.where(recent, OVERDUE, status)
    reopened = gone | recent
    closed = np.where(reopened, -1, closed)
    balance = np.where(reopened & (balance == 0), lent // 3 // 100 * 100, balance)
    get.update(
        line_person=person, line_kind=kind, line_lent=lent, line_balance=balance, line_payment=payment, line_opened=opened, line_closed=closed,
        line_status=status, line_worst=overdue.max(axis=1, initial=0), line_cells=cells, line_revolving=revolving, line_overdue=(overdue > 0).sum(axis=1),
    )
    get["line_days"] = np.where(get["line_worst"] > 0, (get["line_worst"] - 1) * 30 + rng.integers(1, 31, m), 0)
    get["line_lender"] = FIRST_LENDER[kind] + rng.integers(0, 10_000, m) % np.diff(FIRST_LENDER)[kind]
    get["due"] = np.bincount(person, np.where(closed >= 0, 0, payment), n).astype(np.int64)


def _grids(rng, discipline, revolving, age, since_closing) -> tuple[np.ndarray, np.ndarray]:
    """((m, 24) months overdue 0..7, (m, 24) ASCII codes), oldest first: a chain that misses, cures, or goes on being late."""
    m = len(discipline)
    miss = 1 / (1 + np.exp(5.5 + 1.15 * discipline))
    cure = np.clip(0.78 + 0.1 * discipline, 0.35, 0.97)
    draws = rng.random((_GRID, m))
    kinds = rng.random((_GRID, m))
    overdue, cells = np.zeros((m, _GRID), np.int64), np.empty((m, _GRID), np.uint8)
    state = np.zeros(m, np.int64)
    for month in range(_GRID):
        ago = _GRID - month  # the last whole month is 1
        there = (ago <= age) & ~((since_closing >= 0) & (ago <= since_closing))
        late = state > 0
        state = np.where(late, np.where(draws[month] < cure, 0, np.minimum(state + 1, 7)), (draws[month] < miss).astype(np.int64))
        state = np.where(there, state, 0)
        overdue[:, month] = state
        quiet = np.where(revolving & (kinds[month] < 0.12), ord("*"), np.where(kinds[month] > 0.996, ord("M"), np.where(kinds[month] > 0.994, ord("#"), np.where(revolving & (kinds[month] > 0.992), ord("A"), ord("N")))))
        code = np.where(state > 0, _CODES[state], quiet)
        code = np.where(there, code, ord("/"))
        cells[:, month] = np.where((since_closing >= 0) & (ago == since_closing + 1), ord("C"), code)
    overdue[cells == ord("C")] = 0
    return overdue, cells


def _plant_overdue(rng, recent: np.ndarray, gone: np.ndarray, overdue: np.ndarray, cells: np.ndarray) -> None:
    in_a_row = rng.random(len(recent)) < 0.5
    for row, straight in zip(recent.tolist(), in_a_row.tolist()):  # a handful of each thousand
        months = [21, 22, 23] if straight else [10, 13, 15, 18, 20, 23]
        levels = [1, 2, 3] if straight else [1] * 6
        overdue[row, months] = levels
        cells[row, cells[row] == ord("/")] = ord("N")
        cells[row, months] = _CODES[levels]
    overdue[gone, 17:] = np.arange(1, 8)
    cells[gone, 17:] = _CODES[1:]


def credit_accounts(block: Block) -> dict[str, pa.Array]:
    person = block.line_person
    first, last = FIRST_LENDER[0], FIRST_LENDER[-1]
    assert first == 0 and last == len(_LENDERS)
    return {
        "applicant_id": block.ids.take(pa.array(person)), "opened_at": columns.dates(block.line_opened), "closed_at": columns.dates(block.line_closed, block.line_closed >= 0),
        "kind": columns.words(pa.array(KINDS), block.line_kind), "lender": columns.words(_LENDERS, block.line_lender),
        "limit": columns.money(block.line_lent), "balance": columns.money(block.line_balance), "monthly_payment": columns.money(block.line_payment),
        "grid_24m": columns.fixed_text(block.line_cells), "worst_dpd_24m": columns.numbers(block.line_days),
        "status": columns.words(pa.array(_STATUS), block.line_status),
    }


def credit_inquiries(block: Block) -> dict[str, pa.Array]:
    rng = np.random.Generator(block.rng("credit").bit_generator.jumped())
    n = block.n
    count = rng.poisson(1.36 * np.exp(-0.24 * block.discipline - 0.03), n)
    many = who(block, "inquiries-many")
    hard = np.zeros(n, np.int64)
    hard[many] = rng.integers(8, 16, len(many))
    count, hard = np.where(block.second, 0, count), np.where(block.second, 0, hard)
    person, nth = repeated(count + hard)
    m = len(person)
    planted = nth >= count[person]
    ago = np.where(planted, rng.integers(1, 85, m), 1 + (360 * rng.random(m)).astype(np.int64))
    reason = np.where(planted, 0, some_of(rng, _REASON_SHARES, m))
    return {
        "applicant_id": block.ids.take(pa.array(person)), "inquired_at": columns.dates(block.applied_day[person] - ago),
        "reason": columns.words(pa.array(_REASONS), reason), "lender": columns.words(_LENDERS, rng.integers(0, len(_LENDERS), m)),
    }
