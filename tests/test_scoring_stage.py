"""The score stage and training on runs, on evidence written by hand (scoring_evidence.py)."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, done
from scoring_evidence import evidence, outcomes_csv, write_run

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import ConfigError, InputError
from qqloan_cli.scoring.runs import run_material
from qqloan_cli.stages.score import STAGE

FEATURES = ROOT / "configs" / "features.toml"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(model, manifest): trained from the shell on two runs of hand-written evidence."""
    folder = tmp_path_factory.mktemp("trained")
    tables, bad = evidence(4_000, seed=3)
    more, worse = evidence(1_000, seed=4)
    write_run(folder / "a", tables, buckets=2)
    write_run(folder / "b", more)
    both = folder / "outcomes.csv"
    first, second = outcomes_csv(folder / "1.csv", tables, bad, blank=7), outcomes_csv(folder / "2.csv", more, worse)
    both.write_text(first.read_text() + "\n".join(second.read_text().splitlines()[1:]) + "\n")
    result = done("train", folder / "a", folder / "b", "--outcomes", both, "--bags", 2, "--trees", 80, "--out", folder / "model")
    assert "7 rows without outcome left out" in result.err
    return folder / "model", json.loads((folder / "model" / "manifest.json").read_text())


def _score(root, tables, model, buckets=1, workers=1):
    run = write_run(root, tables, buckets)
    shutil.copytree(model, run.config_dir / "model")
    shutil.copy(ROOT / "configs" / "scale.toml", run.config_dir / "scale.toml")
    walk(run, [STAGE], workers, SILENT)
    return pa.concat_tables(pq.read_table(path) for path in run.whole("score")).sort_by("application_id")


@pytest.fixture(scope="module")
def scored(trained, tmp_path_factory):
    tables, bad = evidence(2_000, seed=11)
    return tables, bad, _score(tmp_path_factory.mktemp("scored") / "run", tables, trained[0])


def test_two_models_rank_people_they_never_saw(trained, scored):
    from qqloan_cli.scoring.measures import auc

    _, bad, score = scored
    whole, without = auc(bad, score.column("pd").to_numpy()), auc(bad, score.column("pd_without_social").to_numpy())
    assert whole > 0.70 and 0.68 < without < whole
    measured = trained[1]["measures"]
    assert measured["model"]["cross_validated"]["auc"] == pytest.approx(whole, abs=0.04)
    assert measured["model"]["cross_validated"]["rows"] == 5_000 - 7
    assert measured["model"]["out_of_time"]["rows"] >= 500
    assert score.column("pd").to_numpy().mean() == pytest.approx(bad.mean(), abs=0.03)


def test_every_application_gets_one_row_as_the_contract_has_it(scored):
    tables, _, score = scored
    assert score.column_names == list(CONTRACTS["score"].names)
    assert score.column("application_id").to_pylist() == sorted(tables["applicants"].column("application_id").to_pylist())
    assert all(score.column(name).null_count == 0 for name in score.column_names if not name.startswith("challenger_")), "a model without a challenger says nothing of one"
    assert pc.min(pc.list_value_length(score.column("reason_codes"))).as_py() >= 1
    assert pc.max(pc.list_value_length(score.column("reason_codes"))).as_py() <= 4
    assert len(score.column("model_version").unique()) == 1 and len(score.column("model_version")[0].as_py()) == 12


def test_points_grade_and_pd_say_the_same(scored):
    from qqloan_cli.policy.scale import load_scale

    scale = load_scale(ROOT / "configs")
    _, _, score = scored
    for suffix in ("", "_without_social"):
        pd, points, grades = (score.column(f"{name}{suffix}").to_numpy(zero_copy_only=False) for name in ("pd", "score", "grade"))
        inside = (points > scale.lowest) & (points < scale.highest)
        exact = scale.points(np.log(pd / (1 - pd)))
        assert np.abs(points - exact)[inside].max() <= 0.5001
        assert np.array([scale.pd(p) for p in exact[:200]]) == pytest.approx(pd[:200], abs=1e-9)
        for value, grade in zip(pd, grades):
            assert grade == next(g.grade for g in scale.grades if value < g.pd_below)


def test_reasons_are_what_lowers_the_score_worst_first(scored):
    _, _, score = scored
    for row, codes in zip(score.column("reasons").to_pylist(), score.column("reason_codes").to_pylist()):
        points = [reason["points"] for reason in row]
        assert [reason["code"] for reason in row] == codes and points == sorted(points)
        if codes == ["M-BEST"]:
            assert row[0]["feature"] is None and points == [0]
        else:
            assert "M-BEST" not in codes and all(p <= -1 for p in points)


def test_nobody_is_told_of_what_is_not_on_record(scored):
    """No late payments said without any, none for want of a history, no spending said where there is none."""
    tables, _, score = scored
    codes = score.column("reason_codes").to_pylist()
    overdue = tables["credit"].column("worst_dpd_24m").to_pylist()
    carded = tables["credit"].column("utilisation").to_pylist()
    assert any("M-OVERDUE" in row for row in codes) and any("M-CARDS" in row for row in codes)
    for row, dpd, use in zip(codes, overdue, carded):
        assert dpd > 0 or "M-OVERDUE" not in row
        assert use is not None or "M-CARDS" not in row
        assert "M-SPENDING" not in row


def test_all_contributions_in_points_add_up_to_the_distance_from_the_average(trained, scored):
    from qqloan_cli.policy.scale import load_scale
    from qqloan_cli.scoring.calibrate import apply
    from qqloan_cli.scoring.model import Scorer
    from qqloan_cli.scoring.tables import bins_of, summed

    scale = load_scale(ROOT / "configs")
    scorer = Scorer.load(trained[0], scale)
    rng = np.random.default_rng(0)
    columns = [rng.normal(2, 3, 300).astype(np.float32) for _ in scorer.features.names]
    contributions = scorer.contributions(columns)
    margin = summed(scorer.tables.constant, scorer.tables.contributions(bins_of(columns, scorer.cuts)))
    z = scorer.log_odds(columns)
    lost = (contributions * scorer._points_per_unit(margin, z)).sum(axis=0)
    average = scale.points(apply(scorer.calibration, np.array([scorer.tables.constant]))[0])
    assert average - lost == pytest.approx(scale.points(z), abs=0.05)


def test_buckets_workers_and_order_of_rows_change_nothing(trained, scored, tmp_path):
    tables, _, score = scored
    turned = {name: table.take(pa.array(np.random.default_rng(len(name)).permutation(len(table)))) for name, table in tables.items()}
    assert _score(tmp_path / "four", turned, trained[0], buckets=4, workers=2).equals(score)


def test_an_applicant_alone_gets_what_it_gets_among_many(trained, scored, tmp_path):
    tables, _, score = scored
    for row in (0, 999):
        alone = {name: table.slice(row, 1) for name, table in tables.items()}
        assert _score(tmp_path / str(row), alone, trained[0]).equals(score.slice(row, 1))


def test_no_evidence_at_all_is_scored_as_missing_not_as_zero(trained, scored, tmp_path):
    tables, _, _ = scored
    nothing = {name: table.slice(0, 3) if name == "applicants" else table.slice(0, 0) for name, table in tables.items()}
    bare = _score(tmp_path / "bare", nothing, trained[0])
    assert len(bare) == 3 and bare.column("pd").null_count == 0
    empty = {name: table.slice(0, 0) for name, table in tables.items()}
    assert len(_score(tmp_path / "empty", empty, trained[0])) == 0


def test_more_verified_income_never_worsens_a_score(trained, scored, tmp_path):
    tables, _, score = scored
    income = tables["income"]
    at = income.column_names.index("monthly_income_fen")
    for factor in (1.1, 2, 10):
        more = dict(tables, income=income.set_column(at, "monthly_income_fen", pc.cast(pc.round(pc.multiply(income.column(at), factor)), pa.int64())))
        richer = _score(tmp_path / str(factor), more, trained[0])
        for name in ("pd", "pd_without_social"):
            assert (richer.column(name).to_numpy() <= score.column(name).to_numpy() + 1e-9).all()


def test_the_twin_does_not_see_social_evidence(trained, scored, tmp_path):
    tables, _, score = scored
    alone = _score(tmp_path / "alone", dict(tables, social=tables["social"].slice(0, 0)), trained[0])
    for name in ("pd_without_social", "score_without_social", "grade_without_social"):
        assert alone.column(name).equals(score.column(name))
    assert not alone.column("pd").equals(score.column("pd"))


def test_gender_and_name_change_nothing(trained, scored, tmp_path):
    tables, _, score = scored
    people = tables["applicants"]
    for name, value in (("gender", "female"), ("name", "somebody")):
        people = people.set_column(people.column_names.index(name), name, pa.array([value] * len(people)))
    assert _score(tmp_path / "other", dict(tables, applicants=people), trained[0]).equals(score)


def test_a_run_without_a_model_is_a_matter_of_configuration(tmp_path):
    run = write_run(tmp_path / "run", evidence(10, 1)[0])
    run.config_dir.mkdir()
    shutil.copy(ROOT / "configs" / "scale.toml", run.config_dir)
    with pytest.raises(ConfigError, match="model-missing"):
        STAGE.prepare(run, None)


@pytest.mark.parametrize(("line", "instead", "said"), [
    ("pd_below = 1.01", "pd_below = 0.9", "no grade"), ("pd_below = 0.04", "pd_below = 0.01", "rising order"), ("base_odds = 20", "base_odds = 0", "base_odds"),
    ("lowest = 300", "lowest = 900", "lowest"), ("base_score", "bass_score", "scale.toml"),
])
def test_a_scale_that_cannot_be_right_is_refused(tmp_path, line, instead, said):
    from qqloan_cli.policy.scale import load_scale

    text = (ROOT / "configs" / "scale.toml").read_text(encoding="utf-8")
    assert line in text
    (tmp_path / "scale.toml").write_text(text.replace(line, instead, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_scale(tmp_path)


def test_outcomes_that_cannot_teach_are_left_out_or_refused(tmp_path):
    tables, bad = evidence(60, 5)
    root = write_run(tmp_path / "run", tables).root
    keys = tables["applicants"].column("application_id").to_pylist()

    def outcomes(*rows):
        (tmp_path / "o.csv").write_text("application_id,bad,observed_at\n" + "\n".join(rows) + "\n")
        return tmp_path / "o.csv"

    known = run_material([root], outcomes(f"{keys[0]},1,2024-01-01", f"{keys[1]},0,2026-06-30", f"{keys[2]},1,2026-06-30", "ZZZ,1,2026-06-30"), FEATURES)
    assert len(known.bad) == 2
    assert dict(known.notes) == {
        "outcome-early": "1 outcomes observed on or before the application's own date left out", "outcome-elsewhere": "1 outcomes of applications that are not in these runs",
    }
    with pytest.raises(InputError, match="outcome-twice"):
        run_material([root], outcomes(f"{keys[0]},1,", f"{keys[0]},0,"), FEATURES)
    with pytest.raises(InputError, match="outcomes-elsewhere"):
        run_material([root], outcomes("ZZZ,1,"), FEATURES)
    with pytest.raises(InputError, match="application-twice"):
        run_material([root, root], outcomes(f"{keys[0]},1,"), FEATURES)
    shutil.rmtree(root / "credit")
    with pytest.raises(InputError, match="no table credit"):
        run_material([root], outcomes(f"{keys[0]},1,"), FEATURES)
