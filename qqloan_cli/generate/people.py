"""Who the people are: latent traits, work and true income. Adds columns to a block; nothing here is seen by a lender."""

from __future__ import annotations

import numpy as np

from qqloan_cli.generate.block import GIG, PENSIONER, SALARIED, SELF_EMPLOYED, STUDENT, UNEMPLOYED, Block, some_of
from qqloan_cli.generate.pay import MONTHS, net_pay
from qqloan_cli.generate.vocabulary import CIRCLE_FIRMS, employers

_YOUNGEST, _OLDEST = 20, 64
_KINDS = np.cumsum([0.71, 0.125, 0.085, 0.02, 0.055, 0.005])  # of WORK, before age has its say
_FUND_RATES = np.array([50, 70, 80, 100, 120])  # per mille
_SPECIAL = np.array([0, 0, 1_000, 1_500, 3_000]) * 100  # special extra deductions a month, fen


def draw_people(block: Block) -> None:
    """Latent traits (discipline and ties are standard normal, high is good), age, work, employer, and pay a month over MONTHS months.

    ``net``: (n, MONTHS) fen, oldest first, the last is the month of application: what truly comes in, regular pay only.
    ``income``: fen, the truth that the chain should find: the mean of the six whole months before the application, at today's work.
    """
    rng, n, get = block.rng("people"), block.n, block.get
    circle = rng.standard_normal(n)  # what people who know each other have in common
    get["circle"] = circle
    get["discipline"] = 0.6 * circle + 0.8 * rng.standard_normal(n)
    get["ties"] = 0.3 * circle + np.sqrt(1 - 0.09) * rng.standard_normal(n)
    get["male"] = rng.random(n) < 0.54
    age = _YOUNGEST + (_OLDEST + 1 - _YOUNGEST) * rng.beta(1.5, 2.4, n)
    get["birth"] = block.as_of - 3 - (age * 365.2425).astype(np.int64)

    work = some_of(rng, _KINDS, n)
    old, any_age = age >= 55, rng.random(n)
    work = np.where(old & (any_age < 0.45), PENSIONER, np.where((work == PENSIONER) & (age < 50), SALARIED, work))
    work = np.where(age < 24, np.where(any_age < 0.12, STUDENT, work), np.where(work == STUDENT, SALARIED, work))
    get["work"] = work.astype(np.int8)
    salaried = work == SALARIED

    firms = len(employers()[0]) - CIRCLE_FIRMS
    get["employer"] = np.where(salaried, (firms * rng.random(n) ** 2).astype(np.int64), -1)  # some firms are large
    get["former_employer"] = np.where(salaried, (firms * rng.random(n) ** 2).astype(np.int64), -1)
    tenure = (rng.exponential(44, n) * np.exp(0.25 * get["discipline"])).astype(np.int64) + 1
    get["tenure"] = np.where(salaried, np.minimum(tenure, ((age - 19) * 12).astype(np.int64)), -1)  # months with this employer

    z = 0.2 * get["discipline"] + np.sqrt(1 - 0.04) * rng.standard_normal(n)
    career = 0.25 * np.minimum((age - 20) / 20, 1) - 0.15
    gross = np.exp(np.log(10_800) + career + 0.48 * z)
    get["gross"] = (np.clip(gross, 3_000, 90_000) * 100).astype(np.int64) // 1000 * 1000
    get["pay_day"] = np.array([5, 8, 10, 10, 15, 15, 20, 25, 28, 30])[rng.integers(0, 10, n)]
    unsteady = np.where(rng.random(n) < 0.7, 0.003, 0.07 * rng.random(n))
    swing = np.exp(unsteady[:, None] * rng.standard_normal((n, MONTHS)))
    get["fund_rate"] = _FUND_RATES[rng.integers(0, 5, n)]
    get["has_fund"] = salaried & (rng.random(n) < 0.66)
    get["gross_months"] = np.where(salaried[:, None], (get["gross"][:, None] * swing).astype(np.int64), 0)
    before = MONTHS - 1 - np.arange(MONTHS)[None, :] > get["tenure"][:, None]  # months at the former employer
    get["before"] = before & salaried[:, None]
    get["gross_months"] = np.where(get["before"], (get["gross_months"] * (0.8 + 0.25 * rng.random(n))[:, None]).astype(np.int64), get["gross_months"])
    get["special"] = _SPECIAL[rng.integers(0, 5, n)]
    net = net_pay(get["gross_months"], get["fund_rate"] * get["has_fund"], get["special"], block.as_of)

    own = np.exp(np.log(9_800) + 0.55 * z) * np.exp(0.16 * rng.standard_normal((MONTHS, n)))
    gig = np.exp(np.log(6_300) + 0.33 * z) * np.exp(0.12 * rng.standard_normal((MONTHS, n)))
    pension = np.broadcast_to(np.exp(np.log(4_400) + 0.33 * z), (MONTHS, n))
    benefit = np.broadcast_to(np.where(rng.random(n) < 0.5, 1_650.0, 0.0), (MONTHS, n))
    for kind, monthly in ((SELF_EMPLOYED, own), (GIG, gig), (PENSIONER, pension), (UNEMPLOYED, benefit), (STUDENT, 0 * own)):
        net = np.where((work == kind)[:, None], (monthly.T * 100).astype(np.int64), net)
    get["net"] = net
    still = ~get["before"][:, :-1]
    get["income"] = (net[:, :-1] * still).sum(axis=1) // np.maximum(still.sum(axis=1), 1)
    get["income"] = np.where(still.any(axis=1), get["income"], net[:, -1])
    get["margin"] = np.clip(0.62 + 0.05 * rng.standard_normal(n), 0.45, 0.8)  # of the turnover of those in business
    get["account_age"] = (365 * np.exp(1.1 + 0.3 * get["ties"] + 0.7 * rng.standard_normal(n))).astype(np.int64)
