"""The challenger: a points scorecard, as risk teams have had for fifty years. Monotone bins by optbinning, weights of evidence, logistic regression,
whole points.

Training needs the extra ``train`` (optbinning); scoring and the SQL need nothing but the card. A bin's points are rounded once, in
training, so every engine that can compare and add gives the same score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qqloan_cli.engine.session import quoted
from qqloan_cli.errors import IntegrityError, UsageError
from qqloan_cli.policy.scale import Scale
from qqloan_cli.scoring import measures
from qqloan_cli.scoring.bins import between, edges, place
from qqloan_cli.scoring.calibrate import probability
from qqloan_cli.scoring.logistic import logistic

CARD, CARD_WITHOUT = "scorecard.json", "scorecard_without_social.json"
MOST_BINS, LEAST_SHARE, LEAST_IV = 8, 0.03, 0.02
TREND = {1: "ascending", -1: "descending", 0: "auto"}  # of the bad rate


@dataclass(frozen=True)
class Scorecard:
    """``points`` by feature and bin, the missing one last; a score is ``constant`` and the points of each feature's bin."""

    names: tuple[str, ...]
    splits: tuple[np.ndarray, ...]
    points: tuple[np.ndarray, ...]
    constant: int
    base_score: float
    base_odds: float
    points_to_double: float
    mean_points: tuple[float, ...]  # of the training rows, by feature

    @classmethod
    def read(cls, document: dict) -> "Scorecard":
        rows = document["features"]
        return cls(tuple(row["feature"] for row in rows), tuple(np.array(row["splits"], np.float32) for row in rows), tuple(np.array(row["points"], np.int64) for row in rows),
                   document["constant"], document["base_score"], document["base_odds"], document["points_to_double"],
                   tuple(float(np.dot(row["points"], row["rows"]) / sum(row["rows"])) for row in rows))

    def score(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Whole points, (rows,), from float32 columns by name."""
        total = np.full(len(next(iter(columns.values()))), self.constant, np.int64)
        for name, splits, points in zip(self.names, self.splits, self.points):
            total += points[place(columns[name], splits)]
        return total

    @property
    def factor(self) -> float:
        """Points for the odds to grow by e."""
        return self.points_to_double / np.log(2)

    def log_odds(self, score: np.ndarray) -> np.ndarray:
        """Log odds of going bad that a score stands for on the card's own scale."""
        return (self.base_score - score) / self.factor - np.log(self.base_odds)

    def pd(self, score: np.ndarray) -> np.ndarray:
        return probability(self.log_odds(score))

    def sql(self, table: str = "applicants") -> str:
        """One SELECT over ``table``, whose columns are the features, in SQL that every engine speaks."""
        parts = [_case(name, splits, points) for name, splits, points in zip(self.names, self.splits, self.points)]
        return (
            f"-- Scorecard: {self.base_score:g} points at odds of {self.base_odds:g} to 1, {self.points_to_double:g} points double them.\n"
            f"SELECT t.*,\n  {self.constant}\n" + "".join(f"  + {part}\n" for part in parts) + f"  AS score\nFROM {table} AS t;\n"
        )


@dataclass(frozen=True)
class Binned:
    """A card over the bins of a model's features, so that one look at the values serves champion and challenger. ``points[i]`` is of
    column ``looks_at[i]`` by its bin."""

    card: Scorecard
    looks_at: tuple[int, ...]
    points: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, card: Scorecard, names: tuple[str, ...], cuts: tuple[np.ndarray, ...]) -> "Binned":
        """Raises IntegrityError where the card's thresholds are not among the model's."""
        looks_at, points = [], []
        for name, splits, by_bin in zip(card.names, card.splits, card.points):
            if name not in names or not np.isin(splits, cuts[names.index(name)]).all():
                raise IntegrityError("model-reference-differs", f"the scorecard's {name} is not among the model's bins", "reference.json", "Train the model again.")
            at = names.index(name)
            looks_at.append(at)
            points.append(by_bin[place(edges(cuts[at]), splits)])
        return cls(card, tuple(looks_at), tuple(points))

    def score(self, bins: np.ndarray) -> np.ndarray:
        """Whole points, (rows,), from (features, rows) bins."""
        total = np.full(bins.shape[1], self.card.constant, np.int64)
        for at, points in zip(self.looks_at, self.points):
            total += points[bins[at]]
        return total

    def contributions(self, bins: np.ndarray) -> np.ndarray:
        """(features, rows): log odds of going bad above the average training row's; zero for a feature that the card does not look at."""
        out = np.zeros(bins.shape)
        for at, points, mean in zip(self.looks_at, self.points, self.card.mean_points):
            out[at] = ((mean - points) / self.card.factor)[bins[at]]
        return out


def _case(name: str, splits: np.ndarray, points: np.ndarray) -> str:
    column = f"t.{quoted(name)}"
    whens = "".join(f" WHEN {column} < {spelled(split)} THEN {points[at]}" for at, split in enumerate(splits))
    return f"CASE WHEN {column} IS NULL THEN {points[-1]}{whens} ELSE {points[len(splits)]} END"


def spelled(value: np.float32) -> str:
    """The shortest decimal that is this float32, without an exponent."""
    return np.format_float_positional(value, trim="-")


def fit(names: tuple[str, ...], directions: tuple[int, ...], columns: list[np.ndarray], bad: np.ndarray, scale: Scale) -> dict:
    """The card as a document (scorecard.json). Features without enough information, or whose weight would turn against its evidence, are left out, and said."""
    binned, left_out = {}, []
    for name, direction, column in zip(names, directions, columns):
        splits = _splits(column, bad, direction)
        placed = place(column, splits)
        count, bads = np.bincount(placed, minlength=len(splits) + 2), np.bincount(placed, bad, minlength=len(splits) + 2)
        there = count > 0
        evidence = measures.weight_of_evidence((count - bads)[there], bads[there])
        woe = np.zeros(len(count))  # a bin that nobody is in says nothing
        woe[there] = evidence.woe
        if evidence.iv < LEAST_IV:
            left_out.append({"feature": name, "why": f"information value {evidence.iv:.4f} is below {LEAST_IV}"})
        else:
            binned[name] = (splits, placed, woe, evidence.iv, count, bads)
    kept = list(binned)
    while True:
        beta = logistic(np.column_stack([binned[name][2][binned[name][1]] for name in kept]) if kept else np.zeros((len(bad), 0)), bad)
        against = [name for name, coefficient in zip(kept, beta) if coefficient >= 0]
        if not against:
            break
        worst = max(against, key=lambda name: beta[kept.index(name)])
        left_out.append({"feature": worst, "why": "its weight turns against its evidence beside the others"})
        kept.remove(worst)
    features = []
    for name, coefficient in zip(kept, beta):
        splits, _, woe, iv, count, bads = binned[name]
        features.append({
            "feature": name, "iv": round(float(iv), 6), "coefficient": round(float(coefficient), 6), "splits": [float(str(s)) for s in splits],
            "woe": [round(float(w), 6) for w in woe], "points": [int(p) for p in np.rint(-scale.factor * coefficient * woe)],
            "rows": [int(c) for c in count], "bad": [int(b) for b in bads],
        })
    return {
        "schema_version": 1, "base_score": scale.base_score, "base_odds": scale.base_odds, "points_to_double": scale.points_to_double,
        "constant": int(np.rint(scale.points(beta[-1]))), "features": sorted(features, key=lambda row: (-row["iv"], row["feature"])),
        "left_out": sorted(left_out, key=lambda row: row["feature"]),
    }


def _splits(column: np.ndarray, bad: np.ndarray, direction: int) -> np.ndarray:
    """Thresholds of optimal bins whose bad rate goes one way, as short as they can be written."""
    try:
        from optbinning import OptimalBinning
    except ImportError:
        raise UsageError("optbinning-missing", "a scorecard's bins are made by optbinning, which is not installed", hint="pip install 'qqloan[train]'") from None
    known = ~np.isnan(column)
    values = column[known].astype(np.float64)
    if len(np.unique(values)) < 2 or min(bad[known].sum(), (1 - bad[known]).sum()) < 2:
        return np.empty(0, np.float32)
    made = OptimalBinning(monotonic_trend=TREND[direction], max_n_bins=MOST_BINS, min_bin_size=LEAST_SHARE, solver="cp", time_limit=20)
    made.fit(values, bad[known].astype(int))
    distinct = np.unique(column[known])
    short = []
    for split in made.splits if made.splits is not None else ():
        at = int(np.searchsorted(distinct, np.float32(split), side="left"))
        if 0 < at < len(distinct):
            short.append(between(distinct[at - 1], distinct[at]))
    return np.array(sorted(set(short)), np.float32)


def cross_validated(names, directions, columns, bad, fold, scale: Scale) -> np.ndarray:
    """pd of every row by a card that did not see its fold."""
    pd = np.empty(len(bad))
    for f in np.unique(fold):
        train, held = fold != f, fold == f
        card = Scorecard.read(fit(names, directions, [column[train] for column in columns], bad[train], scale))
        pd[held] = card.pd(card.score({name: column[held] for name, column in zip(names, columns)})) if card.names else bad[train].mean()
    return pd
