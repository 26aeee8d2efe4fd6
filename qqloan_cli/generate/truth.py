"""The hidden truth: what makes an applicant go bad within twelve months, and what was planted.

    log odds = -3.72
              + 1.15 * (strain - 0.45)         strain: what is due a month, this loan's instalment included, over true income, at most 1.6
              - 0.35 * ln(income / 8,000)      true income in yuan, 1,500 at least
              - 0.95 * discipline              latent, standard normal: 0.6 of what one has in common with those one knows, 0.8 one's own;
                                               seen in grids, inquiries, use of lines, holdings, pay that lasts, neighbours' outcomes
              - 0.30 * ties                    latent, standard normal; seen in activity, contacts, degree
              - 0.22 * min(tenure, 60) / 12    years with the employer; 1 for those without one
              + 0.35 * strain * (discipline < -0.5)      the one interaction
              + 1.9 in a ring, 1.3 with forged pay, 1.6 with circular pay, 1.1 gambling, 0.9 deep in debt,
                1.0 with a recent row of overdue months, 1.2 with a written-off loan, 0.4 with many inquiries

Bad is then one draw with that probability. The first term is set once, so that about 5 % go bad: no other block's people move it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qqloan_cli.generate import columns
from qqloan_cli.generate.block import WORK, Block
from qqloan_cli.generate.faults import CODE, FAMILY_SHARE, FAULTS, RING_LEAST, RING_SHARE

_BASE = -3.72
_FORGED = ("pay-inflated", "pay-invented", "statement-forged")
_ADDED = {
    "pay-inflated": 1.3, "pay-invented": 1.3, "statement-forged": 1.3, "pay-circular": 1.6, "gambling": 1.1, "debts-heavy": 0.9,
    "overdue-recent": 1.0, "written-off": 1.2, "inquiries-many": 0.4,
}


def strain(block: Block) -> np.ndarray:
    """What is due a month over true income, with an instalment of this loan at a tenth a year."""
    monthly = 0.10 / 12
    instalment = block.asked * monthly / (1 - (1 + monthly) ** -block.term.astype(np.float64))
    return np.minimum((block.due + instalment) / np.maximum(block.income, 150_000), 1.6)


def draw_truth(block: Block) -> None:
    rng, get = block.rng("truth"), block.get
    squeezed = strain(block)
    tenure = np.where(block.tenure > 0, np.minimum(block.tenure, 60) / 12, 1.0)
    odds = (
        _BASE + 1.15 * (squeezed - 0.45) - 0.35 * np.log(np.maximum(block.income, 150_000) / 800_000) - 0.95 * block.discipline
        - 0.30 * block.ties - 0.22 * tenure + 0.35 * squeezed * (block.discipline < -0.5) + 1.9 * (block.ring >= 0)
    )
    for code, more in _ADDED.items():
        odds = odds + more * (block.fault == CODE[code])
    get["pd"] = 1 / (1 + np.exp(-odds))
    get["bad"] = rng.random(block.n) < block.pd


def truth_applications(block: Block) -> dict[str, pa.Array]:
    codes = pa.array([fault.code for fault in FAULTS])
    ring = columns.joined(pa.scalar(f"R{block.number:05d}-"), columns.numbers(block.ring).cast(pa.string()))
    same = block.same_as
    return {
        "application_id": block.application_ids, "applicant_id": block.ids, "true_monthly_income": columns.money(block.income),
        "work": columns.words(pa.array(WORK), block.work.astype(np.int64)),
        "pay_forged": pa.array(np.isin(block.fault, [CODE[code] for code in _FORGED])),
        "fault": columns.words(codes, block.fault), "ring_id": columns.only(ring, block.ring >= 0),
        "shares_with": columns.only(block.application_ids.take(pa.array(np.maximum(same, 0))), same >= 0),
        "family_with": columns.only(block.application_ids.take(pa.array(np.maximum(block.family, 0))), block.family >= 0),
        "retired_region": pa.array(block.retired_region), "true_pd": pa.array(block.pd), "bad": pa.array(block.bad),
    }


def truth_outcomes(block: Block) -> dict[str, pa.Array]:
    return {
        "application_id": block.application_ids, "applicant_id": block.ids, "decided_at": columns.dates(block.applied_day),
        "observed_at": columns.dates(block.applied_day + 365), "bad": pa.array(block.bad),
    }


def readme() -> str:
    """What lies in the folder truth/, for people."""
    planted = "\n".join(f"| `{f.code}` | {f.share:.1%} | {f.meaning}{'; a trap, harmless' if f.harmless else ''} |" for f in FAULTS)
    return f"""# The hidden truth of this generated lender

Nothing here is input: the names begin with `truth_` and no command reads them but `qqloan train --outcomes`.

- `truth_applications.parquet`: a row an application: true monthly income (yuan, after tax, regular pay or margin alone, the mean of the
  six whole months before, at today's work), kind of work, forged pay, what was planted, ring, the application whose numbers it shares,
  the spouse who applies too, true probability of going bad within twelve months, and whether it did.
- `truth_outcomes.parquet`: application_id, applicant_id, decided_at, observed_at, bad. To train on.
- `truth_lines.parquet`: statement lines that are not regular pay nor spending, by what they truly are: own transfers (fund and
  wallet moves too), refunds, expense claims, fund withdrawals, bonuses, loan proceeds, gifts, circular money, raised pay.

## Probability of going bad

```
{__doc__.split(chr(10), 2)[2].strip()}
```

## Planted

About {RING_SHARE:.1%} of the applicants are in rings of {RING_LEAST} and more who share a device, a contact or cards and pass money round;
{FAMILY_SHARE:.1%} are couples who name each other as contact, some with one device: a trap, harmless. One fault at most in a person:

| fault | share | what |
|---|---|---|
{planted}
"""
