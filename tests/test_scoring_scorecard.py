"""The challenger: monotone bins, whole points, the same score in another engine, row for row."""

from __future__ import annotations

import json
import sqlite3

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import call, done

from qqloan_cli.scoring.scorecard import Scorecard

FEATURES = """
[feature.debt]
direction = 1
[feature.income]
direction = -1
[feature.age]
direction = 0
[feature.noise]
direction = 0
"""


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """4,000 rows: debt raises the risk, income lowers it, age both ways, noise nothing; some values are missing."""
    folder = tmp_path_factory.mktemp("flat")
    rng = np.random.default_rng(11)
    n = 4_000
    debt, income, age, noise = rng.gamma(2, 1, n), rng.lognormal(9, 0.5, n), rng.integers(20, 65, n), rng.normal(size=n)
    odds = -3 + 0.8 * debt - 0.9 * (np.log(income) - 9) + 0.002 * (age - 42) ** 2
    bad = rng.random(n) < 1 / (1 + np.exp(-odds))
    lines = ["debt,income,age,noise,bad"]
    for d, i, a, z, b in zip(debt, income, age, noise, bad):
        lines.append(f"{d:.4f},{'' if rng.random() < 0.1 else f'{i:.2f}'},{a},{z:.3f},{int(b)}")
    (folder / "flat.csv").write_text("\n".join(lines), encoding="utf-8")
    (folder / "features.toml").write_text(FEATURES, encoding="utf-8")
    done("train", "--table", folder / "flat.csv", "--target", "bad", "--features", folder / "features.toml", "--challenger", "--bags", "1", "--trees", "80", "--out", folder / "model")
    return folder


def card_of(flat) -> dict:
    return json.loads((flat / "model/scorecard.json").read_text(encoding="utf-8"))


def test_bins_go_one_way_where_the_feature_has_a_direction(flat):
    rows = {row["feature"]: row for row in card_of(flat)["features"]}
    points = {name: row["points"][:-1] for name, row in rows.items()}
    assert all(a >= b for a, b in zip(points["debt"], points["debt"][1:])) and all(a <= b for a, b in zip(points["income"], points["income"][1:]))
    assert len(points["debt"]) >= 3 and all(row["coefficient"] < 0 for row in rows.values())
    spread = {name: max(row["points"]) - min(row["points"]) for name, row in rows.items()}
    assert spread.get("noise", 0) * 4 < spread["debt"], "what says nothing is left out, or moves little"


def test_training_again_gives_the_same_card(flat):
    done("train", "--table", flat / "flat.csv", "--target", "bad", "--features", flat / "features.toml", "--challenger", "--bags", "1", "--trees", "80", "--out", flat / "again", "--workers", "2")
    assert (flat / "again/scorecard.json").read_bytes() == (flat / "model/scorecard.json").read_bytes()


def test_points_are_the_log_odds_on_the_scale(flat):
    """The mean of what the card says is what happened, and 40 points more double the odds."""
    card = Scorecard.read(card_of(flat))
    assert card.pd(np.array([600.0]))[0] == pytest.approx(1 / 21) and card.pd(np.array([640.0]))[0] == pytest.approx(1 / 41)
    scored = done("score", "--table", flat / "flat.csv", "--model", flat / "model", "--out", flat / "scored.parquet") and pq.read_table(flat / "scored.parquet")
    with duckdb.connect() as con:
        rate = con.sql(f"SELECT avg(bad) FROM '{flat}/flat.csv'").fetchall()[0][0]
    assert np.mean(scored.column("challenger_pd").to_numpy()) == pytest.approx(rate, abs=0.005)


def test_the_sql_gives_the_same_points_in_other_engines_row_for_row(flat):
    done("export", flat / "model", "--to", flat / "card.sql", "--yes")
    done("score", "--table", flat / "flat.csv", "--model", flat / "model", "--out", flat / "scored.parquet")
    ours = pq.read_table(flat / "scored.parquet").column("challenger_score").to_pylist()
    query = (flat / "card.sql").read_text(encoding="utf-8")
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE applicants AS SELECT row_number() OVER () AS n, * FROM read_csv('{flat}/flat.csv')")
        rows = con.sql("SELECT n, debt, income, age, noise FROM applicants ORDER BY n").fetchall()
        assert [score for score, in con.sql(f"SELECT score FROM ({query.rstrip().rstrip(';')}) ORDER BY n").fetchall()] == ours
    other = sqlite3.connect(":memory:")
    other.execute("CREATE TABLE applicants (n INTEGER, debt REAL, income REAL, age REAL, noise REAL)")
    other.executemany("INSERT INTO applicants VALUES (?, ?, ?, ?, ?)", rows)
    assert [row[-1] for row in other.execute(query.rstrip().rstrip(";") + " ORDER BY n")] == ours


def test_champion_and_challenger_side_by_side_with_their_swap_set(flat):
    document = json.loads(done("validate", flat / "model", "--table", flat / "flat.csv", "--target", "bad", "--format", "json").out)
    side = document["challenger"]
    assert [row["scorer"] for row in side["measures"]] == ["champion", "challenger"] and all(row["auc"] > 0.7 for row in side["measures"])
    rows = {(row["champion"], row["challenger"]): row["rows"] for row in side["swap_set"]}
    assert sum(rows.values()) == document["rows"] and rows[("approve", "decline")] == rows[("decline", "approve")]
    assert "scorecard" in json.loads((flat / "model/manifest.json").read_text())["measures"] and "Challenger" in (flat / "model/MODEL_CARD.md").read_text(encoding="utf-8")


def test_a_model_without_one_says_so(tmp_path, flat):
    done("train", "--table", flat / "flat.csv", "--target", "bad", "--bags", 1, "--trees", 5, "--out", tmp_path / "alone")
    refused = call("export", tmp_path / "alone", "--to", tmp_path / "card.sql")
    assert refused.code == 2 and "has no scorecard" in refused.err
