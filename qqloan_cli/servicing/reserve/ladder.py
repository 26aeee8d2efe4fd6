"""The liquidity ladder of a book: by source of funds and band of days, what is to come in, what goes out, and the gap.

Seen from the lender's till: in comes what borrowers pay on a source's part of their loans, principal and interest; out goes what is drawn of it, what the source
wants back, and what the pool is to have for it. What overdue instalments bring is expected, but none of it is contractual: they were due
before. What a source wants back in a month leaves on the month's first day; contributions leave on its last.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.policy.funding import Funding
from qqloan_cli.policy.reserve import Reserve, Scenario
from qqloan_cli.policy.servicing import Settlement
from qqloan_cli.servicing.reserve.cells import RUNGS, Cells

DAY = datetime.timedelta(1)
ALL = "all"


def due(con, settlement: Settlement) -> dict[str, list[tuple]]:
    """What ladder.sql leaves, of what ``cells.look`` left of a book."""
    con.execute("SET VARIABLE interest_to = $1::VARCHAR", [None if settlement.interest == "shares" else settlement.interest])
    con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    return {name: con.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in ("ladder_due", "ladder_drawn", "stands")}


@dataclass(frozen=True)
class Due:
    """``rows``: (source, rung, month, principal, interest) to come, month 0 after the last one looked at. ``drawn`` [sources, rungs] is to be
    drawn; ``stands`` [sources] is outstanding now; ``own``, ``covered``: which sources are."""

    sources: list[str]
    rows: list[tuple]
    drawn: np.ndarray
    stands: np.ndarray
    own: np.ndarray
    covered: np.ndarray
    institutions: list[str]

    @classmethod
    def of(cls, told: dict[str, list[tuple]], reserve: Reserve, funding: Funding) -> "Due":
        own = sorted(name for name, source in funding.sources.items() if source.kind == "own")
        sources = sorted({*(row[0] for rows in told.values() for row in rows), *own})
        drawn, stands = np.zeros((len(sources), len(RUNGS))), np.zeros(len(sources))
        for source, rung, fen in told["ladder_drawn"]:
            drawn[sources.index(source), rung] += fen
        for source, fen in told["stands"]:
            stands[sources.index(source)] += fen
        funders = reserve.cover.funders(funding)
        return cls(
            sources, told["ladder_due"], drawn, stands, np.array([name in own for name in sources]), np.array([name in funders for name in sources]),
            sorted(name for name, source in funding.sources.items() if source.kind == "institution"))

    def contractual(self, months: int) -> np.ndarray:
        """[2, sources, rungs, months + 1] principal and interest."""
        found = np.zeros((2, len(self.sources), len(RUNGS), months + 1))
        for source, rung, month, principal, interest in self.rows:
            found[:, self.sources.index(source), rung, month] += (principal, interest)
        return found


def rung_of(days: int) -> int:
    return max(place for place, (_, first) in enumerate(RUNGS) if first <= days)


def ladder(due: Due, cells: Cells, scenarios: list[tuple[str, Scenario, dict[str, np.ndarray], np.ndarray]]) -> pa.Table:
    """``scenarios``: (name, scenario, means by month of balance, paid and all_interest, contributions by month). A row a scenario, source
    (and all of them) and band: fen; the gap adds up from the first band on."""
    contractual = due.contractual(len(cells.ends))
    rows = []
    for name, scenario, mean, contributed in scenarios:
        flows = {
            "contractual_in": contractual.sum(axis=(0, 3)), "expected_in": _expected(due, cells, contractual, mean), "drawn_out": _drawn(due, scenario),
            "run_off_out": _run_off(due, cells, scenario), "pool_out": _contributions(due, cells, contributed),
        }
        flows = {what: np.rint(fen).astype(np.int64) for what, fen in flows.items()}
        for place, source in [*enumerate(due.sources), (slice(None), ALL)]:
            gap = 0
            for rung, (band, _) in enumerate(RUNGS):
                row = {f"{what}_fen": int(np.sum(fen[place, rung])) for what, fen in flows.items()}
                net = row["expected_in_fen"] - row["drawn_out_fen"] - row["run_off_out_fen"] - row["pool_out_fen"]
                gap += net
                rows.append({"scenario": name, "source": source, "band": band, **row, "net_fen": net, "cumulative_fen": gap})
    return pa.Table.from_pylist(rows)


def _expected(due: Due, cells: Cells, contractual: np.ndarray, mean: dict[str, np.ndarray]) -> np.ndarray:
    """[sources, rungs]. A month's mean, over sources and bands as what is contractual in it; where nothing is, as what stands, on its last day.
    After the last month: what is contractual then, as far as its balance is still there."""
    found = np.zeros((len(due.sources), len(RUNGS)))
    share = due.stands / due.stands.sum() if due.stands.sum() else np.zeros(len(due.stands))
    for what, name in enumerate(("paid", "all_interest")):
        for month, end in enumerate(cells.ends):
            agreed = contractual[what, :, :, month + 1]
            if agreed.sum():
                found += mean[name][month] * agreed / agreed.sum()
            else:
                found[:, rung_of((end - cells.start).days)] += mean[name][month] * share
    later = contractual[0, :, :, 0].sum()
    left = min(mean["balance"][-1] / later, 1.0) if later else 0.0
    return found + left * contractual[:, :, :, 0].sum(axis=0)


def _drawn(due: Due, scenario: Scenario) -> np.ndarray:
    """What funders withdraw is still promised to borrowers: the lender's own money steps in."""
    leaves = np.array([float(scenario.withdrawn) if name in (scenario.sources or due.institutions) else 0.0 for name in due.sources])
    found = due.drawn * (1 - leaves)[:, None]
    found[np.flatnonzero(due.own)[:1]] += (due.drawn * leaves[:, None]).sum(axis=0)
    return found


def _run_off(due: Due, cells: Cells, scenario: Scenario) -> np.ndarray:
    found = np.zeros((len(due.sources), len(RUNGS)))
    wants = np.array([name in (scenario.sources or due.institutions) for name in due.sources])
    firsts = [cells.start + DAY, *(end + DAY for end in cells.ends)]
    for share, day in zip(scenario.run_off, firsts):
        found[:, rung_of((day - cells.start).days)] += float(share) * due.stands * wants
    return found


def _contributions(due: Due, cells: Cells, contributed: np.ndarray) -> np.ndarray:
    found = np.zeros((len(due.sources), len(RUNGS)))
    part = due.stands * due.covered
    part = part / part.sum() if part.sum() else due.covered / max(due.covered.sum(), 1)
    for fen, end in zip(contributed, cells.ends):
        found[:, rung_of((end - cells.start).days)] += fen * part
    return found
