"""The risk reserve pool: against closed forms, against itself put in again, on a book whose pool can be reckoned by hand, and on the command line."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import zipfile

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from book_of import CONFIGS, DAY, book, close, events, loan, post, state
from conftest import call, done
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from qqloan_cli.engine.session import connect
from qqloan_cli.errors import ConfigError, QqloanError
from qqloan_cli.policy.reserve import LIVE, STATES, load_reserve
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.reserve.cells import month_ends_after
from qqloan_cli.servicing.panel import write_panel
from qqloan_cli.servicing.reserve.pool import balance, history, policies
from qqloan_cli.servicing.reserve.project import Asked, project
from qqloan_cli.servicing.reserve.simulate import Chances, Exposure, Moves, Paths, Stress, at_least, conditioned, monthly, needed

PRIOR = np.array(load_reserve(CONFIGS).prior.matrix)
CALM = Stress("baseline", np.zeros(1))


def paths(shares=PRIOR, start=(1e12, 0, 0, 0, 0, 0, 0, 0), months=12, seed=1, falls=0.0, loan_fen=0.0, correlation=0.0, by_loan=False, trigger=4, regions=1, compensated=0.0) -> Paths:
    """One band; every region has the same."""
    exposure = Exposure(
        np.arange(regions), np.zeros(regions, int), np.tile(np.array(start, float), (regions, 1)), np.full((regions, 8), compensated), np.zeros(regions), np.ones(regions), np.full(regions, 0.12), np.full(regions, float(loan_fen)))
    moves = Moves(np.broadcast_to(shares, (regions, 2, 8, 10)).copy(), np.array([0]), np.full((regions, 2, months), falls))
    return Paths(exposure, moves, Chances(correlation, 0.6, 0.9, by_loan, trigger, 1.0, 0.0), months, seed)


# --- against what is known ---


def test_without_factors_or_chance_it_is_the_power_of_the_matrix():
    start = np.array([90, 5, 3, 2, 4, 3, 2, 1]) * 1e9
    found = paths(start=start, compensated=5e8).run(CALM, 0, 3)
    whole = np.vstack([PRIOR, np.eye(10)[8:]])
    wanted = np.append(start + 5e8, [0, 0]) @ np.linalg.matrix_power(whole, 12)
    assert np.allclose(found["states"], wanted, rtol=1e-12)


def test_a_months_loss_is_vasiceks():
    """
    One bucket, one month, one region: of a large pool the loss given the factor is Phi((Phi^-1(p) - sqrt(rho) z) / sqrt(1 - rho))
    """
    p, rho, n = 0.03, 0.12, 40_000
    shares = np.eye(8, 10)
    shares[0, 0], shares[0, 1] = 1 - p, p
    run = paths(shares, (1.0, 0, 0, 0, 0, 0, 0, 0), 1, 7, correlation=rho, trigger=1)
    loss = run.run(CALM, 0, n)["compensation"][:, 0]
    assert abs(loss.mean() - p) < 3 * loss.std() / math.sqrt(n)
    for share in (0.5, 0.95, 0.99):
        closed = norm.cdf((norm.ppf(p) + math.sqrt(rho) * norm.ppf(share)) / math.sqrt(1 - rho))
        density = math.sqrt((1 - rho) / rho) * math.exp(norm.ppf(closed) ** 2 / 2 - (math.sqrt(1 - rho) * norm.ppf(closed) - norm.ppf(p)) ** 2 / (2 * rho))
        error = math.sqrt(share * (1 - share) / n) / density
        assert abs(at_least(loss, share) - closed) < 3 * error, share


def test_in_a_small_book_loans_fail_whole_and_as_often_as_expected():
    """
    50 equal loans that fail with 4 % in the month, independent of one another: hits are 0, 1, 2 ..., binomial but for the last loans
    """
    shares = np.eye(8, 10)
    shares[0, 0], shares[0, 1] = 0.96, 0.04
    lost = paths(shares, (50.0, 0, 0, 0, 0, 0, 0, 0), 1, 5, loan_fen=1.0, by_loan=True, trigger=1).run(CALM, 0, 20_000)["compensation"][:, 0]
    assert np.allclose(lost, np.rint(lost)) and set(np.rint(lost).astype(int)) >= {0, 1, 2, 3, 4}
    assert abs(lost.mean() - 2) < 3 * lost.std() / math.sqrt(20_000)
    assert abs(lost.var() - 2) < 0.1  # binomial: 1.92


def test_over_a_year_chance_by_loan_has_the_spread_of_loans_that_fail_one_by_one():
    """Against every loan followed by itself."""
    rng, n, size = np.random.default_rng(3), 1_500, 60
    cumulated = np.cumsum(PRIOR, axis=1)
    cumulated = np.vstack([cumulated, np.ones((2, 10))])
    state, hit = np.zeros((n, size), int), np.zeros((n, size), bool)
    for _ in range(12):
        moved = (rng.random((n, size, 1)) > cumulated[np.minimum(state, 7)]).sum(axis=2).clip(0, 9)
        state = np.where(state >= 8, state, moved)
        hit |= ((state >= 4) & (state < 8)) | (state == 9)
    # the whole pool once: who has been paid for is out of it
    one_by_one = hit.sum(axis=1)
    ours = paths(start=(float(size), 0, 0, 0, 0, 0, 0, 0), loan_fen=1.0, by_loan=True).run(CALM, 0, 20_000)["compensation"].sum(axis=1)
    assert abs(ours.mean() - one_by_one.mean()) < 4 * one_by_one.std() / math.sqrt(n)
    assert abs(ours.std() / one_by_one.std() - 1) < 0.06


def test_every_month_by_itself_has_the_shares_that_were_measured():
    z = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    given_z = conditioned(PRIOR, z, 0.2)
    assert np.allclose(given_z.sum(axis=-1), 1) and (given_z >= -1e-12).all()
    assert np.abs(given_z.mean(axis=0) - PRIOR).max() < 1e-4
    bad = conditioned(PRIOR, np.array([-2.0, 0.0, 2.0]), 0.2)
    assert bad[0, 0, 1:8].sum() > bad[1, 0, 1:8].sum() > bad[2, 0, 1:8].sum()


def test_a_years_correlation_spreads_a_years_failures_as_vasicek_has_it():
    """In a single step of twelve months nothing is to be translated; over twelve months of four rolls each, much less goes into each."""
    rho = 0.08
    of_month = monthly(rho, PRIOR, 0.9, 4)
    assert 0.01 < of_month < rho / 2
    failed = paths(correlation=of_month, seed=9).run(CALM, 0, 20_000)["compensation"].sum(axis=1) / 1e12
    p = failed.mean()
    for share in (0.5, 0.95, 0.99):
        closed = norm.cdf((norm.ppf(p) + math.sqrt(rho) * norm.ppf(share)) / math.sqrt(1 - rho))
        assert abs(at_least(failed, share) / closed - 1) < 0.12, share
    assert monthly(0.0, PRIOR, 0.9, 4) == 0


def test_factors_hang_together_as_configured():
    run = paths(months=6, regions=3, correlation=0.1)
    z, _ = run.factors(Stress("baseline", np.array([0.0, 0.0, -2.0])), 0, 40_000)
    assert np.abs(z[:, :2].mean(axis=2)).max() < 0.03 and np.abs(z[:, 2].mean(axis=1) + 2).max() < 0.03
    assert np.abs(z.std(axis=2) - 1).max() < 0.02
    assert abs(np.corrcoef(z[2, 0], z[2, 1])[0, 1] - 0.6) < 0.02
    assert abs(np.corrcoef(z[2, 0], z[3, 0])[0, 1] - 0.9) < 0.02


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0, 1e10), min_size=8, max_size=8), st.floats(0, 1), st.floats(0, 0.6), st.floats(-4, 4), st.booleans(), st.integers(1, 7), st.integers(0, 2**32),
)
def test_nothing_is_lost_on_any_path(start, falls, correlation, shift, by_loan, trigger, seed):
    run = paths(start=start, falls=falls, correlation=correlation, by_loan=by_loan, trigger=trigger, seed=seed, loan_fen=5e6, months=8, compensated=1e6)
    found = run.run(Stress("any", np.array([shift])), 0, 20)
    whole = sum(start) + 8e6
    out = found["balance"][:, -1] + found["paid"].sum(axis=1) + found["written_off"].sum(axis=1)
    assert np.allclose(out, whole, rtol=1e-9, atol=1e-3)
    assert min(found[name].min() for name in ("balance", "compensation", "recovered", "paid")) > -1e-3
    assert (found["compensation"].sum(axis=1) <= sum(start) * (1 + 1e-9) + 1e-3).all()
    assert (found["recovered"].sum(axis=1) <= found["compensation"].sum(axis=1) + 8e6 + 1e-3).all()


def test_who_pays_an_instalment_owes_one_less():
    """
    Twelve equal instalments of principal, nobody late: 1/12, 1/11 ... of what is left
    """
    run = paths(np.eye(8, 10), (1_200.0, 0, 0, 0, 0, 0, 0, 0))
    run.moves.falls[:] = 1 / (12 - np.arange(12))
    found = run.run(CALM, 0, 1)
    assert np.allclose(found["paid"][0], 100) and np.allclose(found["interest"][0], np.arange(1_200, 0, -100) * 0.01)
    # one instalment behind of four, which pays two at once in the second month: 100 of 400, then 100 + 100 of 300, then 100
    shares = np.eye(8, 10)
    run = paths(shares, (0, 400.0, 0, 0, 0, 0, 0, 0), 1)
    run.moves.falls[:] = 1 / 3
    assert np.allclose(run.run(CALM, 0, 1)["paid"][0], 100)
    shares[1] = np.eye(1, 10)
    run = paths(shares, (0, 300.0, 0, 0, 0, 0, 0, 0), 1)
    run.moves.falls[:] = 1 / 2
    assert np.allclose(run.run(CALM, 0, 1)["paid"][0], 200)


# --- what contribution it takes ---


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 100), st.integers(0, 1000), st.floats(0.5, 1))
def test_the_multiple_that_is_needed_is_the_least_that_does(opening, seed, share):
    rng = np.random.default_rng(seed)
    given_, base = rng.normal(-3, 10, (200, 6)), rng.random((200, 6))
    worth = at_least(needed(opening, given_, base), share)
    lasts = lambda multiple: np.mean((opening + np.cumsum(given_ + multiple * base, axis=1)).min(axis=1) >= -1e-9)  # noqa: E731
    assert lasts(worth) >= share - 1e-12
    assert worth == 0 or lasts(worth * (1 - 1e-6) - 1e-9) < share


# --- a book and its pool by hand ---

LOANS = ("good", "late", "bad", "new")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """
    Four of 1200 in six instalments, 70 % by the coast bank; one pays, one is a month late from the third on, one never pays; one is drawn later
    """
    folder = tmp_path_factory.mktemp("reserve")
    dues = [(f"2024-{month:02}-10", 200, 12) for month in range(2, 8)]
    later = [(f"2024-{month:02}-20", 200, 12) for month in range(7, 13)]
    shares = {"own": 36_000, "coast_bank": 84_000}
    root = book(folder / "book", [loan(name, "2024-01-10", dues, region="440300" if name != "bad" else "610100", funded_by=shares) for name in LOANS[:3]]
                + [loan("new", "2024-06-20", later, region="440300", funded_by=shares)])
    paid = [{"loan_id": "good", "value_date": due[0], "amount": 212} for due in dues[:4]]
    paid += [{"loan_id": "late", "value_date": due[0], "amount": 212} for due in dues[:2]]
    paid += [{"loan_id": "late", "value_date": due[0], "amount": 212} for due in dues[3:4]]
    post(root, events(folder / "e.csv", paid))
    close(root, "2024-05-31")
    return root


def compensated(root, rows: list[dict]) -> None:
    """Events of the kind that settlement with funders posts: written as they will stand in the book."""
    import datetime

    from qqloan_cli.engine.stage import put

    opened = Book.open(root)
    con = connect(1)
    full = [{"bucket": 0, "reverses": None, "component": None, "until": None, "term_months": None, "rate_ppm": None, "received_on": datetime.date(2024, 5, 20), "file": "by-hand", "row": number, **row} for number, row in enumerate(rows)]
    con.register("given", pa.Table.from_pylist(full, schema=pa.schema([
        ("bucket", pa.int32()), ("event_id", pa.string()), ("loan_id", pa.string()), ("kind", pa.string()), ("value_date", pa.date32()), ("amount_fen", pa.int64()), ("reverses", pa.string()), ("component", pa.string()),
        ("until", pa.date32()), ("term_months", pa.int32()), ("rate_ppm", pa.int64()), ("received_on", pa.date32()), ("file", pa.string()), ("row", pa.int64())])))
    number = len(opened.document["posts"]) + 1
    put(con, "events", root / "events" / f"{number:05d}.parquet", "given", True)
    con.close()
    opened.document["posts"].append({"number": number})
    opened.save()


def of(root, at: str, config=CONFIGS):
    con = connect(1)
    try:
        return balance(con, Book.open(root), DAY(at), config), history(con, Book.open(root), DAY(at), config).to_pylist()
    finally:
        con.close()


def test_a_pools_history_is_what_went_in_and_out(small, tmp_path):
    root = shutil.copytree(small, tmp_path / "book")
    opening = 50_000_000 * 100
    has, months = of(root, "2024-05-31")
    assert [row["month"].isoformat() for row in months] == ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"]
    assert months[0]["contributed_of_drawn_fen"] == 3 * 840  # 1 % of 70 % of 1200, three times
    assert [row["contributed_of_interest_fen"] for row in months] == [0, 252, 252, 126, 378]  # 15 % of 70 % of 12 for every instalment's; late pays April's and May's at once
    assert has == months[-1]["closing_fen"] == opening + 3 * 840 + 1_008
    assert all(a["closing_fen"] == b["opening_fen"] for a, b in zip(months, months[1:]))
    assert of(root, "2024-03-31")[0] == months[2]["closing_fen"]
    compensated(root, [
        {"event_id": "K1", "loan_id": "bad", "kind": "compensation", "value_date": DAY("2024-05-15"), "amount_fen": 84_000},
        {"event_id": "K2", "loan_id": "late", "kind": "compensation", "value_date": DAY("2024-05-01"), "amount_fen": 10_000},
        {"event_id": "K3", "loan_id": "late", "kind": "reversal", "value_date": DAY("2024-05-02"), "amount_fen": None, "reverses": "K2"},
    ])
    assert of(root, "2024-05-14")[0] == of(small, "2024-05-14")[0] and of(root, "2024-05-31")[0] == has - 84_000
    post(root, events(tmp_path / "more.csv", [{"event_id": "Z1", "loan_id": "bad", "value_date": "2024-06-05", "amount": 224}]), "2024-06-05")
    close(root, "2024-06-30")
    last = of(root, "2024-06-30")[1][-1]
    # 12 of interest for each of four instalments first, and penalty: the rest is principal, 70 % of it the pool's, less a fifth for collection
    principal = duckdb.sql(f"SELECT sum(credit_fen - debit_fen) FROM '{root}/ledger/*.parquet' WHERE loan_id = 'bad' AND account = 'principal' AND event_id = 'Z1'").fetchall()[0][0]
    assert principal > 10_000 and last["recovered_fen"] == round(int(principal) * 0.7 * 0.8)
    assert last["contributed_of_drawn_fen"] == 840


def looked(view: str = "summary", book=None, panel=None, config=CONFIGS, at=None, scenarios=(), **other) -> list[dict]:
    """The rows of a view, as the command has them, without a process of its own."""
    return project(Asked(config, Book.open(book) if book else None, [panel] if panel else [], at, list(scenarios), **other), view == "ladder").view(view).to_pylist()


def config_with(tmp_path, edits: dict[str, str], name: str = "configs"):
    shutil.copytree(CONFIGS, tmp_path / name, ignore=shutil.ignore_patterns("model"))
    path = tmp_path / name / "reserve.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in edits.items():
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return tmp_path / name


def test_a_book_on_the_command_line(small, tmp_path):
    said = done("reserve", "--book", small, "--paths", 200, "--format", "json")
    rows = {row["scenario"]: row for row in json.loads(said.out)["rows"]}
    assert list(rows) == ["baseline", "downturn", "funding_run", "regional_shock"]
    base = rows["baseline"]
    assert (base["at"], base["loans"], base["pool_fen"]) == ("2024-05-31", 3, 5_000_000_000 + 3 * 840 + 1_008)
    left = sum(row["principal_fen"] for row in state(small, "2024-05-31").values())
    assert base["outstanding_fen"] == left and base["covered_fen"] == round(0.7 * left)
    assert base["expected_loss_fen"] < rows["downturn"]["expected_loss_fen"]
    assert base["compensation_fen"] >= 84_000  # the one that never paid is 111 days late: the pool pays for it first
    assert "reserve-prior" in said.err and "reserve-assumed" in said.err
    table = done("reserve", "--book", small, "--paths", 50, "--scenario", "baseline", "--quiet")
    assert "loss_p99_fen" in table.out and table.err == ""
    made = tmp_path / "panel.parquet"
    write_panel(Book.open(small), DAY("2024-01-31"), DAY("2024-05-31"), made, 1)
    assert looked(book=small, panel=made, paths=200) == [{**row, "at": DAY(row["at"])} for row in rows.values()]


def test_a_book_of_a_day_has_the_priors_moves(tmp_path):
    """No month's end has been seen; two are drawn on the first day, one in the second month; there is nothing to begin with in another."""
    dues = [(f"2024-{month:02}-10", 500, 25) for month in range(2, 10)]
    root = book(tmp_path / "young", [loan(name, "2024-01-10", dues, region="440300", funded_by={"coast_bank": 400_000}) for name in ("a", "b")]
                + [loan("later", "2024-02-20", [("2024-04-10", 4_000, 40)], region="210100", funded_by={"coast_bank": 400_000})])
    close(root, "2024-01-10")
    found = project(Asked(CONFIGS, Book.open(root), [], None, ["baseline"], paths=300))
    assert found.cells.start == DAY("2024-01-10") and found.cells.thin == list(LIVE) and "reserve-prior" in dict(found.notes)
    assert np.allclose(found.cells.moves.shares, PRIOR)
    [row] = found.view("summary").to_pylist()
    assert (row["loans"], row["outstanding_fen"]) == (2, 800_000) and row["compensation_fen"] > 0
    months = found.view("months").to_pylist()
    assert months[0]["month"] == DAY("2024-02-10") and months[1]["outstanding_fen"] > months[0]["outstanding_fen"]  # the later one is drawn in the second month
    nothing = book(tmp_path / "nothing", [loan("later", "2024-02-20", [("2024-04-10", 4_000, 40)], funded_by={"coast_bank": 400_000})])
    opened = Book.open(nothing)
    opened.document["opened_on"] = "2024-01-10"
    opened.save()
    close(nothing, "2024-01-15")
    [row] = looked(book=nothing, paths=100, scenarios=["funding_run"])
    assert (row["loans"], row["outstanding_fen"], row["coverage_of_expected"], row["exhaustion"]) == (0, 0, None, 0)
    assert looked("ladder", nothing, paths=100, scenarios=["baseline"])[2]["band"] == "8-30 days"
    paid_off = book(tmp_path / "paid", [loan("a", "2024-01-10", [("2024-02-10", 500, 5)])])
    post(paid_off, events(tmp_path / "e.csv", [{"loan_id": "a", "value_date": "2024-02-10", "amount": 505}]))
    close(paid_off, "2024-04-30")
    [row] = looked(book=paid_off, paths=100, scenarios=["downturn"])
    assert (row["loans"], row["expected_loss_fen"], row["loss_p999_fen"], row["of_interest_needed"]) == (0, 0, 0, 0)


def test_what_funders_withdraw_is_not_covered_and_brings_nothing(small):
    """1 % of 70 % of the one of 1200 that is drawn in June."""
    brought = {row["scenario"]: row["contribution_fen"] for row in looked("months", small, months=1, paths=200)}
    assert 800 < brought["baseline"] - brought["funding_run"] < 880


def test_what_the_pool_paid_for_is_not_paid_for_twice(small, tmp_path):
    root = shutil.copytree(small, tmp_path / "book")
    compensated(root, [{"event_id": "K1", "loan_id": "bad", "kind": "compensation", "value_date": DAY("2024-05-15"), "amount_fen": 84_000}])
    [before], [after] = looked(book=small, paths=200, scenarios=["baseline"]), looked(book=root, paths=200, scenarios=["baseline"])
    assert after["pool_fen"] == before["pool_fen"] - 84_000
    assert before["compensation_fen"] - after["compensation_fen"] == 84_000
    assert after["recovered_fen"] == before["recovered_fen"] > 0


def test_the_ladder_adds_up(small):
    rows = looked("ladder", small, paths=100)
    of_ = {(row["scenario"], row["source"], row["band"]): row for row in rows}
    bands = ["next day", "2-7 days", "8-30 days", "31-90 days", "91-180 days", "181-360 days", "over 360 days"]
    assert [row["band"] for row in rows[:7]] == bands
    whole = of_["baseline", "all", "8-30 days"]
    # on 10 June an instalment of 200 + 12 of each of the three falls due, 1200 are drawn on 20 June
    assert whole["contractual_in_fen"] == 3 * 21_200 and whole["drawn_out_fen"] == 120_000
    assert of_["baseline", "coast_bank", "8-30 days"]["drawn_out_fen"] == 84_000 and of_["funding_run", "coast_bank", "8-30 days"]["drawn_out_fen"] == 0
    assert of_["funding_run", "own", "8-30 days"]["drawn_out_fen"] == 120_000
    # a tenth of what stands of the coast bank's part leaves on the first day
    left = sum(row["principal_fen"] for row in state(small, "2024-05-31").values())
    assert abs(of_["funding_run", "coast_bank", "next day"]["run_off_out_fen"] - left * 0.07) <= 1 and of_["baseline", "all", "next day"]["run_off_out_fen"] == 0
    for scenario in ("baseline", "funding_run"):
        for band in bands:
            parts = [of_[scenario, source, band] for source in ("coast_bank", "own")]
            assert all(sum(part[name] for part in parts) == of_[scenario, "all", band][name] for name in parts[0] if name.endswith("_fen"))
    for before, after in zip(rows, rows[1:]):
        if before["source"] == after["source"] and before["scenario"] == after["scenario"]:
            assert after["cumulative_fen"] == before["cumulative_fen"] + after["net_fen"]
    for name in ("expected_in_fen", "net_fen"):
        assert of_["baseline", "all", "over 360 days"]["cumulative_fen"] > of_["downturn", "all", "over 360 days"]["cumulative_fen"], name


def test_where_everybody_pays_what_is_expected_is_what_was_agreed(tmp_path):
    """1200 at one per cent a month in six equal parts of principal, 3000 in three, of two sources, nobody ever late."""
    def agreed(fen: int, parts: int, day: int) -> list[tuple]:
        return [(f"2024-{month + 2:02}-{day:02}", fen / parts, fen * (parts - month) / parts / 100) for month in range(parts)]

    root = book(tmp_path / "b", [
        loan("six", "2024-01-10", agreed(1_200, 6, 10), region="440300", funded_by={"own": 36_000, "coast_bank": 84_000}),
        loan("three", "2024-01-10", agreed(3_000, 3, 5), region="440300", funded_by={"own": 300_000}),
    ])
    close(root, "2024-01-31")
    config = config_with(tmp_path, {"M0 = { paid = 0.0552, M0 = 0.9240, M1 = 0.0204, M2 = 0.0003, M5 = 0.0001 }": "M0 = { M0 = 1 }"})
    rows = looked("ladder", root, config=config, paths=20, scenarios=["baseline"])
    assert sum(row["contractual_in_fen"] for row in rows if row["source"] == "all") == 420_000 + 4_200 + 6_000
    for row in rows:
        assert abs(row["expected_in_fen"] - row["contractual_in_fen"]) <= 2, row
    # 70 % of 200 + 12 on 10 February, of 200 + 10 and 200 + 8 by the 90th day (30 April), of the last three by the 180th (29 July)
    assert [row["contractual_in_fen"] for row in rows if row["source"] == "coast_bank"] == [0, 0, 14_840, 29_260, 42_840, 0, 0]


# --- a panel of some size ---


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    """
    20,000 loans over 15 months that roll by known shares, and pay a thirtieth a month while they are not late
    """
    rng, n, months = np.random.default_rng(11), 20_000, 15
    true = np.array([[0.965, 0.03, 0, 0, 0, 0, 0, 0, 0.005, 0], [0.5, 0.2, 0.3, 0, 0, 0, 0, 0, 0, 0], [0.2, 0.1, 0.1, 0.6, 0, 0, 0, 0, 0, 0], [0.1, 0, 0.05, 0.05, 0.8, 0, 0, 0, 0, 0],
                     [0, 0, 0, 0, 0.1, 0.9, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.1, 0.9, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0.1, 0.9, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0.9, 0, 0.1]])
    state, fen, first = np.zeros(n, int), rng.integers(2, 30, n) * 1_000_000, rng.integers(0, 12, n)
    region = rng.choice(["440300", "610100", "220100"], n)
    ends = month_ends_after(DAY("2023-12-31"), months)
    parts = []
    for month in range(months):
        here = np.flatnonzero((first <= month) & (state < 8))
        parts.append(pa.table({"loan_id": [f"L{k}" for k in here.tolist()], "month": [ends[month]] * len(here), "mob": month - first[here], "region": region[here], "balance_fen": fen[here],
                               "dpd": np.maximum(state[here] * 30 - 10, 0), "status": np.where(state[here] > 0, "overdue", "current").tolist()}))
        moved = (rng.random((len(here), 1)) > np.cumsum(true[state[here]], axis=1)).sum(axis=1).clip(0, 9)
        fen[here] = np.where((moved == 0) & (state[here] == 0), fen[here] * 29 // 30, fen[here])
        state[here] = moved
        left = here[moved >= 8]
        if month + 1 < months:
            parts.append(pa.table({"loan_id": [f"L{k}" for k in left.tolist()], "month": [ends[month + 1]] * len(left), "mob": month + 1 - first[left], "region": region[left], "balance_fen": np.where(state[left] == 9, fen[left], 0),
                                   "dpd": np.zeros(len(left), int), "status": np.where(state[left] == 8, "paid", "written_off").tolist()}))
    path = tmp_path_factory.mktemp("panel") / "panel.parquet"
    pq.write_table(pa.concat_tables(parts), path)
    return path, true


def test_shares_are_the_panels_own_where_there_are_enough_of_them(panel):
    from qqloan_cli.servicing.reserve.cells import bind_panel, look

    path, true = panel
    con = connect(2)
    reserve = load_reserve(CONFIGS)
    cells = look(con, reserve, None, bind_panel(con, [path], None), 12)
    east = cells.moves.shares[reserve.segments.names.index("east"), -1]
    assert np.abs(east[:4] - true[:4]).max() < 0.04 and not set(cells.thin) & {"M0", "M1", "M2"}
    assert np.abs(cells.moves.falls[0, :3] - 1 / 30).max() < 0.002
    nobody = reserve.segments.names.index("elsewhere")
    by_book = duckdb.sql(f"""
        WITH s AS (SELECT *, CASE status WHEN 'paid' THEN 8 WHEN 'written_off' THEN 9 ELSE (dpd + 29) // 30 END AS state FROM '{path}'),
        p AS (SELECT a.balance_fen, b.state AS after FROM s AS a JOIN s AS b ON a.loan_id = b.loan_id AND b.month = last_day(a.month + INTERVAL 1 MONTH) WHERE a.state = 0)
        SELECT sum(balance_fen) FILTER (after = 1) / sum(balance_fen), sum(balance_fen) ** 2 / sum(balance_fen :: DOUBLE ** 2) FROM p""").fetchall()[0]
    share, n = by_book
    wanted = (n * share + 30 * PRIOR[0, 1]) / (n + 30)
    assert abs(cells.moves.shares[nobody, 0, 0, 1] - wanted) < 1e-9  # no loan is there: it has the whole book's, next to the prior
    con.close()


def test_the_same_seed_is_the_same_bytes_and_another_is_within_its_error(panel):
    path, _ = panel
    asks = ("reserve", "--panel", path, "--paths", 2000, "--months", 3, "--scenario", "baseline", "--scenario", "downturn", "--format", "json", "--quiet")
    one = done(*asks, "--workers", 1).out
    assert one == done(*asks, "--workers", 2).out
    first = {row["scenario"]: row for row in json.loads(one)["rows"]}
    other = {row["scenario"]: row for row in looked(panel=path, paths=2000, months=3, seed=2, scenarios=["baseline", "downturn"])}
    assert first["baseline"]["loss_p50_fen"] != other["baseline"]["loss_p50_fen"]
    for name in first:
        error = math.hypot(first[name]["expected_loss_se_fen"], other[name]["expected_loss_se_fen"])
        assert abs(first[name]["expected_loss_fen"] - other[name]["expected_loss_fen"]) < 4 * error
        assert abs(first[name]["exhaustion"] - other[name]["exhaustion"]) < 4 * math.hypot(first[name]["exhaustion_se"], other[name]["exhaustion_se"])
    assert first["downturn"]["loss_p99_fen"] > first["baseline"]["loss_p99_fen"]
    [alone] = looked(panel=path, paths=2000, months=3, scenarios=["downturn"])
    assert {**alone, "at": alone["at"].isoformat()} == first["downturn"]  # whatever else is asked for


def test_exhaustion_rises_with_stress_and_the_solved_contribution_meets_the_target(panel, tmp_path):
    path, _ = panel
    ask = lambda config: looked(panel=path, config=config, paths=600, target=0.95, scenarios=["baseline", "downturn"])  # noqa: E731
    opening = 100_000_000
    low = {"opening = 50_000_000 ": f"opening = {opening} ", "of_interest = 0.1500": "of_interest = 0.0100"}
    [now, _] = ask(config_with(tmp_path, low, "first"))
    opening = (now["loss_p95_fen"] + now["loss_p50_fen"]) // 200
    low["opening = 50_000_000 "] = f"opening = {opening} "
    base, bad = ask(config_with(tmp_path, low))
    assert 0 < base["exhaustion"] < bad["exhaustion"]
    assert base["of_interest_needed"] > base["of_interest"] and base["top_up_needed_fen"] > 0
    again, worse = ask(config_with(tmp_path, {**low, "of_interest = 0.1500": f"of_interest = {base['of_interest_needed']:.6f}"}, "put-in"))
    assert 0.05 - 1 / 150 < again["exhaustion"] <= 0.05
    assert worse["exhaustion"] < bad["exhaustion"]
    more = {**low, "opening = 50_000_000 ": f"opening = {opening + -(-base['top_up_needed_fen'] // 100)} "}
    assert ask(config_with(tmp_path, more, "topped-up"))[0]["exhaustion"] <= 0.05


def test_months_of_a_panel_go_on_from_one_another(panel):
    path, _ = panel
    rows = looked("months", panel=path, paths=500, scenarios=["regional_shock"], months=6)
    assert [row["month"].isoformat() for row in rows] == ["2025-04-30", "2025-05-31", "2025-06-30", "2025-07-31", "2025-08-31", "2025-09-30"]
    assert all(row["loss_p50_fen"] <= row["loss_p95_fen"] <= row["loss_p99_fen"] <= row["loss_p999_fen"] for row in rows)
    assert all(row["pool_p001_fen"] <= row["pool_p01_fen"] <= row["pool_p05_fen"] <= row["pool_p50_fen"] for row in rows)
    assert all(a["exhaustion"] <= b["exhaustion"] for a, b in zip(rows, rows[1:]))
    net = np.cumsum([row["compensation_fen"] - row["recovered_fen"] for row in rows])
    assert np.abs(net - [row["expected_loss_fen"] for row in rows]).max() <= 6


def test_a_named_region_suffers_alone(panel):
    path, _ = panel
    shifted = looked(panel=path, paths=300, scenarios=["baseline", "regional_shock"])
    half = path.with_name("west.parquet")
    duckdb.execute(f"COPY (FROM '{path}' WHERE region = '610100') TO '{half}'")
    alone = looked(panel=half, paths=300, scenarios=["baseline", "regional_shock"])
    assert shifted[1]["expected_loss_fen"] > 1.1 * shifted[0]["expected_loss_fen"]
    assert abs(alone[1]["expected_loss_fen"] / alone[0]["expected_loss_fen"] - 1) < 0.1


def test_a_real_portfolio_a_year_ahead(shared, tmp_path):
    """credit_record up to June 2018 as its months are dated here, against what happened until June 2019: status k is k instalments behind."""
    with zipfile.ZipFile(shared / "data" / "credit_record" / "credit_record.zip") as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".csv")]
        archive.extract(name, tmp_path)
    panel = tmp_path / "panel.parquet"
    duckdb.execute(f"""COPY (
        WITH told AS (SELECT *, lag(STATUS) OVER (PARTITION BY ID ORDER BY MONTHS_BALANCE) AS before FROM read_csv('{tmp_path / name}'))
        SELECT CAST(ID AS VARCHAR) AS loan_id, last_day(DATE '2020-01-01' + INTERVAL (MONTHS_BALANCE) MONTH) AS month, CASE WHEN STATUS IN ('C', '0') THEN 0 ELSE CAST(STATUS AS INTEGER) * 30 - 5 END AS dpd,
          CASE STATUS WHEN 'C' THEN 'paid' ELSE 'open' END AS status, CASE STATUS WHEN 'C' THEN 0 ELSE 1000000 END AS balance_fen
        FROM told WHERE STATUS <> 'X' AND NOT (STATUS = 'C' AND coalesce(before, 'C') = 'C')) TO '{panel}'""")
    [found] = looked(panel=panel, at=DAY("2018-06-30"), paths=1000, scenarios=["baseline"])
    [(loans, failed)] = duckdb.sql(f"""
        WITH standing AS (SELECT loan_id FROM '{panel}' WHERE month = DATE '2018-06-30' AND status = 'open')
        SELECT (SELECT count(*) FROM standing), count(DISTINCT loan_id) FILTER (month BETWEEN DATE '2018-06-30' AND DATE '2019-06-30' AND dpd > 90) FROM '{panel}' SEMI JOIN standing USING (loan_id)""").fetchall()
    assert (found["loans"], loans, failed) == (8_572, 8_572, 84)
    assert failed / 1.6 < found["compensation_fen"] / 1_000_000 < failed * 1.6
    assert found["loss_p99_fen"] / 1_000_000 > failed - found["recovered_fen"] / 1_000_000


def test_what_is_wrong_is_said_in_a_line(small, panel, tmp_path):
    path, _ = panel
    bad = {
        "M0 = { paid = 0.0552": "M0 = { paid = 0.0600", "correlation = 0.053": "correlation = 1.5", "month_bands = [0, 3": "month_bands = [1, 3",
        "regions = { east = -2.0 }": "regions = { nowhere = -2.0 }", "run_off = [0.10": "run_off = [0.90", "sources = []": 'sources = ["nobody"]', 'west = ["15"': 'west = ["11", "15"',
    }
    for number, (old, new) in enumerate(bad.items()):
        with pytest.raises(ConfigError) as refused:
            policies(config_with(tmp_path, {old: new}, f"c{number}"))
        assert refused.value.exit_code == 2 and "reserve.toml" in str(refused.value) and "\n" not in str(refused.value), new
    refused = call("reserve", "--panel", path, "--config", tmp_path / "c0")
    assert (refused.code, refused.out, refused.err) == (2, "", "error: config-invalid: reserve.toml: prior: moves.M0 adds up to 1.0048, not to 1 "
                                                               f"({tmp_path}/c0/reserve.toml). qqloan config show explains the setting.\n")
    twice = tmp_path / "twice.parquet"
    duckdb.execute(f"COPY (FROM '{path}' UNION ALL (FROM '{path}' WHERE month = DATE '2024-06-30' AND status = 'current' LIMIT 5)) TO '{twice}'")
    empty = tmp_path / "empty.parquet"
    duckdb.execute(f"COPY (FROM '{path}' WHERE false) TO '{empty}'")
    asked = Asked(CONFIGS, None, [path], None, [], paths=10)
    of_book = dataclasses.replace(asked, book=Book.open(small), panel=[])
    for other, ref in [
        (dataclasses.replace(asked, scenarios=["rain"]), "scenario-unknown"), (dataclasses.replace(of_book, at=DAY("2030-01-01")), "day-not-closed"), (dataclasses.replace(asked, panel=[small / "book.json"]), "panel-unreadable"),
        (dataclasses.replace(asked, panel=[twice]), "panel-twice"), (dataclasses.replace(asked, panel=[empty]), "panel-empty"), (dataclasses.replace(asked, at=DAY("2020-01-01")), "panel-empty"),
    ]:
        with pytest.raises(QqloanError) as refused:
            project(other)
        assert refused.value.ref == ref and refused.value.exit_code in (2, 3)
    for arguments, ref in [((), "reserve-of-what"), (("--panel", path, "--view", "hope"), "view-unknown"), (("--panel", path, "--view", "ladder"), "ladder-without-book"), (("--panel", path, "--view", "pool"), "pool-without-book")]:
        refused = call("reserve", *arguments)
        assert (refused.code, refused.out, len(refused.err.strip().splitlines())) == (2, "", 1) and ref in refused.err


def test_the_configuration_is_checked_with_the_rest(tmp_path):
    from qqloan_cli.policy.check import check

    rows = {row["what"]: row for row in check(config_with(tmp_path, {'sources = []                          # names': 'sources = ["nobody"] # names'}))}
    assert not rows["sources that reserve.toml names"]["ok"] and "nobody" in rows["sources that reserve.toml names"]["says"]
    assert check(CONFIGS)[0] and all(row["ok"] for row in check(CONFIGS) if "reserve" in row["what"])
    assert [len(row) for row in load_reserve(CONFIGS).prior.matrix] == [len(STATES)] * len(LIVE)
