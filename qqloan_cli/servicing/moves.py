"""Movements of money from account to account, of which the ledger is made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

ACCOUNTS = (
    "cash", "principal", "interest", "penalty", "fees", "interest_income", "penalty_income", "fee_income", "advance", "unmatched", "written_off", "recovery", "waived",
)
CASH, PRINCIPAL, INTEREST, PENALTY, FEES, INTEREST_INCOME, PENALTY_INCOME, FEE_INCOME, ADVANCE, UNMATCHED, WRITTEN_OFF, RECOVERY, WAIVED = range(len(ACCOUNTS))
DRAWDOWN, BY_TIME, FROM_ADVANCE, DUE = -1, -2, -3, -10  # what moved money, where no event did; DUE - k: instalment k fell due


@dataclass
class Moves:
    """Columns of equal length, a movement each: ``lane``, ``day``, ``event`` (a row of the events, or DRAWDOWN ...), ``debit``, ``credit``, ``fen``."""

    parts: dict[str, list[np.ndarray]] = field(default_factory=lambda: {name: [] for name in ("lane", "day", "event", "debit", "credit", "fen")})

    def add(self, lane: np.ndarray, day, event, debit: int, credit: int, fen: np.ndarray) -> None:
        some = fen != 0
        if not some.any():
            return
        for name, value in (("lane", lane), ("day", day), ("event", event), ("debit", debit), ("credit", credit), ("fen", fen)):
            self.parts[name].append(np.broadcast_to(np.asarray(value, np.int64), lane.shape)[some])

    def columns(self) -> dict[str, np.ndarray]:
        return {name: np.concatenate(values) if values else np.zeros(0, np.int64) for name, values in self.parts.items()}
