"""Which strategy a borrower is under: a salted hash of applicant_id against the arms' shares, so that the same borrower is always in the same arm."""

from __future__ import annotations

from qqloan_cli.engine.session import literal
from qqloan_cli.policy.collections import Arms

_WHOLE = 1 << 32


def arm_of(arms: Arms, column: str = "applicant_id") -> str:
    """SQL: the arm. The leading 32 bits of sha256(salt:applicant_id) fall into the arms' shares, in the order of the arms' names."""
    place = f"CAST('0x' || substr(sha256({literal(arms.salt + ':')} || {column}), 1, 8) AS BIGINT)"
    cases, upto = [], 0
    for name, share in sorted(arms.shares.items()):
        upto += share
        cases.append(f"WHEN {place} < {int(upto * _WHOLE)} THEN {literal(name)}")
    return f"CASE {' '.join(cases)} END"
