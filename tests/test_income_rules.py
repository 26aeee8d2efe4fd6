"""What a statement line is taken for: every rule's own examples, and the rules that a lender could write wrongly."""

from __future__ import annotations

import shutil

import pytest
from conftest import ROOT

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.income import CLASSES, NO_RULE, classification, load_income

RULES = load_income(ROOT / "configs").rule


CON = connect()


def _first_rule(rules, field: str, text: str) -> tuple[int, int]:
    """For money in, and out."""
    return CON.execute(f"SELECT rule_in, rule_out FROM ({classification(rules, field, f'SELECT {literal(text)} AS {field}')})").fetchall()[0]


def _class_of(text: str, sign: str) -> str | None:
    number = _first_rule(RULES, "memo", text)[sign == "out"]
    return None if number == NO_RULE else RULES[number].class_


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_hits_its_examples_and_not_the_other(rule):
    alone = (rule,)
    field = "memo" if rule.looks_at("memo") else "counterparty"
    direction = 1 if rule.sign == "out" else 0
    for text in rule.hits:
        assert _first_rule(alone, field, text)[direction] == 0, text
        assert _first_rule(RULES, field, text)[direction] == RULES.index(rule), f"{text} is taken by an earlier rule"
    assert _first_rule(alone, field, rule.misses)[direction] == NO_RULE, rule.misses


@pytest.mark.parametrize("text, sign, expected", [
    ("代发工资", "in", "salary"), ("SALARY PAYMENT", "in", "salary"), ("salary payment", "in", "salary"),
    ("代发住房公积金", "in", "fund"), ("代发年终奖", "in", "bonus"), ("工资退款", "in", "refund"),
    ("DUCHOD", "in", "pension"), ("UVER", "out", "loan_repayment"), ("SIPO", "out", "consumption"),
    ("信用卡还款", "out", "card_repayment"), ("借呗还款", "out", "loan_repayment"), ("借呗放款", "in", "loan_proceeds"),
    ("差旅报销", "in", "expense_claim"), ("余额提现", "in", "own_transfer"), ("基金赎回", "in", "investment"),
    ("ATM取款", "out", "cash"), ("VYBER", "out", "cash"), ("parent's present", None, None), ("PATMOS", "out", None),
    ("工资", "out", None), ("工资奖金", "in", "salary"), ("项目奖金", "in", "bonus"),
])
def test_lines_that_people_have(text, sign, expected):
    assert _class_of(text, sign or "in") == expected


def test_money_out_is_no_income_and_every_class_is_known():
    assert {rule.class_ for rule in RULES} <= set(CLASSES)
    assert all(rule.sign == "in" for rule in RULES if rule.class_ in ("salary", "bonus", "pension", "benefit", "business"))


@pytest.mark.parametrize("old, new, says", [
    ('class = "salary"', 'class = "wages"', "no such class"),
    ('code = "BONUS"', 'code = "SALARY"', "twice"),
    ("person = '^", "person = '^(", "income-pattern-invalid"),
    ("last = 12\nreached = 7", "last = 40\nreached = 7", "last"),
    ("window_months = 12", 'window_months = 12\nsalary_words = ["x"]', "salary_words"),
])
def test_a_wrong_setting_is_named(tmp_path, old, new, says):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    file = tmp_path / "configs" / "income.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_income(tmp_path / "configs")
    assert says in str(raised.value)
