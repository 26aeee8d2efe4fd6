"""The risk reserve pool of a book under scenarios: what it is expected to pay, how bad that may get, and whether what is in it and goes into it will do.

A pool is not held at zero: a path on which it falls below is one on which it is exhausted, and goes on. Losses are what the pool pays less
what comes back to it, by the month's end.
"""

from __future__ import annotations

import datetime
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import connect
from qqloan_cli.engine.workers import each
from qqloan_cli.errors import InputError, UsageError
from qqloan_cli.policy.reserve import Reserve, Scenario
from qqloan_cli.policy.servicing import load_servicing
from qqloan_cli.servicing.reserve import pool
from qqloan_cli.servicing.book import Book, month_ends
from qqloan_cli.servicing.reserve.cells import Cells, bind_panel, look
from qqloan_cli.servicing.reserve.ladder import Due, due, ladder
from qqloan_cli.servicing.panel import write_days
from qqloan_cli.servicing.reserve.simulate import CHUNK, Chances, Paths, Stress, at_least, chunks, monthly, needed

VIEWS = ("summary", "months", "pool", "ladder")
LOSSES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_POOL = {"p001": 0.001, "p01": 0.01, "p05": 0.05, "p50": 0.5}
_WORTH_SEVERAL = 4_000  # paths of all scenarios


@dataclass(frozen=True)
class Asked:
    """``panel``: files, or none: the book's is made. ``scenarios``: names, or none: all that are configured."""

    config: Path
    book: Book | None
    panel: list[Path]
    at: datetime.date | None
    scenarios: list[str]
    months: int = 12
    paths: int = 10_000
    seed: int = 1
    target: float = 0.99
    workers: int = 1


@dataclass(frozen=True)
class Going:
    """A scenario's paths: ``compensation``, ``recovered``, ``contribution`` [paths, months] and ``interest`` that contributions are taken of, fen;
    ``given``: contributions of what is drawn [months]; ``mean`` [months] over the paths of the whole book's flows;
    ``correlation`` of a month's moves."""

    name: str
    scenario: Scenario
    opening_fen: int
    compensation: np.ndarray
    recovered: np.ndarray
    interest: np.ndarray
    given: np.ndarray
    of_interest: np.ndarray
    mean: dict[str, np.ndarray]
    correlation: float

    @property
    def loss(self) -> np.ndarray:
        """[paths, months] by the end of each."""
        return np.cumsum(self.compensation - self.recovered, axis=1)

    @property
    def contribution(self) -> np.ndarray:
        return self.given + self.interest * self.of_interest

    @property
    def balance(self) -> np.ndarray:
        """[paths, months] what is in the pool at the end of each."""
        return self.opening_fen + np.cumsum(self.contribution + self.recovered - self.compensation, axis=1)


@dataclass(frozen=True)
class Found:
    asked: Asked
    cells: Cells
    target: float
    going: list[Going]
    due: Due | None
    notes: list[tuple[str, str]]

    def view(self, name: str) -> pa.Table:
        return {"summary": summary, "months": by_month, "ladder": ladder_of}[name](self)


def project(asked: Asked, with_ladder: bool = False) -> Found:
    """Raises UsageError at a day that is not closed, or at a scenario that is not configured."""
    reserve, funding = pool.policies(asked.config)
    names = asked.scenarios or list(reserve.scenario)
    unknown = [name for name in names if name not in reserve.scenario]
    if unknown:
        raise UsageError("scenario-unknown", f"there is no scenario {unknown[0]}", "--scenario", f"There are: {', '.join(reserve.scenario)}.")
    if with_ladder and asked.book is None:
        raise UsageError("ladder-without-book", "a panel does not say who funded what", "--view", "Name the book with --book.")
    with tempfile.TemporaryDirectory(prefix="qqloan-reserve-") as scratch:
        con = connect(2, 2_000, Path(scratch))
        try:
            start = _panel(con, asked, Path(scratch))
            opening = reserve.pool.opening * 100
            if asked.book is not None:
                pool.bind(con, asked.book, start, asked.config)
                opening = pool.standing(con, reserve)
            cells = look(con, reserve, asked.book, start, asked.months)
            owed = due(con, load_servicing(asked.config).settlement) if with_ladder else None
        finally:
            con.close()
    going = _simulate(asked, reserve, cells, opening, list(dict.fromkeys(names)))
    return Found(asked, cells, asked.target, going, Due.of(owed, reserve, funding) if owed else None, _notes(asked, reserve, cells))


def _panel(con, asked: Asked, scratch: Path) -> datetime.date:
    """The day on which the balances stand: the one asked for where the panel is made here, else the panel's last month by then."""
    at = asked.at
    if asked.book is not None:
        at = at or asked.book.closed_to
        if at is None:
            raise UsageError("day-not-closed", "no day of the book is closed", "--book", f"qqloan servicing close --book {asked.book.root} --to DATE closes one.")
        asked.book.must_be_closed(at, "--at")
    if asked.panel:
        start = bind_panel(con, asked.panel, at)
        if start is None:
            raise InputError("panel-empty", f"no month of the panel ends by {at}" if at else "the panel has no rows", str(asked.panel[0]), "Name a later day, or write the panel again.")
        return start
    days = sorted({*month_ends(datetime.date.fromisoformat(asked.book.document["opened_on"]), at), at})
    write_days(asked.book, days, scratch / "panel.parquet", asked.workers)
    bind_panel(con, [scratch / "panel.parquet"], at)
    return at


def _simulate(asked: Asked, reserve: Reserve, cells: Cells, opening: int, names: list[str]) -> list[Going]:
    factor, regions = reserve.factor, reserve.segments.names
    of_month = monthly(factor.correlation, cells.whole, factor.persistence, reserve.cover.trigger) if factor.over == "year" else factor.correlation
    chances = Chances(
        of_month, factor.between_regions, factor.persistence, reserve.noise.loans == "poisson", reserve.cover.trigger,
        1 - float(reserve.recovery.cost), float(reserve.recovery.after_write_off))
    stresses = {name: _stress(name, reserve, regions) for name in names}
    tasks = chunks(list(stresses.values()), asked.paths)
    paths = Paths(cells.exposure, cells.moves, chances, asked.months, asked.seed)
    several = asked.workers if asked.paths * len(names) >= _WORTH_SEVERAL else 1
    parts = {(stress.name, chunk): found for (stress, chunk, _), found in each(tasks, paths, several)}
    agreed = [reserve.contributes(day) for day in cells.ends]
    going = []
    for name, stress in stresses.items():
        of = [parts[name, chunk] for chunk in range(-(-asked.paths // CHUNK))]
        whole = {what: np.concatenate([part[what] for part in of]) for what in ("compensation", "recovered", "interest")}
        mean = {what: sum(part[what] for part in of) / asked.paths for what in ("balance", "paid", "all_interest")}
        given = cells.drawn_fen * (1 - stress.withdrawn) * np.array([float(one.of_drawn) for one in agreed])
        going.append(Going(name, reserve.scenario[name], opening, **whole, given=given, of_interest=np.array([float(one.of_interest) for one in agreed]), mean=mean, correlation=of_month))
    return going


def _stress(name: str, reserve: Reserve, regions: list[str]) -> Stress:
    scenario = reserve.scenario[name]
    common = math.sqrt(reserve.factor.between_regions) * scenario.common
    return Stress(name, np.array([common + scenario.regions.get(region, 0.0) for region in regions]), float(scenario.withdrawn))


def _notes(asked: Asked, reserve: Reserve, cells: Cells) -> list[tuple[str, str]]:
    notes = []
    assumed = reserve.unverified(cells.start)
    if assumed:
        notes.append(("reserve-assumed", f"{', '.join(assumed)} of reserve.toml: assumed, or not verified up to {cells.start}."))
    if cells.thin:
        notes.append(("reserve-prior", f"Too few loans moved from {', '.join(cells.thin)}: the configured prior counts for more there than the book."))
    if not cells.covered_fen:
        notes.append(("reserve-covers-nothing", "No loan has a part that the pool stands for: see [cover] in reserve.toml."))
    if asked.at and cells.start != asked.at:
        notes.append(("reserve-from-panel", f"The panel's last month by {asked.at} is {cells.start}: everything is seen from there."))
    return notes


# --- views ---


def summary(found: Found) -> pa.Table:
    return pa.Table.from_pylist([_summary(found, going) for going in found.going])


def _summary(found: Found, going: Going) -> dict:
    cells, loss, paths = found.cells, going.loss, len(going.interest)
    at_end, balance = loss[:, -1], going.balance
    year = going.compensation[:, :12].sum(axis=1).mean()
    failed = int((balance.min(axis=1) < 0).sum())
    p99 = _quantile(at_end, 0.99)
    net = going.recovered - going.compensation
    of_interest = at_least(needed(going.opening_fen, going.given + net, going.interest), found.target)
    top_up = at_least(-np.minimum(balance.min(axis=1), 0), found.target)
    return {
        "scenario": going.name, "at": cells.start, "months": len(cells.ends), "paths": paths, "seed": found.asked.seed, "monthly_correlation": round(going.correlation, 6), "loans": cells.loans,
        "outstanding_fen": _fen(cells.standing_fen), "covered_fen": _fen(cells.covered_fen), "pool_fen": going.opening_fen,
        "compensation_fen": _fen(going.compensation.sum(axis=1).mean()), "recovered_fen": _fen(going.recovered.sum(axis=1).mean()),
        "contribution_fen": _fen(going.contribution.sum(axis=1).mean()),
        "expected_loss_fen": _fen(at_end.mean()), "expected_loss_se_fen": _fen(at_end.std(ddof=1) / math.sqrt(paths)) if paths > 1 else None,
        **{f"loss_{name}_fen": _fen(_quantile(at_end, share)) for name, share in LOSSES.items()},
        "coverage_of_expected": _ratio(going.opening_fen, year), "coverage_of_p99": _ratio(going.opening_fen, p99),
        "exhaustion": round(failed / paths, 6), "exhaustion_se": _standard_error(failed, paths),
        "target": found.target, "of_interest": float(going.of_interest[0]),
        "of_interest_needed": math.ceil(of_interest * 1e6 - 1e-6) / 1e6 if math.isfinite(of_interest) else None, "top_up_needed_fen": math.ceil(top_up),
    }


def by_month(found: Found) -> pa.Table:
    rows = []
    for going in found.going:
        loss, balance = going.loss, going.balance
        low = np.minimum.accumulate(balance, axis=1)
        for month, end in enumerate(found.cells.ends):
            failed = int((low[:, month] < 0).sum())
            rows.append({
                "scenario": going.name, "month": end, "outstanding_fen": _fen(going.mean["balance"][month]), "compensation_fen": _fen(going.compensation[:, month].mean()),
                "recovered_fen": _fen(going.recovered[:, month].mean()), "contribution_fen": _fen(going.contribution[:, month].mean()), "expected_loss_fen": _fen(loss[:, month].mean()),
                **{f"loss_{name}_fen": _fen(_quantile(loss[:, month], share)) for name, share in LOSSES.items()},
                **{f"pool_{name}_fen": _fen(_quantile(balance[:, month], share)) for name, share in _POOL.items()},
                "exhaustion": round(failed / len(loss), 6), "exhaustion_se": _standard_error(failed, len(loss)),
            })
    return pa.Table.from_pylist(rows)


def ladder_of(found: Found) -> pa.Table:
    return ladder(found.due, found.cells, [(going.name, going.scenario, going.mean, going.contribution.mean(axis=0)) for going in found.going])


def _fen(value: float) -> int:
    return round(float(value))


def _ratio(part: float, of: float) -> float | None:
    return round(part / of, 6) if of > 0 else None


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share, method="inverted_cdf"))


def _standard_error(hits: int, of: int) -> float:
    """Of a share, as Agresti and Coull have it: above 0 also where nothing, or everything, was hit."""
    share = (hits + 2) / (of + 4)
    return round(math.sqrt(share * (1 - share) / (of + 4)), 6)
