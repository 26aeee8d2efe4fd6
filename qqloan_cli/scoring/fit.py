"""Fits bags of shallow monotone trees and gives them out as one XGBoost document.

A bag is trained on bin numbers by one thread, and bags are trained side by side,
so the number of workers cannot change a bit. Everything random comes from the seed.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import numpy as np

from qqloan_cli.errors import InputError
from qqloan_cli.scoring.ensemble import merge


@dataclass(frozen=True)
class Recipe:
    """How trees are grown. Depth 2 lets a tree look at two columns, which tables can hold."""

    bags: int = 8
    trees: int = 1000  # at most, per bag
    learning_rate: float = 0.1
    depth: int = 2
    least_weight: float = 5.0  # of the rows in a leaf (XGBoost's min_child_weight)
    l2: float = 10.0  # penalty on leaves
    bins: int = 64  # of a feature, at most
    rows: float = 0.7  # share drawn for each tree
    columns: float = 0.5  # share drawn for each split
    held_out: float = 0.15  # share of people on whom a bag is stopped
    patience: int = 60  # trees without progress on them
    folds: int = 5

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Sample:
    """``bins`` (columns, rows) with the last bin of each column for missing; ``bad`` 0/1; ``person`` an integer per row: rows of a person
    stay together; ``weight`` how many rows a row counts as, 1 where there is none."""

    names: tuple[str, ...]
    directions: tuple[int, ...]
    cuts: tuple[np.ndarray, ...]
    bins: np.ndarray
    bad: np.ndarray
    person: np.ndarray
    weight: np.ndarray | None = None

    def rows(self, keep: np.ndarray) -> "Sample":
        weight = None if self.weight is None else self.weight[keep]
        return replace(self, bins=self.bins[:, keep], bad=self.bad[keep], person=self.person[keep], weight=weight)

    def columns(self, names: tuple[str, ...]) -> "Sample":
        at = [self.names.index(name) for name in names]
        return replace(self, names=names, directions=tuple(self.directions[i] for i in at), cuts=tuple(self.cuts[i] for i in at), bins=self.bins[at])

    def and_also(self, other: "Sample") -> "Sample":
        """The rows of both."""
        ones = [np.ones(len(part.bad)) if part.weight is None else part.weight for part in (self, other)]
        return replace(
            self, bins=np.concatenate([self.bins, other.bins], axis=1), bad=np.concatenate([self.bad, other.bad]), person=np.concatenate([self.person, other.person]),
            weight=np.concatenate(ones),
        )

    def numbers(self) -> np.ndarray:
        """(rows, columns) float32 bin numbers, missing as NaN: what XGBoost is shown."""
        out = self.bins.T.astype(np.float32)
        for i, cuts in enumerate(self.cuts):
            out[out[:, i] == len(cuts) + 1, i] = np.nan
        return out


def deal(bad: np.ndarray, person: np.ndarray, shares: list[float], seed: int) -> np.ndarray:
    """A part's number for each row, parts of the given shares, with the same mix of outcomes; a person's rows go to one part."""
    people, at = np.unique(person, return_inverse=True)
    worst = np.zeros(len(people), bool)
    worst[at[bad > 0]] = True
    rng = np.random.default_rng(seed)
    part = np.empty(len(people), np.int64)
    bounds = np.cumsum(shares)[:-1]
    for kind in (False, True):
        members = np.flatnonzero(worst == kind)
        places = rng.permutation(len(members))
        part[members] = np.searchsorted(bounds, (places + 0.5) / max(1, len(members)), side="right")
    return part[at]


def grow(samples: list[Sample], recipe: Recipe, seed: int, workers: int) -> list[dict]:
    """One merged XGBoost document per sample; all bags of all samples share the workers."""
    tasks = [(sample, seed + 1009 * s + bag) for s, sample in enumerate(samples) for bag in range(recipe.bags)]
    numbers = {id(sample): sample.numbers() for sample in samples}
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="bag") as pool:
        bags = list(pool.map(lambda task: _bag(task[0], numbers[id(task[0])], recipe, task[1]), tasks))
    return [merge(bags[s * recipe.bags : (s + 1) * recipe.bags], sample.names, list(sample.cuts)) for s, sample in enumerate(samples)]


def _bag(sample: Sample, numbers: np.ndarray, recipe: Recipe, seed: int) -> dict:
    import xgboost as xgb

    held = deal(sample.bad, sample.person, [recipe.held_out, 1 - recipe.held_out], seed) == 0
    kept = ~held
    if sample.bad[kept].min() == sample.bad[kept].max():
        raise InputError("outcomes-too-few", "too few outcomes of one kind to train on", hint="Bring at least ten bad and ten good.")
    base = float(np.float32(np.average(sample.bad, weights=sample.weight)))
    settings = {
        "objective": "binary:logistic", "eval_metric": "logloss", "tree_method": "hist", "max_bin": 256, "device": "cpu",
        "max_depth": recipe.depth, "eta": recipe.learning_rate, "subsample": recipe.rows, "colsample_bynode": recipe.columns,
        "min_child_weight": recipe.least_weight, "lambda": recipe.l2, "base_score": base, "seed": seed, "nthread": 1, "verbosity": 0,
        "monotone_constraints": tuple(int(d) for d in sample.directions),
    }

    def shown(rows):
        return xgb.DMatrix(numbers[rows], sample.bad[rows], weight=None if sample.weight is None else sample.weight[rows], nthread=1)

    train = shown(kept)
    can_stop = held.any() and sample.bad[held].min() != sample.bad[held].max()
    if can_stop:
        watch = shown(held)
        booster = xgb.train(settings, train, recipe.trees, evals=[(watch, "held_out")], early_stopping_rounds=recipe.patience, verbose_eval=False)
        booster = booster[: booster.best_iteration + 1]
    else:
        booster = xgb.train(settings, train, min(recipe.trees, 20), verbose_eval=False)
    return json.loads(bytes(booster.save_raw("json")))
