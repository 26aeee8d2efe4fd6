"""To whom the money goes: the borrower, or the merchant whose goods or works it pays for (entrusted payment)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Mapping

import numpy as np

from qqloan_cli.policy.products import Lender, Product
from qqloan_cli.policy.regulation import Rulebook

FEN = 100
NEVER = np.iinfo(np.int64).max
MERCHANT_PAPERS = "contract with the merchant on file"


@dataclass(frozen=True)
class Payees:
    """By plan, the unknown product last: the product pays merchants, and above how many fen any loan must (a huge number: never)."""

    merchant: np.ndarray
    self_payment_fen: np.ndarray

    def to_merchant(self, plan: np.ndarray, amount_fen: np.ndarray) -> np.ndarray:
        return self.merchant[plan] | (amount_fen > self.self_payment_fen[plan])

    @classmethod
    def of(cls, products: Mapping[str, Product], lender: Lender, rulebook: Rulebook, date: datetime.date) -> "Payees":
        """By product in order of name, as on ``date``. A kind of product that no rule names pays itself out at any amount."""
        limits = rulebook.binding(lender, "self_payment_max", date)
        merchant, most = [], []
        for name in sorted(products):
            kind = products[name].kind
            merchant.append(products[name].payee_kind == "merchant")
            most.append(min((int(rule.value * FEN) for rule in limits if rule.product_kind in (None, kind)), default=NEVER))
        # Of a product that nobody knows any more the strictest limit is the safe one.
        return cls(np.array(merchant + [False]), np.array(most + [min(most, default=NEVER)], np.int64))
