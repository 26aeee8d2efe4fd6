"""A search for a less discriminatory model of equal power: features that part groups most are left out in turn, and each model is held
against the whole one on the same folds.

What it finds is a proposal: whether a feature is needed for the lender's business is for people to say.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

from qqloan_cli.scoring import measures
from qqloan_cli.scoring.calibrate import held_log_odds, probability
from qqloan_cli.scoring.fit import Recipe
from qqloan_cli.scoring.model import MODEL
from qqloan_cli.scoring.study import Study
from qqloan_cli.scoring.trees import added_up

BAGS = 3  # while searching
LEAST_ROWS = 30  # a group with fewer says nothing
ROUNDS = 200  # of the bootstrap of a difference
LOSS = 0.002  # of AUC that counts as equal power where the interval of the difference reaches no further


def search(study: Study, recipe: Recipe, groups: dict[str, np.ndarray], most: int, tried: Callable[[int], None]) -> dict:
    """Up to ``most`` models, each without one more feature than the best so far: a feature stays out where that brings groups closer at
    equal power. Approval is of as many as the whole model would approve at its own mean pd; ``impact`` is the lowest approval rate of a
    group over the highest, by attribute."""
    from dataclasses import replace

    recipe = replace(recipe, bags=min(recipe.bags, BAGS))
    parted = {name: found for name, values in sorted(groups.items()) if (found := _of(values)) and len(found) > 1}
    bad, names = study.sample.bad, study.sample.names
    pd, documents = _held_pd(study, recipe, names)
    share = float((pd < pd.mean()).mean())
    best = {"left_out": [], **_measured(bad, pd, pd, share, parted, study.seed)}
    models = [best]
    tried(1)
    for gone in _by_parting(study, documents[(MODEL, "fold", 0)], names, parted)[:most] if parted else ():
        if len(best["left_out"]) + 1 == len(names):
            break
        left_out = [*best["left_out"], gone]
        without, _ = _held_pd(study, recipe, tuple(name for name in names if name not in left_out))
        model = {"left_out": left_out, **_measured(bad, without, pd, share, parted, study.seed)}
        models.append(model)
        tried(len(models))
        if model["auc_difference_low"] >= -LOSS and min(model["impact"].values()) > min(best["impact"].values()):
            best = model
    return {"approved_share": round(share, 6), "equal_power_loses_at_most": LOSS, "models": models, "least_discriminatory": best["left_out"]}


def by_group(bad: np.ndarray, pd: np.ndarray, groups: dict[str, np.ndarray]) -> dict[str, list[dict]]:
    """Each group of at least ``LEAST_ROWS`` rows: how many of it lie below the mean pd, over the best group's share; mean pd and bad rate."""
    found = {}
    for name, values in sorted(groups.items()):
        below = {group: float((pd[rows] < pd.mean()).mean()) for group, rows in _of(values).items()}
        best = max(below.values(), default=0.0)
        found[name] = [
            {"group": group, "rows": int(rows.sum()), "below_mean_pd": round(below[group], 6), "impact": round(below[group] / best, 6) if best else 1.0,
             "mean_pd": round(float(pd[rows].mean()), 6), "bad_rate": round(float(bad[rows].mean()), 6)}
            for group, rows in _of(values).items()
        ]
    return {name: rows for name, rows in found.items() if rows}


def _of(values: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of each group that is large enough."""
    named = {name: values == name for name in sorted({value for value in values if value is not None})}
    return {name: rows for name, rows in named.items() if rows.sum() >= LEAST_ROWS}


def _held_pd(study: Study, recipe: Recipe, names: tuple[str, ...]) -> tuple[np.ndarray, dict]:
    documents = study.grown({MODEL: names}, recipe, only="fold")
    return probability(held_log_odds("platt", study.held_margins(documents, MODEL), study.sample.bad, study.fold)), documents


def _measured(bad, pd, whole, share: float, parted: dict, seed: int) -> dict:
    order = np.lexsort((np.arange(len(pd)), pd))
    approved = np.zeros(len(pd), bool)
    approved[order[: int(round(share * len(pd)))]] = True
    impact = {}
    for name, found in parted.items():
        rates = [approved[rows].mean() for rows in found.values()]
        impact[name] = round(float(min(rates) / max(rates)), 6) if max(rates) > 0 else 1.0
    low, high = measures.bootstrap(bad, pd, lambda b, p, w: measures.auc(b, p, w) - measures.auc(b, whole, w), ROUNDS, seed)
    return {"auc": round(measures.auc(bad, pd), 6), "auc_difference_low": round(low, 6), "auc_difference_high": round(high, 6), "impact": impact}


def _by_parting(study: Study, document: dict, names: tuple[str, ...], parted: dict) -> list[str]:
    """Features by how far their mean contribution differs between two groups of an attribute, of the rows that the document did not see."""
    held = study.fold == 0
    sample = study.sample.rows(held)
    flat = tuple(np.bincount(bins, minlength=len(cuts) + 2) / bins.size for bins, cuts in zip(sample.bins, sample.cuts))
    parts = added_up(document, sample.names, sample.cuts, flat).contributions(sample.bins)
    apart = np.zeros(len(sample.names))
    for found in parted.values():
        means = np.array([parts[:, rows[held]].mean(axis=1) for rows in found.values() if rows[held].any()])
        if len(means) > 1:
            apart = np.maximum(apart, means.max(axis=0) - means.min(axis=0))
    return sorted(names, key=lambda name: (-round(float(apart[sample.names.index(name)]), 9), name))
