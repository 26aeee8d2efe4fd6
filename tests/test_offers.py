"""Offers: whoever was cut or declined is shown the nearest loans that would be approved as they stand. Asked for, they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from conftest import AS_OF, call, done


@pytest.fixture(scope="module")
def offered(lender_run, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("offers") / "run"
    shutil.copytree(lender_run, run)
    done("offers", run)
    return run


def rows(run: Path, sql: str) -> list[tuple]:
    with duckdb.connect() as con:
        for table in ("limit", "offers"):
            con.execute(f"CREATE VIEW \"{table}\" AS FROM '{run}/{table}/*.parquet'")
        return con.sql(sql).fetchall()


@pytest.mark.parametrize("offer_no", [1, 2, 3])
def test_every_offer_asked_for_is_approved_as_it_stands(lender, offered, tmp_path, offer_no):
    """The same people with the same evidence ask anew, through the whole chain."""
    again = tmp_path / "lender"
    shutil.copytree(lender, again)
    [applicants] = again.glob("applicants*.csv")
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE a AS FROM read_csv('{applicants}', all_varchar = true); CREATE TABLE o AS SELECT * FROM '{offered}/offers/*.parquet' WHERE offer_no = {offer_no}")
        con.execute("""
            CREATE TABLE changed AS SELECT a.* REPLACE (
              coalesce(CAST(CAST(o.amount_fen AS DECIMAL(18,0)) / 100 AS VARCHAR), a.requested_amount) AS requested_amount,
              coalesce(CAST(o.term_months AS VARCHAR), a.term_months) AS term_months, coalesce(o.product, a.product) AS product)
            FROM a LEFT JOIN o USING (application_id)
        """)
        con.execute(f"COPY changed TO '{applicants}' (HEADER)")
    done("run", again, "--out", tmp_path / "run", "--as-of", AS_OF)
    with duckdb.connect() as con:
        found = con.sql(f"""
            SELECT l.decision, l.amount_fen = o.amount_fen AND l.term_months = o.term_months AND l.product = o.product AND l.annual_rate = o.annual_rate
              AND l.all_in_annual_cost = o.all_in_annual_cost AND l.monthly_payment_fen = o.monthly_payment_fen, count(*)
            FROM '{offered}/offers/*.parquet' o JOIN '{tmp_path}/run/limit/*.parquet' l USING (application_id) WHERE o.offer_no = {offer_no} GROUP BY ALL
        """).fetchall()
    [(decision, as_offered, count)] = found
    assert (decision, as_offered) == ("approve", True) and count >= 10


def test_everybody_who_was_cut_has_one_and_nobody_whom_a_person_decides(offered):
    assert rows(offered, """
        SELECT count(*) FROM "limit" l ANTI JOIN offers o USING (application_id)
        WHERE decision = 'approve' AND amount_fen < requested_amount_fen AND binding_cap IN ('payment_to_income', 'debt_to_income')""")[0][0] == 0
    assert rows(offered, "SELECT count(*) FROM offers JOIN \"limit\" l USING (application_id) WHERE l.decision = 'refer'")[0][0] == 0
    assert rows(offered, "SELECT count(*) FROM offers JOIN \"limit\" l USING (application_id) WHERE l.decision = 'decline'")[0][0] > 0


def test_no_offer_beats_another_and_none_is_what_was_decided(offered):
    assert rows(offered, """
        SELECT count(*) FROM offers a JOIN offers b USING (application_id, product)
        WHERE greatest(a.less_fen, 0) <= greatest(b.less_fen, 0) AND abs(a.longer_months) <= abs(b.longer_months)
          AND (greatest(a.less_fen, 0) < greatest(b.less_fen, 0) OR abs(a.longer_months) < abs(b.longer_months))""")[0][0] == 0
    assert rows(offered, 'SELECT count(*) FROM offers o JOIN "limit" l USING (application_id) WHERE o.amount_fen = l.amount_fen AND o.term_months = l.term_months')[0][0] == 0
    assert rows(offered, "SELECT max(offer_no), min(offer_no), max(all_in_annual_cost - cost_cap) <= 0 FROM offers") == [(3, 1, True)]


def test_explain_works_them_out_on_the_spot_the_same(lender_run, offered):
    application, count = rows(offered, "SELECT application_id, count(*) FROM offers GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 1")[0]
    assert call("explain", lender_run, application).out == call("explain", offered, application).out
    assert "Would be approved instead" in call("explain", lender_run, application).out and count == 3


def test_the_same_bytes_whatever_the_workers_and_a_new_limit_removes_them(lender_run, offered, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(lender_run, run)
    done("offers", run, "--workers", "1")
    assert [path.read_bytes() for path in sorted((run / "offers").glob("*.parquet"))] == [path.read_bytes() for path in sorted((offered / "offers").glob("*.parquet"))]
    refused = call("limit", run)
    assert refused.code == 2 and "offers" in refused.err
    done("limit", run, "--yes")
    assert not (run / "offers").exists()


def cost_rows(run: Path, sql: str) -> list[tuple]:
    with duckdb.connect() as con:
        for table in ("limit", "offers", "cost_table", "schedule", "disburse_plan"):
            con.execute(f"CREATE VIEW \"{table}\" AS FROM '{run}/{table}/*.parquet'")
        return con.sql(sql).fetchall()


def test_the_cost_table_of_every_approval_and_offer_adds_up_to_its_all_in_cost(offered):
    """金规〔2026〕2号: each charge with its standard, what it comes to, its part of the annual cost; contingent ones apart."""
    whole = """
        WITH sums AS (
          SELECT application_id, offer_no, sum(annualised) FILTER (item NOT IN ('total')) AS parts, sum(amount_fen) FILTER (item IN ('interest', 'monthly_fee', 'upfront_fee')) AS fen,
            max(annualised) FILTER (item = 'total') AS total, max(amount_fen) FILTER (item = 'total') AS total_fen, count(*) FILTER (contingent) AS contingent
          FROM cost_table GROUP BY ALL)
    """
    assert cost_rows(offered, whole + "SELECT count(*) FROM sums WHERE parts IS DISTINCT FROM total OR fen IS DISTINCT FROM total_fen OR contingent = 0") == [(0,)]
    assert cost_rows(offered, whole + """
        SELECT count(*) FILTER (c.all_in IS DISTINCT FROM s.total), count(*) FILTER (s.total IS NULL), count(DISTINCT c.offer_no) FROM (
          SELECT application_id, 0 AS offer_no, all_in_annual_cost AS all_in FROM "limit" WHERE decision = 'approve'
          UNION ALL SELECT application_id, offer_no, all_in_annual_cost FROM offers) c
        LEFT JOIN sums s USING (application_id, offer_no)""") == [(0, 0, 4)]


def test_the_cost_table_is_what_the_schedule_comes_to(offered):
    assert cost_rows(offered, """
        WITH one_tranche AS (SELECT application_id FROM schedule GROUP BY ALL HAVING max(tranche_no) = 1)
        SELECT count(*) FILTER (s.fen <> c.amount_fen), count(*) > 100 FROM one_tranche
        JOIN (SELECT application_id, sum(interest_fen + fee_fen) AS fen FROM schedule GROUP BY ALL) s USING (application_id)
        JOIN (SELECT application_id, amount_fen FROM cost_table WHERE item = 'total' AND offer_no = 0) c USING (application_id)""") == [(0, True)]


@pytest.mark.parametrize("lang, said", [("en", "Nothing else is charged."), ("zh", "不收取任何其他费用")])
def test_explain_shows_the_cost_table(offered, lang, said):
    application = cost_rows(offered, "SELECT application_id FROM cost_table WHERE item = 'monthly_fee' AND offer_no = 0 ORDER BY 1 LIMIT 1")[0][0]
    page = call("explain", offered, application, "--lang", lang).out
    assert said in page and ("the guarantee company" if lang == "en" else "融资担保公司") in page
