"""What the applicants ask for and the identity they show: numbers as matrices of ASCII, so that faults can be planted in them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qqloan_cli.generate import columns, identity
from qqloan_cli.generate.block import STUDENT, Block, some_of
from qqloan_cli.generate.regions import CURRENT, RETIRED
from qqloan_cli.generate.vocabulary import employers, name_parts

PRODUCTS = ("cash_loan", "renovation_loan", "bridge_loan")
_SHARES = np.cumsum([0.7, 0.2, 0.1])
# product: months of income asked for (median), least, most and step in yuan, terms, oldest age
_ASKED = (
    (5.5, 10_000, 200_000, 1_000, (6, 9, 12, 12, 18, 24, 24, 36, 36)),
    (11.0, 50_000, 300_000, 5_000, (12, 18, 24, 36, 36, 48, 60)),
    (3.0, 10_000, 100_000, 1_000, (3, 6, 6, 9, 12)),
)
_PURPOSES = (
    "consumption consumption consumption travel medical wedding education electronics furniture family".split(),
    "renovation renovation renovation furniture appliances".split(),
    "consumption family medical education".split(),
)
_ALL_PURPOSES = sorted({purpose for purposes in _PURPOSES for purpose in purposes})
_SCOPES = ("credit;income;social", "credit;income", "income;social")
_PREFIXES = identity.ascii_rows(
    "134 135 136 137 138 139 150 151 152 157 158 159 178 182 183 184 187 188 195 197 198 130 131 132 155 156 166 175 176 185 186 196 133 153 173 177 180 181 189 190 191 193 199".split()
)
_VIRTUAL = identity.ascii_rows("162 165 167 170 171".split())
_DEBIT = identity.ascii_rows("621226 621700 622848 621661 622262 621483 622908 623058 621098 622568".split())
_CREDIT = identity.ascii_rows("622575 625919 628366 622155 625802 622918".split())


def phones(rng: np.random.Generator, index: np.ndarray, start: int) -> np.ndarray:
    """(n, 11) mobile numbers, different for different ``index``; one in thirty of a virtual operator. 1349 is satellite and not drawn."""
    n = len(index)
    prefix = np.where((rng.random(n) < 0.033)[:, None], _VIRTUAL[rng.integers(0, len(_VIRTUAL), n)], _PREFIXES[rng.integers(0, len(_PREFIXES), n)])
    body = identity.digits(identity.scattered(index, 10**8, 61_803_399, start), 8)
    satellite = (prefix == np.frombuffer(b"134", np.uint8)).all(axis=1) & (body[:, 0] == ord("9"))
    prefix[satellite, 2] = ord("5")
    return np.hstack([prefix, body])


def draw_applications(block: Block) -> None:
    rng, n, get = block.rng("application"), block.n, block.get
    index = block.first + np.arange(n)
    age = (block.as_of - block.birth) / 365.2425

    # what for
    product = some_of(rng, _SHARES, n)
    product = np.where((age >= 57) | (age < 22.2), 0, product)  # the other two are not for everybody
    asked, term, purpose = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    taste, pick, why = rng.standard_normal(n), rng.random(n), rng.random(n)
    for number, (months, least, most, step, terms) in enumerate(_ASKED):
        here = product == number
        amount = np.clip(np.maximum(block.income, 250_000) / 100 * months * np.exp(0.5 * taste), least, most)
        asked[here] = (amount // step * step)[here].astype(np.int64) * 100
        reach = np.clip(0.55 * pick + 0.45 * (amount / np.maximum(block.income / 100, 2_500) / months / 1.6), 0, 0.999)  # more asked, longer term
        term[here] = np.array(terms)[(reach * len(terms)).astype(int)][here]
        choices = np.array([_ALL_PURPOSES.index(p) for p in _PURPOSES[number]])
        purpose[here] = choices[(why * len(choices)).astype(int)][here]
    get["product"], get["asked"], get["term"], get["purpose"] = product, asked, term, purpose
    day = block.as_of - rng.integers(0, 3, n)
    get["applied"] = day * 86_400 + (7 * 3600 + rng.beta(2, 1.8, n) * 15.9 * 3600).astype(np.int64)  # from 7 in the morning to nearly 11
    get["applied_day"] = day
    get["consent"] = get["applied"] - rng.integers(40, 3_600, n)
    get["withdrawn"] = np.full(n, -1)
    get["scope"] = np.where(rng.random(n) < 0.92, 0, 1)
    get["stated"] = np.where(
        rng.random(n) < 0.08, -1,
        (block.income * np.exp(0.05 + 0.1 * rng.standard_normal(n))).astype(np.int64) // 10_000 * 10_000,
    )
    get["stated"] = np.where(get["stated"] == 0, -1, get["stated"])

    # who
    regions = identity.ascii_rows(CURRENT)
    home = rng.integers(0, len(CURRENT), n)
    get["residence"] = np.where(rng.random(n) < 0.55, home, rng.integers(0, len(CURRENT), n))
    code = regions[home]
    # some carry a code that has been abolished since: of those in force when they were born
    retired = identity.ascii_rows(list(RETIRED))
    which = rng.integers(0, len(RETIRED), n)
    carried = (rng.random(n) < 0.015) & (np.array(list(RETIRED.values()))[which] > (block.birth / 365.2425 + 1971))
    get["id_region"] = np.where(carried[:, None], retired[which], code)
    get["retired_region"] = carried
    # blocks take turns with a fifth of a hundredth of the order numbers, so that hardly any two people share an ID by chance
    half = (block.number % 100 * 5 + rng.integers(0, 5, n)) * 137 % 500
    get["order"] = half * 2 + block.male
    _make_different(block)
    get["id_number"] = identity.resident_ids(block.id_region, block.birth.astype("datetime64[D]"), block.order)
    get["phone"] = np.hstack([phones(rng, index, 12_345_679), np.zeros((n, 2), np.uint8)])
    get["contact"] = phones(rng, index, 62_345_677)
    credit_card = rng.random(n) < 0.04
    debit = identity.cards(_DEBIT[rng.integers(0, len(_DEBIT), n)], identity.digits(identity.scattered(index, 10**12, 618_033_988_749, 271_828_182_845), 12))
    credit = identity.cards(_CREDIT[rng.integers(0, len(_CREDIT), n)], identity.digits(identity.scattered(index, 10**9, 618_033_989, 271_828_183), 9))
    get["card"] = np.where(credit_card[:, None], np.hstack([credit, np.zeros((n, 3), np.uint8)]), debit)
    get["device"] = identity.hexadecimal(identity.mixed(index, block.seed + 1))
    get["surname"] = some_of(rng, name_parts()[1], n)
    men, women = len(name_parts()[2]), len(name_parts()[3])
    get["given"] = (np.where(block.male, men, women) * rng.random(n) ** 1.2).astype(np.int64)
    # what is stated beside the documents, until a fault makes it differ
    get["stated_birth"], get["stated_male"] = block.birth.copy(), block.male.copy()
    get["is_student"] = block.work == STUDENT
    get["slip_employer"] = block.employer.copy()
    get["same_as"] = np.full(n, -1)
    get["second"] = np.zeros(n, bool)


def _make_different(block: Block) -> None:
    """Moves the order number of those whose region, birth and order fell together within the block."""
    for _ in range(50):
        key = (columns_key(block.id_region) * 100_000 + block.birth) * 1_000 + block.order
        _, firsts = np.unique(key, return_index=True)
        again = np.ones(block.n, bool)
        again[firsts] = False
        if not again.any():
            return
        block.order[again] = (block.order[again] + 2) % 1_000


def columns_key(rows: np.ndarray) -> np.ndarray:
    """Integers of (n, 6) digits."""
    return (rows.astype(np.int64) - 48) @ 10 ** np.arange(5, -1, -1)


def names(block: Block) -> pa.Array:
    surnames, _, men, women = name_parts()
    given = pa.concat_arrays([men, women]).take(pa.array(np.where(block.male, 0, len(men)) + block.given))
    return columns.joined(surnames.take(pa.array(block.surname)), given)


def applicants(block: Block) -> dict[str, pa.Array]:
    firms, codes = employers()
    consented = block.consent >= 0
    return {
        "application_id": block.application_ids, "applicant_id": block.ids, "name": block.names,
        "id_number": columns.fixed_text(block.id_number), "phone": columns.fixed_text(block.phone), "bank_card": columns.fixed_text(block.card),
        "birth_date": columns.dates(block.stated_birth), "gender": columns.words(pa.array(["female", "male"]), block.stated_male.astype(np.int64)),
        "employer": columns.words(firms, block.slip_employer),
        "employer_uscc": columns.fixed_text(codes[np.maximum(block.slip_employer, 0)], block.slip_employer >= 0),
        "region": columns.words(pa.array(CURRENT), block.residence),
        "product": columns.words(pa.array(PRODUCTS), block.product), "purpose": columns.words(pa.array(_ALL_PURPOSES), block.purpose),
        "requested_amount": columns.money(block.asked), "term_months": columns.numbers(block.term),
        "applied_at": columns.moments(block.applied), "consent_at": columns.moments(block.consent, consented),
        "consent_scope": columns.words(pa.array(_SCOPES), np.where(consented, block.scope, -1)),
        "consent_withdrawn_at": columns.moments(block.withdrawn, block.withdrawn >= 0),
        "device_id": columns.fixed_text(block.device), "contact_phone": columns.fixed_text(block.contact),
        "student": pa.array(block.is_student), "stated_monthly_income": columns.money(block.stated, block.stated >= 0),
    }
