"""MODEL_CARD.md: what the manifest says, for people."""

from __future__ import annotations

from qqloan_cli.scoring.drawn import drawn
from qqloan_cli.scoring.features import Features
from qqloan_cli.scoring.tables import Tables
from qqloan_cli.scoring.trees import Trees

_DIRECTION = {1: "higher is worse", -1: "higher is better", 0: "free"}
_REJECTS = {
    "none": "Outcomes of declined applications are not known and were not inferred.",
    "fuzzy": "Reject inference by fuzzy augmentation: {rows:,} applications without outcome count twice, as good and as bad, by their inferred chance "
             "(mean {inferred_bad_rate:.2%}, odds times {odds_factor:g}). This is an assumption and no evidence.",
    "parcelling": "Reject inference by parcelling: {rows:,} applications without outcome were dealt outcomes by score band "
                  "(bad {inferred_bad_rate:.2%}, odds times {odds_factor:g}). This is an assumption and no evidence.",
}
_KIND = {"scorecard_without_social": "Challenger without social evidence", "model": "With all features", "model_without_social": "Without social evidence", "scorecard": "Challenger: points scorecard"}


def card(manifest: dict, features: Features, weights: list[tuple[str, float]], tables: Tables | Trees, reference: list[dict]) -> str:
    """Markdown. ``weights`` are features with the spread of their contributions in log odds, largest first."""
    recipe, rate = manifest["recipe"], manifest["bad"] / manifest["rows"]
    parts = [
        "# Model card",
        "## Purpose",
        "Estimates the probability that a consumer loan goes bad, for underwriting. It informs a decision that rules, limits and people make; "
        "it is not meant for marketing, for pricing alone, for employment or for insurance.",
        "## Data",
        f"{manifest['rows']:,} applications of {manifest['people']:,} people, {manifest['bad']:,} bad ({rate:.2%}). "
        f"{manifest.get('left_out', 0):,} rows without outcome left out. {manifest.get('about', '')}".strip(),
        "## Model",
        f"XGBoost {manifest['versions']['xgboost-cpu']}: {recipe['bags']} bags of trees of depth {recipe['depth']}, "
        f"{manifest['trees']['model']} trees in all, learning rate {recipe['learning_rate']}, {recipe['rows']:.0%} of rows for each tree and {recipe['columns']:.0%} of columns "
        f"for each split, each bag stopped on {recipe['held_out']:.0%} of people kept from it. Monotone in every feature that has a direction. Seed {manifest['seed']}. "
        "No reweighting of outcomes, so probabilities stay probabilities.",
        "The trees add up to one table per feature and one per pair. A pair's table is purified over the training rows' bins: what it says about one feature alone is moved "
        "to that feature. A feature's contribution is its own table plus half of each of its pairs' (TreeSHAP shares a pair in another way; the sum is the same margin)."
        if isinstance(tables, Tables) else
        "Its trees look at more than two features, so no table holds them: contributions are TreeSHAP's (path-dependent), worked out by XGBoost itself.",
        *_tuning(manifest.get("tuning", [])),
        _REJECTS[manifest["reject_inference"]["way"]].format(**manifest["reject_inference"]),
        "## Performance",
        *(_performance(_KIND[kind], results) for kind, results in manifest["measures"].items()),
        "## Features",
        "By how far each moves the log odds over the training rows (standard deviation of its contributions).\n\n"
        "| feature | weight | direction | block | meaning | missing means |\n|---|---|---|---|---|---|\n"
        + "\n".join(_row(name, weight, features) for name, weight in weights),
        *(["## Tables", *drawn(tables, features.names, reference, [name for name, _ in weights])] if isinstance(tables, Tables) else []),
        "## Stability",
        "`reference.json` keeps the training rows' shares by bin of every feature: a later batch is compared with it by PSI, an empty bin counting as 0.0001.",
        "## Fairness",
        f"No feature may read {', '.join(features.protected)}." if features.protected else
        "The columns were taken as they came: whoever trained this must see that none is a protected attribute or stands for one.",
        *_groups(manifest.get("groups", {})),
        *_alternatives(manifest.get("alternatives")),
        "## Limits",
        "It knows people like those it was trained on. Measures and calibration rest on known outcomes alone. "
        "Fewer than a few hundred bad outcomes make every figure above uncertain: look at the intervals.",
    ]
    parts += ["## Changes", _changes(manifest.get("changes"))]
    return "\n\n".join(parts) + "\n"


def _changes(found: dict | None) -> str:
    if found is None:
        return "None told: no earlier model was named (--replaces)."
    lines = [f"Replaces model {found['replaces']}."]
    lines += [f"- features {what}: {', '.join(found[f'features_{what}'])}" for what in ("added", "gone", "changed") if found[f"features_{what}"]]
    lines += [f"- {key}: {old} before, {new} now" for key, (old, new) in found["recipe"].items()]
    lines += [f"- {key} (cross-validated, each on its own rows): {old} before, {new} now" for key, (old, new) in found["cross_validated"].items()]
    return "\n".join(lines)


def _groups(found: dict[str, list[dict]]) -> list[str]:
    """Who would pass at the mean pd: the four-fifths rule looks at the lowest share over the highest."""
    rows = [(name, row) for name, groups in found.items() for row in groups]
    if not rows:
        return []
    lines = ["| attribute | group | rows | below the mean pd | over the best group's | mean pd | bad rate |", "|---|---|---|---|---|---|---|"]
    lines += [f"| {name} | {r['group']} | {r['rows']:,} | {r['below_mean_pd']:.1%} | {r['impact']:.3f}{' (below four fifths)' if r['impact'] < 0.8 else ''} | {r['mean_pd']:.2%} | {r['bad_rate']:.2%} |" for name, r in rows]
    return ["\n".join(lines)]


def _tuning(trials: list[dict]) -> list[str]:
    if not trials:
        return []
    names = [name for name in trials[0] if name not in ("log_loss", "gain", "gain_standard_error", "taken")]
    lines = [f"| {' | '.join(names)} | log loss | gain on the usual | its standard error | |", "|---" * (len(names) + 4) + "|"]
    lines += [f"| {' | '.join(f'{t[n]:g}' for n in names)} | {t['log_loss']:.6f} | {t['gain']:+.6f} | {t['gain_standard_error']:.6f} | {'taken' if t['taken'] else ''} |" for t in trials]
    return [f"Tuning: {len(trials)} recipes on the same folds, the first the usual one; another is taken only if it gains more than a standard error.", "\n".join(lines)]


def _alternatives(found: dict | None) -> list[str]:
    if not found:
        return []
    attributes = sorted(found["models"][0]["impact"])
    lines = [f"| left out | AUC | difference (95 % interval) | {' | '.join(f'impact by {a}' for a in attributes)} |", "|---" * (3 + len(attributes)) + "|"]
    for model in found["models"]:
        impacts = " | ".join(f"{model['impact'][a]:.3f}" for a in attributes)
        lines.append(f"| {', '.join(model['left_out']) or 'nothing'} | {model['auc']:.4f} | {model['auc_difference_low']:+.4f} to {model['auc_difference_high']:+.4f} | {impacts} |")
    best = ", ".join(found["least_discriminatory"]) or "nothing"
    return [
        f"### Search for a less discriminatory model\n\nEach line leaves out one more feature than the best so far, those that part groups most first; {found['approved_share']:.1%} are approved by each. "
        f"Impact is the lowest group's approval rate over the highest's. Of those that lose at most {found['equal_power_loses_at_most']} of AUC within the interval, "
        f"the least discriminatory leaves out: {best}.", "\n".join(lines),
    ]


def _performance(title: str, results: dict) -> str:
    lines = [f"### {title}", "", "| sample | rows | bad | AUC (95 % interval) | KS | Brier | log loss | ECE | slope | intercept |", "|---|---|---|---|---|---|---|---|---|---|"]
    for key, name in (("cross_validated", "cross-validated by person"), ("out_of_time", "out of time (latest fifth)")):
        if key in results:
            r = results[key]
            lines.append(
                f"| {name} | {r['rows']:,} | {r['bad']:,} | {r['auc']:.4f} ({r['auc_low']:.4f} to {r['auc_high']:.4f}) | {r['ks']:.4f} | {r['brier']:.5f} | "
                f"{r['log_loss']:.5f} | {r['ece']:.4f} | {r['slope']:.3f} | {r['intercept']:.3f} |"
            )
    if "calibration" not in results:
        return "\n".join(lines)
    lines += ["", "| tenth by pd | rows | mean pd | went bad |", "|---|---|---|---|"]
    lines += [f"| {at} | {r['rows']:,} | {r['expected']:.3%} | {r['observed']:.3%} |" for at, r in enumerate(results["reliability"], 1)]
    losses = ", ".join(f"{method} {loss:.6f}" for method, loss in results["calibration"]["log_loss"].items())
    return "\n".join(lines) + f"\n\nCalibration: {results['calibration']['method']}, chosen by log loss on folds it was not fitted on ({losses})."


def _row(name: str, weight: float, features: Features) -> str:
    f = features.feature[name]
    return f"| {name} | {weight:.4f} | {_DIRECTION[f.direction]} | {f.block or '-'} | {f.description or name} | {f.missing} |"
