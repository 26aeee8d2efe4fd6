"""The law by date and licence: which cap binds whom, and what a run has to say of it."""

from __future__ import annotations

import datetime
import shutil

import pytest
from limit_bucket import CONFIGS, Bucket, case, replace
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.products import load_lender
from qqloan_cli.policy.regulation import load_regulation

LAW = load_regulation(CONFIGS)
YUAN = 100


def on(day: str) -> datetime.date:
    return datetime.date.fromisoformat(day)


def licensed(licence: str, adopt=()):
    return load_lender(CONFIGS).model_copy(update={"licence": licence, "adopt_reports": list(adopt)})


def binding(licence: str, topic: str, day: str, adopt=()) -> list[int]:
    lender = licensed(licence, adopt)
    return sorted(row["value"] for row in LAW.periods(lender) if row["topic"] == topic and row["from_date"] <= on(day) <= row["to_date"])


@pytest.mark.parametrize("licence, day, caps", [
    ("bank", "2012-01-01", []), ("bank", "2017-08-03", []), ("bank", "2017-08-04", [240_000]), ("bank", "2025-09-30", [240_000]),
    ("bank", "2025-10-01", [240_000]), ("bank", "2026-11-24", [240_000]), ("cfc", "2026-11-24", [240_000]),
    ("microloan", "2025-11-30", [240_000]), ("microloan", "2025-12-01", [240_000]), ("microloan_network", "2027-12-31", [240_000]),
    ("microloan", "2028-01-01", [120_000, 240_000]),
])
def test_price_caps_by_licence_and_date(licence, day, caps):
    assert binding(licence, "price_cap", day) == caps


@pytest.mark.parametrize("licence, day, yuan", [
    ("bank", "2020-07-11", []), ("bank", "2020-07-12", [200_000]), ("bank", "2025-03-13", [200_000]), ("bank", "2025-03-14", [300_000]),
    ("cfc", "2026-11-24", [200_000]), ("microloan_network", "2024-12-30", []), ("microloan", "2026-11-24", []),
])
def test_amounts_by_licence_and_date(licence, day, yuan):
    rows = [row for row in LAW.periods(licensed(licence)) if row["topic"] == "amount_max" and row["product_kind"] == "consumption"]
    assert [row["value"] // YUAN for row in rows if row["from_date"] <= on(day) <= row["to_date"]] == yuan


def test_a_press_report_binds_only_who_adopts_it():
    assert binding("cfc", "price_cap", "2026-11-24") == [240_000]
    assert binding("cfc", "price_cap", "2026-11-24", adopt=["rate.cfc20"]) == [200_000, 240_000]
    said = [warning for warning in LAW.warnings(licensed("cfc"), on("2026-11-24")) if warning["ref"] == "regulation-reported"]
    assert [warning["text"].split(":")[0] for warning in said] == ["rate.cfc20", "rate.tiers"]
    assert [warning["text"].split(":")[0] for warning in LAW.warnings(licensed("cfc", ["rate.cfc20"]), on("2026-11-24"))] == ["rate.tiers"]


@pytest.mark.parametrize("day, one_year", [("2019-08-19", None), ("2019-08-20", 4.25), ("2020-08-20", 3.85), ("2022-08-21", 3.70), ("2025-05-20", 3.00), ("2026-11-24", 3.00)])
def test_the_lpr_of_a_day_is_the_last_fixing_before_it(day, one_year):
    found = LAW.lpr.one_year(on(day))
    assert found is None if one_year is None else float(found) == one_year


@pytest.mark.parametrize("day, cap", [("2020-08-19", 240_000), ("2020-08-20", 154_000), ("2022-01-20", 148_000), ("2022-08-22", 146_000), ("2024-10-21", 124_000), ("2025-05-20", 120_000)])
def test_four_times_the_lpr_at_the_contracts_date(day, cap):
    """Private lending: 24 % to 2020-08-19, then four times the one-year LPR of the day."""
    lender = licensed("bank").model_copy(update={"licence": "private"})
    assert [row["value"] for row in LAW.periods(lender) if row["topic"] == "price_cap" and row["from_date"] <= on(day) <= row["to_date"]] == [cap]


def test_periods_of_one_rule_on_the_lpr_leave_no_day_out_and_no_day_twice():
    periods = sorted((row["from_date"], row["to_date"]) for row in LAW.periods(licensed("microloan")) if row["id"] == "rate.micro4lpr")
    lender = licensed("bank").model_copy(update={"licence": "private"})
    periods += sorted((row["from_date"], row["to_date"]) for row in LAW.periods(lender) if row["id"] == "rate.spc2020")
    private = periods[1:]
    assert private[0][0] == on("2020-08-20") and private[-1][1].year == 9999
    assert all(before[1] + datetime.timedelta(1) == after[0] for before, after in zip(private, private[1:]))


def test_a_run_past_what_is_verified_says_so():
    lender = licensed("microloan")
    assert not LAW.warnings(lender, on("2026-11-24"))
    late = {warning["ref"] for warning in LAW.warnings(lender, on("2028-02-01"))}
    assert late == {"regulation-unverified", "lpr-unverified"}


def test_every_regulation_has_its_document_source_and_dates():
    assert len({rule.id for rule in LAW.rules}) == len(LAW.rules) >= 20
    for rule in LAW.rules:
        assert rule.document and rule.source and rule.from_ <= rule.to and rule.verified_through.year >= 2026, rule.id
        assert (rule.kind == "report") == rule.document.startswith("none"), rule.id


@pytest.mark.parametrize("old, new", [
    ("value = 0.24\n", "value = 0.24\nlpr_multiple = 4\n"), ("to = 2025-09-30", "to = 2016-09-30"), ('certainty = "H"', 'certainty = "sure"'),
    ('document = "金规', 'doc = "金规'),
])
def test_a_regulation_that_cannot_be_right_is_refused(tmp_path, old, new):
    shutil.copytree(CONFIGS, tmp_path / "c", ignore=shutil.ignore_patterns("model"))
    replace(tmp_path / "c" / "regulation" / "price.toml", old, new)
    with pytest.raises(ConfigError):
        load_regulation(tmp_path / "c")


def test_a_regulation_that_stands_twice_is_refused(tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "c", ignore=shutil.ignore_patterns("model"))
    replace(tmp_path / "c" / "regulation" / "price.toml", 'id = "rate.bank24"', 'id = "rate.court24"')
    with pytest.raises(ConfigError) as refused:
        load_regulation(tmp_path / "c")
    assert refused.value.ref == "regulation-twice"


def with_licence(licence: str, adopt: str = ""):
    def edit(config):
        replace(config / "lender.toml", 'licence = "bank"', f'licence = "{licence}"')
        replace(config / "lender.toml", "adopt_reports = []", f"adopt_reports = [{adopt}]")
    return edit


def rich(day: str, **told) -> dict:
    """Somebody whom nothing but the law limits."""
    return case(applied_at=datetime.datetime.fromisoformat(f"{day} 09:00:00"), requested_amount_fen=300_000 * YUAN, monthly_income_fen=100_000 * YUAN,
                score__grade="A", grade_without_social="A", **told)


def test_the_amount_follows_the_law_of_the_applications_own_date(tmp_path):
    """One batch, three dates: no cap before 2020-07-12, 200,000 then, 300,000 from 2025-03-14; what is held here counts."""
    rows = Bucket(tmp_path / "run").decide([rich("2019-05-01"), rich("2025-03-13"), rich("2025-03-14"), rich("2025-03-14", exposure_fen=120_000 * YUAN)])
    assert [row["amount_fen"] // YUAN for row in rows] == [300_000, 200_000, 300_000, 180_000]
    assert [row["steps"]["regulation"]["cap_fen"] for row in rows] == [None, 200_000 * YUAN, 300_000 * YUAN, 180_000 * YUAN]
    assert rows[1]["binding_cap"] == "regulation" and "L-CAP-REGULATION" in rows[1]["reason_codes"]
    assert rows[3]["steps"]["regulation"]["basis"] == "300,000.00 on 2025-03-14 less 120,000.00 held"


def test_before_any_rule_there_is_a_price_and_no_cap(tmp_path):
    """A foreign lender's file of 1999."""
    row, = Bucket(tmp_path / "run", as_of="1999-01-01").decide([rich("1998-06-01")])
    assert row["decision"] == "approve" and row["cost_cap"] is None and row["annual_rate"] is not None and row["all_in_annual_cost"] is not None


def test_a_term_is_cut_to_what_the_law_of_the_day_allows(tmp_path):
    """84 months of a renovation loan: the phase measure of 2025-03-14; 60 before it."""
    rows = Bucket(tmp_path / "run").decide([rich(day, product="renovation_loan", term_months=84) for day in ("2025-03-13", "2025-03-14", "2024-06-30")])
    assert [row["term_months"] for row in rows] == [60, 84, 84]
    assert "L-TERM-SHORTENED" in rows[0]["reason_codes"]


def test_microloan_companies_may_not_lend_to_students_and_banks_ask_a_person(tmp_path):
    student = dict(student=True, verify__student=True)
    day = {"2021-03-16": "refer", "2021-03-17": "decline"}
    told = [rich(date, **student) for date in day]
    micro = Bucket(tmp_path / "micro", edit=with_licence("microloan_network")).decide(told)
    assert [row["decision"] for row in micro] == list(day.values()) and micro[1]["reason_codes"][0] == "R-STUDENT-BANNED"
    assert [row["decision"] for row in Bucket(tmp_path / "bank").decide(told)] == ["refer", "refer"]


def test_the_lender_that_adopts_a_report_reprices_and_the_others_are_told(tmp_path):
    """A 24-month cash loan of grade G's price stays under 24 %; with 20 % adopted an F at 21 % is cut."""
    def dear(adopt):
        def edit(config):
            with_licence("cfc", adopt)(config)
            replace(config / "price.toml", "F = 0.180", "F = 0.210")
        return edit

    told = [rich("2026-11-20")]
    told[0]["score"] |= {"grade": "F", "grade_without_social": "F"}
    told[0]["applicants"]["requested_amount_fen"] = 20_000 * YUAN
    warned, adopted = Bucket(tmp_path / "a", edit=dear("")), Bucket(tmp_path / "b", edit=dear('"rate.cfc20"'))
    first, second = warned.decide(told)[0], adopted.decide(told)[0]
    assert float(first["annual_rate"]) == 0.21 and float(first["cost_cap"]) == 0.24
    assert float(second["annual_rate"]) <= 0.20 and float(second["all_in_annual_cost"]) <= 0.20 and "P-REPRICED" in second["reason_codes"]
    assert any("rate.cfc20" in warning["text"] for warning in warned.run.document["warnings"])
    assert not any("rate.cfc20" in warning["text"] for warning in adopted.run.document["warnings"])
