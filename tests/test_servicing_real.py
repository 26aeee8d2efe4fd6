"""The book of loans on real loans, payments and monthly statuses: what agrees with what the lenders themselves say, and with the same worked out in pandas."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from book_of import DAY, book, close, events, loan, post, state
from conftest import ROOT, SHARED
from scipy.linalg import expm

from qqloan_cli.loans.schedule import EQUAL_INSTALMENT, Terms, level_payment, schedule
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.measures import BUCKETS, measure
from qqloan_cli.servicing.panel import write_panel
from qqloan_cli.servicing.state import write_state

FOUND = json.loads((ROOT / "tests" / "oracles" / "servicing_real.json").read_text(encoding="utf-8"))
NO_GRACE = {"grace_days = 3": "grace_days = 0"}
NEVER = pd.Timestamp("2100-01-01")
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared folder beside this checkout: the real files are not here")


def _digests(root: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((root / "ledger").glob("*"))}


def _panel(root: Path, to: str) -> pd.DataFrame:
    out = root.parent / f"{root.name}-panel.parquet"
    write_panel(Book.open(root), DAY(Book.open(root).document["opened_on"]), DAY(to), out, 1)
    return pd.read_parquet(out).assign(month=lambda rows: pd.to_datetime(rows.month))


def _balances(root: Path, panel: pd.DataFrame, days: list[str]) -> None:
    """Debits are credits on every date, of posting and of value, loan by loan; the ledger has each loan's principal at every month's end, and all that the state says on ``days``."""
    ledger = f"read_parquet('{root}/ledger/*.parquet')"
    assert duckdb.sql(f"SELECT * FROM (SELECT loan_id, value_date, posted_at FROM {ledger} GROUP BY ALL HAVING sum(debit_fen) <> sum(credit_fen))").fetchall() == []
    booked = duckdb.sql(f"""
        WITH moved AS (SELECT loan_id, last_day(value_date) AS month, sum(debit_fen - credit_fen) AS fen FROM {ledger} WHERE account = 'principal' GROUP BY ALL)
        SELECT panel.loan_id, panel.month, any_value(panel.balance_fen) AS says, sum(moved.fen) AS has
        FROM panel JOIN moved ON moved.loan_id = panel.loan_id AND moved.month <= panel.month GROUP BY ALL""").df()
    assert len(booked) == len(panel) and (booked.says == booked.has).all()
    for day in days:
        out = root.parent / f"{root.name}-at.parquet"
        write_state(Book.open(root), DAY(day), None, out, 1)
        apart = duckdb.sql(f"""
            WITH booked AS (PIVOT (SELECT loan_id, account, CAST(debit_fen - credit_fen AS BIGINT) AS fen FROM {ledger} WHERE value_date <= DATE '{day}')
                            ON account IN ('principal', 'interest', 'penalty', 'fees', 'advance', 'recovery', 'written_off') USING sum(fen) GROUP BY loan_id)
            SELECT loan_id FROM '{out}' AS s LEFT JOIN booked USING (loan_id)
            WHERE (s.principal_fen, s.interest_fen, s.penalty_fen, s.fees_fen, s.advance_fen, s.recovered_fen, s.written_off_fen) IS DISTINCT FROM
              (coalesce(booked.principal, 0), coalesce(interest, 0), coalesce(penalty, 0), coalesce(fees, 0), -coalesce(advance, 0), -coalesce(recovery, 0), coalesce(written_off, 0))""").fetchall()
        assert apart == [], day


# --- Berka: 682 loans of a Czech bank, and the payments of the 34 that its file of transactions reaches ---


@pytest.fixture(scope="session")
def berka(shared) -> pd.DataFrame:
    """Each loan with the amount of its standing order, of which ``payments`` is the whole crowns."""
    folder = shared / "data" / "berka"
    orders = pd.read_csv(folder / "order.asc", sep=";").query("k_symbol == 'UVER'")[["account_id", "amount"]].rename(columns={"amount": "order"})
    loans = pd.read_csv(folder / "loan.asc", sep=";").merge(orders, on="account_id", validate="1:1")
    return loans.assign(drawn_on=pd.to_datetime("19" + loans.date.astype(str), format="%Y%m%d"))


def _fen(crowns: pd.Series) -> np.ndarray:
    return (crowns * 100).round().astype(np.int64).to_numpy()


def test_the_instalments_of_682_real_loans(berka):
    """Amount over duration without interest is the stated payment, to the cent and in every instalment; and the standing order in whole crowns."""
    terms = Terms(_fen(berka.amount), np.zeros(682, np.int64), berka.duration.to_numpy(), np.full(682, EQUAL_INSTALMENT))
    paid = schedule(terms).principal_fen
    inside = np.arange(paid.shape[1]) < berka.duration.to_numpy()[:, None]
    every = ((paid == _fen(berka.payments)[:, None]) | ~inside).all(axis=1)
    found = {"loans": len(berka), "level agrees": int((level_payment(terms) == _fen(berka.payments)).sum()), "every instalment agrees": int(every.sum()),
             "order in whole crowns agrees": int((berka.order.round() == berka.payments).sum()), "order agrees to the cent": int((berka.order == berka.payments).sum())}
    assert found == FOUND["berka_levels"]


_LAST = pd.Timestamp("1994-03-31")


@pytest.fixture(scope="session")
def berka_book(berka, shared, tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    """Every loan with the amount of its standing order; those that the payments reach also (S) with the stated one and a penalty. Due on the 12th, on which the bank takes all
    its money. The file of transactions is cut in mid-row, at the end of March 1994."""
    folder = tmp_path_factory.mktemp("berka")
    told = []
    for row in berka.itertuples():
        first = np.datetime64(row.drawn_on, "M") + (row.drawn_on.day > 12)
        days = [f"{month}-12" for month in first + np.arange(row.duration)]
        told.append(loan(f"{row.loan_id}", row.drawn_on.date().isoformat(), [(day, row.order, 0) for day in days], rate=0, penalty=0))
        if row.drawn_on <= _LAST:
            told.append(loan(f"{row.loan_id}S", row.drawn_on.date().isoformat(), [(day, row.payments, 0) for day in days], rate=0, penalty=0.18))
    root = book(folder / "b", told, NO_GRACE)
    text = (shared / "data" / "berka" / "trans.asc").read_text(encoding="ascii")
    bookings = pd.read_csv(io.StringIO(text[: text.rindex("\n") + 1]), sep=";").query("k_symbol == 'UVER'").merge(berka[["loan_id", "account_id"]], on="account_id")
    days = pd.to_datetime("19" + bookings.date.astype(str), format="%Y%m%d").dt.date
    rows = [{"event_id": f"{number}{of}", "loan_id": f"{name}{of}", "value_date": day.isoformat(), "amount": amount}
            for of in ("", "S") for number, name, day, amount in zip(bookings.trans_id, bookings.loan_id, days, bookings.amount)]
    assert len(bookings) == FOUND["berka_rows"]["payments"]
    post(root, events(folder / "e.csv", rows))
    close(root, "1998-12-31")
    return root, _panel(root, "1998-12-31")


def test_how_late_real_loans_are_against_what_the_bank_says_of_them(berka, berka_book):
    """A finished and paid, B finished and not, C running and well, D running and in debt: said at the end of 1998, where the payments end in March 1994."""
    root, panel = berka_book
    at = state(root, "1994-03-31")
    ever = panel[panel.month <= _LAST].groupby("loan_id").dpd.max()
    seen = berka[berka.drawn_on <= _LAST].assign(worst=lambda rows: [int(ever[str(name)]) for name in rows.loan_id], stated=lambda rows: [int(ever[f"{name}S"]) for name in rows.loan_id])
    assert (seen.status.isin(["A", "C"]) & (seen.worst > 0)).sum() == 0
    found = {of: {"loans": len(rows), "ever late": int((rows.worst > 0).sum()), "ever late by the stated amount": int((rows.stated > 0).sum())} for of, rows in seen.groupby("status")}
    assert found == FOUND["berka_lateness"]["by_status"]
    # Who pays less than is stated, and by how much: part of a crown.
    short = seen[(seen.order < seen.payments) & (seen.drawn_on < "1994-03-12")]
    assert set(seen[seen.stated > 0].loan_id) - set(seen[seen.worst > 0].loan_id) == set(short[short.worst == 0].loan_id)
    [late] = seen[seen.worst > 0].loan_id
    row = at[str(late)]
    assert [row["status"], row["dpd"], row["oldest_due_date"].isoformat(), row["owed_fen"]] == FOUND["berka_lateness"]["the one"]
    assert berka.set_index("loan_id").status[late] == "B"


def test_a_loan_has_run_out_when_the_bank_says_that_it_is_finished(berka, berka_book):
    """A and B: no instalment is to come at the end of 1998; C and D: some are."""
    at = state(berka_book[0], "1998-12-31")
    over = np.array([at[str(name)]["instalments_to_come"] == 0 for name in berka.loan_id])
    agree = over == berka.status.isin(["A", "B"]).to_numpy()
    assert {"loans": len(agree), "agree": int(agree.sum())} == FOUND["berka_finished"]["counts"]


def test_debits_are_credits_and_the_ledger_is_the_state_on_real_loans(berka_book):
    _balances(*berka_book, ["1994-03-31", "1998-12-31"])


# --- Home Credit: 7,347 rows of instalments of 1,772 loans, due and paid ---

_KEY = ["SK_ID_PREV", "NUM_INSTALMENT_NUMBER"]
_ASKED_ON = pd.Timestamp("2020-12-31")  # its days count back from an application


@pytest.fixture(scope="session")
def rows(shared) -> pd.DataFrame:
    told = pd.read_csv(shared / "data" / "home_credit" / "installments_payments.csv", encoding="utf-8-sig")
    return told.assign(
        due_on=_ASKED_ON + pd.to_timedelta(told.DAYS_INSTALMENT, "D"), paid_on=_ASKED_ON + pd.to_timedelta(told.DAYS_ENTRY_PAYMENT, "D"),
        due_fen=_fen(told.AMT_INSTALMENT), paid_fen=_fen(told.AMT_PAYMENT))


@pytest.fixture(scope="session")
def dues(rows) -> pd.DataFrame:
    """An instalment that was changed stands once for each of its versions, with a part of its amount."""
    once = rows.drop_duplicates([*_KEY, "NUM_INSTALMENT_VERSION"])
    made = once.groupby(_KEY, as_index=False).agg(due_on=("due_on", "min"), due_fen=("due_fen", "sum")).sort_values(["SK_ID_PREV", "due_on", "NUM_INSTALMENT_NUMBER"])
    return made.assign(upto_fen=made.groupby("SK_ID_PREV").due_fen.cumsum())


@pytest.fixture(scope="session")
def payments(rows) -> pd.DataFrame:
    """Where an instalment has two versions, the file repeats the whole payment for each: counted once. One payment is of nothing."""
    return rows.drop_duplicates([*_KEY, "paid_on", "paid_fen"]).query("paid_fen > 0")


def _loans(dues: pd.DataFrame, rows: pd.DataFrame) -> list[dict]:
    """Drawn thirty days before the first due date, or when the first money came."""
    of = {}
    for name, day, fen_ in zip(dues.SK_ID_PREV, dues.due_on.dt.strftime("%Y-%m-%d"), dues.due_fen):
        of.setdefault(name, []).append((day, fen_ / 100, 0))
    first = pd.concat([dues.groupby("SK_ID_PREV").due_on.min() - pd.Timedelta(30, "D"), rows.groupby("SK_ID_PREV").paid_on.min()], axis=1).min(axis=1).dt.strftime("%Y-%m-%d")
    return [loan(str(name), first[name], of[name], rate=0, penalty=0) for name in sorted(of)]


def _events(rows: pd.DataFrame) -> list[dict]:
    return [{"event_id": f"{name}-{number}-{-day}-{fen_}", "loan_id": str(name), "value_date": date.date().isoformat(), "amount": f"{fen_ / 100:.2f}"}
            for name, number, day, fen_, date in zip(rows.SK_ID_PREV, rows.NUM_INSTALMENT_NUMBER, rows.DAYS_ENTRY_PAYMENT, rows.paid_fen, rows.paid_on)]


@pytest.fixture(scope="session")
def home_credit(rows, dues, tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("home_credit")
    root = book(folder / "b", _loans(dues, rows), NO_GRACE)
    post(root, events(folder / "e.csv", _events(rows)))
    close(root, "2020-12-31")
    return root, _panel(root, "2020-12-31")


def test_what_a_file_repeats_is_one_payment_and_a_payment_of_nothing_is_refused(home_credit, rows):
    told = json.loads((home_credit[0] / "book.json").read_text())["posts"][0]
    assert {name: told[name] for name in ("rows", "posted", "repeated", "refused")} == FOUND["home_credit_rows"]
    versions = rows.groupby([*_KEY, "paid_on", "paid_fen"]).NUM_INSTALMENT_VERSION.nunique()
    assert told["repeated"] == (versions - 1).sum()


def _settled(dues: pd.DataFrame, paid: pd.DataFrame, name: str) -> pd.Series:
    """The day on which the money that came by then covered each instalment and all before it, by instalment; NEVER."""
    by_day = paid.groupby(["SK_ID_PREV", "on"], as_index=False).fen.sum()
    by_day = by_day.assign(upto_fen=by_day.groupby("SK_ID_PREV").fen.cumsum()).sort_values("upto_fen")
    found = pd.merge_asof(dues.sort_values("upto_fen"), by_day[["SK_ID_PREV", "upto_fen", "on"]], on="upto_fen", by="SK_ID_PREV", direction="forward")
    return found.set_index(_KEY).on.fillna(NEVER).rename(name)


@pytest.fixture(scope="session")
def lateness(home_credit, dues, payments) -> pd.DataFrame:
    """By instalment: the day on which it was paid by the ledger, by the loan's money in order of due dates, and by its own rows alone."""
    ledger = duckdb.sql(f"""SELECT CAST(loan_id AS BIGINT) AS SK_ID_PREV, CAST(value_date AS TIMESTAMP) AS on, CAST(sum(credit_fen) AS BIGINT) AS fen
        FROM read_parquet('{home_credit[0]}/ledger/*.parquet') WHERE account = 'principal' AND event_id <> 'drawdown' GROUP BY ALL""").df()
    made = dues.set_index(_KEY).join(_settled(dues, ledger, "booked")).join(_settled(dues, payments.rename(columns={"paid_on": "on", "paid_fen": "fen"}), "covered"))
    own = payments.sort_values("paid_on").assign(upto=lambda rows: rows.groupby(_KEY).paid_fen.cumsum()).set_index(_KEY).drop(columns="due_fen").join(made.due_fen).query("upto >= due_fen")
    made = made.join(own.groupby(_KEY).paid_on.min().rename("own")).fillna({"own": NEVER})
    for name in ("booked", "covered", "own"):
        made[f"{name}_late"] = (made[name] - made.due_on).dt.days.clip(lower=0)
    return made.assign(whole=(made.own < NEVER).groupby("SK_ID_PREV").transform("all"))


def test_how_late_each_real_instalment_was_paid(lateness):
    """By the ledger as by the loan's money in order of due dates: all. By each instalment's own rows: all of the loans whose rows cover them; for the
    rest the file, a sample, lacks money, and what came for a later instalment pays an earlier one."""
    found = {"instalments": len(lateness), "as the loan's money in order": int((lateness.booked_late == lateness.covered_late).sum()),
             "as its own rows": int((lateness.booked_late == lateness.own_late).sum()),
             "of loans whose rows cover them": int(lateness.whole.sum()), "as its own rows, of those": int((lateness.booked_late == lateness.own_late)[lateness.whole].sum())}
    assert found == FOUND["home_credit_instalments"]
    assert found["instalments"] == found["as the loan's money in order"] and found["of loans whose rows cover them"] == found["as its own rows, of those"]


def test_days_past_due_at_the_end_of_every_month_of_1772_real_loans(home_credit, lateness):
    panel = home_credit[1].assign(SK_ID_PREV=lambda rows: rows.loan_id.astype(np.int64))
    months = pd.DataFrame({"month": pd.date_range("2012-01-31", "2020-12-31", freq="ME")})
    open_ = lateness[lateness.covered > lateness.due_on].reset_index().merge(months, how="cross").query("due_on <= month < covered")
    wanted = open_.groupby(["SK_ID_PREV", "month"], as_index=False).due_on.min()
    held = panel.merge(wanted, how="outer", on=["SK_ID_PREV", "month"])
    days = (held.month - held.due_on).dt.days.fillna(0)
    assert {"loans and months": len(panel), "late": int((panel.dpd > 0).sum()), "agree": int((held.dpd == days).sum())} == FOUND["home_credit_months"]
    assert len(held) == len(panel) and (held.dpd == days).all()


def test_days_past_due_against_the_lender_s_own(home_credit, lateness, shared):
    """POS_CASH's SK_DPD of 626 months: is the loan late or not. Where the rows of a loan cover its instalments, all but two agree."""
    own = pd.read_csv(shared / "data" / "home_credit" / "pos_cash_balance.csv", encoding="utf-8-sig")
    own = own.assign(month=[_ASKED_ON + pd.offsets.DateOffset(months=int(back)) + pd.offsets.MonthEnd(0) for back in own.MONTHS_BALANCE])
    panel = home_credit[1].assign(SK_ID_PREV=lambda rows: rows.loan_id.astype(np.int64))
    both = own.merge(panel, on=["SK_ID_PREV", "month"]).merge(lateness.whole.groupby("SK_ID_PREV").first().reset_index(), on="SK_ID_PREV")
    same = (both.SK_DPD > 0) == (both.dpd > 0)
    found = {"months of theirs": len(own), "that ours has": len(both), "agree": int(same.sum()), "of loans whose rows cover them": int(both.whole.sum()), "agree, of those": int(same[both.whole].sum())}
    assert found == FOUND["home_credit_own"]["counts"]


def test_rows_late_and_short_as_their_publisher_counted_them(home_credit, rows):
    """9.1 % of rows were paid after the due day, 10.3 % paid short: by what the book took in."""
    told = duckdb.sql(f"""SELECT event_id, value_date, amount_fen FROM read_parquet('{home_credit[0]}/events/*.parquet')""").df().set_index("event_id")
    ids = [row["event_id"] for row in _events(rows)]
    taken = told.reindex(ids)
    late, short = (pd.to_datetime(taken.value_date).to_numpy() > rows.due_on.to_numpy()).mean(), (taken.amount_fen.fillna(0).to_numpy() < rows.due_fen.to_numpy()).mean()
    assert [round(100 * late, 1), round(100 * short, 1)] == [9.1, 10.3]


def test_debits_are_credits_and_the_ledger_is_the_state_on_real_payments(home_credit):
    _balances(*home_credit, ["2018-12-15", "2020-12-31"])


@pytest.fixture(scope="session")
def at_once(rows, dues, tmp_path_factory) -> tuple[Path, list[dict], pd.Series]:
    """The loans that began since July 2019 (a ledger has a file a month) in a book that had all their payments at once; the loans, and the payments by date."""
    began, folder = dues.groupby("SK_ID_PREV").due_on.min(), tmp_path_factory.mktemp("at_once")
    chosen = began[began >= "2019-07-15"].index
    part = rows[rows.SK_ID_PREV.isin(chosen)]
    loans, told = _loans(dues[dues.SK_ID_PREV.isin(chosen)], part), pd.Series(_events(part), index=part.paid_on)
    root = book(folder / "b", loans, NO_GRACE)
    post(root, events(folder / "e.csv", list(told)))
    close(root, "2021-01-31")
    return root, loans, told


def test_real_payments_in_another_order_split_and_closed_otherwise_give_the_same_bytes(at_once, tmp_path):
    whole, loans, told = at_once
    parted = book(tmp_path / "parted", loans, NO_GRACE)
    shuffled = [told.iloc[at] for at in np.random.default_rng(3).permutation(len(told))]
    for number in range(2):
        post(parted, events(tmp_path / f"{number}.csv", shuffled[number::2]))
    for day in ("2020-07-05", "2021-01-31"):
        close(parted, day)
    assert _digests(whole) == _digests(parted)
    assert state(whole, "2020-07-05") == state(parted, "2020-07-05")


def test_real_payments_that_come_after_their_year_was_closed_end_in_the_same_state_and_what_was_said_stands(at_once, tmp_path):
    """By value date the ledger is that of all of them at once; and as it was known then, every state is what was said then."""
    whole, loans, told = at_once
    late, day = book(tmp_path / "late", loans, NO_GRACE), "2020-06-30"
    close(late, day)
    said = state(late, day)
    post(late, events(tmp_path / "all.csv", list(told)))
    close(late, "2021-01-31")
    assert state(late, day, known_at=day) == said
    now, wanted, as_said = state(late, day), state(whole, day), {"restated", "dpd_said", "owed_said_fen"}
    for loan_id in wanted:
        assert {name: value for name, value in now[loan_id].items() if name not in as_said} == {name: value for name, value in wanted[loan_id].items() if name not in as_said}
    assert any(row["restated"] for row in now.values())
    by_value = "SELECT loan_id, account, value_date, sum(debit_fen - credit_fen) AS fen FROM read_parquet('{}/ledger/*.parquet') GROUP BY ALL HAVING fen <> 0 ORDER BY ALL"
    assert duckdb.sql(by_value.format(late)).fetchall() == duckdb.sql(by_value.format(whole)).fetchall()


# --- measures of monthly statuses, against the same in pandas ---


class _InPandas:
    """Each measure by its definition, from a panel with loan_id, month, dpd, status, balance_fen; a loan begins in the first month that is seen of it."""

    def __init__(self, panel: pd.DataFrame) -> None:
        end = panel.status.where(panel.status.isin(["paid", "written_off"]))
        late = np.where(panel.dpd > 180, "M6+", "M" + (-(-panel.dpd // 30)).astype(str))
        worst = np.where(end == "written_off", 1000, np.where(end == "paid", 0, panel.dpd))
        first = panel.groupby("loan_id").month.transform("min")
        mob = (panel.month.dt.year - first.dt.year) * 12 + panel.month.dt.month - first.dt.month
        self.rows = panel.assign(bucket=end.fillna(pd.Series(late, panel.index)), worst=worst, mob=mob, cohort=first.dt.to_period("M").dt.to_timestamp()).sort_values(["loan_id", "month"])

    def ageing(self) -> dict:
        live = self.rows[self.rows.bucket != "paid"]
        return _loans_and_balance(live, ["month", "bucket"])

    @functools.cache
    def rolls(self) -> dict:
        rows = self.rows
        same = (rows.loan_id == rows.loan_id.shift(-1)) & (rows.month.shift(-1) == rows.month + pd.offsets.MonthEnd(1))
        live = rows.assign(to=rows.bucket.shift(-1).where(same, "left"))[(rows.month < rows.month.max()) & ~rows.bucket.isin(["paid", "written_off"])]
        return _loans_and_balance(live, ["month", "bucket", "to"])

    def transitions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        names = [*BUCKETS, "paid", "written_off"]
        counts = np.zeros((10, 10))
        for (_, from_, to), (loans, _) in self.rolls().items():
            if to != "left":
                counts[names.index(from_), names.index(to)] += loans
        total, month, rates = counts.sum(axis=1, keepdims=True), np.eye(10), np.zeros((10, 10))
        for k in range(10):
            if total[k]:
                month[k], rates[k] = counts[k] / total[k], 12 * counts[k] / total[k]
            rates[k, k] -= rates[k].sum()
        return counts[:8], np.linalg.matrix_power(month, 12)[:8], expm(rates)[:8]

    def vintages(self) -> dict:
        cohorts = self.rows.groupby("loan_id").cohort.first()
        seen = self.rows.pivot(index="loan_id", columns="mob", values="worst")
        seen = seen.reindex(columns=range(seen.columns.max() + 1)).cummax(axis=1).ffill(axis=1).fillna(0)
        shares = [(seen > days).groupby(cohorts).mean() for days in (30, 60, 90)]
        loans, longest = cohorts.value_counts(), self.rows.groupby("cohort").mob.max()
        by = pd.concat([share.stack() for share in shares], axis=1).reset_index(names=["cohort", "mob"])
        return {(cohort, mob): (loans[cohort], *ever) for cohort, mob, *ever in by[by.mob <= by.cohort.map(longest)].itertuples(index=False)}

    def early(self) -> dict:
        rows, last = self.rows, self.rows.month.max()
        by = rows.assign(bad=(rows.worst > 90) & (rows.mob <= 6), ended=rows.bucket.isin(["paid", "written_off"]))
        by = by.groupby("loan_id").agg(cohort=("cohort", "first"), bad=("bad", "any"), ended=("ended", "any"), mob=("mob", "max"))
        old = (last.year - by.cohort.dt.year) * 12 + last.month - by.cohort.dt.month >= 6
        seen = by[(by.mob >= 6) | by.ended | (by.bad & old)].groupby("cohort").bad.mean()
        return {cohort: (loans, seen.get(cohort)) for cohort, loans in by.groupby("cohort").size().items()}

    def cures(self) -> dict:
        rows = self.rows.merge(self.rows[self.rows.worst > 90].groupby("loan_id").month.min().rename("bad_on"), on="loan_id")
        rows = rows.merge(rows[(rows.month > rows.bad_on) & rows.bucket.isin(["M0", "paid"])].groupby("loan_id").month.min().rename("cured_on"), on="loan_id", how="left")
        again = rows[(rows.month > rows.cured_on) & (rows.worst > 90)].groupby("loan_id").size()
        by = rows.groupby("loan_id").agg(bad_on=("bad_on", "first"), cured_on=("cured_on", "first")).join(again.rename("again"))
        return {month: (len(of), int(of.cured_on.notna().sum()), int(of.again.notna().sum())) for month, of in by.groupby(by.bad_on.dt.to_period("M").dt.to_timestamp())}


def _loans_and_balance(rows: pd.DataFrame, by: list[str]) -> dict:
    found = rows.groupby(by).balance_fen.agg(["size", "sum"])
    return dict(zip(found.index, zip(found["size"], found["sum"])))


def _measured_alike(panel: pd.DataFrame, path: Path) -> dict[str, int]:
    """Every measure of ours against pandas: how many figures, of which none may differ."""
    panel.to_parquet(path, index=False)
    pandas_, counted = _InPandas(panel), {}
    date = lambda value: pd.Timestamp(value)  # noqa: E731
    rows = {name: measure([path], name).to_pylist() for name in ("ageing", "rolls", "transitions", "vintages", "early", "cures")}
    ours = {
        "ageing": {(date(r["month"]), r["bucket"]): (r["loans"], r["balance_fen"]) for r in rows["ageing"]},
        "rolls": {(date(r["from_month"]), r["from_bucket"], r["to_bucket"]): (r["loans"], r["balance_fen"]) for r in rows["rolls"]},
        "vintages": {(date(r["cohort"]), r["mob"]): (r["loans"], r["ever_30"], r["ever_60"], r["ever_90"]) for r in rows["vintages"]},
        "early": {date(r["cohort"]): (r["loans"], r["early_payment_default"]) for r in rows["early"]},
        "cures": {date(r["defaulted_in"]): (r["defaults"], r["cured"], r["again"]) for r in rows["cures"]},
    }
    for name, found in ours.items():
        wanted = getattr(pandas_, name)()
        assert set(found) == set(wanted), name
        apart = [key for key in wanted if not np.allclose(np.array(found[key], float), np.array(wanted[key], float), rtol=0, atol=6e-7, equal_nan=True)]  # shares are rounded to six places
        assert not apart, (name, [(key, found[key], wanted[key]) for key in apart[:5]])
        counted[name] = len(wanted)
    for column, wanted in zip(("moves", "cohort_12m", "duration_12m"), pandas_.transitions()):
        assert np.allclose(np.array([r[column] for r in rows["transitions"]]).reshape(8, 10), wanted, atol=1e-6), column
    return counted | {"transitions": len(rows["transitions"])}


def _months_back(months: pd.Series) -> np.ndarray:
    return (np.datetime64("2021-01", "M") + months.to_numpy()).astype("datetime64[D]") - np.timedelta64(1, "D")


def test_measures_of_real_card_accounts(shared, tmp_path):
    """Every sixteenth account of credit_record (all of them: test_servicing_portfolio.py). C is paid, 0 to 5 days-past-due bands of thirty."""
    with zipfile.ZipFile(shared / "data" / "credit_record" / "credit_record.zip") as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".csv")]
        told = pd.read_csv(io.BytesIO(archive.read(name)))
    told = told[told.ID % 16 == 0]
    late = told.STATUS.map({"X": 0, "C": 0, **{str(band): 30 * band + 15 for band in range(6)}})
    panel = pd.DataFrame({"loan_id": told.ID, "month": _months_back(told.MONTHS_BALANCE), "dpd": late, "status": np.where(told.STATUS == "C", "paid", "open"), "balance_fen": 1})
    assert _measured_alike(panel, tmp_path / "p.parquet") == FOUND["measures"]["credit_record"]


def test_measures_of_a_bureau_s_statuses(shared, tmp_path):
    """bureau_balance: 3,622 months of 103 credits. C closed, X not known, 0 not late, 1 to 5 by bands of thirty days."""
    told = pd.read_csv(shared / "data" / "home_credit" / "bureau_balance.csv", encoding="utf-8-sig")
    late = told.STATUS.map({"X": 0, "C": 0, "0": 0, **{str(band): 30 * band - 15 for band in range(1, 6)}})
    panel = pd.DataFrame({"loan_id": told.SK_ID_BUREAU, "month": _months_back(told.MONTHS_BALANCE), "dpd": late, "status": np.where(told.STATUS == "C", "paid", "open"), "balance_fen": 1})
    assert _measured_alike(panel, tmp_path / "p.parquet") == FOUND["measures"]["bureau_balance"]


def test_measures_of_months_of_which_most_are_missing(shared, tmp_path):
    """POS_CASH and cards, 712 months of 473 credits of which the file has a sample: who is not in the month after has left."""
    folder = shared / "data" / "home_credit"
    told = pd.concat([pd.read_csv(folder / name, encoding="utf-8-sig") for name in ("pos_cash_balance.csv", "credit_card_balance.csv")])
    panel = pd.DataFrame({"loan_id": told.SK_ID_PREV, "month": _months_back(told.MONTHS_BALANCE), "dpd": told.SK_DPD, "status": np.where(told.NAME_CONTRACT_STATUS == "Completed", "paid", "open"),
                          "balance_fen": (told.AMT_BALANCE.fillna(0) * 100).round().astype(np.int64)})
    assert _measured_alike(panel, tmp_path / "p.parquet") == FOUND["measures"]["months_of_a_sample"]


def test_measures_of_the_book_of_real_loans(home_credit, tmp_path):
    panel = home_credit[1].assign(loan_id=lambda rows: rows.loan_id.astype(np.int64))
    assert _measured_alike(panel[["loan_id", "month", "dpd", "status", "balance_fen"]], tmp_path / "p.parquet") == FOUND["measures"]["home_credit"]
