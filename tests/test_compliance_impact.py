"""What a coming rule would do: held against a run under that rule, against the tables by other means, and against contracts worked out by hand."""

from __future__ import annotations

import datetime
import json
import shutil
from decimal import Decimal
from pathlib import Path

import book_of
import duckdb
import numpy as np
import numpy_financial
import pyarrow.parquet as pq
import pytest
from conftest import AS_OF, ROOT, call, done
from hypothesis import given, settings
from hypothesis import strategies as st

from qqloan_cli.archive.layout import Archive
from qqloan_cli.engine.run import Run
from qqloan_cli.errors import UsageError
from qqloan_cli.oversight.compliance.impact import coming, impact
from qqloan_cli.oversight.compliance.impact_anew import anew
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.reports.formats import plain
from qqloan_cli.servicing.book import Book

RULE = """[[rule]]
id = "{id}"
topic = "{topic}"
{says}
licence = ["bank"]
from = 2027-07-01
kind = "law"
document = "a draft"
source = "made up for a test"
certainty = "L"
verified_through = 2099-12-31
"""
HARD = "0.045"  # so low that short loans with a fee at the start cannot be cut under it


def rule_file(path: Path, says: str, id: str = "rate.coming", topic: str = "price_cap") -> Path:
    path.write_text(RULE.format(id=id, topic=topic, says=says), encoding="utf-8")
    return path


def told(*runs: Path, rule, book: Path | None = None, at: str | None = None, **more) -> dict:
    """As the command's JSON has it, without the command."""
    with Sight([Run.open(run) for run in runs], Book.open(book) if book else None, datetime.date.fromisoformat(at) if at else None) as sight:
        found = impact(sight, str(rule), ROOT / "configs", **more)
    return json.loads(json.dumps(plain({"rules": found.rules, **{name: table.to_pylist() for name, table in found.views.items()}})))


def group(found: dict, what: str = "all", whose: str = "all", scope: str = "approvals", rule: str | None = None) -> dict:
    [row] = [row for row in found["groups"] if (row["what"], row["whose"], row["scope"]) == (what, whose, scope) and rule in (None, row["rule"])]
    return row


@pytest.fixture(scope="module")
def micro(sample_run) -> dict:
    return told(sample_run, rule="rate.micro4lpr")


@pytest.fixture(scope="module")
def without_and_under(tmp_path_factory) -> tuple[Path, Path]:
    """The sample decided by products with conventions of their own, and the same with the hard cap in force."""
    folder = tmp_path_factory.mktemp("under")
    shutil.copytree(ROOT / "configs", folder / "configs")
    products = folder / "configs" / "products.toml"
    head, cash_loan, rest = products.read_text(encoding="utf-8").partition("[products.renovation_loan]")
    for old, new in (('day_count = "30/360" ', 'day_count = "act/365"'), ("principal_free_months = 0", "principal_free_months = 2"), ("payment_unit = 0.01", "payment_unit = 1.00")):
        assert old in head, old
        head = head.replace(old, new)
    products.write_text(head + cash_loan + rest, encoding="utf-8")
    done("run", "sample_data", "--out", folder / "without", "--as-of", AS_OF, "--config", folder / "configs")
    text = RULE.format(id="rate.coming", topic="price_cap", says=f"value = {HARD}").replace("2027-07-01", "2020-01-01")
    (folder / "configs" / "regulation" / "coming.toml").write_text(text, encoding="utf-8")
    done("run", "sample_data", "--out", folder / "under", "--as-of", AS_OF, "--config", folder / "configs")
    return folder / "without", folder / "under"


def test_four_times_lpr_is_twelve_percent_and_whom_it_touches_is_what_the_tables_say(micro, sample_run):
    [rule] = micro["rules"]
    assert (rule["cap"], rule["lpr"], rule["lpr_multiple"], rule["from"], rule["certainty"]) == (0.12, 3.0, 4, "2028-01-01", "H")
    over = "FROM decisions WHERE decision = 'approve' AND all_in_annual_cost > 0.12"
    with duckdb.connect() as con:
        con.execute(f"CREATE VIEW decisions AS FROM '{sample_run}/decisions.parquet'")
        con.execute(f"CREATE VIEW lim AS FROM '{sample_run}/limit/*.parquet'")
        ids = {row[0] for row in con.execute(f"SELECT application_id {over}").fetchall()}
        count, fen = con.execute("SELECT count(*), sum(amount_fen) FROM decisions WHERE decision = 'approve'").fetchall()[0]
        by_grade = dict(con.execute(f"SELECT grade, count(*) {over} GROUP BY ALL").fetchall())
        by_product = dict(con.execute("SELECT product, count(*) FROM lim WHERE decision = 'approve' AND all_in_annual_cost > 0.12 GROUP BY ALL").fetchall())
        by_term = dict(con.execute("SELECT CAST(term_months AS VARCHAR), sum(amount_fen) FROM lim WHERE decision = 'approve' GROUP BY ALL").fetchall())
    assert len(ids) >= 5 and {row["application_id"] for row in micro["contracts"]} == ids
    assert (group(micro)["looked_at"], group(micro)["amount_fen"], group(micro)["over"]) == (count, int(fen), len(ids))
    assert {row["whose"]: row["over"] for row in micro["groups"] if row["what"] == "grade" and row["over"]} == by_grade
    assert {row["whose"]: row["over"] for row in micro["groups"] if row["what"] == "product" and row["over"]} == by_product
    assert {row["whose"]: row["amount_fen"] for row in micro["groups"] if row["what"] == "term"} == {term: int(fen) for term, fen in by_term.items()}


def test_every_grouping_adds_up_to_all(micro):
    for what in ("product", "grade", "term"):
        rows = [row for row in micro["groups"] if row["what"] == what]
        for name in ("looked_at", "amount_fen", "over", "over_amount_fen", "interest_before_fen", "forgone_fen", "lost", "lost_amount_fen", "below_before"):
            assert sum(row[name] for row in rows) == group(micro)[name], (what, name)
    assert sum(row["forgone_fen"] for row in micro["months"]) == group(micro)["forgone_fen"] == sum(row["interest_before_fen"] - row["interest_after_fen"] for row in micro["contracts"])


def test_the_notes_say_whose_rule_it_is_and_what_nobody_verified(sample_run):
    shown = done("compliance", "impact", sample_run, "--rule", "rate.micro4lpr")
    assert "impact-other-licence" in shown.err and "lpr-unverified" in shown.err
    assert "4 times the one-year LPR of 3.00 %" in shown.out and "Approvals of the runs: those over the cap, repriced" in shown.out
    shown = done("compliance", "impact", sample_run, "--rule", "rate.cfc20", "--lang", "zh")
    assert "regulation-reported" in shown.err and "媒体报道" in shown.out and "综合融资年化成本不超过 20.00%" in shown.out


def test_the_rate_that_it_cuts_to_is_just_under_the_cap_by_an_irr_of_others(micro):
    plain = [row for row in micro["contracts"] if row["product"] == "cash_loan"]
    assert len(plain) >= 3
    for row in plain:
        def cost(rate: float) -> float:
            payment, left, flows = round(-numpy_financial.pmt(rate / 12, row["term_months"], row["amount_fen"])), row["amount_fen"], []
            for _ in range(row["term_months"] - 1):
                left, flows = left + round(left * rate / 12) - payment, [*flows, payment]
            return 12 * numpy_financial.irr(np.array([-row["amount_fen"], *flows, left + round(left * rate / 12)]))

        after = row["annual_rate_after"]
        assert cost(after) <= 0.12 < cost(after + 0.0002), row


def test_margins_are_what_sources_and_losses_leave(micro, sample_run):
    costs = {"own": 0.029, "coast_bank": 0.0245, "delta_cfc": 0.032, "harbour_trust": 0.041, "pearl_rural": 0.0275}
    with duckdb.connect() as con:
        pds = dict(con.execute(f"SELECT application_id, pd FROM '{sample_run}/decisions.parquet'").fetchall())
        shares: dict[str, list] = {}
        for application, source, fen in con.execute(f"SELECT application_id, source, amount_fen FROM '{sample_run}/funding_shares/*.parquet'").fetchall():
            shares.setdefault(application, []).append((fen, costs[source]))
    for row in micro["contracts"]:
        of = shares[row["application_id"]]
        funds = sum(fen * cost for fen, cost in of) / sum(fen for fen, _ in of)
        assert row["cost_of_funds"] == pytest.approx(funds, abs=2e-6) and row["expected_loss"] == pytest.approx(0.6 * pds[row["application_id"]], abs=1e-6)
        assert row["margin_after"] == pytest.approx(row["annual_rate_after"] - funds - 0.6 * pds[row["application_id"]], abs=3e-6)
        assert row["outcome"] == ("below_before" if row["margin_before"] < 0 else "lost" if row["margin_after"] < 0 else "cut")
    assert group(micro)["lost"] == sum(row["outcome"] == "lost" for row in micro["contracts"]) > 0


def test_it_is_what_a_run_under_the_rule_comes_to(without_and_under, tmp_path):
    """Every approval: cut to the rate that the limit stage offers under the cap, or lost where that offers nothing; nobody else moves."""
    without, under = without_and_under
    found = told(without, rule=rule_file(tmp_path / "rule.toml", f"value = {HARD}"))
    mine = {row["application_id"]: row for row in found["contracts"]}
    with duckdb.connect() as con:
        rows = con.execute(f"""SELECT b.application_id, b.annual_rate, a.decision, a.annual_rate, a.amount_fen = b.amount_fen
            FROM '{without}/decisions.parquet' AS b JOIN '{under}/decisions.parquet' AS a USING (application_id) WHERE b.decision = 'approve'""").fetchall()
    assert len(mine) > 100 and {row["outcome"] for row in mine.values()} >= {"cut", "lost", "over_at_floor"}
    for application, before, decision, after, same_amount in rows:
        if application not in mine:
            assert (decision, after) == ("approve", before)
        elif mine[application]["outcome"] == "over_at_floor":
            assert decision != "approve"
        else:
            assert decision == "approve" and same_amount and after == pytest.approx(mine[application]["annual_rate_after"], abs=1e-9)
    # Loans that are drawn at once: their interest is that of both runs' own schedules, to the fen.
    year = "SELECT application_id, CAST(sum(interest_fen) AS BIGINT) FROM '{}/schedule/*.parquet' WHERE instalment_no <= 12 GROUP BY ALL"
    with duckdb.connect() as con:
        before, after = (dict(con.execute(year.format(run)).fetchall()) for run in (without, under))
    at_once = [row for name, row in mine.items() if row["product"] != "renovation_loan" and name in before and name in after]
    assert len(at_once) > 50 and all((row["interest_before_fen"], row["interest_after_fen"]) == (before[row["application_id"]], after[row["application_id"]]) for row in at_once)


def test_decided_anew_says_the_same_and_what_funding_makes_of_it(without_and_under, tmp_path):
    without, under = without_and_under
    done("archive", without, "--to", tmp_path / "archive")
    rule = rule_file(tmp_path / "rule.toml", f"value = {HARD}")
    found = json.loads(done("compliance", "impact", without, "--rule", rule, "--redecide", tmp_path / "archive", "--format", "json", "--view", "contracts").out)
    assert {name: found[name] for name in ("groups", "months", "contracts")} == {name: rows for name, rows in told(without, rule=rule).items() if name != "rules"}
    [book] = found["redecided"]
    with duckdb.connect() as con:
        approved, funded = con.execute(f"SELECT count(*) FILTER (decision = 'approve'), coalesce(sum(funded_fen), 0) FROM '{under}/decisions.parquet'").fetchall()[0]
    before, after = book["sums"]
    assert book["from_stage"] == "limit" and (after["approved"], after["funded_fen"]) == (approved, int(funded))
    assert before["approved"] - after["approved"] == sum(row["outcome"] == "over_at_floor" for row in found["contracts"]) > 0
    with pytest.raises(UsageError, match="run-not-in-archive"):
        anew(Archive.open(tmp_path / "archive"), [Run.open(under)], [], {}, 1, None)


@pytest.fixture(scope="module")
def old_and_new(tmp_path_factory) -> Path:
    """A book of three loans at 14 %: of 2021 (four times LPR was 15.4 %), of 2025 (12 %), and one whose instalments come to far more."""
    def dues(first_year: int, first_month: int, fee: float = 0.0) -> list[tuple]:
        left, rows = 1_200_00, []
        for k in range(12):
            month = first_month + k
            interest = round(left * 0.14 / 12)
            rows.append((f"{first_year + (month - 1) // 12}-{(month - 1) % 12 + 1:02d}-10", 100, interest / 100, fee))
            left -= 100_00
        return rows

    root = tmp_path_factory.mktemp("hand") / "book"
    book_of.book(root, [
        book_of.loan("L2021", "2021-06-10", dues(2021, 7), rate=0.14, method="equal_principal", grade="D", pd=0.02),
        book_of.loan("L2025", "2025-06-10", dues(2025, 7), rate=0.14, method="equal_principal", grade="D", pd=0.02),
        book_of.loan("LFEES", "2025-06-10", dues(2025, 7, fee=8), rate=0.05, method="equal_principal", grade="E", pd=0.02),
    ])
    book_of.close(root, "2025-08-31")
    return root


def by_loan(found: dict) -> dict[str, dict]:
    return {row["application_id"]: row for row in found["contracts"]}


def test_a_contract_is_held_against_the_cap_of_one_day_or_of_its_own(old_and_new):
    found = told(book=old_and_new, rule="rate.micro4lpr")
    assert set(by_loan(found)) == {"L2021", "L2025", "LFEES"} and {row["month"][:7]: row["over_share"] for row in found["months"]} == {"2021-06": 1.0, "2025-06": 1.0}
    found = told(book=old_and_new, rule="rate.micro4lpr", own_dates=True)
    assert set(by_loan(found)) == {"L2025", "LFEES"} and found["rules"][0]["cap"] is None
    assert {row["month"][:7]: (row["over"], row["cap"]) for row in found["months"]} == {"2021-06": (0, 0.154), "2025-06": (2, 0.12)}
    found = told(book=old_and_new, rule="rate.micro4lpr", lpr=Decimal("3.6"))
    assert set(by_loan(found)) == {"LFEES"} and found["rules"][0]["cap"] == 0.144
    assert told(book=old_and_new, rule="rate.micro4lpr", at="2025-07-31")["rules"][0]["lpr"] == 3.0


def test_instalments_that_come_to_more_than_the_contract_says_count(old_and_new):
    row = by_loan(told(book=old_and_new, rule="rate.micro4lpr"))["LFEES"]
    flows = [-1200.0, *(100 + (1200 - 100 * k) * 0.14 / 12 + 8 for k in range(12))]
    assert row["found"] == pytest.approx(12 * numpy_financial.irr(np.array(flows)), abs=2e-4) and row["found"] > 0.28
    assert row["outcome"] == "over_at_floor" and row["annual_rate_after"] == 0.036  # the lowest price, and still over the cap


def test_interest_forgone_is_that_of_the_first_twelve_months(old_and_new):
    found = told(book=old_and_new, rule="rate.micro4lpr")
    row = by_loan(found)["L2025"]
    interest = {rate: sum(round((1_200_00 - 100_00 * k) * rate / 12) for k in range(12)) for rate in (0.14, row["annual_rate_after"])}
    assert row["annual_rate_after"] in (0.1199, 0.12)
    assert row["interest_before_fen"] == interest[0.14] and row["interest_after_fen"] == pytest.approx(interest[row["annual_rate_after"]], abs=6)
    assert row["outstanding_fen"] == 1_200_00  # nothing was paid
    both = group(found, "grade", "D", "contracts")  # two alike, which owe 650 yuan on average; own funds cost 2.9 %, losses are 0.6 x 2 %
    margin = {rate: rate - 0.029 - 0.6 * 0.02 for rate in (0.14, row["annual_rate_after"])}
    assert (both["margin_before"], both["margin_after"]) == pytest.approx(tuple(margin.values()), abs=1e-6)
    assert (both["margin_before_fen"], both["margin_after_fen"]) == tuple(round(2 * 650_00 * each) for each in margin.values())
    assert group(found, scope="contracts")["over_outstanding_fen"] == 3 * 1_200_00


def test_what_was_a_loss_before_is_not_blamed_on_the_rule(tmp_path):
    root = tmp_path / "book"
    dues = [(f"2025-{month:02d}-10", 200, 2.0) for month in range(7, 13)]
    book_of.book(root, [book_of.loan("L1", "2025-06-10", dues, rate=0.14, pd=0.5, method="equal_principal"), book_of.loan("L2", "2025-06-10", dues, rate=0.14, pd=0.16, method="equal_principal"),
                        book_of.loan("L3", "2025-06-10", dues, rate=0.14, pd=0.01, method="equal_principal")])
    book_of.close(root, "2025-06-30")
    found = told(book=root, rule="rate.micro4lpr")
    assert {name: row["outcome"] for name, row in by_loan(found).items()} == {"L1": "below_before", "L2": "lost", "L3": "cut"}
    assert (group(found, scope="contracts")["lost"], group(found, scope="contracts")["below_before"]) == (1, 1)


def test_a_run_and_the_book_that_it_was_opened_into_come_to_the_same(sample_run, micro, tmp_path):
    done("servicing", "open", sample_run, "--book", tmp_path / "book")
    done("servicing", "close", "--book", tmp_path / "book", "--to", "2026-11-30")
    found = told(sample_run, book=tmp_path / "book", rule="rate.micro4lpr")
    funded = {row["application_id"] for row in pq.read_table(sample_run / "decisions.parquet").to_pylist() if row["funded_fen"]}
    sides = {scope: {row["application_id"]: (row["annual_rate_after"], row["interest_before_fen"] - row["interest_after_fen"], row["margin_after"], row["outcome"])
                     for row in found["contracts"] if row["scope"] == scope and row["application_id"] in funded} for scope in ("approvals", "contracts")}
    assert sides["approvals"] == sides["contracts"] and len(sides["contracts"]) == len([row for row in micro["contracts"] if row["application_id"] in funded])


@settings(max_examples=8, deadline=None)
@given(caps=st.lists(st.integers(45, 260), min_size=2, max_size=2, unique=True))
def test_a_harder_cap_never_touches_fewer_nor_leaves_more(sample_run, tmp_path_factory, caps):
    folder = tmp_path_factory.mktemp("caps")
    low, high = sorted(caps)
    with Sight([Run.open(sample_run)]) as sight:
        hard, soft = (impact(sight, str(rule_file(folder / f"{cap}.toml", f"value = {Decimal(cap) / 1000}")), ROOT / "configs").views for cap in (low, high))
    one, other = hard["groups"].to_pylist()[0], soft["groups"].to_pylist()[0]
    assert one["over"] >= other["over"] and one["forgone_fen"] >= other["forgone_fen"] and one["lost"] >= other["lost"]
    rates = {row["application_id"]: row["annual_rate_after"] for row in hard["contracts"].to_pylist()}
    for row in soft["contracts"].to_pylist():
        assert rates[row["application_id"]] <= row["annual_rate_after"] <= row["annual_rate"]


def test_the_same_bytes_whatever_the_workers(sample_run, tmp_path):
    for workers in (1, 2):
        done("compliance", "impact", sample_run, "--rule", "rate.micro4lpr", "--rows", tmp_path / f"{workers}.parquet", "--workers", workers, "--quiet")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


@pytest.mark.parametrize("topic, value, broken", [
    ("term_max", 24, "term_months > 24"), ("amount_max", 50_000, "amount_fen > 5000000"),
])
def test_rules_about_other_things_say_how_much_would_break_them(sample_run, tmp_path, topic, value, broken):
    found = told(sample_run, rule=rule_file(tmp_path / "rule.toml", f"value = {value}", "coming.rule", topic))
    with duckdb.connect() as con:
        count, fen = con.execute(f"SELECT count(*), sum(amount_fen) FROM '{sample_run}/limit/*.parquet' WHERE decision = 'approve' AND {broken}").fetchall()[0]
    assert (group(found)["over"], group(found)["over_amount_fen"]) == (count, int(fen)) and count > 0
    assert group(found)["rate_before"] is None and {row["outcome"] for row in found["contracts"]} == {"breaks"}
    if topic == "term_max":
        assert {row["whose"] for row in found["groups"] if row["what"] == "term" and row["over"] == row["looked_at"]} == {str(row["term_months"]) for row in found["contracts"]}


def test_what_cannot_be_looked_at_says_so(sample_run, tmp_path):
    shown = done("compliance", "impact", sample_run, "--rule", rule_file(tmp_path / "rule.toml", "value = 3", "lev.coming", "leverage_max"))
    assert "impact-not-known" in shown.err and "Nothing in sight is what the rule is about." in shown.out


def test_a_rule_of_another_kind_of_product_or_method_concerns_those_alone(sample_run, tmp_path):
    found = told(sample_run, rule=rule_file(tmp_path / "rule.toml", 'value = 0.06\nmethod = ["interest_only"]'))
    assert {row["product"] for row in found["contracts"]} == {"bridge_loan"} and group(found)["looked_at"] == group(found, "product", "bridge_loan")["looked_at"]
    assert told(sample_run, rule=rule_file(tmp_path / "rule.toml", 'value = 0.06\nproduct_kind = "business"'))["groups"] == []


def test_refusals_say_what_to_do(sample_run, tmp_path):
    for arguments, ref in (((sample_run,), "impact-of-what"), (("--rule", "rate.micro4lpr"), "compliance-of-what"), ((sample_run, "--rule", "rate.micro4lpr", "--view", "no"), "view-unknown")):
        refused = call("compliance", "impact", *arguments)
        assert refused.code == 2 and ref in refused.err, refused.err
    contact = rule_file(tmp_path / "contact.toml", "value = 9", "col.coming", "contact_from")
    (tmp_path / "twice.toml").write_text(2 * RULE.format(id="a.b", topic="price_cap", says="value = 0.1"), encoding="utf-8")
    for rule, ref in (("no.such", "regulation-rule-unknown"), (contact, "impact-topic"), (tmp_path / "twice.toml", "impact-rule-twice"), (tmp_path / "none.toml", "config-missing")):
        with pytest.raises(UsageError, match=ref):
            coming(str(rule), ROOT / "configs")
    with pytest.raises(UsageError, match="lpr-before-first"):
        told(sample_run, rule="rate.micro4lpr", day=datetime.date(2019, 1, 1))
