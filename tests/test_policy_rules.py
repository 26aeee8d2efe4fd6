"""Rules as a credit officer writes them: what they hit, what they miss, what a missing value does, and what they may not say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from limit_bucket import CONFIGS, Bucket, case, replace
from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.expressions import compile_rules
from qqloan_cli.policy.facts import FACTS, KINDS
from qqloan_cli.policy.rules import load_rules

RULES = load_rules(CONFIGS)
YUAN = 100


@pytest.mark.parametrize("rule", list(RULES), ids=lambda rule: rule.code)
def test_a_rule_does_what_its_examples_say(rule):
    for wanted, examples in ((True, rule.examples_hit), (False, rule.examples_miss), (None, rule.examples_unknown)):
        for answer in RULES.answers(examples) if examples else []:
            assert answer[rule.code] is wanted


@pytest.mark.parametrize("rule", list(RULES), ids=lambda rule: rule.code)
def test_a_rule_says_what_a_missing_value_leaves_open(rule):
    """Either nothing it asks can be missing, or an example shows it left open."""
    assert rule.examples_unknown or RULES.answers([{}])[0][rule.code] is not None


@pytest.mark.parametrize("rule", list(RULES), ids=lambda rule: rule.code)
def test_a_rule_has_both_languages_and_a_desk_where_it_refers(rule):
    reason = RULES.reasons[rule.code]
    assert reason.en.endswith(".") and reason.zh.endswith("。")
    assert (rule.refer_to is not None) == ("refer" in (rule.effect, rule.unknown))


def test_a_missing_value_makes_a_rule_unknown_and_one_true_rule_is_enough(tmp_path):
    """
    app_id,income,late_times      income < 3000 -> decline, unknown: refer;  late_times >= 3 -> decline
    A1,,0          refer
    A2,,5          decline
    A3,2999.99,0   decline
    A4,3000.00,0   pass
    A5,0,0         decline
    """
    def only_two_rules(config: Path) -> None:
        (config / "rules.toml").write_text("""
[[rule]]
code = "R-INCOME-LOW"
effect = "decline"
when = "monthly_income < 3000"
unknown = "refer"
unknown_reason = "R-INCOME-UNKNOWN"
refer_to = "income"
why = "policy"
examples_hit = [{ monthly_income = 0 }]
examples_miss = [{ monthly_income = 3000 }]

[[rule]]
code = "R-LIAN3-LEI6"
effect = "decline"
when = "overdue_months_24m >= 3"
unknown = "pass"
why = "policy"
examples_hit = [{ overdue_months_24m = 3 }]
examples_miss = [{ overdue_months_24m = 2 }]
""", encoding="utf-8")

    table = [(None, 0), (None, 5), (299_999, 0), (300_000, 0), (0, 0)]
    rows = Bucket(tmp_path / "run", edit=only_two_rules).decide(
        [case(monthly_income_fen=income, overdue_months_24m=late, requested_amount_fen=1_000 * YUAN) for income, late in table])
    assert [row["decision"] for row in rows] == ["refer", "decline", "decline", "approve", "decline"]
    assert rows[0]["reason_codes"] == ["R-INCOME-UNKNOWN"] and rows[0]["rules_unknown"] == ["R-INCOME-LOW"] and rows[0]["rules_hit"] == []
    assert rows[1]["reason_codes"] == ["R-LIAN3-LEI6"] and rows[2]["reason_codes"] == ["R-INCOME-LOW"]


@pytest.mark.parametrize("fact, edge, over, code", [
    ("worst_dpd_24m", 89, 90, "R-WORST-DPD"), ("consecutive_overdue_24m", 2, 3, "R-LIAN3-LEI6"), ("overdue_months_24m", 5, 6, "R-LIAN3-LEI6"),
    ("lenders_open", 7, 8, "R-MULTI-LENDER"), ("microloans_open", 4, 5, "R-MULTI-LENDER"), ("hard_inquiries_3m", 12, 13, "R-INQUIRIES-MANY"),
    ("hard_inquiries_1m", 4, 5, "R-INQUIRIES"), ("monthly_income_fen", 300_000, 299_999, "R-INCOME-LOW"), ("verify__age_years", 18, 17, "R-MINOR"),
    ("verify__age_years", 65, 66, "R-AGE-ABOVE"), ("applications_7d", 4, 5, "R-VELOCITY"), ("declines_90d", 1, 2, "R-VELOCITY"),
])
def test_a_rule_turns_exactly_at_its_edge(tmp_path, fact, edge, over, code):
    at, past = Bucket(tmp_path / "run").decide([case(**{fact: edge}), case(**{fact: over})])
    assert code not in at["rules_hit"] and code in past["rules_hit"] and code in past["reason_codes"]


@pytest.mark.parametrize("text", [
    "1 = 1; DROP TABLE facts", "(SELECT 1) = 1", "pg_sleep(10) = 1", "read_text('x') = ''", "grade LIKE '%'", "grade IN (SELECT grade FROM facts)",
    "CASE WHEN student THEN student END", "grade::INTEGER = 1", "facts.grade = 'A'", "grade = ANY(['A'])", "EXISTS (SELECT 1)", "*", "student OR",
    "pd = random()", "grade || 'x' = 'Ax'", "[1] = [1]", "pd > $1", "lower(grade) = 'a'", "pd IS DISTINCT FROM 1", "",
    "current_date > 1", "pd BETWEEN 1 AND grade", "a -> a + 1", "x'41' = 'A'", "grade COLLATE nocase = 'a'", "pd[1] = 1", "DATE '2026-01-01' > 1",
    "student FROM facts", "student AS s", "0x1F = 31", "student, student", "student ORDER BY 1", "student) OR (student", "pd IN (pd)", "NOT " * 400 + "student",
    "pd > ?", "main.abs(pd) > 1", "student; SELECT 1", "CAST(student AS BOOLEAN)", "TRY_CAST(pd AS DOUBLE) > 1", "\"pd\".\"x\" > 1", "pd = 1 LIMIT 1",
])
def test_anything_but_a_comparison_of_facts_is_refused(text):
    with pytest.raises(ConfigError) as refused:
        compile_rules({"rules.toml, R-X": text}, KINDS)
    assert refused.value.ref in ("rule-not-allowed", "rule-unreadable", "fact-unknown", "rule-types-differ", "rule-not-a-question")


@pytest.mark.parametrize("text, ref", [
    ("incom > 1", "fact-unknown"), ("grade > 3", "rule-types-differ"), ("pd = 'A'", "rule-types-differ"), ("pd + 1", "rule-not-a-question"),
    ("student > 1", "rule-types-differ"), ("NOT pd", "rule-types-differ"), ("grade AND student", "rule-types-differ"), ("pd IS TRUE", "rule-types-differ"),
    ("pd > 0" + " AND pd > 0" * 400, "rule-too-long"),
])
def test_a_rule_that_compares_unlike_things_says_so(text, ref):
    with pytest.raises(ConfigError) as refused:
        compile_rules({"rules.toml, R-X": text}, KINDS)
    assert refused.value.ref == ref


@pytest.mark.parametrize("text", [
    "pd > 0.1 AND NOT student", "monthly_income * 0.5 - debt_service < 1000 OR grade IN ('A', 'B')", "age_years BETWEEN 18 AND 20", "grade IS NOT NULL",
    "student IS TRUE", "pd >= -1", "(pd + 1) / 2 <> 3", "grade NOT IN ('A')", "ring_alert = FALSE",
])
def test_what_a_credit_officer_needs_is_allowed(text):
    [compiled] = compile_rules({"rules.toml, R-X": text}, KINDS)
    [again] = compile_rules({"rules.toml, R-X": compiled.sql}, KINDS)
    assert again == compiled and compiled.facts


def test_text_in_quotes_stays_text():
    """A quote inside a value cannot end it."""
    [compiled] = compile_rules({"x": "grade = 'A'' OR 1=1 --'"}, KINDS)
    assert compiled.sql == "(\"grade\" = 'A'' OR 1=1 --')"


@pytest.mark.parametrize("text", ["student -- not the old\n AND true", "student /* c */ AND true"])
def test_a_comment_stays_behind(text):
    [compiled] = compile_rules({"x": text}, KINDS)
    assert compiled.sql == '("student" AND TRUE)'


@pytest.mark.parametrize("when, effect", [("social_band = 'weak'", "decline"), ("ring_alert", "decline"), ("pd > 0.3", "decline"), ("grade = 'F'", "decline")])
def test_no_rule_may_decline_by_social_evidence_alone(tmp_path, when, effect):
    shutil.copytree(CONFIGS, tmp_path / "c", ignore=shutil.ignore_patterns("model"))
    replace(tmp_path / "c" / "rules.toml", 'when = "blocklisted"', f'when = "{when}"')
    with pytest.raises(ConfigError) as refused:
        load_rules(tmp_path / "c")
    assert refused.value.ref == "social-declines"


@pytest.mark.parametrize("old, new, ref", [
    ('code = "R-BLOCKLIST"', 'code = "R-MINOR"', "rule-twice"),
    ('code = "R-BLOCKLIST"', 'code = "R-NOBODY-WROTE-THIS"', "reason-missing"),
    ('code = "R-PURPOSE-UNUSUAL"\neffect = "note"', 'code = "R-PURPOSE-UNUSUAL"\neffect = "decline"', "reason-effect-differs"),
    ('unknown_reason = "R-INCOME-UNKNOWN"\n', "", "config-invalid"),
    ('refer_to = "fraud"\nwhy = "policy: shared', 'why = "policy: shared', "config-invalid"),
])
def test_a_broken_rule_is_refused_before_anything_runs(tmp_path, old, new, ref):
    shutil.copytree(CONFIGS, tmp_path / "c", ignore=shutil.ignore_patterns("model"))
    replace(tmp_path / "c" / "rules.toml", old, new)
    with pytest.raises(ConfigError) as refused:
        load_rules(tmp_path / "c")
    assert refused.value.ref == ref


def test_an_example_that_does_not_do_what_it_says_is_found(tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "c", ignore=shutil.ignore_patterns("model"))
    replace(tmp_path / "c" / "rules.toml", "worst_dpd_24m >= 90", "worst_dpd_24m > 90")
    assert load_rules(tmp_path / "c").check_examples() == ["R-WORST-DPD misses {'worst_dpd_24m': 90}, which stands as one that it hits"]


def test_every_fact_is_a_column_that_the_stage_makes_with_that_type(tmp_path):
    bucket = Bucket(tmp_path / "run")
    bucket.decide([case()])
    made = dict(bucket.con.sql("SELECT column_name, column_type FROM (DESCRIBE facts)").fetchall())
    made.pop("place")
    assert made == {fact.name: fact.type for fact in FACTS}
    assert {fact.source for fact in FACTS if fact.source in CONTRACTS} >= {"verify", "income", "credit", "social", "score", "links"}
