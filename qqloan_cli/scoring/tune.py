"""Tuning: recipes drawn from a bounded space by a seed, each cross-validated on the same folds. The usual recipe stays unless one is
better by more than chance."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

import numpy as np

from qqloan_cli.scoring.calibrate import held_log_odds, probability
from qqloan_cli.scoring.fit import Recipe
from qqloan_cli.scoring.model import MODEL
from qqloan_cli.scoring.study import Study

SPACE = {
    "learning_rate": (0.03, 0.05, 0.1, 0.15), "rows": (0.5, 0.7, 0.9), "columns": (0.3, 0.5, 0.8), "least_weight": (1.0, 5.0, 20.0, 50.0), "l2": (1.0, 10.0, 30.0),
}
BAGS = 3  # while trying: enough to tell recipes apart


def tune(study: Study, recipe: Recipe, trials: int, tried: Callable[[int], None]) -> tuple[Recipe, list[dict]]:
    """The recipe to take, and every trial: its settings, log loss and the mean difference from the usual recipe with its standard error."""
    rng = np.random.default_rng(study.seed)
    drawn: list[dict] = [{}]
    while len(drawn) < trials + 1:
        settings = {name: values[rng.integers(len(values))] for name, values in SPACE.items()}
        if settings not in drawn:
            drawn.append(settings)
    table, usual = [], None
    for number, settings in enumerate(drawn):
        losses = _losses(study, replace(recipe, **settings, bags=min(recipe.bags, BAGS)))
        usual = losses if usual is None else usual
        gain = usual - losses
        table.append({
            **{name: settings.get(name, getattr(recipe, name)) for name in SPACE}, "log_loss": round(float(losses.mean()), 6), "gain": round(float(gain.mean()), 6),
            "gain_standard_error": round(float(gain.std() / np.sqrt(len(gain))), 6), "taken": False,
        })
        tried(number + 1)
    best = max(range(len(table)), key=lambda at: (table[at]["gain"], -at))
    if table[best]["gain"] <= table[best]["gain_standard_error"]:
        best = 0
    table[best]["taken"] = True
    return replace(recipe, **drawn[best]), table


def _losses(study: Study, recipe: Recipe) -> np.ndarray:
    """Log loss of each row by a model and a calibration that did not see it."""
    documents = study.grown({MODEL: study.sample.names}, recipe, only="fold")
    bad = study.sample.bad
    pd = np.clip(probability(held_log_odds("platt", study.held_margins(documents, MODEL), bad, study.fold)), 1e-9, 1 - 1e-9)
    return -(bad * np.log(pd) + (1 - bad) * np.log1p(-pd))
