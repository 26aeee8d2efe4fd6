"""A generated lender holds together: numbers, balances, dates, ties; what is planted is where the truth says."""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import pytest
from stdnum import luhn
from stdnum.cn import ric, uscc

from qqloan_cli.contracts import INPUTS
from qqloan_cli.generate import lender
from qqloan_cli.generate.block import BLOCK
from qqloan_cli.generate.faults import FAULTS, RING_LEAST

AS_OF = datetime.date(2026, 11, 24)
N = 6_000


def order(applicants: int, seed: int = 5) -> lender.Order:
    return lender.Order(applicants, seed, lender.days(AS_OF), "parquet", Path("unused"))


@pytest.fixture(scope="module")
def tables():
    return lender.draw(order(N), 0)


@pytest.fixture(scope="module")
def ask(tables):
    con = duckdb.connect()
    con.execute("SET threads = 1")
    for name, table in tables.items():
        con.register(name, table)
    return lambda query: con.execute(query).fetchall()


GENERATED = [contract for contract in INPUTS if contract.name != "funding_refusals"]  # partners refuse what they were offered: after a run


def test_every_input_has_the_contracts_columns_with_money_in_yuan(tables):
    for contract in GENERATED:
        known = {name.removesuffix("_fen") for name in contract.names}
        own = tables[contract.name].column_names
        assert set(own) <= known and set(contract.key) - {"src_file", "src_row"} <= set(own), contract.name


def test_no_row_breaks_its_contract(tables):
    con = duckdb.connect()
    for contract in GENERATED:
        con.register("given", tables[contract.name])
        own = set(tables[contract.name].column_names)
        columns = ", ".join(
            f'CAST("{c.name.removesuffix("_fen")}" * 100 AS BIGINT) AS {c.name}' if c.name.endswith("_fen") and c.name.removesuffix("_fen") in own
            else f'"{c.name}"' if c.name in own else f"CAST(NULL AS {c.type}) AS {c.name}" for c in contract.columns
        )
        for rule in contract.rules:
            bad = con.execute(f"SELECT count(*) FROM (SELECT {columns} FROM given) WHERE {rule.where}").fetchall()[0][0]
            assert bad == 0, f"{contract.name}: {rule.name}"
        con.unregister("given")


def test_there_are_about_as_many_rows_as_the_dry_run_says(tables):
    for name, (per_applicant, _, _) in lender.SIZES.items():
        if name != "blocklist":  # a handful
            assert len(tables[name]) == pytest.approx(N * per_applicant, rel=0.08), name


def test_id_numbers_are_right_but_where_a_fault_was_planted(ask):
    rows = ask("""SELECT id_number, coalesce(fault, ''), strftime(birth_date, '%Y%m%d'), gender FROM applicants JOIN truth_applications USING (application_id)""")
    assert {fault for number, fault, _, _ in rows if ric.calc_check_digit(number) != number[17]} == {"id-check-digit"}
    assert {fault for number, fault, birth, _ in rows if number[6:14] != birth} == {"birth-differs"}
    assert {fault for number, fault, _, gender in rows if (int(number[16]) % 2 == 1) != (gender == "male")} == {"gender-differs"}


def test_id_numbers_begin_with_a_county_that_was_there_but_where_planted(ask):
    spans: dict[str, list[tuple[int, int]]] = {}
    for line in (Path(__file__).resolve().parent.parent / "configs/reference/regions.csv").read_text(encoding="utf-8").splitlines():
        code, *years = line.split(",") if line[:1].isdigit() else ("",)
        if code:
            spans.setdefault(code, []).append((int(years[0] or 0), int(years[1] or 9999)))
    strange, retired = set(), 0
    for number, born, fault in ask("""SELECT id_number, year(birth_date), coalesce(fault, '') FROM applicants JOIN truth_applications USING (application_id) WHERE fault IS DISTINCT FROM 'birth-differs'"""):
        if not any(last >= max(born, 1984) for _, last in spans.get(number[:6], [])):
            strange.add(fault)
        retired += all(last < 2026 for _, last in spans.get(number[:6], []))
    assert strange == {"id-region-unknown"}
    assert retired > 0.01 * N


def test_cards_pass_luhn_and_employers_codes_are_valid(ask):
    rows = ask("SELECT bank_card, coalesce(fault, '') FROM applicants JOIN truth_applications USING (application_id)")
    assert {fault for card, fault in rows if not luhn.is_valid(card)} == {"card-luhn"}
    assert {(len(card), card[:2]) for card, _ in rows} == {(19, "62"), (16, "62")}
    codes = [code for (code,) in ask("SELECT DISTINCT employer_uscc FROM applicants WHERE employer_uscc IS NOT NULL")]
    assert len(codes) > 1_000 and all(uscc.is_valid(code) for code in codes)
    assert ask("SELECT count(*) FROM (SELECT employer FROM applicants WHERE employer IS NOT NULL GROUP BY employer HAVING count(DISTINCT employer_uscc) <> 1)") == [(0,)]


def test_nobody_shares_a_number_but_who_is_said_to(ask):
    for column in ("id_number", "phone", "bank_card", "device_id"):
        strangers = ask(f"""
            WITH shared AS (SELECT {column} AS value FROM applicants GROUP BY {column} HAVING count(*) > 1),
            sharers AS (SELECT t.* FROM applicants JOIN shared ON {column} = value JOIN truth_applications t USING (application_id)),
            lent AS (SELECT shares_with AS application_id FROM truth_applications WHERE shares_with IS NOT NULL)
            SELECT count(*) FROM sharers ANTI JOIN lent USING (application_id)
            WHERE shares_with IS NULL AND ring_id IS NULL AND family_with IS NULL""")
        assert strangers == [(0,)], column


def test_balances_add_up_line_by_line_but_on_forged_statements(ask):
    broken = ask("""
        WITH lines AS (SELECT *, lag(balance) OVER (PARTITION BY applicant_id, account ORDER BY booked_at) AS before FROM bank_statements)
        SELECT DISTINCT coalesce(fault, '') FROM lines JOIN truth_applications USING (applicant_id) WHERE before + amount <> balance""")
    assert broken == [("statement-forged",)]
    assert ask("SELECT min(balance) >= 0, count(*) = count(DISTINCT (applicant_id, account, booked_at)) FROM bank_statements") == [(True, True)]


def test_nothing_is_dated_after_the_application_and_no_application_after_the_day(ask):
    for table, moment in (("bank_statements", "booked_at"), ("payroll", "pay_date"), ("credit_inquiries", "inquired_at"), ("credit_accounts", "opened_at"),
                          ("credit_accounts", "closed_at"), ("wealth", "month"), ("social_activity", "month"), ("provident_fund", "month")):
        late = ask(f"SELECT count(*) FROM {table} JOIN (SELECT applicant_id, max(applied_at) AS applied_at FROM applicants GROUP BY ALL) USING (applicant_id) WHERE {moment} > applied_at")
        assert late == [(0,)], table
    assert ask("SELECT min(CAST(applied_at AS DATE)), max(CAST(applied_at AS DATE)) FROM applicants") == [(AS_OF - datetime.timedelta(2), AS_OF)]
    assert ask(f"SELECT count(*) FROM outcomes WHERE observed_at > DATE '{AS_OF}' - 3 OR decided_at >= observed_at") == [(0,)]
    assert ask("SELECT DISTINCT fault FROM applicants JOIN truth_applications USING (application_id) WHERE consent_at > applied_at") == [("consent-late",)]


def test_pay_slips_and_statement_say_the_same_of_the_honest(ask):
    rows = ask("""
        SELECT coalesce(fault, ''), count(*), count(*) FILTER (net = amount)
        FROM payroll p JOIN truth_applications t USING (applicant_id)
        JOIN bank_statements b ON b.applicant_id = p.applicant_id AND CAST(b.booked_at AS DATE) = p.pay_date AND b.counterparty = p.employer AND b.amount > 0
        WHERE p.employer IS NOT NULL GROUP BY 1""")
    agree = {fault: (both, same) for fault, both, same in rows}
    assert agree[""][0] > 1_000 and agree[""][1] > 0.98 * agree[""][0]  # a bonus may fall on payday
    for fault in ("pay-inflated", "statement-forged"):
        assert agree[fault][0] > 10 and agree[fault][1] == 0, fault


def test_refunds_give_back_a_purchase_and_own_transfers_come_in_pairs(ask):
    refunds = ask("""
        SELECT count(*), count(*) FILTER (EXISTS (SELECT 1 FROM bank_statements p WHERE p.applicant_id = r.applicant_id AND p.amount = -r.amount AND p.booked_at < r.booked_at))
        FROM truth_lines r WHERE truly = 'refund'""")[0]
    assert refunds[0] > 100 and refunds[1] > 0.95 * refunds[0]  # the purchase may lie before the window
    moves = ask("""
        WITH own AS (SELECT DISTINCT applicant_id, account, right(account, 4) AS tail FROM bank_statements),
        sent AS (SELECT b.*, own.account AS to_account FROM bank_statements b JOIN own ON own.applicant_id = b.applicant_id AND own.account <> b.account
          WHERE b.amount < 0 AND ends_with(b.memo, own.tail) AND b.memo LIKE '%本人%')
        SELECT count(*), count(*) FILTER (EXISTS (SELECT 1 FROM bank_statements r WHERE r.applicant_id = sent.applicant_id AND r.account = to_account
          AND r.amount = -sent.amount AND r.booked_at BETWEEN sent.booked_at AND sent.booked_at + INTERVAL 1 DAY)) FROM sent""")[0]
    assert moves[0] > 1_000 and moves[1] == moves[0]


def test_the_planted_are_as_many_as_said_and_no_one_has_two(ask):
    found = dict(ask("SELECT fault, count(*) FROM truth_applications WHERE fault IS NOT NULL GROUP BY 1"))
    for fault in FAULTS:
        assert abs(found[fault.code] - N * fault.share) <= 1, fault.code
    assert ask("SELECT count(*) FROM truth_applications WHERE ring_id IS NOT NULL AND fault IS NOT NULL") == [(0,)]


def test_every_ring_hangs_together_by_what_its_members_show(ask):
    rings: dict[str, list[tuple]] = {}
    for ring, *shown in ask("SELECT ring_id, device_id, contact_phone, bank_card FROM applicants JOIN truth_applications USING (application_id) WHERE ring_id IS NOT NULL"):
        rings.setdefault(ring, []).append(tuple(shown))
    assert len(rings) >= 5
    for members in rings.values():
        assert len(members) >= RING_LEAST
        assert any(len({member[key] for member in members}) == 1 for key in (0, 1))


def test_grids_have_24_codes_and_agree_with_the_days(ask):
    assert ask("SELECT count(*) FROM credit_accounts WHERE NOT regexp_full_match(grid_24m, '[N1-7*#CMABG/]{24}')") == [(0,)]
    assert ask("SELECT count(*) FROM credit_accounts WHERE (worst_dpd_24m > 0) <> regexp_matches(grid_24m, '[1-7]')") == [(0,)]
    assert ask("SELECT count(*) FROM credit_accounts WHERE closed_at < opened_at OR \"limit\" <= 0 OR balance < 0") == [(0,)]


def test_edges_have_hubs_and_neighbours_are_alike(ask):
    top, median = ask("SELECT max(n), median(n) FROM (SELECT count(*) AS n FROM (SELECT src AS node FROM social_edges UNION ALL SELECT dst FROM social_edges) GROUP BY node)")[0]
    assert top > 15 * median
    known = dict(ask("""
        WITH ties AS (SELECT src AS one, dst AS other FROM social_edges UNION SELECT dst, src FROM social_edges)
        SELECT n.bad, avg(t.true_pd) FROM ties JOIN outcomes n ON n.applicant_id = other JOIN truth_applications t ON t.applicant_id = one GROUP BY 1"""))
    assert known[True] > 1.15 * known[False]
    assert ask("SELECT count(*) FROM social_edges WHERE src = dst") == [(0,)]


def test_bad_follows_the_documented_truth():
    tables = lender.draw(order(BLOCK, seed=9), 0)
    con = duckdb.connect()
    con.register("t", tables["truth_applications"])
    con.register("o", tables["truth_outcomes"])
    bad, expected, auc = con.execute("""
        WITH ranked AS (SELECT bad, true_pd, rank() OVER (ORDER BY true_pd) AS place FROM t)
        SELECT avg(CAST(bad AS INTEGER)), avg(true_pd),
          (sum(place) FILTER (bad) - count(*) FILTER (bad) * (count(*) FILTER (bad) + 1) / 2) / (count(*) FILTER (bad) * count(*) FILTER (NOT bad))
        FROM ranked""").fetchall()[0]
    assert 0.04 <= bad <= 0.06 and abs(bad - expected) < 0.006
    assert 0.80 < auc < 0.88  # what is hidden in it, no evidence can show
    assert con.execute("SELECT count(*) FROM t JOIN o USING (application_id) WHERE t.bad <> o.bad OR observed_at <= decided_at").fetchall() == [(0,)]


def test_a_longer_lender_begins_with_the_whole_blocks_of_a_shorter_one():
    short, long = lender.draw(order(BLOCK + 100), 0), lender.draw(order(2 * BLOCK), 0)
    assert all(short[name].equals(long[name]) for name in short)
    assert not short["applicants"].equals(lender.draw(order(BLOCK, seed=6), 0)["applicants"])


@pytest.mark.parametrize("applicants", [1, 2, 7, 40])
def test_the_smallest_lenders_have_every_table(applicants):
    for seed in range(3):
        tables = lender.draw(order(applicants, seed), 0)
        assert len(tables["applicants"]) == len(tables["truth_applications"]) == applicants
