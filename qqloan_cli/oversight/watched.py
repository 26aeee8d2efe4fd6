"""Every figure that is watched, of the latest runs and of the book, with what it is held against."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from scipy.interpolate import PchipInterpolator

from qqloan_cli.oversight.judge import Figure
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.policy import drift
from qqloan_cli.policy.monitor import SHARES, Monitoring
from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring import expected
from qqloan_cli.scoring.measures import psi

ASKED = Path(__file__).with_name("asked")


def asked(sight: Sight, name: str) -> list[dict]:
    """Rows of a question that has a few."""
    return sight.ask((ASKED / f"{name}.sql").read_text(encoding="utf-8")).to_pylist()


def of_nights(nights: list[dict], sight: Sight, policy: Monitoring) -> list[Figure]:
    """Rates and means of the latest date, against the earlier dates'."""
    by_name: dict[tuple, list[dict]] = {}
    for night in nights:
        by_name.setdefault((night["measure"], night["subject"]), []).append(night)
    return [_night(series, sight, policy) for series in by_name.values() if series[0]["age"] == 0 and series[0]["rows"]]


def _night(series: list[dict], sight: Sight, policy: Monitoring) -> Figure:
    now, earlier = series[0], [night for night in series[1:] if night["rows"]]
    measure, value, rows = now["measure"], now["value"], now["rows"]
    interval = expected.share(round(value * rows), rows) if measure in SHARES and measure not in ("mean-price", "expected-bad-rate", "policy-draft") else None
    reference, noise = _before(now, earlier, policy.look.chance)
    return Figure(
        measure, now["subject"], sight.dates[0], value, reference, interval and interval.lower, interval and interval.upper, rows,
        by_chance=reference is not None and abs(value - reference) <= noise,
    )


def _before(now: dict, earlier: list[dict], chance: float) -> tuple[float | None, float]:
    """(mean of the earlier nights, weighed by rows; how far from it ``now`` may stand by chance): within nights as rows scatter, between them
    by as much as the earlier ones differed beyond that (DerSimonian and Laird)."""
    if not earlier:
        return None, 0.0
    rows, values = np.array([night["rows"] for night in earlier], float), np.array([night["value"] for night in earlier])
    mean = float((rows * values).sum() / rows.sum())
    variance = max(now["sd"] ** 2, float((rows * np.array([night["sd"] for night in earlier]) ** 2).sum() / rows.sum()))
    between = 0.0
    if len(earlier) > 2 and variance > 0:
        weight = rows / variance
        scatter = (weight * (values - mean) ** 2).sum()
        between = max(0.0, float((scatter - (len(earlier) - 1)) / (weight.sum() - (weight**2).sum() / weight.sum())))
    return mean, chance * float(np.sqrt(variance / now["rows"] + variance / rows.sum() + between * (1 + 1 / len(earlier))))


def of_feeds(sight: Sight) -> list[Figure]:
    """How old the latest row of each input is, and how many rows an application came with."""
    day, found = sight.dates[0], []
    for row in asked(sight, "latest"):
        found.append(Figure("feed-freshness", row["subject"], day, row["value"], rows=row["rows"], note=None if row["value"] is not None else "nothing of it is dated up to the as-of date"))
    by_input: dict[str, list[dict]] = {}
    for row in asked(sight, "feeds"):
        by_input.setdefault(row["subject"], []).append(row)
    for subject, (now, *earlier) in by_input.items():
        applications = sum(row["rows"] / row["value"] for row in earlier if row["value"])
        reference = sum(row["rows"] for row in earlier) / applications if applications else None
        if now["age"] == 0:
            found.append(Figure("feed-volume", subject, day, now["value"], reference, rows=max(now["rows"], round(sum(row["rows"] for row in earlier) / max(1, len(earlier)))) if earlier else now["rows"]))
    return found


def pds(sight: Sight) -> tuple[np.ndarray, np.ndarray]:
    """(pd, whether it was approved) of the latest date's applications, from the lowest pd."""
    found = sight.ask((ASKED / "pds.sql").read_text(encoding="utf-8"))
    return found.column("pd").to_numpy(), np.equal(found.column("approved").to_numpy(zero_copy_only=False), True)


def of_model(sight: Sight, policy: Monitoring, pd: np.ndarray, approved: np.ndarray) -> list[Figure]:
    """Shifts since training, and what the pds themselves say of ranking and loss before an outcome is known."""
    day, latest = sight.dates[0], sight.runs[-1]
    found = []
    bins = sight.ask("SELECT feature, bin, from_value, missing, CAST(sum(\"rows\") AS BIGINT) AS \"rows\", any_value(reference_share) AS reference_share, any_value(reference_rows) AS reference_rows "
                     "FROM score_bins WHERE age = 0 GROUP BY feature, bin, from_value, missing ORDER BY feature, bin")
    for row in drift.of_table(bins, load_scale(latest.config_dir)).to_pylist():
        share = expected.share(round(row["missing_share"] * row["rows"]), row["rows"])
        found.append(Figure("csi", row["feature"], day, row["csi"], 0.0, rows=row["rows"], by_chance=row["csi"] <= row["chance"],
                            note=f"in {row['new_bins']} tenths there was nobody in training" if row["new_bins"] else None))
        found.append(Figure("missing-share", row["feature"], day, row["missing_share"], row["reference_missing_share"], share.lower, share.upper, row["rows"],
                            by_chance=share.lower <= row["reference_missing_share"] <= share.upper))
    manifest = trained(latest.config_dir)
    by_champion = [row["scorer"] for row in sight.ask("SELECT DISTINCT scorer FROM score WHERE age = 0 ORDER BY scorer").to_pylist()] == ["champion"]
    found += _shifted(sight, manifest, policy)
    auc = manifest.get("auc") if by_champion else None
    for subject, part, reference in ((None, pd, auc), ("approved", pd[approved], None)):
        if len(part):
            estimate = expected.expected_auc(part)
            found.append(Figure("expected-auc", subject, day, _r(estimate.value), reference, _r(estimate.lower), _r(estimate.upper), len(part),
                                by_chance=reference is not None and estimate.lower <= reference <= estimate.upper, note="by the model's own pds, before outcomes are known"))
    return found


def with_loss_to_come(figures: list[Figure], sight: Sight, pd: np.ndarray, approved: np.ndarray) -> list[Figure]:
    """The same, expected bad rates with the interval in which outcomes will lie."""
    manifest, out = trained(sight.runs[-1].config_dir), []
    for figure in figures:
        if figure.measure == "expected-bad-rate":
            estimate = expected.expected_bad_rate(pd if figure.subject is None else pd[approved])
            changes = {"lower": _r(estimate.lower), "upper": _r(estimate.upper)}
            if figure.reference is None and figure.subject is None and manifest.get("bad_rate") is not None:
                changes |= {"reference": manifest["bad_rate"], "note": "held against the training rows, as there is no earlier run"}
                changes["by_chance"] = estimate.lower <= manifest["bad_rate"] <= estimate.upper
            figure = replace(figure, **changes)
        out.append(figure)
    return out


def trained(config_dir: Path) -> dict:
    """What the model's manifest says of its training rows: bad_rate, auc, tenths (mean pd of tenths of equal count); empty where it does not."""
    path = config_dir / "model" / "manifest.json"
    if not path.is_file():
        return {}
    told = json.loads(path.read_text(encoding="utf-8"))
    of = told.get("measures", {}).get("model", {})
    return {
        "bad_rate": told["bad"] / told["rows"] if told.get("rows") else None, "rows": told.get("rows"), "auc": of.get("cross_validated", {}).get("auc"),
        "tenths": [tenth["expected"] for tenth in of.get("reliability", [])],
    }


def _shifted(sight: Sight, manifest: dict, policy: Monitoring) -> list[Figure]:
    """Stability of the pd: against training, whose tenths are known by their mean pds alone (the monotone curve
    through these, in log odds, parts them), and against the earlier runs' own tenths."""
    day, found = sight.dates[0], []
    if len(manifest.get("tenths") or []) > 2:
        odds = np.log(np.array(manifest["tenths"]) / (1 - np.array(manifest["tenths"])))
        tenths = np.arange(len(odds)) + 0.5
        cuts = 1 / (1 + np.exp(-PchipInterpolator(tenths, odds)(np.arange(1, len(odds)))))
        rows = _tenths(sight, cuts)
        found.append(_psi("psi", day, np.full(len(rows), 1 / len(rows)), manifest["rows"], np.array([row["now"] for row in rows]), policy, "training is known by the mean pds of its tenths, so an index of 0.02 may be nothing"))
    [cuts] = sight.ask("SELECT quantile_disc(champion_pd, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) AS cuts FROM score WHERE age > 0").column("cuts").to_pylist()
    if cuts and cuts[0] is not None:
        rows = _tenths(sight, np.unique(cuts))
        earlier = np.array([row["earlier"] for row in rows], float)
        found.append(_psi("psi-earlier", day, earlier / earlier.sum(), earlier.sum(), np.array([row["now"] for row in rows]), policy, None))
    return [figure for figure in found if figure is not None]


def _tenths(sight: Sight, cuts: np.ndarray) -> list[dict]:
    sight.register("pd_cuts", pa.table({"tenth": pa.array(range(len(cuts) + 1), pa.int32()), "from_pd": pa.array([0.0, *cuts], pa.float64())}))
    return asked(sight, "pd_tenths")


def _psi(measure: str, day, share: np.ndarray, m: float, now: np.ndarray, policy: Monitoring, note: str | None) -> Figure | None:
    """Chance alone gives (1/n + 1/m)(B - 1) on average, with a standard deviation of (1/n + 1/m) sqrt(2 (B - 1))."""
    n = now.sum()
    if not n:
        return None
    found, degrees = psi(share, now, fill=0.5 / n), len(now) - 1
    chance = (1 / n + 1 / m) * (degrees + policy.look.chance * np.sqrt(2 * degrees))
    return Figure(measure, "pd", day, _r(found.value), 0.0, rows=int(n), by_chance=bool(found.value <= chance), note=note)


def of_decisions(sight: Sight) -> list[Figure]:
    """Versions that are new, warnings, funds in use, the largest new ring."""
    day = sight.dates[0]
    found = [Figure("run-warning", row["subject"], day, row["value"], rows=row["rows"]) for row in asked(sight, "warned")]
    for row in asked(sight, "decided_by"):
        found += [Figure("policy-changed", None, day, float(row["policies"]), 0.0, rows=row["rows"]), Figure("model-changed", None, day, float(row["models"]), 0.0, rows=row["rows"])]
    found += [Figure("source-use", row["subject"], day, row["value"], rows=row["rows"]) for row in asked(sight, "sources")]
    [ring] = asked(sight, "rings")
    if ring["rows"]:
        found.append(Figure("ring-largest", None, day, ring["value"], rows=ring["rows"]))
    return found


def of_book(sight: Sight) -> list[Figure]:
    """Lateness, the ledger, money that waits, and how far behind the book is."""
    path = sight.book.root / "exceptions.parquet"
    if path.is_file():
        sight.register("exceptions", pyarrow.parquet.read_table(path, columns=["reason"]))
    else:
        sight.register("exceptions", pa.table({"reason": pa.array([], pa.string())}))
    found = [Figure(row["measure"], row["subject"], sight.at, row["value"], rows=row["rows"]) for row in asked(sight, "book")]
    if sight.runs:
        found.append(Figure("book-behind", None, sight.at, float(max(0, (sight.dates[0] - sight.book.closed_to).days))))
    return found


def of_first_payments(sight: Sight, policy: Monitoring) -> list[Figure]:
    """The latest three cohorts that are old enough: first-payment defaults over what their pds imply, each by the share of bad loans that the
    cohorts before it missed the first payment of, drawn to the prior."""
    found, bad_before, pd_before = [], policy.early.of_bad * policy.early.weight, float(policy.early.weight)
    for row in asked(sight, "first_payment"):
        of_bad = bad_before / pd_before
        estimate = expected.observed_to_expected(row["bad"], of_bad * row["pd"])
        found.append(Figure(
            "first-payment-default", row["cohort"].strftime("%Y-%m"), sight.at, _r(estimate.value), 1.0, _r(estimate.lower), _r(estimate.upper), row["n"],
            by_chance=estimate.lower <= 1 <= estimate.upper, note=f"{row['bad']:,} of {row['n']:,} loans, of which {of_bad * row['pd']:.1f} were to be expected",
        ))
        bad_before, pd_before = bad_before + row["bad"], pd_before + row["pd"]
    return found[-3:]


def _r(value: float, digits: int = 6) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)
