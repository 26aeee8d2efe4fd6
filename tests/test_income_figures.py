"""From a person's records to one conservative monthly income: what counts, what does not, and why."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage_run import applicant, line, months_before, perform_stage

from qqloan_cli.stages.income import STAGE

EMPLOYER = "某某科技有限公司"


def income(folder: Path, lines=(), payroll=(), fund=(), applicants=None) -> dict:
    return decide(folder, lines, payroll, fund, applicants)["income"][0]


def decide(folder: Path, lines=(), payroll=(), fund=(), applicants=None) -> dict:
    return perform_stage(STAGE, folder, applicants=applicants or [applicant()], bank_statements=list(lines), payroll=list(payroll), provident_fund=list(fund))


def salary(yuan: float, months: int = 6, **more) -> list[dict]:
    return [line(day, yuan, "代发工资", EMPLOYER, **more) for day in months_before(months, 10)]


def slips(yuan: float, months: int = 6) -> list[dict]:
    return [{"applicant_id": "P1", "pay_date": day, "employer": EMPLOYER, "net_fen": round(yuan * 100)} for day in months_before(months, 10)]


def fund(base: float, months: int = 6) -> list[dict]:
    return [{"applicant_id": "P1", "month": day, "base_fen": round(base * 100), "personal_amount_fen": round(base * 10), "employer_amount_fen": round(base * 10)}
            for day in months_before(months, 1)]


# --- the cases -----------------------------------------------------------------------------------------------

G10 = (  # account, day of month, memo, counterparty, yuan
    ("0001", 5, "工资", "某公司", 8000), ("0001", 6, "转出至本人账户尾号0002", "本人", -3000),
    ("0002", 6, "本人账户尾号0001转入", "本人", 3000), ("0002", 15, "余额提现", "支付平台", 500),
)


def g10_lines() -> list[dict]:
    return [line(day, yuan, memo, who, account=account) for account, on, memo, who, yuan in G10 for day in months_before(3, on, "2024-03")]


def test_g10_own_moves_and_wallet_withdrawals_are_no_income(tmp_path):
    got = decide(tmp_path, g10_lines(), applicants=[applicant(applied_at="2024-03-31 12:00:00")])
    one = got["income"][0]
    assert one["monthly_income_fen"] == one["bank_income_fen"] == 800_000, "8000 a month, not 11000 or 11500"
    paired = [row for row in got["income_lines"] if row["figure"] == "own_transfer" and row["rule"] == "paired"]
    assert len(paired) == 6 and sum(row["amount_fen"] for row in paired) == 0, "3 pairs shown as own transfers"
    assert one["flags"] == ["I-ROUND-PAY"], "a note: pay of exactly 8000"


def test_g10_as_published(tmp_path, shared):
    lines = []
    for account in ("0001", "0002"):
        with (shared / "cases" / "files" / f"g10_account_{account}.csv").open(encoding="utf-8") as file:
            lines += [line(row["date"], float(row["amount"]), row["memo"], row["counterparty"], account=account) for row in csv.DictReader(file)]
    assert income(tmp_path, lines, applicants=[applicant(applied_at="2024-04-02 12:00:00")])["monthly_income_fen"] == 800_000


@pytest.mark.parametrize("applied", ["2024-03-16", "2024-03-31", "2024-04-30"])
def test_g10_whenever_the_application_comes(tmp_path, applied):
    assert income(tmp_path, g10_lines(), applicants=[applicant(applied_at=f"{applied} 12:00:00")])["bank_income_fen"] == 800_000


def test_g09_a_balance_that_agrees_line_by_line(tmp_path):
    """As intake reads the case: in 5300.00, out 1305.50, every row agrees with its balance."""
    rows = [("05", 5000, 6000), ("06", -1200, 4800), ("07", -50, 4750), ("08", -35.5, 4714.5), ("09", -20, 4694.5), ("10", 300, 4994.5)]
    lines = [line(f"2024-03-{day}", yuan, "x", balance_fen=round(balance * 100)) for day, yuan, balance in rows]
    assert income(tmp_path / "right", lines, applicants=[applicant(applied_at="2024-03-20 12:00:00")])["flags"] == []
    misread = [dict(row, amount_fen=abs(row["amount_fen"])) if row["amount_fen"] == -5000 else row for row in lines]
    assert income(tmp_path / "misread", misread, applicants=[applicant(applied_at="2024-03-20 12:00:00")])["flags"] == ["I-BALANCE-BREAK"]


# --- balances --------------------------------------------------------------------------------------------------

def _with_balances(lines: list[dict]) -> list[dict]:
    balance, out = 1_000_000, []
    for row in lines:
        balance += row["amount_fen"]
        out.append({**row, "balance_fen": balance})
    return out


def test_a_day_without_times_is_not_a_break_whatever_the_order_in_the_file(tmp_path):
    busy = _with_balances([line("2026-10-10", yuan, "转账") for yuan in (500, -200, 90, -70, 500)])
    assert "I-BALANCE-BREAK" not in income(tmp_path / "newest first", list(reversed(busy)))["flags"]
    raised = _with_balances([line("2026-10-10", yuan, "转账") for yuan in (500, -200, 90, -70, 500)])
    raised[2]["amount_fen"] += 10_000
    assert "I-BALANCE-BREAK" in income(tmp_path / "raised", raised)["flags"]


def test_a_bank_that_rounds_its_balances_is_no_forger(tmp_path):
    lines = _with_balances([line(day, 8000.07, "工资", EMPLOYER) for day in months_before(6, 10)])
    rounded = [dict(row, balance_fen=round(row["balance_fen"], -1)) for row in lines]
    assert income(tmp_path, rounded)["flags"] == []


def test_each_account_has_its_own_balance(tmp_path):
    first, second = _with_balances(salary(8000.11)), [dict(row, account="2") for row in _with_balances([line(d, -5, "x") for d in months_before(6, 12)])]
    assert income(tmp_path, first + second)["flags"] == []


# --- time --------------------------------------------------------------------------------------------------------

def test_a_line_after_the_application_changes_nothing(tmp_path):
    early = applicant(applied_at="2026-08-20 10:00:00")
    seen = [row for row in salary(8000, 12) if row["booked_at"] < "2026-08-21"]
    later = salary(80_000, 2) + [line("2026-08-21 00:00:00", 99_000, "代发工资", EMPLOYER)]
    alone = decide(tmp_path / "a", seen, slips(8000, 8)[:5], fund(12_000, 8)[:5], [early])
    with_later = decide(tmp_path / "b", seen + later, slips(8000, 8)[:5] + slips(50_000, 1), fund(12_000, 8)[:5] + fund(50_000, 1), [early])
    assert alone == with_later


def test_two_applications_of_one_person_each_see_their_own_day(tmp_path):
    raised = [line(day, 5000 if day.month < 9 else 9000, "工资", EMPLOYER) for day in months_before(11, 10)]
    both = [applicant(applied_at="2026-08-20 10:00:00"), {**applicant(), "application_id": "A-later"}]
    rows = {row["application_id"]: row["bank_income_fen"] for row in decide(tmp_path, raised, applicants=both)["income"]}
    assert rows == {"A-P1": 500_000, "A-later": 900_000}


def test_lines_before_the_window_are_old(tmp_path):
    old = [line(day, 8000, "工资", EMPLOYER) for day in months_before(6, 10, "2025-09")]
    assert income(tmp_path, old)["monthly_income_fen"] is None


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_rows_and_their_split_into_files_changes_nothing(tmp_path, seed):
    """Moves between two accounts, lines given twice under one number with two memos, equal lines of one day: nothing hangs on place."""
    lines = _with_balances(sorted(salary(8000) + [line(d, -3000, "房租", "张三") for d in months_before(6, 12)], key=lambda row: row["booked_at"]))
    lines += [line(d, yuan, "转账", "某某公司", account=account) for d in months_before(6, 14) for account, yuan in (("1", -700), ("2", 700), ("2", 700), ("1", -700))]
    lines += [line(d, 500, memo, "某某公司", account="3", line_id=f"N{d}") for d in months_before(6, 20) for memo in ("工资", "退款")]
    pay = slips(8000) + [{"applicant_id": "P1", "pay_date": d, "employer": EMPLOYER, "gross_fen": fen} for d in months_before(6, 10) for fen in (300_000, 900_000)]
    in_order = decide(tmp_path / "a", lines, pay, fund(9000))
    rng = random.Random(seed)
    mixed, mixed_pay = (rng.sample(rows, len(rows)) for rows in (lines, pay))
    split = [{**row, "src_file": 1 + number % 3} for number, row in enumerate(mixed)]
    assert decide(tmp_path / "b", split, mixed_pay, fund(9000)) == in_order


# --- what is no income --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("memo, who", [
    ("差旅报销", EMPLOYER), ("借呗放款", "蚂蚁"), ("淘宝退款", "淘宝"), ("现金存入", None), ("基金赎回", "某基金"), ("结息", None),
    ("公积金提取", "住房公积金管理中心"), ("转账", "张三"), ("彩票中奖", None), (None, None),
])
def test_money_in_that_is_not_income(tmp_path, memo, who):
    more = [line(day, 2000 + 700 * n, memo, who) for n, day in enumerate(months_before(6, 12))]
    plain, with_more = income(tmp_path / "a", salary(8000)), income(tmp_path / "b", salary(8000) + more)
    assert plain["monthly_income_fen"] == with_more["monthly_income_fen"] == 800_000


def test_stated_income_alone_is_never_income(tmp_path):
    one = income(tmp_path, applicants=[applicant(stated_monthly_income_fen=5_000_000)])
    assert one["monthly_income_fen"] is None and one["reasons"] == ["I-NO-EVIDENCE"] and one["income_confidence"] == "none"
    verified = income(tmp_path / "v", applicants=[applicant(stated_monthly_income_fen=5_000_000, stated_income_verified=True)])
    assert (verified["monthly_income_fen"], verified["income_rule"]) == (4_000_000, "stated-verified")


def test_another_currency_is_left_out_and_said(tmp_path):
    one = income(tmp_path, salary(8000.11) + salary(900, currency="USD"))
    assert one["bank_income_fen"] == 800_011 and one["flags"] == ["I-CURRENCY"]


# --- counted once -------------------------------------------------------------------------------------------------

def test_overlapping_exports_are_counted_once_and_true_repeats_kept(tmp_path):
    lines = _with_balances(salary(8000))
    again = [dict(row, src_file=1, src_row=number) for number, row in enumerate(lines[-3:], 1)]
    assert income(tmp_path / "balance", lines + again)["bank_income_fen"] == 800_000
    twice = _with_balances([row for one in salary(4000) for row in (one, dict(one))])
    assert income(tmp_path / "repeats", twice)["bank_income_fen"] == 800_000, "two payments of 4000 on one day, with two balances"
    bare = [row for one in salary(4000) for row in (one, dict(one))]
    overlap = [dict(row, src_file=1, src_row=number) for number, row in enumerate(bare, 1)]
    assert income(tmp_path / "bare", bare + overlap)["bank_income_fen"] == 800_000, "no balance: the second of a file is the second of the other"
    ids = [dict(row, line_id=f"N{number}") for number, row in enumerate(salary(8000))]
    assert income(tmp_path / "ids", ids + [dict(row, src_row=99 + n) for n, row in enumerate(ids)])["bank_income_fen"] == 800_000


# --- pay without the word -----------------------------------------------------------------------------------------

def test_pay_without_a_salary_word_is_known_by_its_rhythm(tmp_path):
    same = [line(day, 8000 + 30 * (n % 3), "跨行汇款", EMPLOYER) for n, day in enumerate(months_before(6, 9))]
    got = decide(tmp_path / "employer", same)
    assert got["income"][0]["bank_income_fen"] == 803_000 * 95 // 100, "the fourth of six months, and a little less than with the word"
    assert {row["rule"] for row in got["income_lines"]} == {"recurring"}
    family = [dict(row, counterparty="李四") for row in same]
    assert income(tmp_path / "family", family)["monthly_income_fen"] is None, "a private person is no employer"
    uneven = [dict(row, amount_fen=row["amount_fen"] * (n + 1)) for n, row in enumerate(same)]
    assert income(tmp_path / "uneven", uneven)["monthly_income_fen"] is None


def test_a_foreign_lenders_lines_through_its_codes(tmp_path):
    """Berka's words in the memo, no counterparty: a pension, a household payment, a loan payment."""
    lines = [line(day, yuan, memo) for memo, yuan in (("DUCHOD", 6300), ("SIPO", -2100), ("UVER", -1500)) for day in months_before(8, 8)]
    one = income(tmp_path, lines)
    assert (one["bank_income_fen"], one["statement_debt_service_fen"]) == (630_000, 150_000)


# --- money that goes in a circle ------------------------------------------------------------------------------------

def test_pay_that_flows_back_to_its_payer_is_flagged_and_not_counted(tmp_path):
    back = [line(day, -19_000, "转账", "某某贸易有限公司") for day in months_before(6, 12)]
    paid = [line(day, 20_000, "代发工资", "某某贸易有限公司") for day in months_before(6, 10)]
    one = income(tmp_path, paid + back)
    assert "I-CIRCULAR" in one["flags"] and one["monthly_income_fen"] is None


def test_pay_that_comes_from_ones_own_other_account_is_flagged(tmp_path):
    out = [line(day, -20_000, "转账", EMPLOYER, account="2") for day in months_before(6, 10)]
    one = income(tmp_path, out + salary(20_000))
    assert "I-CIRCULAR" in one["flags"] and one["monthly_income_fen"] is None


def test_rent_that_happens_to_equal_pay_once_is_no_circle(tmp_path):
    rent = [line(months_before(6, 10)[3], -8000.11, "房租", "张三", account="2"), line("2026-08-01", -5, "x", account="2")]
    one = income(tmp_path, salary(8000.11) + rent)
    assert one["flags"] == [] and one["monthly_income_fen"] == 800_011


# --- bringing sources together ------------------------------------------------------------------------------------------

def test_payroll_and_bank_agree_and_the_lower_is_taken(tmp_path):
    one = income(tmp_path, salary(8000.11), slips(8200.33))
    assert (one["monthly_income_fen"], one["income_rule"], one["reasons"]) == (800_011, "lower-of-payroll-and-bank", ["I-AGREED"])
    assert one["income_confidence"] == "high"


def test_forged_slips_are_cut_to_what_the_bank_shows(tmp_path):
    one = income(tmp_path / "bank", salary(8000.11), slips(20_000))
    assert one["monthly_income_fen"] == 800_011 and one["flags"] == ["I-INFLATED"] and one["income_confidence"] == "low"
    by_fund = income(tmp_path / "fund", (), slips(30_000), fund(10_000))
    assert by_fund["flags"] == ["I-INFLATED"] and by_fund["monthly_income_fen"] == by_fund["fund_income_fen"] * 115 // 100


def test_one_source_alone_is_never_of_high_confidence(tmp_path):
    for name, sources in (("slips", {"payroll": slips(9000)}), ("fund", {"fund": fund(9000)})):
        one = income(tmp_path / name, **sources)
        assert (one["income_confidence"], one["reasons"]) == ("low", ["I-ONE-SOURCE"])
    assert income(tmp_path / "bank", salary(9000.11))["income_confidence"] == "medium"


def test_slips_that_the_statements_do_not_show(tmp_path):
    silent = [line(day, -300, "消费", "超市") for day in months_before(6, 12)]
    one = income(tmp_path, silent, slips(10_000))
    assert (one["monthly_income_fen"], one["flags"]) == (400_000, ["I-UNSEEN-PAY"])


def test_two_of_three_sources_decide(tmp_path):
    one = income(tmp_path, salary(6000), slips(9000), fund(10_000))  # the fund implies 7861.50
    assert (one["monthly_income_fen"], one["income_rule"]) == (one["fund_income_fen"], "fund-between-payroll-and-bank")


def test_a_bonus_counts_in_part_and_over_the_year(tmp_path):
    one = income(tmp_path, salary(8000) + [line("2026-02-05", 24_000, "年终奖", EMPLOYER)])
    assert one["bank_income_fen"] == 850_000


def test_takings_of_a_business_have_a_haircut(tmp_path):
    one = income(tmp_path, [line(day, 10_000, "收钱码经营收款") for day in months_before(6, 10)])
    assert one["bank_income_fen"] == 630_000


def test_takings_that_go_up_and_down_are_taken_at_their_mean_and_one_good_month_lifts_it_little(tmp_path):
    def takings(folder: str, *yuan: int) -> int:
        days = months_before(6, 20, "2026-10")
        return income(tmp_path / folder, [line(day, amount, "收钱码经营收款") for day, amount in zip(days, yuan)])["bank_income_fen"]

    even = takings("even", 10_000, 10_000, 10_000, 10_000, 10_000, 10_000)
    assert even == 630_000
    # the mean of five months, of which 12,000 counts as 11,250: a quarter more than the 9,000 that three of them reach
    assert takings("uneven", 10_000, 8_000, 12_000, 9_000, 11_000, 9_000) == (8_000 + 11_250 + 9_000 + 11_000 + 9_000) * 63 // 5
    # a month ten times as good counts as a quarter more, a fifth of which is a twentieth of the mean
    assert takings("one good month", 10_000, 10_000, 10_000, 100_000, 10_000, 10_000) == even * 105 // 100
    pay = income(tmp_path / "pay besides", salary(8000) + [line(day, 1_000, "收钱码经营收款") for day in months_before(6, 20, "2026-10")])
    assert pay["bank_income_fen"] == 800_000 + 63_000


def test_costs_that_a_statement_shows_speak_for_the_margin_of_takings_and_refunds_given_lower_them(tmp_path):
    days = months_before(6, 20, "2026-10")
    takings = [line(day, 10_000, "收钱码经营收款") for day in days]

    def with_others(folder: str, *others: dict) -> int:
        return income(tmp_path / folder, takings + list(others))["bank_income_fen"]

    assert with_others("none shown") == 630_000
    costs = decide(tmp_path / "traced", [*takings, line(days[3], -6_000, "进货款"), line(days[3], -500, "退款")])["income_lines"]
    assert {(row["figure"], row["class"]) for row in costs} == {("bank_income", "business"), ("bank_income", "business_cost"), ("bank_income", "refund")}
    assert decide(tmp_path / "no takings", [line(days[3], -6_000, "进货款"), line(days[3], -500, "退款")])["income_lines"] == []
    # six months leave 40 %, and 63 % counts as four months more: (6 * 400 + 4 * 630) / 10
    assert with_others("heavy", *(line(day, -6_000, "进货款", "某批发行") for day in days)) == 492_000
    # small costs are rarely all of them: the margin has a top
    assert with_others("light", *(line(day, -100, "材料款") for day in days)) == 750_000
    assert with_others("an order", *(line(day, -6_000, "淘宝购物") for day in days)) == 630_000
    assert with_others("given back", *(line(day, -2_000, "退款", "顾客") for day in days)) == 8_000 * 63
    assert with_others("all of it went", *(line(day, -12_000, "进货款", "某批发行") for day in days)) == 252_000


def test_a_better_job_that_ended_is_not_income_and_the_change_is_dated(tmp_path):
    def paid(yuan: float, days: list, who: str) -> list[dict]:
        return [line(day, yuan, "代发工资", who) for day in days]

    old, new = months_before(10, 10, "2026-09"), months_before(2, 10)
    one = income(tmp_path / "worse", paid(20_000, old, EMPLOYER) + paid(9_000, new, "另一家公司"))
    assert one["bank_income_fen"] == 1_000_000, "half of what ended lately; 9,000 and a tenth is less"
    assert (one["employers"], one["employer_changed_on"]) == (2, new[0]) and "I-EMPLOYER-CHANGED" in one["reasons"]
    assert income(tmp_path / "ended long ago", paid(20_000, old[:7], EMPLOYER))["monthly_income_fen"] is None
    better = income(tmp_path / "better", paid(9_000, old, EMPLOYER) + paid(20_000, new, "另一家公司"))
    assert better["bank_income_fen"] == 1_600_000, "two months of it are a beginning"
    same = income(tmp_path / "one employer", salary(8000, 12))
    assert (same["employers"], same["employer_changed_on"]) == (1, None) and "I-EMPLOYER-CHANGED" not in same["reasons"]
    both = income(tmp_path / "two at a time", salary(8000) + [line(day, 3000, "工资", "兼职公司") for day in months_before(6, 15, "2026-10")])
    assert (both["employers"], both["employer_changed_on"]) == (2, None)


def test_an_employer_is_named_by_slips_else_by_the_fund_else_by_who_pays(tmp_path):
    first, second = fund(10_000, 12)[:8], fund(10_000, 4)
    for row, name in [(row, "甲公司") for row in first] + [(row, "乙公司") for row in second]:
        row["employer"] = name
    in_fund = income(tmp_path / "fund", salary(8000), fund=first + second)
    assert (in_fund["employers"], in_fund["employer_changed_on"]) == (2, second[0]["month"])
    in_slips = income(tmp_path / "slips", salary(8000), slips(8000), first + second)
    assert (in_slips["employers"], in_slips["employer_changed_on"]) == (1, None)


def test_a_fund_that_books_a_month_late_counts_whole(tmp_path):
    assert income(tmp_path / "late", fund=fund(10_000, 8)[:-1])["fund_income_fen"] == income(tmp_path / "in time", fund=fund(10_000, 8))["fund_income_fen"]
    assert income(tmp_path / "ended", fund=fund(10_000, 12)[:-6])["fund_income_fen"] is None


def test_each_figure_says_how_far_it_is_to_be_trusted(tmp_path):
    def trusted(folder: str, *evidence) -> tuple:
        one = income(tmp_path / folder, *evidence)
        return one["payroll_confidence"], one["fund_confidence"], one["bank_confidence"]

    assert trusted("two agree", salary(8000), slips(8000)) == ("high", None, "high")
    assert trusted("alone", salary(8000)) == (None, None, "medium")
    assert trusted("a beginning", salary(8000, 2), (), fund(10_000)) == (None, "high", "low")
    assert trusted("inflated slips", salary(8000), slips(20_000)) == ("low", None, "medium")
    assert trusted("above the fund", salary(20_000), (), fund(8_000)) == (None, "medium", "low")


def test_pay_far_above_the_fund_s_base_is_said_and_trusted_less(tmp_path):
    one = income(tmp_path / "one", salary(20_000), fund=fund(8_000))
    assert "I-ABOVE-FUND" in one["flags"] and one["income_confidence"] == "low"
    assert "I-ABOVE-FUND" not in income(tmp_path / "near", salary(10_000), fund=fund(12_000))["flags"]
    assert "I-ABOVE-FUND" not in income(tmp_path / "no fund", salary(20_000))["flags"]


@pytest.mark.parametrize("reported, lenders", [
    (["某消费金融有限公司"], 0), (["某消费金融"], 0), (["别家银行"], 1), (["别家银行", "某消费金融"], 0), ([], None),
])
def test_lenders_whom_the_credit_report_does_not_have(tmp_path, reported, lenders):
    lines = salary(8000) + [line(day, -1000, "贷款还款", "某消费金融有限公司") for day in months_before(6, 20, "2026-10")]
    accounts = [{"applicant_id": "P1", "opened_at": "2025-01-01", "lender": lender, "kind": "consumer_loan"} for lender in reported]
    accounts += [{"applicant_id": "P1", "opened_at": "2026-11-22", "lender": "某消费金融", "kind": "consumer_loan"}]  # after the application
    got = perform_stage(STAGE, tmp_path, applicants=[applicant()], bank_statements=lines, credit_accounts=accounts)["income"][0]
    assert got["undeclared_lenders"] == lenders
    assert got["undeclared_debt_service_fen"] == (None if lenders is None else lenders * 600_000 // got["statement_months"])
    assert ("I-LENDER-UNDECLARED" in got["flags"]) == bool(lenders)


def test_months_without_income_between_the_first_and_the_last(tmp_path):
    assert income(tmp_path / "whole", salary(8000))["income_gap_months"] == 0
    assert income(tmp_path / "gaps", [row for n, row in enumerate(salary(8000, 7)) if n not in (2, 3)])["income_gap_months"] == 2
    assert income(tmp_path / "nothing")["income_gap_months"] == 0


def test_one_good_month_lifts_nothing_and_a_month_without_pay_counts_as_nothing(tmp_path):
    once = salary(8000)
    once[2]["amount_fen"] *= 10
    assert income(tmp_path / "once", once)["bank_income_fen"] == 800_000
    assert income(tmp_path / "gaps", [row for n, row in enumerate(salary(8000, 12)) if n % 3 == 0])["bank_income_fen"] < 800_000


def test_measures_of_the_months(tmp_path):
    lines = salary(8000) + [line(day, -1000, "贷款还款", "某银行") for day in months_before(6, 20, "2026-10")]
    lines += [line("2026-09-03", 30_000, "放款", "某小额贷款公司"), line("2026-09-04", -700, "投注"), line("2026-09-05", -10, "x", balance_fen=-1000)]
    one = income(tmp_path, lines, slips(8000) + [{"applicant_id": "P1", "pay_date": "2026-06-20", "employer": "另一家公司", "net_fen": 100}])
    assert one["statement_months"] == 7 and one["statement_debt_service_fen"] == 600_000 // 7
    assert (one["loan_proceeds_fen"], one["gambling_fen"], one["lowest_balance_fen"], one["overdrawn_days"]) == (3_000_000, 70_000, -1000, 1)
    assert (one["income_cv"], one["income_trend"], one["bank_months"], one["employers"]) == (0.0, None, 6, 2)


def test_variation_of_one_missed_month(tmp_path):
    lines = [row for n, row in enumerate(salary(6000, 4)) if n != 1]
    assert income(tmp_path, lines)["income_cv"] == pytest.approx(3 ** -0.5)  # 6, 0, 6, 6: mean 4.5, deviation 2.598


def test_every_counted_line_is_traced_and_no_other(tmp_path):
    got = decide(tmp_path, salary(8000) + [line("2026-10-15", -50, "消费", "超市")], slips(8000), fund(10_000))
    figures = [(row["figure"], row["input"]) for row in got["income_lines"]]
    assert sorted(set(figures)) == [("bank_income", "bank_statements"), ("fund_income", "provident_fund"), ("payroll_income", "payroll")]
    assert len(figures) == 18 and {row["rule"] for row in got["income_lines"] if row["input"] == "bank_statements"} == {"SALARY"}


def test_no_applicants_no_rows(tmp_path):
    got = perform_stage(STAGE, tmp_path, applicants=[], bank_statements=[], payroll=[], provident_fund=[])
    assert got == {"income": [], "income_lines": []}


amounts = st.lists(st.integers(0, 3_000_000), min_size=13, max_size=13)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bank=amounts, paid=amounts, base=st.integers(0, 3_000_000), place=st.integers(0, 12), more=st.integers(1, 2_000_000),
       factor=st.integers(100, 300), source=st.sampled_from(["bank", "payroll", "fund", "verified"]))
def test_more_income_never_lowers_the_figure(tmp_path_factory, bank, paid, base, place, more, factor, source):
    """A month of one source raised, or the whole fund or verified figure, all else equal."""
    def evidence(key: str, bank, paid, base, verified) -> tuple[list, list, list, dict]:
        days = months_before(13, 10)
        lines = [line(day, fen / 100, "代发工资", EMPLOYER, key) for day, fen in zip(days, bank) if fen]
        pay = [{"applicant_id": key, "pay_date": day, "employer": EMPLOYER, "net_fen": fen} for day, fen in zip(days, paid) if fen]
        paid_in = [{**row, "applicant_id": key} for row in fund(base / 100)] if base else []
        return lines, pay, paid_in, applicant(key, stated_monthly_income_fen=verified, stated_income_verified=True)

    raised_bank, raised_paid, raised_base, verified = list(bank), list(paid), base, 700_000
    # A source that says something is raised; one that says nothing would be another kind of evidence.
    if source == "bank" and any(bank):
        raised_bank[place] += more
    elif source == "payroll" and any(paid):
        raised_paid[place] += more
    elif source == "fund" and base:
        raised_base = base * factor // 100
    else:
        verified += more
    lines, pay, paid_in, people = zip(evidence("P1", bank, paid, base, 700_000), evidence("P2", raised_bank, raised_paid, raised_base, verified))
    before, after = decide(tmp_path_factory.mktemp("more"), sum(lines, []), sum(pay, []), sum(paid_in, []), list(people))["income"]
    assert (after["monthly_income_fen"] or 0) >= (before["monthly_income_fen"] or 0)
