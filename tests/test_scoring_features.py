"""Features are defined once, read by a parser, and reach nothing that they should not."""

from __future__ import annotations

import json
import tomllib

import pytest
from conftest import ROOT, call, done

from qqloan_cli.errors import ConfigError
from qqloan_cli.scoring.features import BEST, Feature, Features, code_of, load_features

CONFIGS = ROOT / "configs"


@pytest.fixture(scope="module")
def shipped() -> Features:
    return load_features(CONFIGS / "features.toml")


def _with(sql: str, protected=("gender", "age_years")) -> Features:
    return Features(protected=list(protected), feature={"it": Feature(sql=sql, reason="M-INCOME")})


@pytest.mark.parametrize("sql", [
    "income.monthly_income_fen / NULLIF(applicants.term_months, 0)",
    "CASE WHEN credit.bad_status THEN 2 WHEN credit.worst_dpd_24m BETWEEN 1 AND 30 THEN 1 ELSE 0 END",
    "LN(GREATEST(income.monthly_income_fen, 1)) - ABS(-1)",
    "CASE income.income_confidence WHEN 'high' THEN 1 ELSE 0 END",
    "LEN(income.flags) - CASE WHEN LIST_CONTAINS(income.flags, 'I-GAMBLING') THEN 1 ELSE 0 END",
])
def test_arithmetic_over_the_evidence_is_allowed(sql):
    import duckdb

    from qqloan_cli.contracts import CONTRACTS

    con = duckdb.connect()
    for table in ("applicants", "verify", "income", "credit", "social"):
        con.execute(f"CREATE TABLE {table} AS {CONTRACTS[table].empty()}")
    assert con.execute(_with(sql).select()).fetchall() == []


@pytest.mark.parametrize(("sql", "ref"), [
    ("(SELECT count(*) FROM read_csv('/etc/passwd'))", "feature-not-allowed"),
    ("getenv('HOME')", "feature-not-allowed"),
    ("random()", "feature-not-allowed"),
    ("now() - applicants.applied_at", "feature-not-allowed"),
    ("sum(income.monthly_income_fen) OVER ()", "feature-not-allowed"),
    ("1; DROP TABLE income", "feature-unreadable"),
    ("income.monthly_income_fen +", "feature-unreadable"),
    ("monthly_income_fen", "feature-table-unknown"),
    ("decisions.pd", "feature-table-unknown"),
    ("outcomes.bad", "feature-table-unknown"),
    ("income.salary", "feature-column-unknown"),
    ("applicants.name", "feature-column-not-allowed"),
    ("applicants.application_id", "feature-column-not-allowed"),
    ("verify.phone_hash", "feature-column-not-allowed"),
    ("applicants.src_row", "feature-column-not-allowed"),
    ("income.reasons", "feature-column-not-allowed"),
    ("applicants.gender", "feature-column-protected"),
    ("verify.age_years", "feature-column-protected"),
])
def test_anything_else_is_refused_by_name(sql, ref):
    with pytest.raises(ConfigError, match=ref):
        _with(sql).select()


def test_shipped_features_touch_nothing_protected(shipped):
    assert {"gender", "region", "id_region", "age_years"} <= set(shipped.protected)
    shipped.select()


def test_every_shipped_feature_says_what_it_is(shipped):
    for name, feature in shipped.feature.items():
        assert feature.description and feature.unit and feature.missing and feature.reason, name
        assert (feature.block == "social") == ("social." in feature.sql), name


def test_every_reason_code_has_words_in_both_languages(shipped):
    texts = tomllib.loads((CONFIGS / "reasons" / "model.toml").read_text(encoding="utf-8"))
    assert set(shipped.reasons) | set(shipped.reasons_missing) | {BEST} == set(texts)
    assert all(text["en"] and text["zh"] and text["effect"] == "note" for text in texts.values())


def test_no_reason_speaks_of_another_person_or_of_what_is_protected(shipped):
    texts = tomllib.loads((CONFIGS / "reasons" / "model.toml").read_text(encoding="utf-8"))
    for text in texts.values():
        assert not {"neighbour", "friend", "gender", "age", "region", "他人", "好友", "性别", "年龄"} & set(text["en"].lower().split()) and not any(
            word in text["zh"] for word in ("他人", "好友", "性别", "年龄", "地区"))


def test_features_survive_the_way_into_a_models_folder(shipped, tmp_path):
    (tmp_path / "features.toml").write_text(shipped.toml(), encoding="utf-8")
    assert load_features(tmp_path / "features.toml") == shipped


def test_a_typing_error_in_features_is_said(tmp_path):
    (tmp_path / "features.toml").write_text('[feature.x]\nsql = "1"\ndirektion = 1\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="direktion"):
        load_features(tmp_path / "features.toml")


def test_reason_codes_of_columns_are_never_shared():
    taken: set[str] = set()
    codes = [code_of(column, taken) for column in ("PAY_0", "pay 0", "pay-0", "收入", "债务", "best", "default.payment")]
    assert codes == ["M-PAY-0", "M-PAY-0-2", "M-PAY-0-3", "M-COLUMN", "M-COLUMN-2", "M-BEST-2", "M-DEFAULT-PAYMENT"]


def test_features_are_listed_for_people_and_machines(shipped):
    listed = json.loads(done("features", "--format", "json").out)
    assert [row["feature"] for row in listed["rows"]] == list(shipped.names)
    assert all(row["sql"] and row["direction"] and row["missing"] for row in listed["rows"])
    assert "Conservative stable monthly income" in done("features").out


def test_features_that_reach_too_far_stop_the_listing(tmp_path):
    (tmp_path / "products.toml").write_text("", encoding="utf-8")
    (tmp_path / "features.toml").write_text('[feature.x]\nsql = "applicants.name"\nreason = "M-INCOME"\n', encoding="utf-8")
    result = call("features", "--config", tmp_path)
    assert result.code == 2
    assert result.err == "error: feature-column-not-allowed: applicants.name is a key or an identifier, not evidence (features.toml: x). Use another column.\n"
