"""A validation on the terminal: every table of it, in the order in which a committee asks."""

from __future__ import annotations

from qqloan_cli.reports import formats

PERCENT = {"bad_rate", "share", "mean_pd", "expected", "observed", "approval_rate", "caught", "missing", "missing_in_training", "impact", "good_declined", "bad_approved"}


def tables(found: dict) -> list[tuple[str, list[dict]]]:
    """(title, rows) of everything that is a table; the page draws the same."""
    line = found["calibration"]
    listed = [
        (f"{found['about']}: {found['rows']:,} rows, {found['bad']:,} bad ({found['bad_rate']:.2%}), mean pd {found['mean_pd']:.2%}; {found['left_out']:,} left out; model {found['model_version']}", found["measures"]),
        (f"Calibration by tenths (Hosmer-Lemeshow {line['hosmer_lemeshow']:.2f} on {line['degrees_of_freedom']} degrees of freedom, p {line['p_value']:.4f})", line["bins"]),
        ("By grade", found["grades"]),
        ("Gains, from the riskiest tenth on", found["gains"]),
        ("Strategy: approving from a score on", found["strategy"]),
        *((f"By {name}", rows) for name, rows in found["segments"].items()),
        *((f"Fairness by {name}, approving below the last grade (below four fifths of the best group's rate is marked)", rows) for name, rows in found["fairness"].items()),
        ("Features: information value here, stability against the training rows (an empty bin counts as 0.0001)", found["features"]),
    ]
    if "challenger" in found:
        listed.append(("Champion (boosted) and challenger (points scorecard)", found["challenger"]["measures"]))
        listed.append(("Swap set: the challenger approving as many as the champion does below the last grade", found["challenger"]["swap_set"]))
    if "without_social" in found:
        of = found["without_social"]
        rows = [{"rows of": name, **of[name]} for name in ("all", "thin_files") if of.get(name)]
        listed.append(("With and without social evidence", rows))
        listed.append(("Whom it moves across the last grade's cut", [of["swap_set"]]))
    return listed


def show(found: dict) -> None:
    for title, rows in tables(found):
        if rows:
            names = list(dict.fromkeys(name for row in rows for name in row))
            formats.draw([name.replace("_", " ") for name in names], [[shown(name, row.get(name)) for name in names] for row in rows], title,
                         [not isinstance(rows[0].get(name), str) for name in names])


def shown(name: str, value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in PERCENT and isinstance(value, float):
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}" if isinstance(value, float) else str(value)
