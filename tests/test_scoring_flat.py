"""Flat tables: data that never came through the chain, trained on and scored from the shell."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, call, done

from qqloan_cli.errors import InputError
from qqloan_cli.scoring.flat import outcome, read_table, table_material


def _table(path, n=1_200, seed=4, ends="\n", columns=None):
    """income, late_times, utilisation (with blanks), a name that is no number, and who went bad."""
    rng = np.random.default_rng(seed)
    income, late, use = rng.integers(2_000, 30_000, n), rng.poisson(0.6, n), rng.random(n)
    bad = rng.random(n) < 1 / (1 + np.exp(1.5 + (income - 9_000) / 6_000 - late - use))
    rows = [["app_id", "income", "late_times", "utilisation", "bad"]]
    for i in range(n):
        rows.append([f"A{i}", str(income[i]), str(late[i]), "" if i % 9 == 0 else f"{use[i]:.4f}", str(int(bad[i]))])
    if columns is not None:
        at = [rows[0].index(column) for column in columns]
        rows = [[row[i] for i in at] for row in rows]
    path.write_bytes((ends.join(",".join(row) for row in rows) + ends).encode())
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flat")
    done("train", "--table", _table(folder / "t.csv"), "--target", "bad", "--bags", 2, "--trees", 60, "--out", folder / "m")
    return folder / "m"


def _scored(folder, table, model):
    done("score", "--table", table, "--model", model, "--out", folder / "scored.parquet")
    return pq.read_table(folder / "scored.parquet")


def test_training_says_what_it_left_out_and_how_well_it_ranks(tmp_path):
    table = _table(tmp_path / "t.csv", 300)
    result = call("train", "--table", table, "--target", "bad", "--bags", 1, "--trees", 10, "--out", tmp_path / "m")
    assert (result.code, result.out) == (0, "")
    lines = result.err.splitlines()
    assert lines[0] == "note: columns-not-numbers: left out, neither numbers nor a few words: app_id"
    assert lines[1].startswith("300 rows, ") and lines[1].endswith(" 3 features")
    assert lines[2].startswith("model, cross-validated: AUC 0.")
    assert lines[-1].startswith("next: qqloan score --table FILE")


def test_one_worker_or_two_leave_the_same_model(tmp_path, model):
    for workers in (1, 2):
        done("train", "--table", _table(tmp_path / "t.csv"), "--target", "bad", "--bags", 2, "--trees", 60, "--workers", workers, "--out", tmp_path / f"m{workers}")
    names = sorted(path.name for path in model.iterdir())
    assert names == ["MODEL_CARD.md", "calibration.json", "features.toml", "manifest.json", "model.json", "reference.json"]
    for name in names:
        assert (tmp_path / "m1" / name).read_bytes() == (tmp_path / "m2" / name).read_bytes() == (model / name).read_bytes(), name


def test_every_row_gets_a_pd_a_score_a_grade_and_a_reason_in_its_order(tmp_path, model):
    scored = _scored(tmp_path, _table(tmp_path / "new.csv", 500, seed=9), model)
    assert scored.column("row").to_pylist() == list(range(1, 501))
    pd = scored.column("pd").to_numpy()
    assert ((0 < pd) & (pd < 1)).all() and len(np.unique(pd)) > 100
    assert (np.diff(scored.column("score").to_numpy()[np.argsort(pd)]) <= 0).all(), "a worse pd has no better score"
    codes = {code for row in scored.column("reason_codes").to_pylist() for code in row}
    assert codes <= {"M-INCOME", "M-LATE-TIMES", "M-UTILISATION", "M-BEST"}
    assert all(1 <= len(row) <= 4 and len(set(row)) == len(row) for row in scored.column("reason_codes").to_pylist())


def test_a_row_alone_and_columns_in_another_order_change_nothing(tmp_path, model):
    """Case G13: the same columns in another order give the same scores."""
    everything = _scored(tmp_path, _table(tmp_path / "new.csv", 200, seed=9), model)
    turned = _scored(tmp_path, _table(tmp_path / "turned.csv", 200, seed=9, columns=["utilisation", "late_times", "app_id", "income"]), model)
    assert turned.equals(everything)
    lines = (tmp_path / "new.csv").read_text().splitlines()
    for row in (0, 77, 199):
        (tmp_path / "one.csv").write_text("\n".join([lines[0], lines[row + 1]]) + "\n")
        one = _scored(tmp_path, tmp_path / "one.csv", model)
        assert one.drop(["row"]).equals(everything.drop(["row"]).slice(row, 1))


def test_a_missing_column_is_named(tmp_path, model):
    """Case G13: refused, naming late_times."""
    table = _table(tmp_path / "new.csv", 5, columns=["app_id", "income", "utilisation"])
    call("score", "--table", table, "--model", model, "--out", tmp_path / "o.parquet").shows(
        3, err="error: column-missing: the table lacks late_times (new.csv). "
        "Bring every column that the model looks at, in any order; --allow-missing takes them for missing values.\n")
    assert not (tmp_path / "o.parquet").exists()


def test_rows_without_outcome_are_left_out_and_counted(tmp_path):
    """Case G11: ten rows, two blank, two bad: 2 of 8 are bad, and two were left out."""
    table = tmp_path / "blank.csv"
    table.write_text("app_id,age,bad\n" + "\n".join(f"A{i},{22 + i},{bad}" for i, bad in enumerate(["1", "0", "", "0", "0", "1", "", "0", "0", "0"])) + "\n")
    material = table_material(table, "bad", None, [])
    assert (len(material.bad), material.bad.sum()) == (8, 2)
    result = done("train", "--table", table, "--target", "bad", "--out", tmp_path / "m")
    assert "2 rows without outcome left out" in result.err and "8 rows, 2 bad (25.00%)" in result.err
    assert json.loads((tmp_path / "m" / "manifest.json").read_text())["left_out"] == 2


@pytest.mark.parametrize(("words", "known", "bad"), [
    (["true", "", "FALSE", "1"], [True, False, True, True], [1, 0, 1]),
    ([1, None, 0], [True, False, True], [1, 0]),
    ([True, False, None], [True, True, False], [1, 0]),
    ([1.0, 0.0], [True, True], [1, 0]),
])
def test_outcomes_in_several_spellings(words, known, bad):
    found, value = outcome(pa.table({"bad": words}), "bad", "t")
    assert (list(found), list(value)) == (known, bad)


@pytest.mark.parametrize("words", [["good", "bad"], [0, 2], [-1.5, 0.0]])
def test_an_outcome_that_is_neither_is_refused(words):
    with pytest.raises(InputError, match="outcome-unknown"):
        outcome(pa.table({"bad": words}), "bad", "t")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_any_line_end_is_read(tmp_path, ends):
    assert read_table(_table(tmp_path / "t.csv", 50, ends=ends)).num_rows == 50


def test_encodings_and_packings_are_read(tmp_path):
    text = "编号,收入,bad\n甲,1000,0\n乙,2000,1\n"
    for name, content in (
        ("gbk.csv", text.encode("gb18030")), ("bom.csv", text.encode("utf-8-sig")), ("utf16.csv", text.encode("utf-16")), ("gz.csv.gz", gzip.compress(text.encode())),
        ("semicolon.csv", text.replace(",", ";").encode()),
    ):
        (tmp_path / name).write_bytes(content)
        assert read_table(tmp_path / name).column_names == ["编号", "收入", "bad"], name
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", text)
    assert read_table(tmp_path / "t.zip").column("收入").to_pylist() == [1000, 2000]


@pytest.mark.parametrize(("content", "ref"), [(b"", "table-unreadable"), (b"PAR1broken", "table-unreadable"), (b"PK\x03\x04nothing", "table-unreadable"), (b"a,a\n1,2\n", "column-twice")])
def test_a_file_that_is_not_a_table_is_one_line(tmp_path, content, ref):
    (tmp_path / "t.csv").write_bytes(content)
    result = call("train", "--table", tmp_path / "t.csv", "--target", "bad", "--out", tmp_path / "m")
    assert result.code == 3 and result.err.startswith(f"error: {ref}: ") and result.err.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_columns_can_be_ignored_and_a_row_number_is_never_evidence(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("n,a,b,bad\n" + "\n".join(f"{i + 1},{i * 7 % 13},{i % 5},{int(i * 7 % 13 > 8)}" for i in range(100)) + "\n")
    material = table_material(table, "bad", None, ["b"])
    assert material.features.names == ("a",)
    assert ("columns-count-rows", "left out, they number the rows: n") in material.notes
    assert call("train", "--table", table, "--target", "bad", "--ignore", "c", "--out", tmp_path / "m").err.startswith("error: column-missing: the table has no c")


def test_directions_of_a_features_file_are_kept(tmp_path):
    """late_times may only be found worse: though in these rows late people are the good ones."""
    table = tmp_path / "t.csv"
    table.write_text("late_times,income,bad\n" + "\n".join(f"{i % 5},{i * 31 % 97},{int(i % 5 < 2 or i * 31 % 97 < 20)}" for i in range(500)) + "\n")
    (tmp_path / "f.toml").write_text("[feature.late_times]\ndirection = 1\n[feature.income]\ndirection = -1\n")
    done("train", "--table", table, "--target", "bad", "--features", tmp_path / "f.toml", "--bags", 2, "--trees", 40, "--out", tmp_path / "m")
    (tmp_path / "grid.csv").write_text("income,late_times\n" + "\n".join(f"50,{late}" for late in range(7)) + "\n")
    pd = _scored(tmp_path, tmp_path / "grid.csv", tmp_path / "m").column("pd").to_numpy()
    assert (np.diff(pd) >= 0).all()


def test_what_does_not_go_together_is_wrong_usage(tmp_path):
    table = _table(tmp_path / "t.csv", 20)
    assert call("train", "--out", tmp_path / "m").code == 2
    assert call("train", "--table", table, "--out", tmp_path / "m").err.startswith("error: train-needs-target")
    assert call("train", tmp_path, "--out", tmp_path / "m").err.startswith("error: train-needs-outcomes")
    assert call("train", "--table", table, "--target", "worse", "--out", tmp_path / "m").code == 3


def test_a_model_is_not_replaced_unasked_and_nothing_else_ever(tmp_path, model):
    table = _table(tmp_path / "t.csv", 60)
    assert call("train", "--table", table, "--target", "bad", "--out", model).err.startswith("error: model-exists")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter.txt").write_text("kept")
    assert call("train", "--table", table, "--target", "bad", "--out", tmp_path / "papers", "--yes").err.startswith("error: out-not-a-model")
    assert (tmp_path / "papers" / "letter.txt").read_text() == "kept"
    done("train", "--table", table, "--target", "bad", "--out", tmp_path / "new", "--dry-run")
    assert not (tmp_path / "new").exists()


def test_too_few_outcomes_are_said(tmp_path):
    (tmp_path / "t.csv").write_text("a,bad\n1,0\n2,0\n3,1\n")
    result = call("train", "--table", tmp_path / "t.csv", "--target", "bad", "--out", tmp_path / "m")
    assert result.code == 3 and "error: outcomes-too-few: 1 bad and 2 good outcomes" in result.err


def test_a_model_whose_files_do_not_belong_together_is_refused(tmp_path, model):
    import shutil

    shutil.copytree(model, tmp_path / "m")
    reference = json.loads((tmp_path / "m" / "reference.json").read_text())
    reference["features"] = reference["features"][::-1]
    (tmp_path / "m" / "reference.json").write_text(json.dumps(reference))
    result = call("score", "--table", _table(tmp_path / "t.csv", 20), "--model", tmp_path / "m", "--out", tmp_path / "o.parquet")
    assert result.code == 4 and result.err.startswith("error: model-changed")
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    manifest["files"]["reference.json"] = hashlib.sha256((tmp_path / "m" / "reference.json").read_bytes()).hexdigest()  # sealed anew, it still does not fit
    (tmp_path / "m" / "manifest.json").write_text(json.dumps(manifest))
    result = call("score", "--table", _table(tmp_path / "t.csv", 20), "--model", tmp_path / "m", "--out", tmp_path / "o.parquet")
    assert result.code == 4 and result.err.startswith("error: model-features-differ")


def test_scoring_does_not_import_xgboost(tmp_path, model):
    import subprocess
    import sys

    table = _table(tmp_path / "t.csv", 20)
    script = (
        "import sys; from pathlib import Path; from qqloan_cli.policy.scale import load_scale; from qqloan_cli.scoring.flat import score_table\n"
        f"score_table(Path({str(table)!r}), Path({str(model)!r}), Path({str(tmp_path / 'o.parquet')!r}), load_scale(Path({str(ROOT / 'configs')!r})))\n"
        "print('xgboost' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"


def test_taiwans_file_of_carriage_returns_reaches_what_it_should(shared, tmp_path):
    """30,000 customers with old Mac line ends: bags of depth 2 rank them by an AUC of 0.78 (EBM 0.7835)."""
    table = shared / "data" / "taiwan_credit" / "UCI_Credit_Card.csv"
    result = done("train", "--table", table, "--target", "default.payment.next.month", "--bags", 2, "--trees", 150, "--out", tmp_path / "m")
    assert "they number the rows: ID" in result.err
    measured = json.loads((tmp_path / "m" / "manifest.json").read_text())["measures"]["model"]["cross_validated"]
    assert measured["auc"] > 0.778 and measured["ece"] < 0.015 and abs(measured["slope"] - 1) < 0.05


def _lending(path, n=2_000, seed=4, homes=("RENT", "OWN", "MORTGAGE")):
    """A share as text with a sign, a few words, a term in words and a postcode with too many of them."""
    rng = np.random.default_rng(seed)
    use, home, term = rng.uniform(0, 100, n), rng.choice(homes, n), rng.choice(["36 months", "60 months"], n)
    bad = rng.random(n) < 1 / (1 + np.exp(3 - 0.02 * use - 0.8 * (home == "RENT") - 0.6 * (term == "60 months")))
    rows = ["use,home,term,zip,bad", *(f"{u:.1f}%,{h if i % 11 else ''},{t},{rng.integers(10_000, 99_999)}xx,{int(b)}" for i, (u, h, t, b) in enumerate(zip(use, home, term, bad)))]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    result = done("train", "--table", _lending(folder / "t.csv"), "--target", "bad", "--bags", 2, "--trees", 60, "--out", folder / "m")
    assert "left out, neither numbers nor a few words: zip" in result.err
    return folder / "m"


def test_text_that_holds_numbers_or_a_few_words_is_learned_from(words):
    from qqloan_cli.scoring.features import load_features

    features = load_features(words / "features.toml")
    assert set(features.names) == {"use", "home=MORTGAGE", "home=RENT", "home=OWN", "term=60 months", "term=36 months"}
    assert {features.feature[name].reason for name in features.names if name.startswith("home")} == {"M-HOME"}, "one reason for a column, whatever its words"
    assert json.loads((words / "manifest.json").read_text())["measures"]["model"]["cross_validated"]["auc"] > 0.62


def test_a_word_that_training_never_saw_is_scored_the_same_alone_and_among_others(tmp_path, words):
    scored = _scored(tmp_path, _lending(tmp_path / "new.csv", 300, seed=7, homes=("RENT", "OWN", "CARAVAN")), words)
    assert scored.num_rows == 300 and scored.column("pd").null_count == 0
    lines = (tmp_path / "new.csv").read_text().splitlines()
    at = next(i for i, line in enumerate(lines[1:]) if "CARAVAN" in line)
    (tmp_path / "one.csv").write_text("\n".join([lines[0], lines[at + 1]]) + "\n")
    assert _scored(tmp_path, tmp_path / "one.csv", words).drop(["row"]).equals(scored.drop(["row"]).slice(at, 1))


def test_features_of_a_table_may_be_expressions_over_its_columns(tmp_path):
    """The codes of a column apart from its order: months late may only be worse, the codes are free."""
    features = tmp_path / "f.toml"
    features.write_text(
        '[feature.late]\nsql = "GREATEST(late_times, 0)"\ndirection = 1\n[feature.late_code]\nsql = "CASE WHEN late_times <= 0 THEN late_times ELSE 1 END"\n'
        '[feature.use]\nsql = "TRY_CAST(utilisation AS DOUBLE)"\ndirection = 1\n[feature.income]\ndirection = -1\n')
    done("train", "--table", _table(tmp_path / "t.csv"), "--target", "bad", "--features", features, "--bags", 1, "--trees", 30, "--out", tmp_path / "m")
    scored = _scored(tmp_path, _table(tmp_path / "new.csv", 300, seed=9), tmp_path / "m")
    turned = _scored(tmp_path, _table(tmp_path / "turned.csv", 300, seed=9, columns=["utilisation", "late_times", "app_id", "income"]), tmp_path / "m")
    assert scored.equals(turned) and len(np.unique(scored.column("pd").to_numpy())) > 50


@pytest.mark.parametrize(("sql", "ref"), [
    ("(SELECT 1)", "feature-not-allowed"), ("read_csv('x')", "feature-not-allowed"), ("other.income", "feature-table-unknown"), ("income +", "feature-unreadable"), ("LN(app_id)", "feature-unreadable"),
])
def test_an_expression_that_may_not_stand_there_is_refused(tmp_path, sql, ref):
    (tmp_path / "f.toml").write_text(f'[feature.it]\nsql = "{sql}"\n')
    refused = call("train", "--table", _table(tmp_path / "t.csv", 200), "--target", "bad", "--features", tmp_path / "f.toml", "--out", tmp_path / "m")
    assert refused.code == 2 and ref in refused.err and len(refused.err.strip().splitlines()) == 1


def test_a_protected_column_is_no_feature_of_a_table(tmp_path):
    (tmp_path / "f.toml").write_text('protected = ["income"]\n[feature.poor]\nsql = "CASE WHEN income < 5000 THEN 1 ELSE 0 END"\n')
    refused = call("train", "--table", _table(tmp_path / "t.csv", 200), "--target", "bad", "--features", tmp_path / "f.toml", "--out", tmp_path / "m")
    assert refused.code == 2 and "feature-column-protected" in refused.err


def test_a_missing_column_may_count_as_missing_with_a_warning_and_a_drift_alert(tmp_path, model):
    table = _table(tmp_path / "new.csv", 500, seed=9, columns=["app_id", "income", "utilisation"])
    result = done("score", "--table", table, "--model", model, "--out", tmp_path / "o.parquet", "--allow-missing")
    lines = result.err.splitlines()
    assert lines[0] == "note: feature-absent: the table has no column for late_times: it counts as missing in every row"
    assert lines[1].startswith("note: drift-red: late_times has shifted since training: stability index ") and lines[1].endswith("missing 100.0% (in training 0.0%)")
    assert pq.read_table(tmp_path / "o.parquet").num_rows == 500


def test_a_batch_like_the_training_rows_drifts_nowhere_and_a_shifted_one_where_it_shifted(tmp_path, model):
    assert "drift" not in done("score", "--table", _table(tmp_path / "same.csv", 400, seed=21), "--model", model, "--out", tmp_path / "o.parquet").err
    assert "drift" not in done("score", "--table", _table(tmp_path / "few.csv", 15, seed=22), "--model", model, "--out", tmp_path / "o.parquet").err, "few rows scatter"
    lines = _table(tmp_path / "shifted.csv", 400, seed=21).read_text().splitlines()
    (tmp_path / "shifted.csv").write_text("\n".join([lines[0], *(",".join([a, str(int(income) * 3), *rest]) for a, income, *rest in (line.split(",") for line in lines[1:]))]) + "\n")
    said = done("score", "--table", tmp_path / "shifted.csv", "--model", model, "--out", tmp_path / "o.parquet").err
    assert "drift-red: income" in said and said.count("drift-") == 1


@pytest.mark.long
def test_lending_clubs_file_as_it_is_is_learned_from_and_validated(shared, tmp_path):
    """Shares with a sign, words, a postcode, and an outcome in words; nothing of it was shaped for us."""
    path = next((shared / "data/lending_club").glob("*.csv"))
    refused = call("train", "--table", path, "--target", "loan_status", "--out", tmp_path / "m")
    assert refused.code == 3 and "--bad WORD" in refused.err
    assert "nowhere says Late" in call("train", "--table", path, "--target", "loan_status", "--bad", "Late", "--out", tmp_path / "m").err
    said = done("train", "--table", path, "--target", "loan_status", "--bad", "Charged Off", "--bags", 2, "--trees", 150, "--challenger", "--out", tmp_path / "m")
    assert "5,670 bad" in said.err and "left out, neither numbers nor a few words: zip_code, addr_state" in said.err
    measured = json.loads((tmp_path / "m/manifest.json").read_text())["measures"]
    assert measured["model"]["cross_validated"]["auc"] > 0.675 and measured["scorecard"]["cross_validated"]["auc"] > 0.66
    found = json.loads(done("validate", tmp_path / "m", "--table", path, "--target", "loan_status", "--bad", "Charged Off", "--by", "home_ownership", "--format", "json").out)
    assert {row["group"] for row in found["segments"]["home_ownership"]} >= {"RENT", "MORTGAGE", "OWN"}
