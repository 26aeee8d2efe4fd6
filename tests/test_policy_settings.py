"""qqloan rule and qqloan config as a credit officer meets them."""

from __future__ import annotations

import json
import shutil

import pytest
from limit_bucket import CONFIGS, replace
from qqloan_cli.policy.check import check
from qqloan_cli.policy.load import read_toml
from qqloan_cli.policy.settings import line_of
from qqloan_cli.policy.version import policy_version


@pytest.fixture
def config(tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "c", ignore=shutil.ignore_patterns("model"))
    return tmp_path / "c"


def test_a_rule_is_printed_in_full(qqloan):
    said = qqloan("rule", "R-WORST-DPD")
    said.shows(0, said.out)
    assert "worst_dpd_24m >= 90" in said.out and "exactly 90 days is declined" in said.out and "hits: worst_dpd_24m = 90" in said.out


def test_a_rule_speaks_chinese_and_json(qqloan):
    assert "连续3期" in qqloan("rule", "r-lian3-lei6", "--lang", "zh").shows(0, qqloan("rule", "r-lian3-lei6", "--lang", "zh").out).out
    document = json.loads(qqloan("rule", "R-SOCIAL-ALONE", "--format", "json").out)
    assert document["effect"] == "refer" and document["schema_version"] == 1 and document["examples_hit"] == [{"grade": "G", "grade_without_social": "F"}]


def test_rules_and_facts_are_listed(qqloan):
    rules = [json.loads(line) for line in qqloan("rule", "--format", "jsonl").out.splitlines()]
    assert rules[0]["code"] == "R-VERIFY-FAIL" and [r["effect"] for r in rules] == sorted((r["effect"] for r in rules), key=["decline", "refer", "note"].index)
    facts = [json.loads(line)["name"] for line in qqloan("rule", "--facts", "--format", "jsonl").out.splitlines()]
    assert "monthly_income" in facts


def test_a_code_that_is_not_there_names_what_is_near(qqloan):
    said = qqloan("rule", "R-WORST-DPT")
    assert (said.code, said.out) == (2, "") and said.err == "error: code-unknown: no rule or reason R-WORST-DPT. Near: R-WORST-DPD, R-STUDENT.\n"


def test_a_setting_has_its_value_line_dates_and_law(qqloan, config):
    said = qqloan("config", "show", "products.cash_loan.amount_max", "--origin", "--as-of", "2025-03-13", "--config", config)
    line = next(n for n, text in enumerate((config / "products.toml").read_text(encoding="utf-8").splitlines(), 1) if text.startswith("amount_max"))
    assert said.out.splitlines() == [
        "300000", f"  in {config}/products.toml:{line}", f"  configuration: {config} (--config)",
        "  law: amt.bank.net: amount_max 200000, 2020-07-12 to 2025-03-13, 商业银行互联网贷款管理暂行办法 银保监会令2020年第9号 第6条 [law, certainty H, verified through 2026-11-25]",
    ]


@pytest.mark.parametrize("key, value", [
    ("limit.payment.stress", 0.02), ("limit.grade.C.cap", 200_000), ("regulation.rate.bank24.value", 0.24), ("rules.R-WORST-DPD.when", "worst_dpd_24m >= 90"),
    ("reasons.L-APPROVED.effect", "note"), ("lender.licence", "bank"), ("regulation.price.rate.bank24.licence", ["bank", "cfc"]),
])
def test_settings_are_found_by_their_names(qqloan, key, value):
    document = json.loads(qqloan("config", "show", key, "--format", "json", "--config", CONFIGS).out)
    assert document["value"] == value
    file, line = document["origin"].rsplit(":", 1)
    assert key.split(".")[-1] in open(file, encoding="utf-8").read().splitlines()[int(line) - 1]


@pytest.mark.parametrize("key", ["limit.nothing", "nothing.at.all", "regulation.nothing", "limit.payment.stress.more", "."])
def test_a_setting_that_is_not_there_is_said(qqloan, key):
    said = qqloan("config", "show", key, "--config", CONFIGS)
    assert said.code == 2 and said.out == "" and said.err.startswith("error: setting-un")


def test_every_table_and_key_is_found_on_its_line():
    """An inline table is at its first line, so there a name is looked for no further."""
    looked = 0
    for path in sorted(CONFIGS.glob("*.toml")):
        lines, ways = path.read_text(encoding="utf-8").splitlines(), [([], read_toml(path))]
        while ways:
            way, tree = ways.pop()
            for name, value in tree.items():
                text = lines[line_of(path, [*way, name]) - 1]
                assert str(name) in text, (path.name, [*way, name], text)
                looked += 1
                if isinstance(value, dict) and text.startswith("["):
                    ways.append(([*way, name], value))
                if isinstance(value, list) and text.startswith("[["):
                    ways += [([*way, name, index], value[index]) for index in sorted({0, len(value) // 2, len(value) - 1})]
    assert looked > 300


def test_the_shipped_configuration_is_right(qqloan):
    said = qqloan("config", "check", "--config", CONFIGS, "--format", "jsonl")
    said.shows(0, said.out)
    assert all(json.loads(line)["ok"] for line in said.out.splitlines())


@pytest.mark.parametrize("file, old, new, what", [
    ("limit.toml", "income_multiple = 20", "income_multiple = 30", "limit.toml"),
    ("limit.toml", "weak = -0.10", "weak = -0.20", "limit.toml"),
    ("limit.toml", 'counts = { high = 1.0, medium = 0.9', 'counts = { high = 0.8, medium = 0.9', "limit.toml"),
    ("price.toml", "C = 0.078, D = 0.102", "C = 0.102, D = 0.078", "price.toml"),
    ("price.toml", "[products.bridge_loan]", "[products.other_loan]", "price.toml"),
    ("products.toml", "share = 1.0", "share = 0.9", "products.toml"),
    ("products.toml", "term_usual = 24", "term_usual = 25", "products.toml"),
    ("products.toml", "amount_min = 1000\n", "amount_min = 1050\n", "products.toml"),
    ("lender.toml", 'licence = "bank"', 'licence = "pawnshop"', "lender.toml"),
    ("lender.toml", "currency", "curency", "lender.toml"),
    ("rules.toml", "worst_dpd_24m >= 90", "worst_dpd_24m > 90", "examples of rules.toml"),
    ("rules.toml", "worst_dpd_24m >= 90", "worst_dpd >= 90", "rules.toml"),
    ("regulation/lpr.toml", "2019-09-20", "2019-08-20", "regulation/"),
    ("reasons/limit.toml", 'effect = "note"', 'effect = "shout"', "reasons/"),
])
def test_a_mistake_in_the_configuration_is_found_where_it_is(config, file, old, new, what):
    replace(config / file, old, new)
    assert what in [row["what"] for row in check(config) if not row["ok"]]


def test_a_wrong_configuration_ends_in_exit_2_with_every_finding(qqloan, config):
    replace(config / "limit.toml", "income_multiple = 20", "income_multiple = 30")
    replace(config / "lender.toml", 'licence = "bank"', 'licence = "pawnshop"')
    said = qqloan("config", "check", "--config", config, "--format", "jsonl")
    wrong = [row["what"] for row in map(json.loads, said.out.splitlines()) if not row["ok"]]
    assert said.code == 2 and {"limit.toml", "lender.toml"} <= set(wrong) and "config-wrong" in said.err


def test_the_policys_version_moves_with_any_setting_and_not_with_the_model(config):
    before = policy_version(config)
    (config / "model").mkdir()
    (config / "model" / "model.json").write_text("{}")
    assert policy_version(config) == before
    replace(config / "limit.toml", "stress = 0.02", "stress = 0.03")
    assert policy_version(config) != before and len(before) == 12
