"""Statement lines of six months, stream by stream, with balances that add up line by line."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qqloan_cli.generate import columns, identity
from qqloan_cli.generate.block import GIG, PENSIONER, SALARIED, SELF_EMPLOYED, STUDENT, UNEMPLOYED, Block, day_in, month_of, repeated
from qqloan_cli.generate.credit import BUSINESS, CAR, CONSUMER, FIRST_LENDER, KINDS, MICRO, MORTGAGE, STUDY
from qqloan_cli.generate.faults import who
from qqloan_cli.generate.pay import MONTHS, month_grid
from qqloan_cli.generate.vocabulary import CIRCLE_FIRMS, MERCHANTS, PEOPLE, texts

# What a line truly is; the truth keeps those in KEPT.
TRULY = ("pay", "bonus", "other_income", "spending", "debt", "own_transfer", "refund", "expense_claim", "fund_withdrawal", "circular", "loan_proceeds", "gift", "other")
PAY, BONUS, OTHER_INCOME, SPENDING, DEBT, OWN, REFUND, CLAIM, FUND, CIRCULAR, PROCEEDS, GIFT, OTHER = range(len(TRULY))
KEPT = (BONUS, OWN, REFUND, CLAIM, FUND, CIRCULAR, PROCEEDS, GIFT)
_DAYS = 182


class Lines:
    """Streams as they are added: person, account (0 or 1), second, fen (out is negative), memo and other side as codes of texts."""

    def __init__(self) -> None:
        self.parts: list[tuple[np.ndarray, ...]] = []

    def add(self, person, when, fen, memo, other, truly, account=0) -> None:
        n = len(person)
        self.parts.append(tuple(
            np.broadcast_to(np.asarray(column, kind), n) for column, kind in
            ((person, np.int32), (account, np.int8), (when, np.int64), (fen, np.int64), (memo, np.int64), (other, np.int64), (truly, np.int8))
        ))

    def all(self) -> list[np.ndarray]:
        return [np.concatenate(column) for column in zip(*self.parts)]


class Draw:
    """What every stream needs: who has a statement, moments in the months, words and amounts."""

    def __init__(self, block: Block) -> None:
        self.block, self.rng, self.t = block, block.rng("statements"), texts()
        self.holders = np.flatnonzero(block.has_statement)
        self.calendar = month_of(block.as_of) - (MONTHS - 1) + np.arange(MONTHS)

    def some(self, share, among: np.ndarray | None = None) -> np.ndarray:
        among = self.holders if among is None else among
        return among[self.rng.random(len(among)) < (share if np.isscalar(share) else share[among])]

    def word(self, codes: np.ndarray, n: int) -> np.ndarray:
        return codes[self.rng.integers(0, len(codes), n)]

    def monthly(self, people: np.ndarray, day: np.ndarray, from_hour=8, hours=12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(person, month column, second): once a month on ``day`` (length of the block), at an hour of its own."""
        person, month, days = month_grid(self.block, people, day)
        return person, month, days * 86_400 + from_hour * 3600 + self.rng.integers(0, hours * 3600, len(days))

    def scattered(self, people: np.ndarray, mean) -> tuple[np.ndarray, np.ndarray]:
        """(person, second): a Poisson number of times within the half year before the application."""
        counts = self.rng.poisson(mean if np.isscalar(mean) else mean[people], len(people))
        at, _ = repeated(counts)
        person = people[at]
        days = self.block.applied_day[person] - 1 - self.rng.integers(0, _DAYS, len(person))
        return person, days * 86_400 + 7 * 3600 + self.rng.integers(0, 15 * 3600, len(person))

    def private(self, people: np.ndarray) -> np.ndarray:
        """A private person who is the same in all of one's lines."""
        return self.t.people + (self.block.first + people) * 7_919 % PEOPLE


def bank_statements(block: Block) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """(lines, what some of them truly are)."""
    draw, lines = Draw(block), Lines()
    income = np.maximum(block.income, 200_000)
    _earnings(draw, lines)
    _debts(draw, lines)
    _spending(draw, lines, income)
    _sundries(draw, lines, income)
    _own_transfers(draw, lines, income)
    _planted(draw, lines, income)
    return _book(draw, lines, income)


def _earnings(draw: Draw, lines: Lines) -> None:
    block, rng, t = draw.block, draw.rng, draw.t
    holders = draw.holders
    work = block.work[holders]
    # pay: each employer writes it in its own way
    person, month, when = draw.monthly(holders[work == SALARIED], block.pay_day, 9, 8)
    employer = np.where(block.before[person, month], block.former_employer[person], block.employer[person])
    style = np.array([0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7])[employer * 7 % 12]
    lines.add(person, when, block.net[person, month], t.pay[style] + draw.calendar[month] % 12, t.employers + employer, PAY)
    bonus = draw.some(0.22, holders[work == SALARIED])
    person, when = draw.scattered(bonus, 1.0)
    amount = (block.income[person] * rng.uniform(0.2, 1.8, len(person))).astype(np.int64) // 10_000 * 10_000
    lines.add(person, when, np.maximum(amount, 50_000), draw.word(t.bonus, len(person)), t.employers + block.employer[person], BONUS)
    # business: turnover comes in bits, part of it goes out again for supplies
    owners = holders[work == SELF_EMPLOYED]
    person, month, _ = draw.monthly(owners, np.ones(block.n, np.int64))
    counts = 1 + rng.poisson(1.4, len(person))
    at, _ = repeated(counts)
    part = rng.dirichlet(np.ones(1), len(at))[:, 0] * rng.uniform(0.6, 1.4, len(at))
    part /= np.bincount(at, part, len(person))[at]
    turnover = block.net[person, month] / block.margin[person]
    days = day_in(draw.calendar[month][at], rng.integers(1, 29, len(at)))
    lines.add(person[at], days * 86_400 + 20 * 3600 + rng.integers(0, 3 * 3600, len(at)), (turnover[at] * part).astype(np.int64),
              t.business[(block.first + person[at]) % 4], t.business_from[(block.first + person[at]) % 4], PAY)
    buy = rng.random(len(person)) < 0.55
    cost = (turnover * (1 - block.margin[person]) * rng.uniform(0.7, 1.2, len(person))).astype(np.int64)
    days = day_in(draw.calendar[month], rng.integers(3, 29, len(person)))
    lines.add(person[buy], (days * 86_400 + 11 * 3600 + rng.integers(0, 7_200, len(person)))[buy], -cost[buy], draw.word(t.supplies, int(buy.sum())), draw.private(person[buy]), OTHER)
    # gig work: paid out twice a month
    drivers = holders[work == GIG]
    for day, share in ((1, 0.5), (16, 0.5)):
        person, month, when = draw.monthly(drivers, np.full(block.n, day) + np.arange(block.n) % 12)
        part = share * rng.uniform(0.85, 1.15, len(person))
        lines.add(person, when, (block.net[person, month] / block.margin[person] * part).astype(np.int64), t.gig[person % 3], t.gig_from[person % 4], PAY)
    person, month, when = draw.monthly(holders[work == PENSIONER], np.full(block.n, 12) + np.arange(block.n) % 8, 6, 4)
    lines.add(person, when, block.net[person, month], t.pension[person % 3], t.insurance, PAY)
    person, month, when = draw.monthly(holders[(work == UNEMPLOYED) & (block.income[holders] > 0)], np.full(block.n, 25), 8, 6)
    lines.add(person, when, block.net[person, month], t.unemployed, t.insurance, OTHER_INCOME)
    students = holders[work == STUDENT]
    person, month, when = draw.monthly(students, np.full(block.n, 2))
    lines.add(person, when, rng.integers(12, 26, len(person)) * 10_000, t.transfer[2], draw.private(person), GIFT)


def _debts(draw: Draw, lines: Lines) -> None:
    """Instalments of open loans and payments of cards, as the tradelines have them; not every loan is paid from this account."""
    block, rng, t = draw.block, draw.rng, draw.t
    person, kind = block.line_person, block.line_kind
    due = (block.line_closed < 0) & (block.line_payment > 0) & block.has_statement[person]
    for loans, share in ((~block.line_revolving, 0.6), (block.line_revolving, 0.36)):
        at = np.flatnonzero(due & loans & (rng.random(len(person)) < share))
        days = day_in(draw.calendar[None, :], (5 + at * 7 % 21)[:, None])
        shown = (days < block.applied_day[person[at]][:, None]) & (days > block.line_opened[at][:, None] + 25)
        shown[:, 0] &= ~shown[:, -1]
        row, month = np.nonzero(shown)
        line = at[row]
        when = days[row, month] * 86_400 + 3600 * 9 + rng.integers(0, 3600 * 9, len(row))
        if loans is block.line_revolving:  # cards
            fen = (block.line_payment[line] * rng.uniform(0.5, 2.2, len(line))).astype(np.int64) + 5_000
            memo = np.where(line % 9 == 0, t.huabei, t.card[line % 3])
        else:
            fen = block.line_payment[line]
            by_kind = np.zeros(len(KINDS), np.int64)
            for number in (CONSUMER, MICRO, MORTGAGE, CAR, BUSINESS, STUDY):
                by_kind[number] = t.repayments[KINDS[number]]
            memo = np.where((kind[line] == MICRO) & (line % 2 == 0), t.weilidai, by_kind[kind[line]])
        lenders = np.array([t.lenders[name] for name in KINDS]) - FIRST_LENDER[:-1]  # the same names, side by side in both
        lines.add(person[line], when, -fen, memo, lenders[kind[line]] + block.line_lender[line], DEBT)


def _spending(draw: Draw, lines: Lines, income: np.ndarray) -> None:
    block, rng, t = draw.block, draw.rng, draw.t
    tenants = draw.some(0.2)
    person, _, when = draw.monthly(tenants, 1 + np.arange(block.n) % 10)
    rent = (income[person] * (0.14 + 0.14 * (person * 37 % 101) / 101)).astype(np.int64) // 10_000 * 10_000
    lines.add(person, when, -np.maximum(rent, 50_000), t.rent[person % 3], draw.private(person + 1), SPENDING)
    person, when = draw.scattered(draw.holders, 3.1)
    merchant = (rng.random(len(person)) ** 1.3 * len(MERCHANTS)).astype(np.int64)
    fen = np.minimum(income[person] * 0.11 * np.exp(0.9 * rng.standard_normal(len(person))), income[person] * 0.6).astype(np.int64) + 900
    lines.add(person, when, -fen, t.merchant_memos + merchant, t.merchants + merchant, SPENDING)
    # some of it is given back days later, whole
    back = np.flatnonzero(rng.random(len(person)) < 0.035)
    later = when[back] + rng.integers(3 * 3600, 9 * 86_400, len(back))
    back, later = back[later < block.applied[person[back]]], later[later < block.applied[person[back]]]
    lines.add(person[back], later, fen[back], draw.word(t.refund, len(back)), t.merchants + merchant[back], REFUND)


def _sundries(draw: Draw, lines: Lines, income: np.ndarray) -> None:
    block, rng, t = draw.block, draw.rng, draw.t
    savers = draw.some(0.4)
    quarter = np.flatnonzero(draw.calendar % 3 == 2)  # the 21st of March, June, September, December
    for month in quarter.tolist():
        day = int(day_in(draw.calendar[month], 21))
        paid = savers[(block.applied_day[savers] > day) & (block.applied_day[savers] - _DAYS <= day)]
        lines.add(paid, day * 86_400 + rng.integers(0, 3600, len(paid)), 3 + (income[paid] * 0.0009 * rng.random(len(paid))).astype(np.int64), t.interest[paid % 3], t.bank, OTHER)
    employed = draw.holders[block.work[draw.holders] == SALARIED]

    def once(people, mean, fen, memo, other, truly):
        person, when = draw.scattered(people, mean)
        lines.add(person, when, fen(person), memo(person) if callable(memo) else memo, other(person) if callable(other) else other, truly)

    def share_of_income(low, high, sign=1):
        return lambda person: sign * np.maximum((income[person] * rng.uniform(low, high, len(person))).astype(np.int64) // 1_000 * 1_000, 1_000)

    once(draw.some(0.1, employed), 1.5, share_of_income(0.03, 0.3), lambda p: t.claim[p % 3], lambda p: t.employers + block.employer[p], CLAIM)
    once(draw.some(0.05, employed), 1.0, share_of_income(0.8, 3.0), lambda p: t.fund[p % 2], t.fund_from, FUND)
    once(draw.some(0.16), 1.2, share_of_income(0.1, 0.5, -1), t.cash_out, t.atm, SPENDING)
    once(draw.some(0.04), 1.2, share_of_income(0.1, 0.8), t.cash_in, t.atm, GIFT)
    once(draw.some(0.2), 1.6, share_of_income(0.02, 0.25), lambda p: draw.word(t.transfer, len(p)), lambda p: draw.private(p + 2), GIFT)
    once(draw.some(0.25), 1.6, share_of_income(0.02, 0.25, -1), lambda p: draw.word(t.transfer, len(p)), lambda p: draw.private(p + 2), SPENDING)
    once(draw.some(0.06), 1.1, share_of_income(0.8, 2.5), lambda p: t.proceeds[p % 3], lambda p: t.lenders["microloan"] + p % 3, PROCEEDS)
    once(draw.some(0.07), 1.2, share_of_income(0.1, 0.8, -1), t.fund_buy, t.broker, OWN)
    once(draw.some(0.06), 1.1, share_of_income(0.1, 0.8), t.fund_sell, t.broker, OWN)
    once(draw.some(0.1), 1.4, share_of_income(0.03, 0.4), lambda p: t.wallet_in[p % 3], lambda p: t.wallets[p % 3], OWN)


def _own_transfers(draw: Draw, lines: Lines, income: np.ndarray) -> None:
    """Between two accounts that both lie before us (pairs), and with accounts that do not (one end)."""
    block, rng, t = draw.block, draw.rng, draw.t
    own_name = len(t.all)  # the block's names stand behind the texts
    tails = _tails(block)
    two = draw.some(0.24)
    block.get["accounts"] = np.ones(block.n, np.int64)
    block.accounts[two] = 2
    person, when = draw.scattered(two, 2.4)
    fen = np.maximum((income[person] * rng.uniform(0.1, 1.2, len(person))).astype(np.int64) // 10_000 * 10_000, 10_000)
    back = (rng.random(len(person)) < 0.25).astype(np.int8)
    style = person % 2
    lines.add(person, when, -fen, t.own_out[style] + tails[1 - back, person], own_name + person, OWN, back)
    landed = when + np.where(rng.random(len(person)) < 0.9, rng.integers(1, 240, len(person)), rng.integers(3_600, 30_000, len(person)))
    landed = np.minimum(landed, block.applied[person] - 1)
    lines.add(person, landed, fen, t.own_in[style] + tails[back, person], own_name + person, OWN, 1 - back)
    one = draw.some(0.16)
    person, when = draw.scattered(one, 1.5)
    fen = np.maximum((income[person] * rng.uniform(0.05, 0.9, len(person))).astype(np.int64) // 10_000 * 10_000, 10_000)
    inward = rng.random(len(person)) < 0.45
    far = (tails[0, person] + 4_321) % 10_000
    lines.add(person, when, np.where(inward, fen, -fen), np.where(inward, t.own_in[person % 2], t.own_out[person % 2]) + far, own_name + person, OWN)


def _planted(draw: Draw, lines: Lines, income: np.ndarray) -> None:
    block, rng, t = draw.block, draw.rng, draw.t
    firm = len(t.all) - CIRCLE_FIRMS
    # a paper firm's "pay" that goes back within days
    fakers = who(block, "pay-circular")
    person, month, when = draw.monthly(fakers, block.pay_day, 9, 6)
    fen = (block.circular_pay[person] * 1.2).astype(np.int64) // 10_000 * 10_000 + 100_000
    payer = firm + person % CIRCLE_FIRMS
    lines.add(person, when, fen, t.pay[0] + draw.calendar[month] % 12, payer, CIRCULAR)
    back = np.minimum(when + rng.integers(1, 5, len(person)) * 86_400 + rng.integers(0, 18_000, len(person)), block.applied[person] - 60)
    lines.add(person, back, -(fen * 96 // 100), t.transfer[0], payer, CIRCULAR)
    # rings pass money round: everyone pays the next
    ring = block.ring
    for number in range(int(ring.max(initial=-1)) + 1):
        members = np.flatnonzero(ring == number)
        there = block.has_statement[members]
        following = np.roll(members, -1)
        for turn in range(2):
            day = block.as_of - 20 - 40 * turn - np.arange(len(members)) % 5
            fen = np.full(len(members), int(rng.integers(30, 200)) * 10_000)
            name = len(t.all) + following
            when = day * 86_400 + 12 * 3600 + rng.integers(0, 20_000, len(members))
            lines.add(members[there], when[there], -fen[there], t.transfer[0], name[there], CIRCULAR)
            when = (day + 1) * 86_400 + 9 * 3600 + rng.integers(0, 9_000, len(members))
            name = len(t.all) + np.roll(members, 1)
            lines.add(members[there], when[there], fen[there] * 98 // 100, t.transfer[0], name[there], CIRCULAR)
    person, when = draw.scattered(who(block, "gambling"), 11.0)
    fen = np.maximum((income[person] * rng.uniform(0.08, 0.22, len(person))).astype(np.int64) // 1_000 * 1_000, 10_000)
    pick = rng.integers(0, 3, len(person))
    lines.add(person, when, -fen, t.gamble[pick], t.gamble_to[pick], SPENDING)


def _tails(block: Block) -> np.ndarray:
    """(2, n): the last four digits of a person's two accounts."""
    index = (block.first + np.arange(block.n)).astype(np.uint64)
    first = identity.mixed(index, block.seed + 2) % np.uint64(10_000)
    second = (first + np.uint64(1) + identity.mixed(index, block.seed + 3) % np.uint64(9_000)) % np.uint64(10_000)
    return np.stack([first, second]).astype(np.int64)


def _one_after_another(when: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The same seconds, but where two lines of an account fell on one: the order of lines is then in their times."""
    for _ in range(5):
        same = np.flatnonzero((when[1:] <= when[:-1]) & (held[1:] == held[:-1])) + 1
        if not len(same):
            break
        when[same] = when[same - 1] + 1
    return when


def _book(draw: Draw, lines: Lines, income: np.ndarray) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """Puts lines in order, opens each account with enough that it never falls below zero, and adds up."""
    block, rng, t = draw.block, draw.rng, draw.t
    person, account, when, fen, memo, other, truly = lines.all()
    inside = (when < block.applied[person]) & block.has_statement[person]
    held = person * 2 + account
    order = np.lexsort((np.arange(len(when)), when, held))
    order = order[inside[order]]
    person, account, when, fen, memo, other, truly, held = (column[order] for column in (person, account, when, fen, memo, other, truly, held))
    when = _one_after_another(when, held)
    starts = np.flatnonzero(np.diff(held, prepend=-1))
    sizes = np.diff(starts, append=len(held))
    running = np.cumsum(fen)
    running -= np.repeat(running[starts] - fen[starts], sizes)
    lowest = np.minimum.reduceat(running, starts) if len(starts) else starts
    cushion = income[person[starts]] * np.exp(-1.3 + 0.45 * block.discipline[person[starts]] + 0.9 * rng.standard_normal(len(starts)))
    opening = np.maximum(-lowest, 0) + cushion.astype(np.int64)
    balance = running + np.repeat(opening, sizes)
    # the forgers raise the pay and leave the balances
    forged = np.isin(person, who(block, "statement-forged")) & (truly == PAY)
    fen = np.where(forged, fen * 17 // 10 // 1_000 * 1_000, fen)

    tails = _tails(block)
    digits = identity.digits(tails[account, person], 4)
    bank = np.frombuffer(b"6217622862226212", np.uint8).reshape(4, 4)[(block.first + person + account) % 4]
    shown = np.hstack([bank, np.full((len(person), 4), ord("*"), np.uint8), digits])
    vocabulary = pa.concat_arrays([t.all, block.names])
    table = {
        "applicant_id": block.ids.take(pa.array(person)), "account": columns.fixed_text(shown), "booked_at": columns.moments(when),
        "amount": columns.money(fen), "balance": columns.money(balance), "counterparty": columns.words(vocabulary, other), "memo": columns.words(vocabulary, memo),
    }
    kept = np.flatnonzero(np.isin(truly, KEPT) | forged)
    kinds = np.where(forged[kept], len(TRULY), truly[kept])
    truth = {name: table[name].take(pa.array(kept)) for name in ("applicant_id", "account", "booked_at", "amount")}
    truth["truly"] = columns.words(pa.array((*TRULY, "pay_forged")), kinds)
    return table, truth
