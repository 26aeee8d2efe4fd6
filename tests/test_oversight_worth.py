"""What a source of data is worth: what leaving it out does is what not having it does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from conftest import AS_OF, ROOT, call, done

FILES = {
    "payroll": ["payroll"], "provident_fund": ["provident_fund"], "bank_statements": ["bank_statements"], "credit_report": ["credit_accounts", "credit_inquiries"],
    "wealth": ["wealth"], "social": ["social_activity", "social_edges"], "blocklist": ["blocklist"],
}


@pytest.fixture(scope="module")
def measured(lender_run, tmp_path_factory) -> dict:
    """Every source that is a file, and all of them together; and what moved, by source and application."""
    folder = tmp_path_factory.mktemp("worth")
    told = json.loads(done("source", "worth", lender_run, *(part for name in FILES for part in ("--source", name)), "--changes", folder / "changes.parquet", "--format", "json").out)
    return {"told": told, "rows": {row["source"]: row for row in told["sources"]}, "changes": folder / "changes.parquet"}


def _without(lender: Path, to: Path, inputs: list[str]) -> Path:
    """The lender's folder less some files, decided."""
    shutil.copytree(lender, to / "files")
    for name in inputs:
        for path in (to / "files").glob(f"{name}.*"):
            path.unlink()
    done("run", to / "files", "--out", to / "run", "--as-of", AS_OF)
    return to / "run"


def _decided(run: Path, source: str, changes: Path | None = None) -> list[tuple]:
    """(application, decision, amount) of a run; with ``changes``, as they are without the source."""
    if changes is None:
        return duckdb.execute(f"SELECT application_id, decision, coalesce(amount_fen, 0) FROM '{run}/decisions.parquet' ORDER BY 1").fetchall()
    return duckdb.execute(f"""
        SELECT d.application_id, coalesce(c.without_decision, d.decision), coalesce(c.without_fen, d.amount_fen, 0)
        FROM '{run}/decisions.parquet' d LEFT JOIN (SELECT * FROM '{changes}' WHERE source = ?) c USING (application_id) ORDER BY 1
    """, [source]).fetchall()


@pytest.mark.parametrize("source", ["all", "bank_statements", "social", "credit_report"])
def test_leaving_a_source_out_is_not_having_its_files(measured, lender, lender_run, tmp_path, source):
    inputs = sorted({name for files in FILES.values() for name in files}) if source == "all" else FILES[source]
    bare = _without(lender, tmp_path, inputs)
    assert _decided(bare, source) == _decided(lender_run, source, measured["changes"])
    assert _decided(bare, source) != _decided(lender_run, source)
    row = measured["rows"][source]
    assert row["approved_without"] == sum(decision == "approve" for _, decision, _ in _decided(bare, source))
    assert row["amount_without_fen"] == sum(amount for _, _, amount in _decided(bare, source))


def test_a_source_that_nobody_has_moves_nothing_and_costs_what_its_queries_cost(lender, tmp_path):
    run = _without(lender, tmp_path, ["wealth"])
    [row] = json.loads(done("source", "worth", run, "--source", "wealth", "--format", "json").out)["sources"]
    assert row["covered"] == row["decisions_changed"] == row["terms_changed"] == row["amount_moved_fen"] == row["expected_loss_moved_fen"] == row["margin_moved_fen"] == 0
    assert row["worth_fen"] == -row["cost_fen"] == -20 * row["applicants"]


def test_costs_and_counts_add_up(measured):
    rows = measured["rows"]
    parts = [rows[name] for name in FILES]
    assert rows["all"]["cost_fen"] == sum(row["cost_fen"] for row in parts) and rows["all"]["cost_a_query_fen"] is None
    for row in parts:
        assert row["cost_fen"] == row["cost_a_query_fen"] * (row["covered"] if row["source"] in ("payroll", "bank_statements") else row["applicants"])
        assert 0 <= row["covered"] <= row["applicants"] <= row["applications"]
    for row in rows.values():
        assert row["approved_with"] - row["approved_without"] == row["approved_only_with"] - row["approved_only_without"]
        assert row["worth_fen"] == row["margin_moved_fen"] - row["cost_fen"]
        for figure in ("amount", "expected_loss", "margin"):
            assert row[f"{figure}_moved_fen"] == row[f"{figure}_with_fen"] - row[f"{figure}_without_fen"]
        assert row["worth_an_application_fen"] == pytest.approx(row["worth_fen"] / row["applications"], abs=0.01)
        assert row["worth_low_fen"] is None, "everybody was looked at"


def test_coverage_is_who_has_a_row(measured, lender):
    for source, files in FILES.items():
        if source in ("social", "blocklist"):
            continue
        had = duckdb.execute(" UNION ".join(f"SELECT applicant_id FROM read_csv('{lender}/{name}.csv', all_varchar = true)" for name in files)).fetchall()
        people = duckdb.execute(f"SELECT DISTINCT applicant_id FROM read_csv('{lender}/applicants.csv', all_varchar = true)").fetchall()
        assert measured["rows"][source]["covered"] == len(set(had) & set(people)), source


def test_margin_is_interest_less_funds_less_loss(measured, lender_run):
    """By hand, from the run's own instalments, of loans that are paid out at once."""
    told = measured["told"]
    loans = duckdb.execute(f"""
        WITH months AS (
          SELECT application_id, instalment_no, interest_fen, principal_fen, sum(principal_fen) OVER (PARTITION BY application_id ORDER BY instalment_no DESC) AS before
          FROM '{lender_run}/schedule/*.parquet' SEMI JOIN (SELECT application_id FROM '{lender_run}/schedule/*.parquet' GROUP BY 1 HAVING max(tranche_no) = 1) USING (application_id)
        )
        SELECT sum(interest_fen), sum(before * {told['cost_of_funds']} / 12), any_value(d.pd * d.amount_fen) * {told['lgd']}, application_id
        FROM months JOIN '{lender_run}/decisions.parquet' d USING (application_id) WHERE instalment_no <= {told['months']} GROUP BY application_id
    """).fetchall()
    margins = dict(duckdb.execute(f"SELECT application_id, with_margin_fen FROM '{measured['changes']}' WHERE source = 'all'").fetchall())
    compared = [(interest - funds - loss, margins[application]) for interest, funds, loss, application in loans if application in margins]
    assert len(compared) > 50
    assert all(abs(by_hand - margin) < 60 for by_hand, margin in compared)  # the schedule's own first period may be of other days


def test_expected_loss_is_by_the_pd_that_all_sources_give_on_both_sides(measured, lender_run):
    rows = duckdb.execute(f"""
        SELECT c.with_loss_fen, c.without_loss_fen, d.pd * {measured['told']['lgd']} * c.with_fen, d.pd * {measured['told']['lgd']} * c.without_fen, c.without_pd <> c.with_pd AND c.without_fen > 0
        FROM '{measured['changes']}' c JOIN '{lender_run}/decisions.parquet' d USING (application_id)
    """).fetchall()
    assert any(telling for *_, telling in rows)
    assert all(abs(a - x) <= 0.51 and abs(b - y) <= 0.51 for a, b, x, y, _ in rows)


def test_a_sample_says_of_its_people_what_the_whole_says_and_how_sure_it_is(lender_run, measured, tmp_path):
    ask = ("source", "worth", lender_run, "--source", "bank_statements", "--source", "social", "--sample", 300, "--format", "json")
    one = done(*ask, "--workers", 1, "--changes", tmp_path / "one.parquet")
    assert one.out == done(*ask, "--workers", 2).out
    for row in json.loads(one.out)["sources"]:
        assert row["applicants"] == 300
        assert row["worth_low_fen"] <= row["worth_an_application_fen"] <= row["worth_high_fen"]
    some = duckdb.execute(f"SELECT * FROM '{tmp_path}/one.parquet' WHERE source <> 'all' ORDER BY ALL").fetchall()
    whole = duckdb.execute(f"SELECT * FROM '{measured['changes']}' ORDER BY ALL").fetchall()
    assert some and set(some) < set(whole)


def test_outcomes_say_how_well_pd_ranks_with_and_without(lender_run, lender):
    truth = next(Path(lender, "truth").glob("truth_outcomes.*"))
    [row] = json.loads(done("source", "worth", lender_run, "--source", "credit_report", "--outcomes", truth, "--format", "json").out)["sources"]
    assert row["gini_moved"] == pytest.approx(row["gini_with"] - row["gini_without"], abs=2e-6) and row["gini_low"] <= row["gini_moved"] <= row["gini_high"]
    assert row["gini_with"] > row["gini_without"]
    assert 0 <= row["only_without_bad"] <= row["only_without_known"] <= row["approved_only_without"]


def test_shared_keys_are_asked_of_by_nobody(lender_run):
    [row] = json.loads(done("source", "worth", lender_run, "--source", "shared_keys", "--format", "json").out)["sources"]
    assert row["decisions_changed"] > 0 and row["referred_with"] > row["referred_without"]


def test_the_run_stays_as_it_was_and_what_cannot_be_is_said(lender_run, tmp_path):
    from conftest import tables

    before = tables(lender_run)
    assert "data-source-unknown" in call("source", "worth", lender_run, "--source", "horoscope").err
    assert "sample-wrong" in call("source", "worth", lender_run, "--sample", 0).err
    done("source", "worth", lender_run, "--source", "blocklist")
    assert tables(lender_run) == before
    done("intake", "sample_data", "--out", tmp_path / "run", "--as-of", AS_OF)
    assert "worth-undecided" in call("source", "worth", tmp_path / "run").err
    configs = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", configs)
    text = (configs / "worth.toml").read_text(encoding="utf-8")
    (configs / "worth.toml").write_text(text.replace('inputs = ["payroll"]', 'inputs = ["payslips"]'), encoding="utf-8")
    assert "worth.toml" in call("source", "worth", lender_run, "--config", configs).err
