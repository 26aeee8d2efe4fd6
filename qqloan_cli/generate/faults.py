"""What is planted: each fault in a few of a thousand, no two in one person but rings, and what it does to the person's papers.

A fault is a code in the truth; FAULTS says how often and whether an honest lender
would still approve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qqloan_cli.generate import identity
from qqloan_cli.generate.applications import names
from qqloan_cli.generate.block import SALARIED, UNEMPLOYED, Block
from qqloan_cli.generate.columns import fixed_text
from qqloan_cli.generate.pay import draw_papers
from qqloan_cli.generate.regions import NEVER, RETIRED
from qqloan_cli.generate.vocabulary import CIRCLE_FIRMS, employers


class Fault(NamedTuple):
    code: str
    share: float
    meaning: str
    harmless: bool = False  # a trap: it must not be held against the applicant
    work: bool = False  # planted among the employed alone


FAULTS = (
    Fault("id-check-digit", 0.004, "the ID number's last digit is wrong"),
    Fault("id-region-unknown", 0.003, "the ID number begins with a code that no county ever had"),
    Fault("id-region-retired", 0.006, "the ID number begins with a county abolished since birth", harmless=True),
    Fault("age-low", 0.002, "under 18"),
    Fault("age-high", 0.003, "over 65"),
    Fault("birth-differs", 0.003, "stated birth date is not the ID number's"),
    Fault("gender-differs", 0.003, "stated gender is not the ID number's"),
    Fault("phone-iot", 0.002, "a 13-digit number of a machine"),
    Fault("phone-short", 0.002, "a phone of ten digits"),
    Fault("card-luhn", 0.004, "the card's last digit is wrong"),
    Fault("consent-none", 0.004, "no consent on file"),
    Fault("consent-late", 0.003, "consent given after the application"),
    Fault("consent-withdrawn", 0.003, "consent taken back before the application"),
    Fault("consent-no-credit", 0.003, "consent does not cover credit data"),
    Fault("duplicate-person", 0.005, "the same person under another applicant_id"),
    Fault("shared-phone", 0.003, "a stranger's phone"),
    Fault("shared-card", 0.003, "a stranger's card"),
    Fault("shared-device", 0.003, "a stranger's device"),
    Fault("second-application", 0.004, "the same applicant_id applies again"),
    Fault("blocklisted", 0.004, "the ID, phone, card or device is on the blocklist, in force"),
    Fault("blocklist-expired", 0.003, "was on the blocklist; the entry has ended", harmless=True),
    Fault("pay-inflated", 0.008, "pay slips show 1.7 to 3 times what the bank and the fund see", work=True),
    Fault("pay-invented", 0.004, "pay slips for work that does not exist; the bank sees none"),
    Fault("statement-forged", 0.006, "salary lines raised on the statement; its balances no longer add up", work=True),
    Fault("pay-circular", 0.006, "a paper firm pays in what goes back to it within days"),
    Fault("debts-heavy", 0.010, "many loans, due each month more than half of income"),
    Fault("written-off", 0.005, "a loan was written off or is bad debt"),
    Fault("inquiries-many", 0.008, "eight or more hard inquiries within three months"),
    Fault("overdue-recent", 0.008, "three overdue months in a row, or six in all, and overdue now"),
    Fault("gambling", 0.006, "a fifth or more of income goes to gambling"),
)
CODE = {fault.code: number for number, fault in enumerate(FAULTS)}
RING_SHARE, RING_LEAST, RING_MOST = 0.012, 4, 12
FAMILY_SHARE = 0.015
_BEFORE_1984 = [code for code, year in RETIRED.items() if year > 2009]


def plant(block: Block) -> None:
    """Draws who has which fault and who is in a ring, and alters the identity columns."""
    rng, n, get = block.rng("faults"), block.n, block.get
    order = rng.permutation(n)
    extra = rng.random(len(FAULTS))
    fault = np.full(n, -1)
    employed = block.work[order] == SALARIED
    free = np.ones(n, bool)
    for number, planted in enumerate(FAULTS):
        count = int(n * planted.share + extra[number])
        at = np.flatnonzero(free & (employed | (not planted.work)))[:count]
        free[at] = False
        fault[order[at]] = number
    get["fault"] = fault
    rest = order[free]
    _identity(block, rng, rest)
    rest = _rings(block, rest)
    _families(block, rest)
    _papers(block, rng)
    index = block.first + np.arange(n)
    owner = np.where(block.second, block.first + block.same_as, index)
    prefix = np.full((n, 1), ord("P"), np.uint8)
    get["ids"] = fixed_text(np.hstack([prefix, identity.digits(owner, 9)]))
    get["application_ids"] = fixed_text(np.hstack([prefix - ord("P") + ord("A"), identity.digits(index, 9)]))
    get["names"] = names(block)


def who(block: Block, *codes: str) -> np.ndarray:
    """Index of those with one of these faults."""
    return np.flatnonzero(np.isin(block.fault, [CODE[code] for code in codes]))


def _identity(block: Block, rng: np.random.Generator, strangers: np.ndarray) -> None:
    get = block.get
    at = who(block, "id-region-unknown")
    get["id_region"][at] = identity.ascii_rows(NEVER)[rng.integers(0, len(NEVER), len(at))]
    at = who(block, "id-region-retired")
    get["id_region"][at] = identity.ascii_rows(_BEFORE_1984)[rng.integers(0, len(_BEFORE_1984), len(at))]
    at = who(block, "age-low")
    get["birth"][at] = block.as_of - rng.integers(16 * 366, 18 * 365 - 10, len(at))
    at = who(block, "age-high")
    get["birth"][at] = block.as_of - rng.integers(67 * 366, 74 * 365, len(at))
    get["stated_birth"] = block.birth.copy()
    get["id_number"] = identity.resident_ids(block.id_region, block.birth.astype("datetime64[D]"), block.order)
    at = who(block, "id-check-digit")
    check = "0123456789X"
    last = np.array([check.index(chr(c)) for c in block.id_number[at, 17]], np.int64)
    get["id_number"][at, 17] = np.frombuffer(check.encode(), np.uint8)[(last + rng.integers(1, 11, len(at))) % 11]
    at = who(block, "birth-differs")
    get["stated_birth"][at] += rng.choice([-366, -31, -1, 1, 31, 365], len(at))
    at = who(block, "gender-differs")
    get["stated_male"][at] = ~block.stated_male[at]
    at = who(block, "phone-iot")
    get["phone"][at] = np.hstack([np.tile(np.frombuffer(b"1440", np.uint8), (len(at), 1)), identity.digits(rng.integers(0, 10**9, len(at)), 9)])
    at = who(block, "phone-short")
    get["phone"][at, 10] = 0
    at = who(block, "card-luhn")
    end = (block.card[at] != 0).sum(axis=1) - 1
    get["card"][at, end] = (block.card[at, end] - 48 + rng.integers(1, 10, len(at))) % 10 + 48

    get["consent"][who(block, "consent-none")] = -1
    at = who(block, "consent-late")
    get["consent"][at] = np.minimum(block.applied[at] + rng.integers(600, 7_200, len(at)), block.applied_day[at] * 86_400 + 86_399)
    at = who(block, "consent-withdrawn")
    get["consent"][at] = block.applied[at] - rng.integers(2 * 86_400, 40 * 86_400, len(at))
    get["withdrawn"][at] = block.applied[at] - rng.integers(1_800, 86_400, len(at))
    get["scope"][who(block, "consent-no-credit")] = 2

    # those who are somebody else in part: the somebody is one without a fault
    others = iter(np.array_split(strangers[: 5 * 200 * max(1, block.n // 4_096)], 5))
    for code, parts in (
        ("duplicate-person", ("id_number", "surname", "given", "male", "birth", "stated_birth", "stated_male", "card", "id_region", "order")),
        ("shared-phone", ("phone",)), ("shared-card", ("card",)), ("shared-device", ("device",)),
        ("second-application", ("id_number", "surname", "given", "male", "birth", "stated_birth", "stated_male", "card", "phone", "device", "contact",
                                "residence", "employer", "slip_employer", "former_employer", "work", "income", "discipline", "ties", "tenure", "is_student", "stated")),
    ):
        at, pool = who(block, code), next(others)
        at = at[: len(pool)]
        source = pool[: len(at)]
        for part in parts:
            get[part][at] = get[part][source]
        get["same_as"][at] = source
        if code == "second-application":  # the first of the two comes first
            early = np.minimum(block.applied[at], block.applied[source])
            late = np.maximum(block.applied[at], block.applied[source]) + 60
            late = np.minimum(late, block.as_of * 86_400 + 86_399)
            for rows, moment in ((source, early), (at, late)):
                get["consent"][rows] += moment - block.applied[rows]
                get["applied"][rows] = moment
                get["applied_day"][rows] = moment // 86_400
            get["second"][at] = True


def _rings(block: Block, rest: np.ndarray) -> np.ndarray:
    """Rings of strangers who share a device, a contact or a card, and pass money round. Returns those left over."""
    rng, n, get = block.rng("rings"), block.n, block.get
    get["ring"] = np.full(n, -1)
    free = rest[block.same_as[rest] < 0]
    used = np.unique(block.same_as[block.same_as >= 0])
    free = free[~np.isin(free, used)]
    count = int(n * RING_SHARE / ((RING_LEAST + RING_MOST) / 2) + rng.random())
    start = 0
    for ring in range(count):
        size = int(rng.integers(RING_LEAST, RING_MOST + 1))
        members = free[start: start + size]
        start += size
        if len(members) < RING_LEAST:
            break
        get["ring"][members] = ring
        shape = rng.integers(0, 4)  # what they share: a device; a contact and devices by pairs; a card by threes and a device; all
        if shape in (0, 2, 3):
            get["device"][members] = block.device[members[0]]
        if shape in (1, 3):
            get["contact"][members] = block.contact[members[0]]
        if shape == 1:
            get["device"][members] = block.device[members[np.arange(len(members)) // 2 * 2]]
        if shape in (2, 3):
            get["card"][members] = block.card[members[np.arange(len(members)) // 3 * 3]]
        get["discipline"][members] = block.discipline[members] * 0.5 - 0.6
        get["account_age"][members] = rng.integers(20, 200, len(members))
        get["residence"][members] = block.residence[members[0]]
    return free[start:]


def _families(block: Block, rest: np.ndarray) -> None:
    """Couples who both apply: each names the other as contact, some from one device. Nothing is wrong with them."""
    rng, get = block.rng("families"), block.get
    get["family"] = np.full(block.n, -1)
    couples = int(block.n * FAMILY_SHARE / 2)
    one, two = rest[: couples], rest[couples: 2 * couples]
    one = one[: len(two)]
    get["family"][one], get["family"][two] = two, one
    whole = (block.phone[:, 11:] == 0).all(axis=1)
    one, two = (side[whole[one] & whole[two]] for side in (one, two))
    get["contact"][one], get["contact"][two] = block.phone[two, :11], block.phone[one, :11]
    together = rng.random(len(one)) < 0.3
    get["device"][two[together]] = block.device[one[together]]


def _papers(block: Block, rng: np.random.Generator) -> None:
    """What the forgers have in hand; the rest is done where pay and statements are written."""
    draw_papers(block)
    get = block.get
    at = who(block, "pay-inflated")
    get["has_slips"][at] = get["has_statement"][at] = True
    get["slip_factor"][at] = rng.uniform(1.7, 3.0, len(at))
    at = who(block, "pay-invented")
    get["has_slips"][at] = get["has_statement"][at] = True
    get["fund_shown"][at] = False
    get["slip_factor"][at] = rng.uniform(1.0001, 1.5, len(at))
    firms = len(employers()[0]) - CIRCLE_FIRMS
    get["slip_employer"][at] = firms + rng.integers(0, CIRCLE_FIRMS, len(at))
    get["gross_months"][at] = rng.integers(12_000, 30_000, len(at))[:, None] * 100
    get["work"][at] = UNEMPLOYED
    get["before"][at] = get["is_student"][at] = False
    get["net"][at] = 0
    get["income"][at] = 0
    at = who(block, "statement-forged", "pay-circular", "gambling", "debts-heavy")
    get["has_statement"][at] = True
    at = who(block, "pay-circular")
    get["has_slips"][at] = get["fund_shown"][at] = False
    get["work"][at] = UNEMPLOYED
    get["circular_pay"] = block.income.copy()
    get["net"][at] = 0
    get["income"][at] = 0
    get["slip_employer"][at] = firms + rng.integers(0, CIRCLE_FIRMS, len(at))
