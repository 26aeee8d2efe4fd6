"""Pay by the tax and insurance rules, and what of it is on paper: pay slips and provident-fund months."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qqloan_cli.generate import columns
from qqloan_cli.generate.block import SALARIED, Block, day_in, month_of
from qqloan_cli.generate.vocabulary import employers

MONTHS = 7  # of evidence, the last being the month of application
_INSURANCE = 105  # per mille of the base: pension 8 %, medical 2 %, unemployment 0.5 %
_BASE_LEAST, _BASE_MOST = 420_000, 3_600_000  # fen a month: 60 % and 300 % of an average wage
_FUND_LEAST, _FUND_MOST = 260_000, 3_600_000
_FREE = 500_000  # fen a month without tax
_BRACKETS = np.array([0, 3_600_000, 14_400_000, 30_000_000, 42_000_000, 66_000_000, 96_000_000])  # fen a year, from
_RATES = np.array([3, 10, 20, 25, 30, 35, 45])  # percent
_QUICK = np.array([0, 252_000, 1_692_000, 3_192_000, 5_292_000, 8_592_000, 18_192_000])


def tax_of_year(taxable: np.ndarray) -> np.ndarray:
    """Tax in fen on taxable fen, cumulative within a year."""
    taxable = np.maximum(taxable, 0)
    bracket = np.searchsorted(_BRACKETS, taxable, side="left") - 1
    bracket = np.maximum(bracket, 0)
    return taxable * _RATES[bracket] // 100 - _QUICK[bracket]


def fund_base(gross: np.ndarray) -> np.ndarray:
    return np.clip(gross, _FUND_LEAST, _FUND_MOST) // 100 * 100


def net_pay(gross: np.ndarray, fund_rate: np.ndarray, special: np.ndarray, as_of: int) -> np.ndarray:
    """(n, MONTHS) fen received of (n, MONTHS) gross: insurance, fund (per mille) and cumulative withholding taken off."""
    calendar = (month_of(as_of) - (MONTHS - 1) + np.arange(MONTHS)) % 12 + 1
    insured = np.clip(gross, _BASE_LEAST, _BASE_MOST) * _INSURANCE // 1000
    fund = fund_base(gross) * fund_rate[:, None] // 1000
    taxable = gross - insured - fund - _FREE - special[:, None]
    tax = tax_of_year(taxable * calendar) - tax_of_year(taxable * (calendar - 1))
    return np.maximum(gross - insured - fund - tax, 0)


def draw_papers(block: Block) -> None:
    """Who has pay slips; who has statements is drawn here too, since one's lack is made up by the other."""
    rng, get = block.rng("pay"), block.get
    salaried = block.work == SALARIED
    slips = salaried & (rng.random(block.n) < 0.49)
    shown = np.array([0.54, 0.80, 0.76, 0.70, 0.40, 0.30])[block.work]
    shown = np.where(salaried & ~slips & ~block.has_fund, 0.78, shown)
    get["has_slips"] = slips & ~block.second
    get["has_statement"] = (rng.random(block.n) < shown) & ~block.second
    get["fund_shown"] = block.has_fund & ~block.second
    get["slip_factor"] = np.ones(block.n)
    get["base_share"] = 0.9 + 0.1 * rng.random(block.n)


def month_grid(block: Block, who: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(who, month column, day) of the paydays of ``who`` in the evidence that lie before the application."""
    months = month_of(block.as_of) - (MONTHS - 1) + np.arange(MONTHS)
    days = day_in(months[None, :], day[who][:, None])
    past = days < block.applied_day[who][:, None]
    past[:, 0] &= ~past[:, -1]  # six of them: the running month's in place of the oldest
    row, column = np.nonzero(past)
    return who[row], column, days[row, column]


def payroll(block: Block) -> dict[str, pa.Array]:
    who, month, day = month_grid(block, np.flatnonzero(block.has_slips), block.pay_day)
    factor = block.slip_factor[who]
    gross = np.where(factor != 1, (block.gross_months[who, month] * factor).astype(np.int64) // 10_000 * 10_000, block.gross_months[who, month])
    net = np.where(factor != 1, gross * 86 // 100, block.net[who, month])
    employer = np.where(block.before[who, month], block.former_employer[who], block.slip_employer[who])
    return {
        "applicant_id": block.ids.take(pa.array(who)), "pay_date": columns.dates(day),
        "employer": columns.words(employers()[0], employer), "gross": columns.money(gross), "net": columns.money(net),
    }


def provident_fund(block: Block) -> dict[str, pa.Array]:
    """Six months, the running one not yet paid; the base is last year's average, so it lags behind pay."""
    who = np.repeat(np.flatnonzero(block.fund_shown), MONTHS - 1)
    month = np.tile(np.arange(MONTHS - 1), len(who) // (MONTHS - 1))
    base = fund_base((block.gross_months[who, 0] * block.base_share[who]).astype(np.int64))
    amount = (base * block.fund_rate[who] // 1000 + 50) // 100 * 100
    employer = np.where(block.before[who, month], block.former_employer[who], block.employer[who])
    first = day_in(month_of(block.as_of) - (MONTHS - 1) + month, 1)
    return {
        "applicant_id": block.ids.take(pa.array(who)), "month": columns.dates(first), "employer": columns.words(employers()[0], employer),
        "base": columns.money(base), "personal_amount": columns.money(amount), "employer_amount": columns.money(amount),
    }
