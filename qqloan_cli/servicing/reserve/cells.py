"""A book as the Monte Carlo wants it: balances by region group, months on book and bucket; shares of moves; what falls due; what is to be drawn.

It is read from the book's panel in one pass. A segment's shares are pulled towards the whole book's, and those towards the configured
prior, the more the fewer loans they are of: n effective moves count n, the wider figure as many as the configuration says.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.session import duckdb_error, literal
from qqloan_cli.errors import InputError
from qqloan_cli.policy.reserve import LIVE, STATES, Reserve
from qqloan_cli.servicing.book import DAY, Book
from qqloan_cli.servicing.reserve.simulate import Exposure, Moves
from qqloan_cli.servicing.transitions import cohort

_HERE = Path(__file__).parent
RUNGS = (("next day", 1), ("2-7 days", 2), ("8-30 days", 8), ("31-90 days", 31), ("91-180 days", 91), ("181-360 days", 181), ("over 360 days", 361))
_NEEDED = ("loan_id", "month", "dpd")


@dataclass(frozen=True)
class Cells:
    """``start`` is the day on which the balances stand; ``ends`` the days on which the months to come end. ``drawn_fen`` [months]: the covered
    part of what is drawn in each. ``whole`` [8, 10]: shares of the book's moves in all. ``thin``: buckets whose own moves weigh less than the prior. ``moved_fen``: balances of all moves."""

    start: datetime.date
    ends: list[datetime.date]
    exposure: Exposure
    moves: Moves
    whole: np.ndarray
    drawn_fen: np.ndarray
    loans: int
    thin: list[str]
    moved_fen: float

    @property
    def standing_fen(self) -> float:
        """Outstanding in all that has not been written off."""
        return float(self.exposure.balance[self.exposure.mob >= 0].sum() + self.exposure.compensated.sum())

    @property
    def covered_fen(self) -> float:
        e = self.exposure
        return float((e.balance.sum(axis=1) * (e.mob >= 0) * e.covered[e.region]).sum())


def month_ends_after(start: datetime.date, months: int) -> list[datetime.date]:
    """The ends of so many months from a day on: ends of months after one, else the same day of each, or its last."""
    found, at_end, year, month = [], (start + DAY).day == 1, start.year, start.month
    for _ in range(months):
        year, month = year + month // 12, month % 12 + 1
        last = (datetime.date(year, month, 28) + 4 * DAY).replace(day=1) - DAY
        found.append(last if at_end else last.replace(day=min(start.day, last.day)))
    return found


def bind_panel(con, paths: list[Path], at: datetime.date | None) -> datetime.date | None:
    """Leaves ``panel``; returns its last month, by ``at`` where a day is given; None where it has none. Raises InputError where the files
    are no panel."""
    listed = ", ".join(literal(str(path)) for path in paths)
    reader = "read_csv" if all(path.suffix.lower() == ".csv" for path in paths) else "read_parquet"
    try:
        names = [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {reader}([{listed}])").fetchall()]
        lacks = [name for name in _NEEDED if name not in names]
        if lacks:
            raise InputError("panel-lacks", f"the panel lacks {', '.join(lacks)}", str(paths[0]), "A panel has loan_id, month and dpd; balance_fen, status, region and mob where they are known.")
        first = "min(CAST(month AS DATE)) OVER (PARTITION BY loan_id)"
        others = {
            "balance_fen": ("BIGINT", "1"), "status": ("VARCHAR", "NULL"), "region": ("VARCHAR", "NULL"),
            "mob": ("INTEGER", f"datediff('month', {'CAST(drawn_on AS DATE)' if 'drawn_on' in names else first}, CAST(month AS DATE))"),
        }
        values = ", ".join(f"CAST({name if name in names else other} AS {type}) AS {name}" for name, (type, other) in others.items())
        con.execute(f"CREATE OR REPLACE TEMP VIEW panel AS SELECT loan_id, CAST(month AS DATE) AS month, CAST(dpd AS BIGINT) AS dpd, {values} FROM {reader}([{listed}])")
        [(start,)] = con.execute("SELECT max(month) FROM panel WHERE month <= coalesce($1::DATE, DATE '9999-12-31')", [at]).fetchall()
    except duckdb_error():
        raise InputError("panel-unreadable", "the files cannot be read", str(paths[0]), "A panel is Parquet or CSV: qqloan servicing panel writes one.") from None
    return start


def look(con, reserve: Reserve, book: Book | None, start: datetime.date, months: int) -> Cells:
    """Of what ``bind_panel`` left and, where there is a book, ``pool.bind``."""
    segments, names = reserve.segments, reserve.segments.names
    prefixes = [(prefix, names.index(name)) for name, group in segments.regions.items() for prefix in group]
    con.register("places", pa.table({"prefix": pa.array([one[0] for one in prefixes], pa.string()), "place": pa.array([one[1] for one in prefixes], pa.int64())}))
    con.register("bands", pa.table({"band": pa.array(range(len(segments.month_bands)), pa.int64()), "mob": pa.array(segments.month_bands, pa.int64())}))
    since = (start.replace(day=1) - datetime.timedelta(31 * reserve.estimation.window_months)).replace(day=1)
    for name, value in (
        ("start", start), ("since", since), ("elsewhere", len(names) - 1), ("last_mob", segments.month_bands[-1]),
        ("part_ppm", 0 if book else int(reserve.cover.without_book * 1_000_000)), ("rate_ppm", int(reserve.prior.annual_rate * 1_000_000)),
    ):
        con.execute(f"SET VARIABLE {name} = $1::{'DATE' if isinstance(value, datetime.date) else 'BIGINT'}", [value])
    con.execute("CREATE OR REPLACE TEMP TABLE of_loan AS " + (
        "SELECT loan_id, coalesce(covered_ppm, 0) AS covered_ppm, annual_rate_ppm, compensated.loan_id IS NOT NULL AS compensated FROM loans LEFT JOIN covered USING (loan_id) LEFT JOIN compensated USING (loan_id)"
        if book else "SELECT CAST(NULL AS VARCHAR) AS loan_id, 0 AS covered_ppm, 0 AS annual_rate_ppm, false AS compensated WHERE false"))
    con.execute((_HERE / "cells.sql").read_text(encoding="utf-8"))
    [(twice,)] = con.execute("SELECT loans FROM twice").fetchall()
    if twice:
        raise InputError("panel-twice", f"{twice:,} loans stand twice in a month", "--panel", "A row a loan and month is wanted.")
    ends = month_ends_after(start, months)
    if book is not None:
        con.execute(f"CREATE OR REPLACE TEMP VIEW instalments AS {book.source('instalments')}")
        con.register("horizon", pa.table({"month_no": pa.array(range(1, months + 1), pa.int64()), "ends": pa.array(ends, pa.date32())}))
        con.register("rungs", pa.table({"rung": pa.array(range(len(RUNGS)), pa.int64()), "day": pa.array([day for _, day in RUNGS], pa.int64())}))
        con.execute((_HERE / "contracted.sql").read_text(encoding="utf-8"))
    counted = _columns(con, "SELECT * FROM moves ORDER BY ALL")
    shares, whole, thin, weighs = _shares(counted, reserve)
    cells = _columns(con, "SELECT * FROM cells ORDER BY ALL")
    to_draw = _columns(con, "SELECT * FROM to_draw ORDER BY ALL") if book else None
    exposure = _exposure(cells, to_draw, len(names))
    falls = _falls_due(_columns(con, "SELECT * FROM falls_due ORDER BY ALL"), reserve, months) if book else _fell(counted, weighs, reserve, months)
    drawn = np.zeros(months)
    if to_draw:
        np.add.at(drawn, to_draw["month_no"] - 1, to_draw["covered_fen"])
    return Cells(start, ends, exposure, Moves(shares, np.array(segments.month_bands), falls), whole, drawn, int(cells["loans"][cells["state"] < len(LIVE)].sum()), thin, float(counted["fen"].sum()))


def _columns(con, query: str) -> dict[str, np.ndarray]:
    table = con.sql(query).to_arrow_table().combine_chunks()
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}


def _shares(counted: dict[str, np.ndarray], reserve: Reserve) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """[regions, bands + 1, 8, 10] shares, the last of a region's whole; [8, 10] the book's; the buckets that the prior decides; effective moves [bands] from M0."""
    regions, bands, live = len(reserve.segments.names), len(reserve.segments.month_bands), len(LIVE)
    fen, squares = np.zeros((regions, bands + 1, live, len(STATES))), np.zeros((regions, bands + 1, live))
    for band in (counted["band"], np.full(len(counted["band"]), bands)):
        np.add.at(fen, (counted["place"], band, counted["state"], counted["to_state"]), counted["fen"])
        np.add.at(squares, (counted["place"], band, counted["state"]), counted["squares"])
    book = fen[:, -1].sum(axis=0)
    moved = _effective(book.sum(axis=-1), squares[:, -1].sum(axis=0))
    prior = np.array(reserve.prior.matrix)
    whole = _towards(_of(book), moved, prior, reserve.estimation.prior_moves)
    own = np.array([[_of(segment) for segment in region] for region in fen])
    shares = _towards(own, _effective(fen.sum(axis=-1), squares), whole, reserve.estimation.segment_moves)
    thin = [name for name, n in zip(LIVE, moved) if n < reserve.estimation.prior_moves]
    return shares, whole, thin, _effective(fen[:, :bands, 0].sum(axis=(0, 2)), squares[:, :bands, 0].sum(axis=0))


def _effective(fen: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """How many loans of one size would be as spread: 1 over the sum of squared shares."""
    return np.divide(fen**2, squares, out=np.zeros_like(fen), where=squares > 0)


def _of(moved: np.ndarray) -> np.ndarray:
    """[8, 10] shares of what moved; a bucket that nothing moved from stays, and weighs nothing."""
    return cohort(np.vstack([moved, np.zeros((len(STATES) - len(LIVE), len(STATES)))]))[: len(LIVE)]


def _towards(own: np.ndarray, moved: np.ndarray, wider: np.ndarray, worth: float) -> np.ndarray:
    part = np.divide(moved, moved + worth, out=np.zeros_like(moved), where=moved + worth > 0)[..., None]
    return part * own + (1 - part) * wider


def _exposure(cells: dict[str, np.ndarray], to_draw: dict[str, np.ndarray] | None, regions: int) -> Exposure:
    live, done = (cells["state"] < len(LIVE)) & ~cells["compensated"], cells["compensated"]
    place, mob, state, fen = cells["place"][live], cells["mob"][live], cells["state"][live], cells["fen"][live]
    if to_draw is not None:
        place, mob, fen = np.concatenate([place, to_draw["place"]]), np.concatenate([mob, to_draw["mob"]]), np.concatenate([fen, to_draw["fen"]])
        state = np.concatenate([state, np.zeros(len(to_draw["place"]), state.dtype)])
    rows, row = np.unique(np.stack([place, mob], axis=1).astype(np.int64).reshape(-1, 2), axis=0, return_inverse=True)
    balance = np.zeros((len(rows), len(LIVE)))
    np.add.at(balance, (row.reshape(-1), state), fen)
    compensated, written_off = np.zeros((regions, len(LIVE))), np.zeros(regions)
    of_pool = done & (cells["state"] < len(LIVE))
    np.add.at(compensated, (cells["place"][of_pool], cells["state"][of_pool]), cells["fen"][of_pool])
    np.add.at(written_off, cells["place"][cells["state"] >= len(LIVE)], cells["fen"][cells["state"] >= len(LIVE)])
    parts = [cells] if to_draw is None else [cells, to_draw]
    added = {name: sum(np.bincount(part["place"].astype(np.int64), part[name], regions) for part in parts) for name in ("fen", "squares", "covered_fen", "rate_fen")}
    of = lambda name: np.divide(added[name], added["fen"], out=np.zeros(regions), where=added["fen"] > 0)  # noqa: E731
    return Exposure(rows[:, 0], rows[:, 1], balance, compensated, written_off, of("covered_fen"), of("rate_fen"), of("squares"))


def _falls_due(due: dict[str, np.ndarray], reserve: Reserve, months: int) -> np.ndarray:
    """By the instalments: of what they say is to come at the beginning of a month, by region and by the band that a loan is in then."""
    regions, starts = len(reserve.segments.names), np.array(reserve.segments.month_bands)
    place, mob, month = (due[name].astype(np.int64) for name in ("place", "mob", "month_no"))
    falls, to_come = np.zeros((regions, len(starts) + 1, months)), np.zeros((regions, len(starts) + 1, months))
    for number in range(1, months + 1):
        band = np.searchsorted(starts, mob + number - 1, side="right") - 1
        drawn = band >= 0
        for of in (band, np.full(len(band), len(starts))):
            now = drawn & (month == number)
            np.add.at(falls, (place[now], of[now], number - 1), due["fen"][now])
            ahead = drawn & ((month >= number) | (month == 0))
            np.add.at(to_come, (place[ahead], of[ahead], number - 1), due["fen"][ahead])
    return np.divide(falls, to_come, out=np.ones_like(falls), where=to_come > 0)  # after the last instalment all that is left is due


def _fell(counted: dict[str, np.ndarray], weighs: np.ndarray, reserve: Reserve, months: int) -> np.ndarray:
    """Without instalments: by what balances that were not late in two months fell, by band, beside what is configured."""
    bands = len(reserve.segments.month_bands)
    on = (counted["state"] == 0) & (counted["to_state"] == 0)
    was, then = (np.bincount(counted["band"][on].astype(np.int64), counted[name][on], bands) for name in ("fen", "to_fen"))
    own = np.clip(1 - np.divide(then, was, out=np.ones(bands), where=was > 0), 0, 1)
    worth = weighs / (weighs + reserve.estimation.prior_moves)
    by_band = worth * own + (1 - worth) * float(reserve.prior.amortisation)
    whole = by_band.mean() if was.sum() == 0 else (by_band * was).sum() / was.sum()
    return np.broadcast_to(np.append(by_band, whole)[None, :, None], (len(reserve.segments.names), bands + 1, months)).copy()
