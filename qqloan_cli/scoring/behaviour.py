"""The behaviour score of credit lines in life: chance that a line is 60 days late or worse (M3) within six months.

A points card of configs/lines.toml, or a model that ``qqloan review-lines train`` made: monotone trees, calibrated, with reasons, as the
scorer's own. Either is told what contract ``line_months`` holds of a line, in Arrow, and answers in its rows' order.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.contracts.lines import BEHAVIOUR
from qqloan_cli.engine.session import connect, duckdb_error, literal
from qqloan_cli.errors import ConfigError, InputError
from qqloan_cli.policy.line_facts import LATENESS, MONTHS
from qqloan_cli.policy.lines import Card, Lines
from qqloan_cli.policy.scale import Scale
from qqloan_cli.policy.version import LENGTH
from qqloan_cli.scoring import measures
from qqloan_cli.scoring.bins import place
from qqloan_cli.scoring.calibrate import apply, probability
from qqloan_cli.scoring.features import Feature, Features, columns_of
from qqloan_cli.scoring.fit import Recipe, grow
from qqloan_cli.scoring.model import Scorer
from qqloan_cli.scoring.reasons import Reasons
from qqloan_cli.scoring.scorecard import Scorecard, fit
from qqloan_cli.scoring.study import Material, Study, margin

HORIZON, BAD_DPD = 6, 60  # months; days past due, beyond which a line is M3
ROUNDS, SEED = 200, 20_240_131  # of the bootstrap
FEWEST = 10  # bad ones, earlier and later, to hold one against the other
_HORIZON_DAYS = 181  # six months' ends are that far apart at least
_REASONS = pa.list_(pa.string())


def features_of(lines: Lines) -> Features:
    """lines.toml's features as the trainer's: each is the column of its name."""
    return Features(feature={name: Feature(description=name, direction=feature.direction, reason=feature.reason) for name, feature in lines.feature.items()})


class ByCard:
    """The points card. Called with a table of ``line_months`` columns: behaviour_pd, behaviour_score, score_reasons of each row."""

    def __init__(self, card: Card, lines: Lines) -> None:
        self.card = Scorecard.read({"features": [of.model_dump() for of in card.feature], **card.model_dump(include={"constant", "base_score", "base_odds", "points_to_double"})})
        names = self.card.names
        codes = tuple(lines.feature[name].reason for name in names)
        self.reasons = Reasons(names, tuple(lines.feature[name].direction for name in names), codes, codes, tuple(len(s) for s in self.card.splits), card.most_reasons, card.reason_at_least_points)
        self.version = "card-" + hashlib.sha256(card.model_dump_json().encode()).hexdigest()[: LENGTH - 5]

    def __call__(self, table: pa.Table) -> pa.Table:
        card = self.card
        bins = np.array([place(column, splits) for column, splits in zip(columns_of(table, card.names), card.splits)], np.intp).reshape(len(card.names), len(table))
        points = np.full(len(table), card.constant, np.int64)
        contributions = np.zeros(bins.shape)
        for at, (by_bin, mean) in enumerate(zip(card.points, card.mean_points)):
            points += by_bin[bins[at]]
            contributions[at] = ((mean - by_bin) / card.factor)[bins[at]]
        codes, _ = self.reasons.worst(contributions, bins, np.full(len(table), card.factor))
        return _told(table, card.pd(points), points, card.constant + sum(int(by_bin.min()) for by_bin in card.points), codes)


class ByModel:
    """A trained model's folder. Raises ConfigError where it looks at what a review does not know of a line."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        self.scorer = Scorer.load(folder, scale)
        stray = [name for name in self.scorer.features.names if name not in BEHAVIOUR]
        if stray:
            raise ConfigError("model-not-of-lines", f"the model looks at {stray[0]}, which a review does not know of a line", str(folder), "Train one with qqloan review-lines train.")
        self.version = self.scorer.version

    def __call__(self, table: pa.Table) -> pa.Table:
        found = self.scorer.score(columns_of(table, self.scorer.features.names)).figures
        return _told(table, found["pd"].to_numpy(), found["score"].to_numpy(), self.scorer.scale.lowest, found["reason_codes"])


def _told(table: pa.Table, pd: np.ndarray, score: np.ndarray, lowest: int, reasons: pa.Array) -> pa.Table:
    """What is M3 or worse already has come to pass: nothing of the kind is in what either was fitted to."""
    come_to_pass = table.column("dpd").fill_null(0).to_numpy() > BAD_DPD
    pd, score = np.where(come_to_pass, 1.0, pd), np.where(come_to_pass, lowest, score)
    return pa.table({"behaviour_pd": pa.array(pd, pa.float64()), "behaviour_score": pa.array(score.astype(np.int32), pa.int32()), "score_reasons": reasons.cast(_REASONS)})


# --- training ---


def observations(paths: list[Path], features: Features, every: int) -> pa.Table:
    """Rows to learn from of panels: line_id, month, bad and the features; those the panels say nothing of are missing throughout. Observed every so many
    months back from the last: with ``every`` at the horizon no outcome's months are another's. Raises InputError where the files are no panel."""
    con = connect(2)
    try:
        names = _bind(con, paths)
        lags = "".join(f"CASE WHEN datediff('month', lag(month, {n}) OVER line, month) = {n} THEN lag(dpd, {n}) OVER line END AS d{n}, " for n in range(1, MONTHS + 1))
        asked = [f"{name} AS {name}" if name in names else f"{LATENESS[name]} AS {name}" if name in LATENESS else f"CAST(NULL AS DOUBLE) AS {name}" for name in features.names]
        for name, value in (("horizon", HORIZON), ("every", every), ("bad_dpd", BAD_DPD)):
            con.execute(f"SET VARIABLE {name} = {int(value)}")
        con.execute(f"SET VARIABLE ahead = INTERVAL '{HORIZON} months 3 days'")  # month ends: never as far as the month after
        sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
        con.execute(sql.replace("/*lags*/", lags).replace("/*lateness*/", ", ".join(asked)))
        return con.sql("SELECT * FROM observed ORDER BY line_id, month").to_arrow_table()
    finally:
        con.close()


def _bind(con, paths: list[Path]) -> set[str]:
    """Leaves ``months``; returns the columns that the panels have."""
    listed = ", ".join(literal(str(path)) for path in paths)
    reader = "read_csv" if all(path.suffix.lower() == ".csv" for path in paths) else "read_parquet"
    try:
        names = {row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {reader}([{listed}])").fetchall()}
    except duckdb_error():
        raise InputError("panel-unreadable", "the files cannot be read", str(paths[0]), "A panel is Parquet or CSV: qqloan review-lines history writes one.") from None
    key = next((name for name in ("line_id", "loan_id") if name in names), None)
    lacks = [name for name, there in (("line_id", key), ("month", "month" in names), ("dpd", "dpd" in names)) if not there]
    if lacks:
        raise InputError("panel-lacks", f"the panel lacks {', '.join(lacks)}", str(paths[0]), "A panel has line_id or loan_id, month and dpd; status and what else contract line_months has, where it is known.")
    worked_out = {}
    if "balance_share" not in names and {"balance_fen", "principal_fen"} <= names:
        worked_out["balance_share"] = "balance_fen / nullif(principal_fen, 0)"
    if "months_on_book" not in names:
        worked_out["months_on_book"] = "mob" if "mob" in names else "datediff('month', min(CAST(month AS DATE)) OVER (PARTITION BY line_id), CAST(month AS DATE))"
    given = {name: f"CAST({name} AS DOUBLE)" for name in BEHAVIOUR if name in names and name != "dpd"} | worked_out
    status = "CAST(status AS VARCHAR)" if "status" in names else "NULL"
    off = "CAST(written_off AS BOOLEAN)" if "written_off" in names else f"coalesce({status} = 'written_off', false)"
    fallen = "CAST(instalments_fallen AS BIGINT)" if "instalments_fallen" in names else "CASE WHEN CAST(first_due_on AS DATE) <= CAST(month AS DATE) THEN 1 ELSE 0 END" if "first_due_on" in names else "1"
    columns = "".join(f", {sql} AS {name}" for name, sql in given.items())
    source = f"SELECT * RENAME ({key} AS line_id) FROM {reader}([{listed}])" if key != "line_id" else f"SELECT * FROM {reader}([{listed}])"
    con.execute(f"""CREATE TEMP TABLE months AS SELECT CAST(line_id AS VARCHAR) AS line_id, last_day(CAST(month AS DATE)) AS month, CAST(dpd AS BIGINT) AS dpd,
        coalesce({status} = 'paid', false) AS ended, {off} AS written_off, {fallen} AS instalments_fallen{columns} FROM ({source})""")
    [(twice,)] = con.execute("SELECT count(*) FROM (SELECT 1 FROM months GROUP BY line_id, month HAVING count(*) > 1)").fetchall()
    if twice:
        raise InputError("panel-twice", f"{twice:,} lines stand twice in a month", str(paths[0]), "A row a line and month is wanted.")
    return names | set(worked_out)


def material(table: pa.Table, features: Features, about: dict) -> Material:
    """What ``observations`` gave, for the trainer; a feature that is missing throughout is left out, and said. Lines stay together."""
    known = np.array(table.column("bad").is_valid())
    bad = table.column("bad").fill_null(0).to_numpy().astype(np.float64)
    silent = [name for name in features.names if table.column(name).null_count == len(table)]
    features = features.without(silent) if silent else features
    columns = columns_of(table, features.names)
    line = np.unique(table.column("line_id").to_numpy(zero_copy_only=False), return_inverse=True)[1]
    decided = table.column("month").cast(pa.int32()).to_numpy().astype(np.int64)
    notes = [("features-not-known", f"the panel says nothing of {', '.join(silent)}: left out")] if silent else []
    if not known.all():
        notes.append(("outcomes-not-known", f"{int((~known).sum()):,} observations are lost from sight within {HORIZON} months: left out"))
    facts = {"about": f"Lines in life: {BAD_DPD} days late or worse (M3) within {HORIZON} months.", **about, "left_out": int((~known).sum())}
    return Material(features, [column[known] for column in columns], bad[known], line[known], decided[known], facts, notes)


def latest(given: Material) -> tuple[np.ndarray, np.ndarray] | None:
    """(early, late): the last months of observation that hold a tenth of the rows and ten bad ones at least, and the rows whose outcomes were known
    before them; None where there are no such."""
    months = np.unique(given.decided)[::-1]
    for month in months[:-1]:
        late = given.decided >= month
        early = given.decided <= month - _HORIZON_DAYS
        if late.mean() >= 0.1 and given.bad[late].sum() >= FEWEST:
            return (early, late) if given.bad[early].sum() >= FEWEST else None
    return None


def out_of_time(given: Material, recipe: Recipe, calibration: dict, seed: int, workers: int) -> list[dict] | None:
    """Each measure with its 95 % interval on the latest observations, by a model of those whose outcomes were known by then; None where there are
    too few."""
    parts = latest(given)
    if parts is None:
        return None
    early, late = parts
    sample = Study.of(given, recipe, seed, workers).sample
    [document] = grow([sample.rows(early)], recipe, seed, workers)
    return measured(sample.bad[late], probability(apply(calibration, margin(document, sample.rows(late)))))


def measured(bad: np.ndarray, pd: np.ndarray) -> list[dict]:
    """measure, value, low and high; ``observed_to_expected`` is how many went bad for each that was expected to."""
    def weighted(function):
        return lambda b, p, w: function(np.repeat(b, w), np.repeat(p, w))

    ratio = lambda b, p: float(b.sum() / p.sum())  # noqa: E731
    slope = lambda b, p: measures.calibration_line(b, p)[0]  # noqa: E731
    rows = []
    for name, function, interval in (
        ("auc", measures.auc, measures.auc), ("ks", measures.ks, weighted(measures.ks)), ("brier", measures.brier, weighted(measures.brier)),
        ("ece", measures.ece, weighted(measures.ece)), ("observed_to_expected", ratio, weighted(ratio)), ("calibration_slope", slope, weighted(slope)),
    ):
        low, high = measures.bootstrap(bad, pd, interval, ROUNDS, SEED)
        rows.append({"measure": name, "value": round(function(bad, pd), 6), "low": round(low, 6), "high": round(high, 6)})
    return rows


def span(table: pa.Table) -> tuple[datetime.date, datetime.date]:
    """The first and the last month of observation."""
    import pyarrow.compute as pc

    months = table.column("month")
    return pc.min(months).as_py(), pc.max(months).as_py()


# --- the points card ---


def fit_card(given: Material, scale: Scale) -> tuple[dict, list[dict]]:
    """The card of all observations as a document (scorecard.fit), and what one of the earlier is worth on the latest. Raises InputError where there
    are too few of either."""
    names, directions, parts = given.features.names, given.features.directions, latest(given)
    if parts is None:
        raise InputError("panel-too-short", "no later observations are left to hold a card against", hint="Bring a panel of two years at least, or one with more outcomes.")
    early, late = parts
    earlier = Scorecard.read(fit(names, directions, [column[early] for column in given.columns], given.bad[early], scale))
    by_name = dict(zip(names, given.columns))
    pd = earlier.pd(earlier.score({name: by_name[name][late] for name in earlier.names}))
    return fit(names, directions, given.columns, given.bad, scale), measured(given.bad[late], pd)


def card_toml(document: dict, figures: list[dict], fitted_on: str, scale: Scale) -> str:
    """The block [card] of lines.toml."""
    told = ", ".join(f"{row['measure'].replace('_', ' ')} {row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})" for row in figures)
    lines = [
        "[card]", *(f"{name} = {document[name]:g}" for name in ("base_score", "base_odds", "points_to_double")), f"constant = {document['constant']}",
        f"most_reasons = {scale.most_reasons}", f"reason_at_least_points = {scale.reason_at_least_points:g}",
        f"fitted_on = {json.dumps(fitted_on, ensure_ascii=False)}", f"figures = {json.dumps('out of time: ' + told)}",
    ]
    for of in document["features"]:
        lines += ["", "[[card.feature]]", f'feature = "{of["feature"]}"', *(f"{name} = {of[name]}" for name in ("splits", "points", "rows"))]
    return "\n".join(lines) + "\n"
