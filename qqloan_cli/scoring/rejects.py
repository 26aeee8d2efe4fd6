"""Reject inference: what a model makes of applications whose outcome nobody knows, because they were declined.

None of the ways brings knowledge: each carries over what the accepted ones say to people who are less like them, and says how.
``fuzzy`` augmentation counts an unknown row twice, as a good one with the weight of its chance to be good and as a bad one with the
rest. ``parcelling`` deals outcomes out by score band, as many bad ones as the band's known bad rate (times a factor on its odds) says.
(Siddiqi 2006, ch. 6; Crook and Banasik 2004 find little to gain where declines follow from what the model sees.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qqloan_cli.scoring.calibrate import apply, choose, probability
from qqloan_cli.scoring.fit import Recipe, Sample
from qqloan_cli.scoring.study import Study, margin

WAYS = ("none", "fuzzy", "parcelling")
BANDS = 10  # of even shares of the unknown rows' pd


def inferred(study: Study, kinds: dict[str, tuple[str, ...]], recipe: Recipe, way: str, odds_factor: float) -> tuple[dict, dict]:
    """Rows to add by (kind, part) and what is to be said of them. Each part's rows come from a model that saw only that part, so what is
    measured on the held-out rows stays unseen."""
    documents = study.grown(kinds, recipe)
    rows, mean = {}, 0.0
    for (kind, *part), document in documents.items():
        unknown = study.unknown if kinds[kind] == study.sample.names else study.unknown.columns(kinds[kind])
        known = study.parts[tuple(part)]
        held = study.held_margins(documents, kind)
        calibration, _ = choose(held[known], study.sample.bad[known], study.fold[known])
        pd = worse(probability(apply(calibration, margin(document, unknown))), odds_factor)
        if way == "fuzzy":
            rows[(kind, *part)] = fuzzy(unknown, pd)
        else:
            known_pd = probability(apply(calibration, held[known]))
            rows[(kind, *part)] = parcelled(unknown, pd, known_pd, study.sample.bad[known], odds_factor, study.seed)
        if part[0] == "whole":
            mean = float(np.average(rows[(kind, *part)].bad, weights=rows[(kind, *part)].weight))
    return rows, {"way": way, "rows": len(study.unknown.bad), "odds_factor": odds_factor, "inferred_bad_rate": round(mean, 6)}


def worse(pd: np.ndarray, odds_factor: float) -> np.ndarray:
    """The pd whose odds are ``odds_factor`` times as high: declined people may be worse than accepted ones who look the same."""
    odds = pd / (1 - pd) * odds_factor
    return odds / (1 + odds)


def fuzzy(unknown: Sample, pd: np.ndarray) -> Sample:
    good, bad = (replace(unknown, bad=np.full(len(pd), value, np.float32), weight=weight) for value, weight in ((0, 1 - pd), (1, pd)))
    return good.and_also(bad)


def parcelled(unknown: Sample, pd: np.ndarray, known_pd: np.ndarray, known_bad: np.ndarray, odds_factor: float, seed: int) -> Sample:
    """Bands of even shares of the unknown rows; in each as many bad ones as the known rows of that band have, on odds ``odds_factor``
    times as high, dealt out by a seeded draw. A band without known rows takes its own mean pd."""
    bounds = np.quantile(pd, np.linspace(0, 1, BANDS + 1)[1:-1])
    band, known_band = np.searchsorted(bounds, pd, side="right"), np.searchsorted(bounds, worse(known_pd, odds_factor), side="right")
    rng, bad = np.random.default_rng(seed), np.zeros(len(pd), np.float32)
    for b in range(BANDS):
        members = np.flatnonzero(band == b)
        there = known_band == b
        rate = (known_bad[there].sum() + 0.5) / (there.sum() + 1) if there.any() else None
        share = float(pd[members].mean()) if rate is None and len(members) else 0.0 if rate is None else float(worse(np.array(rate), odds_factor))
        bad[rng.permutation(members)[: int(round(share * len(members)))]] = 1
    return replace(unknown, bad=bad, weight=np.ones(len(pd)))
