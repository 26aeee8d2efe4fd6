"""Validation: what a model is worth on rows that it was not trained on. Every figure with what it rests on, and an interval where it is drawn.

Nothing here decides; a model-risk committee reads it.
"""

from __future__ import annotations

import numpy as np

from qqloan_cli.scoring import bins, measures
from qqloan_cli.scoring.calibrate import probability
from qqloan_cli.scoring.model import Scorer
from qqloan_cli.scoring.sample import PROTECTED, Sample

ROUNDS = 300  # of the bootstrap, with this seed: the same figures every time
SEED = 20_240_131
LEAST_BAD = 10  # a group with fewer has no AUC to speak of
FOUR_FIFTHS = 0.8


def validate(scorer: Scorer, sample: Sample, gain: float, loss: float) -> dict:
    """The whole report as one document. ``gain``: what a good loan of one yuan earns; ``loss``: what a bad one costs."""
    pd = probability(scorer.log_odds(sample.columns))
    bad = sample.bad
    score = np.clip(np.rint(scorer.scale.points(np.log(pd / (1 - pd)))), scorer.scale.lowest, scorer.scale.highest)
    bounds = np.array([grade.pd_below for grade in scorer.scale.grades])
    grade = np.searchsorted(bounds, pd, side="right")
    document = {
        "model_version": scorer.version, "about": sample.about, "rows": len(bad), "bad": int(bad.sum()), "left_out": sample.left_out,
        "bad_rate": _r(bad.mean()), "mean_pd": _r(pd.mean()), "bootstrap_rounds": ROUNDS,
        "measures": _measures(bad, pd),
        "calibration": _calibration(bad, pd),
        "grades": _by_grade(scorer, bad, pd, grade),
        "gains": _gains(bad, pd),
        "strategy": _strategy(bad, pd, score, gain, loss),
        "segments": {name: _segment(bad, pd, values) for name, values in sample.groups.items()},
        "features": _features(scorer, sample),
        "fairness": {name: _fairness(bad, pd, sample.groups[name], bounds[-2]) for name in PROTECTED if name in sample.groups},
        "curves": _curves(bad, pd),
    }
    if scorer.scorecard is not None:
        document["challenger"] = _challenger(scorer, sample, bad, pd, bounds)
    if scorer.without is not None:
        document["without_social"] = _ablation(scorer, sample, bad, pd, bounds)
    return document


def _r(value, digits: int = 6) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), digits)


def _measures(bad, pd) -> list[dict]:
    """Each measure with its 95 % interval under resampling of rows."""
    def weighted(function):
        return lambda b, p, w: function(np.repeat(b, w), np.repeat(p, w))

    slope = lambda b, p: measures.calibration_line(b, p)[0]  # noqa: E731
    intercept = lambda b, p: measures.calibration_line(b, p)[1]  # noqa: E731
    rows = []
    for name, function, interval in (
        ("auc", measures.auc, measures.auc), ("gini", measures.gini, lambda b, p, w: 2 * measures.auc(b, p, w) - 1), ("ks", measures.ks, weighted(measures.ks)),
        ("brier", measures.brier, weighted(measures.brier)), ("log_loss", measures.log_loss, weighted(measures.log_loss)), ("ece", measures.ece, weighted(measures.ece)),
        ("calibration_slope", slope, weighted(slope)), ("calibration_intercept", intercept, weighted(intercept)),
    ):
        low, high = measures.bootstrap(bad, pd, interval, ROUNDS, SEED)
        rows.append({"measure": name, "value": _r(function(bad, pd)), "low": _r(low), "high": _r(high)})
    return rows


def _calibration(bad, pd) -> dict:
    """Ten bins of about equal count, and the Hosmer-Lemeshow statistic over them: as many degrees of freedom as bins, since nothing was fitted here."""
    from scipy.special import gammaincc

    table = measures.reliability(bad, pd)
    n, expected, observed = table.count, table.expected * table.count, table.observed * table.count
    statistic = measures.hosmer_lemeshow(n, observed, expected)
    return {
        "hosmer_lemeshow": _r(statistic), "degrees_of_freedom": len(n), "p_value": _r(gammaincc(len(n) / 2, statistic / 2)),
        "bins": [{"rows": int(c), "expected": _r(e), "observed": _r(o)} for c, e, o in zip(table.count, table.expected, table.observed)],
    }


def _by_grade(scorer: Scorer, bad, pd, grade) -> list[dict]:
    return [
        {"grade": g.grade, "rows": int(at.sum()), "share": _r(at.mean()), "bad": int(bad[at].sum()), "bad_rate": _r(bad[at].mean()) if at.any() else None,
         "mean_pd": _r(pd[at].mean()) if at.any() else None}
        for number, g in enumerate(scorer.scale.grades) for at in [grade == number]
    ]


def _gains(bad, pd, parts: int = 10) -> list[dict]:
    """From the riskiest tenth on: bad rate, lift over all, and the share of all bads that is caught so far."""
    order = np.argsort(-pd, kind="stable")
    rows, caught, seen = [], 0.0, 0
    for number, part in enumerate(np.array_split(bad[order], parts), 1):
        caught, seen = caught + part.sum(), seen + len(part)
        if len(part):
            rows.append({"tenth": number, "rows": len(part), "bad": int(part.sum()), "bad_rate": _r(part.mean()), "lift": _r(part.mean() / bad.mean()),
                         "caught": _r(caught / bad.sum()), "cumulative_lift": _r(caught / seen / bad.mean())})
    return rows


def _strategy(bad, pd, score, gain: float, loss: float) -> list[dict]:
    """Approving from the best score down to a cut-off: approval rate, bad rate, confusion, and what a yuan a loan earns."""
    rows = []
    for cut in np.unique(np.quantile(score, np.linspace(0, 0.95, 20), method="lower"))[::-1]:
        approved = score >= cut
        good_in, bad_in = int((approved & (bad == 0)).sum()), int((approved & (bad == 1)).sum())
        rows.append({
            "score_from": int(cut), "approval_rate": _r(approved.mean()), "bad_rate": _r(bad[approved].mean()), "good_approved": good_in, "bad_approved": bad_in,
            "good_declined": int((bad == 0).sum()) - good_in, "bad_declined": int(bad.sum()) - bad_in, "profit": _r(good_in * gain - bad_in * loss, 2),
            "profit_a_loan": _r((good_in * gain - bad_in * loss) / len(bad)),
        })
    return rows


def _segment(bad, pd, values: list) -> list[dict]:
    named = np.array([value or "unknown" for value in values], object)
    rows = []
    for name in sorted(set(named)):
        at = named == name
        enough = min(bad[at].sum(), (1 - bad[at]).sum()) >= LEAST_BAD
        rows.append({"group": name, "rows": int(at.sum()), "bad": int(bad[at].sum()), "bad_rate": _r(bad[at].mean()), "mean_pd": _r(pd[at].mean()),
                     "auc": _r(measures.auc(bad[at], pd[at])) if enough else None, "ks": _r(measures.ks(bad[at], pd[at])) if enough else None})
    return rows


def _features(scorer: Scorer, sample: Sample) -> list[dict]:
    """Information value over the model's own bins, and the characteristic stability index against the training rows, over their tenths."""
    rows = []
    shares = scorer.reference_shares
    for number, (name, column, cuts) in enumerate(zip(scorer.features.names, sample.columns, scorer.cuts)):
        placed = bins.place(column, cuts)
        count = np.bincount(placed, minlength=len(cuts) + 2)
        bads = np.bincount(placed, sample.bad, minlength=len(cuts) + 2)
        there = count > 0
        tenth = measures.tenths(shares[number])
        shift = measures.psi(*(np.bincount(tenth, part, minlength=11) for part in (shares[number], count)))
        rows.append({
            "feature": name, "iv": _r(measures.weight_of_evidence((count - bads)[there], bads[there]).iv), "csi": _r(shift.value), "missing": _r(count[-1] / count.sum()),
            "missing_in_training": _r(shares[number][-1]), "new_bins": len(shift.new), "empty_bins": len(shift.empty),
        })
    return sorted(rows, key=lambda row: (-row["iv"], row["feature"]))


def _fairness(bad, pd, values: list, cut: float) -> list[dict]:
    """Approval below the last grade's pd: each group's rate over the best one's (four-fifths rule), and errors: good declined, bad approved."""
    named, approved = np.array([value or "unknown" for value in values], object), pd < cut
    groups = [name for name in sorted(set(named)) if name != "unknown"]
    best = max((approved[named == name].mean() for name in groups if (named == name).sum() >= 30), default=None)
    rows = []
    for name in groups:
        at = named == name
        good, wrong = at & (bad == 0), at & (bad == 1)
        impact = None if best is None else approved[at].mean() / best
        rows.append({
            "group": name, "rows": int(at.sum()), "approval_rate": _r(approved[at].mean()), "impact": _r(impact),
            "below_four_fifths": bool(impact is not None and impact < FOUR_FIFTHS and at.sum() >= 30),
            "good_declined": _r((~approved)[good].mean()) if good.any() else None, "bad_approved": _r(approved[wrong].mean()) if wrong.any() else None,
            "bad_rate": _r(bad[at].mean()), "mean_pd": _r(pd[at].mean()),
        })
    return rows


def _ablation(scorer: Scorer, sample: Sample, bad, pd, bounds) -> dict:
    """What the social block adds, for all and for thin files, and whom it moves across the cut of the last grade."""
    without = scorer.pd_without_social(sample.columns)
    cut = bounds[-2]
    out = {"all": _two(bad, pd, without)}
    if "file" in sample.groups:
        thin = np.array([value == "thin" for value in sample.groups["file"]])
        out["thin_files"] = _two(bad[thin], pd[thin], without[thin]) if thin.any() else None
    swapped_in, swapped_out = (pd < cut) & (without >= cut), (pd >= cut) & (without < cut)
    out["swap_set"] = {"cut_pd": _r(cut), "in": int(swapped_in.sum()), "in_bad_rate": _r(bad[swapped_in].mean()) if swapped_in.any() else None,
                       "out": int(swapped_out.sum()), "out_bad_rate": _r(bad[swapped_out].mean()) if swapped_out.any() else None}
    return out


def _challenger(scorer: Scorer, sample: Sample, bad, pd, bounds) -> dict:
    """Champion and challenger side by side, and the swap set where both approve as many as the champion does below the last grade."""
    card = scorer.scorecard.card
    points = card.score(dict(zip(scorer.features.names, sample.columns)))
    theirs = card.pd(points)
    approved = pd < bounds[-2]
    order = np.lexsort((np.arange(len(points)), -points))
    as_many = np.zeros(len(points), bool)
    as_many[order[: int(approved.sum())]] = True
    swap = [{"champion": mine, "challenger": other, "rows": int(at.sum()), "bad_rate": _r(bad[at].mean()) if at.any() else None}
            for mine, my in (("approve", approved), ("decline", ~approved)) for other, its in (("approve", as_many), ("decline", ~as_many)) for at in [my & its]]
    measured = [{"scorer": name, **{m: _r(f(bad, p)) for m, f in (("auc", measures.auc), ("ks", measures.ks), ("brier", measures.brier), ("log_loss", measures.log_loss), ("ece", measures.ece))},
                 "slope": _r(measures.calibration_line(bad, p)[0])} for name, p in (("champion", pd), ("challenger", theirs))]
    return {"measures": measured, "swap_set": swap}


def _two(bad, pd, without) -> dict:
    if min(bad.sum(), (1 - bad).sum()) < LEAST_BAD:
        return {"rows": len(bad), "bad": int(bad.sum()), "auc": None, "auc_without": None}
    return {"rows": len(bad), "bad": int(bad.sum()), "auc": _r(measures.auc(bad, pd)), "auc_without": _r(measures.auc(bad, without)),
            "log_loss": _r(measures.log_loss(bad, pd)), "log_loss_without": _r(measures.log_loss(bad, without))}


def _curves(bad, pd, points: int = 101) -> dict:
    """The ROC curve and the distributions that KS is the distance of, at even steps."""
    order = np.argsort(-pd, kind="stable")
    caught, wrong = np.cumsum(bad[order]) / max(bad.sum(), 1), np.cumsum(1 - bad[order]) / max((1 - bad).sum(), 1)
    at = np.unique(np.linspace(0, len(bad) - 1, points).astype(int))
    return {"false_alarm": [0.0, *(_r(v) for v in wrong[at])], "caught": [0.0, *(_r(v) for v in caught[at])]}
