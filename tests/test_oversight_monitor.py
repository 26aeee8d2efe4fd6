"""What a risk team sees in the morning: rates, drift, outcomes, feeds and the book in amber and red, and an exit code for the night's script."""

from __future__ import annotations

import csv
import datetime
import hashlib
import hmac
import http.server
import json
import shutil
import threading
from pathlib import Path

import book_of
import duckdb
import numpy as np
import pytest
from conftest import AS_OF, ROOT, call, done
from nights_of import dates, night

from qqloan_cli.engine.run import Run
from qqloan_cli.errors import ConfigError, UsageError
from qqloan_cli.oversight.monitor import look
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.policy.monitor import load_monitoring
from qqloan_cli.servicing.book import Book

POLICY = load_monitoring(ROOT / "configs")


def seen(runs, book=None, **more):
    """(measures by name and subject, alerts by id) of runs and a book."""
    with Sight([Run.open(run) for run in runs], Book.open(book) if book else None) as sight:
        looked = look(sight, POLICY, **more)
    measures = {(row["measure"], row["subject"]): row for row in looked.measures.to_pylist()}
    assert len(measures) == len(looked.measures)
    return measures, {row["alert_id"]: row for row in looked.alerts.to_pylist()}


@pytest.fixture(scope="module")
def quiet(lender_run, tmp_path_factory) -> list[Path]:
    """Eleven nights on which 55 % are approved, give or take."""
    folder = tmp_path_factory.mktemp("quiet")
    return [night(lender_run, folder / day, day, 0.55) for day in dates("2026-11-23", 11)]


def test_a_first_run_is_held_against_the_model_and_its_figures_are_those_of_its_tables(lender_run):
    told = json.loads(done("monitor", lender_run, "--view", "measures", "--format", "json").out)["rows"]
    measures = {(row["measure"], row["subject"]): row for row in told}
    con = duckdb.connect()
    [(n, approved, mean_pd, amount)] = con.sql(f"SELECT count(*), avg(CAST(decision = 'approve' AS INT)), avg(pd), avg(amount_fen) / 100 FROM '{lender_run}/decisions.parquet'").fetchall()
    rate = measures["approval-rate", None]
    assert rate["value"] == pytest.approx(approved, abs=1e-8) and rate["rows"] == n and rate["lower"] < approved < rate["upper"]
    assert (rate["severity"], rate["note"]) == (None, "nothing to hold it against yet")
    assert measures["expected-bad-rate", None]["value"] == pytest.approx(mean_pd, abs=1e-8) and measures["mean-limit", None]["value"] == pytest.approx(amount)
    flags = dict(con.sql(f"SELECT flag, count(*) / {n} FROM (SELECT unnest(flags) AS flag FROM '{lender_run}/income/*.parquet') GROUP BY ALL").fetchall())
    assert {subject: row["value"] for (measure, subject), row in measures.items() if measure == "income-flag"} == pytest.approx({"I-INFLATED": 0.0} | flags, abs=1e-8)
    assert measures["psi", "pd"]["severity"] == "green" and measures["expected-auc", None]["reference"] == pytest.approx(0.777811)
    assert {subject for measure, subject in measures if measure == "csi"} == {row["feature"] for row in json.loads((lender_run / "config/model/reference.json").read_text())["features"]}
    by_input = {subject: row["value"] for (measure, subject), row in measures.items() if measure == "feed-freshness"}
    latest = con.sql(f"SELECT DATE '{AS_OF}' - max(CAST(booked_at AS DATE)) FROM '{lender_run}/inputs/bank_statements/*.parquet' WHERE booked_at < DATE '{AS_OF}' + 1").fetchall()
    assert by_input["bank_statements"] == latest[0][0]
    assert {row["severity"] for row in told} <= {"green", "amber", "red", None}


def test_a_fall_of_the_approval_rate_is_red_and_the_nights_script_can_stop_on_it(lender_run, quiet, tmp_path):
    fallen = night(lender_run, tmp_path / "fallen", AS_OF, 0.42)
    runs = [*quiet, fallen]
    result = call("monitor", *runs, "--fail-on", "red")
    assert result.code == 1 and "alerts-raised" in result.err
    line = next(line for line in result.out.splitlines() if " approval-rate " in line)
    assert line.split()[0] == "red" and "of applications are approved; before it was 5" in line
    assert "审批通过率为 4" in done("monitor", *runs, "--lang", "zh").out
    measures, alerts = seen(runs)
    assert alerts["approval-rate"]["severity"] == "red" and alerts["approval-rate"]["threshold"] == measures["approval-rate", None]["red"]
    assert measures["approval-rate", None]["reference"] == pytest.approx(0.55, abs=0.01)


def test_a_night_like_the_others_is_green_and_a_folder_of_runs_is_as_good_as_their_names(lender_run, quiet, tmp_path):
    like = night(lender_run, tmp_path / "nights" / "like", AS_OF, 0.55)
    measures, alerts = seen([*quiet, like])
    assert "approval-rate" not in alerts and measures["approval-rate", None]["severity"] == "green"
    assert measures["psi-earlier", "pd"]["value"] == pytest.approx(0, abs=0.01) and measures["feed-volume", "payroll"]["severity"] == "green"
    assert measures["sequential", "approval-rate"]["severity"] == "green" and measures["sequential", "approval-rate"]["rows"] == 7
    by_name = done("monitor", *reversed(quiet), like, "--view", "measures", "--format", "csv").out
    assert done("monitor", quiet[0].parent, tmp_path / "nights", "--view", "measures", "--format", "csv", "--workers", 1).out == by_name


def test_a_slow_slide_that_no_single_night_shows_is_found_by_the_sequential_test(lender_run, quiet, tmp_path):
    slide = [night(lender_run, tmp_path / day, day, 0.55 - 0.014 * (back + 1)) for back, day in enumerate(dates("2026-12-03", 10))]
    measures, alerts = seen([*quiet, *slide])
    assert alerts["sequential:approval-rate"]["severity"] in ("amber", "red") and "passed on 2026-1" in measures["sequential", "approval-rate"]["note"]
    assert measures["sequential", "approval-rate"]["rows"] == 16


def test_few_rows_and_chance_raise_nothing(lender_run, tmp_path):
    small = "SELECT * REPLACE ('{}' AS decision) FROM (SELECT * FROM old ORDER BY application_id LIMIT {})"
    before = night(lender_run, tmp_path / "before", "2026-11-23", decisions=small.format("approve", 150))
    after = night(lender_run, tmp_path / "after", AS_OF, decisions=small.format("decline", 150))
    measures, alerts = seen([before, after])
    assert measures["approval-rate", None]["severity"] is None and "150 rows are too few" in measures["approval-rate", None]["note"] and "approval-rate" not in alerts
    some = "SELECT * REPLACE (CASE WHEN row_number() OVER (ORDER BY application_id) <= {} THEN 'approve' ELSE 'decline' END AS decision) FROM (SELECT * FROM old ORDER BY application_id LIMIT 220)"
    before, after = (night(lender_run, tmp_path / f"some-{day}", day, decisions=some.format(n)) for day, n in (("2026-11-23", 110), (AS_OF, 96)))
    row = seen([before, after])[0]["approval-rate", None]
    assert row["value"] < row["amber"] and row["severity"] == "green" and "chance alone" in row["note"]


def test_a_feed_that_stops_is_seen_the_night_that_it_stops(lender_run, quiet, tmp_path):
    stopped = night(lender_run, tmp_path / "stopped", AS_OF, 0.55, without=("bank_statements",))
    measures, alerts = seen([*quiet, stopped])
    assert measures["feed-volume", "bank_statements"]["value"] == 0 and alerts["feed-volume:bank_statements"]["severity"] == "red"
    assert "0.0 rows an application; before" in alerts["feed-volume:bank_statements"]["text_en"] and ("feed-volume", "payroll") in measures and "feed-volume:payroll" not in alerts
    old = night(lender_run, tmp_path / "old", "2027-01-20", 0.55)
    assert seen([old])[1]["feed-freshness:bank_statements"]["severity"] == "red"


def test_inflated_incomes_rings_and_prices_that_move_are_alerts(lender_run, quiet, tmp_path):
    members = f"(SELECT application_id FROM read_parquet('{lender_run}/links/*.parquet') ORDER BY 1 LIMIT 25)"
    moved = night(
        lender_run, tmp_path / "moved", AS_OF,
        decisions="SELECT * REPLACE (CASE WHEN decision = 'approve' THEN amount_fen * 2 END AS amount_fen, all_in_annual_cost + 0.05 AS all_in_annual_cost) FROM old",
        income="SELECT * REPLACE (CASE WHEN hash(application_id) % 10 = 0 THEN list_append(flags, 'I-INFLATED') ELSE flags END AS flags) FROM old",
        links=f"SELECT * REPLACE (CASE WHEN application_id IN {members} THEN 'ring' END AS ring_id, CASE WHEN application_id IN {members} THEN 25 END AS ring_size) FROM old",
        social=f"SELECT * REPLACE (application_id IN {members} AS ring_alert, CASE WHEN application_id IN {members} THEN 25 END AS ring_size) FROM old",
    )
    before = [night(lender_run, tmp_path / day, day, social="SELECT * REPLACE (false AS ring_alert) FROM old") for day in dates("2026-11-23", 3)]
    alerts = seen([*before, moved])[1]
    assert {alerts[name]["severity"] for name in ("income-flag:I-INFLATED", "ring-largest", "mean-limit", "mean-price")} == {"red"}
    assert alerts["ring-largest"]["text_en"] == "a new ring of 25 applicants has come up" and "ring-share" in alerts
    again = night(moved, tmp_path / "again", "2026-11-25")
    assert "ring-largest" not in seen([*before, moved, again])[1], "it is not new any more"


def test_versions_warnings_drafts_and_funds_are_watched(lender_run, tmp_path):
    before = night(lender_run, tmp_path / "before", "2026-11-23")
    other = night(
        lender_run, tmp_path / "other", AS_OF, document={"policy": {"state": "draft", "draft": True}, "warnings": [{"ref": "regulation-unverified", "text": "one"}, {"ref": "columns-not-used", "text": "two"}]},
        decisions="SELECT * REPLACE ('another' AS policy_version, 'new' AS model_version, CASE WHEN decision = 'approve' AND hash(application_id) % 2 = 0 THEN NULL ELSE funded_fen END AS funded_fen) FROM old",
    )
    shutil.copy(lender_run / "funding_sources.parquet", tmp_path / "sources.parquet")
    (other / "funding_sources.parquet").unlink()
    duckdb.sql(f"COPY (SELECT * REPLACE (capacity_fen * 9 // 10 AS used_fen) FROM '{tmp_path}/sources.parquet') TO '{other}/funding_sources.parquet' (FORMAT parquet)")
    measures, alerts = seen([before, other])
    assert {name for name in alerts if name.partition(":")[0] in ("policy-draft", "policy-changed", "model-changed", "run-warning", "queue-share")} == {
        "policy-draft", "policy-changed", "model-changed", "run-warning:regulation-unverified", "queue-share"}
    assert alerts["queue-share"]["severity"] == "red" and {a["severity"] for name, a in alerts.items() if name.startswith("source-use")} == {"amber"}
    assert measures["run-warning", "columns-not-used"]["severity"] is None


def _outcomes(path: Path, run: Path, odds: float, key: str = "application_id", observed: str = "2027-11-30") -> Path:
    rng = np.random.default_rng(3)
    rows = duckdb.sql(f"SELECT {key}, pd FROM '{run}/decisions.parquet' ORDER BY application_id").fetchall()
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([key, "bad", "observed_at"])
        for name, pd in rows:
            writer.writerow([name, int(rng.random() < pd * odds / (1 - pd + pd * odds)), observed])
        writer.writerow([rows[0][0], "", ""])  # not known yet
        writer.writerow(["somebody-else", 1, observed])
    return path


def test_outcomes_that_keep_to_the_pds_are_green_and_worse_ones_red_by_every_way_of_naming_them(lender_run, tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import brier_score_loss, roc_auc_score

    measures, alerts = seen([lender_run], outcomes=_outcomes(tmp_path / "fair.csv", lender_run, 1.0))
    assert not {name for name in alerts if name.partition(":")[2].startswith(("outcomes", "calibration"))}
    pairs = duckdb.sql(f"SELECT d.pd, o.bad FROM '{lender_run}/decisions.parquet' d JOIN read_csv('{tmp_path}/fair.csv', all_varchar = true) o USING (application_id) WHERE o.bad <> ''").fetchnumpy()
    pd, bad = pairs["pd"], pairs["bad"].astype(int)
    found = {measure: measures[measure, "outcomes"] for measure in ("bad-rate", "observed-to-expected", "brier", "auc", "calibration-slope", "calibration-intercept")}
    assert found["bad-rate"]["value"] == pytest.approx(bad.mean()) and found["observed-to-expected"]["value"] == pytest.approx(bad.sum() / pd.sum(), abs=1e-6)
    assert found["brier"]["value"] == pytest.approx(brier_score_loss(bad, pd), abs=1e-6) and found["auc"]["value"] == pytest.approx(roc_auc_score(bad, pd), abs=1e-6)
    line = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(np.log(pd / (1 - pd))[:, None], bad)
    assert (found["calibration-slope"]["value"], found["calibration-intercept"]["value"]) == pytest.approx((line.coef_[0, 0], line.intercept_[0]), abs=1e-3)
    for key in ("application_id", "applicant_id"):
        alerts = seen([lender_run], outcomes=_outcomes(tmp_path / f"{key}.csv", lender_run, 2.5, key))[1]
        assert {alerts[name]["severity"] for name in ("observed-to-expected:outcomes", "sequential:calibration:outcomes")} == {"red"}
    assert call("monitor", lender_run, "--outcomes", tmp_path / "application_id.csv", "--fail-on", "amber").code == 1


def test_outcomes_of_others_or_from_before_the_decision_are_refused(lender_run, tmp_path):
    early = _outcomes(tmp_path / "early.csv", lender_run, 1.0, observed="2026-11-01")
    result = call("monitor", lender_run, "--outcomes", early)
    assert result.code == 3 and "outcomes-elsewhere" in result.err
    (tmp_path / "no.csv").write_text("application_id,good\nA1,1\n")
    assert call("monitor", lender_run, "--outcomes", tmp_path / "no.csv").code == 3


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """Two cohorts of 260 borrowers: in the first one in fifty misses the first payment, in the second one in five; and money of nobody."""
    root, rows = tmp_path_factory.mktemp("watched") / "book", []
    loans = [
        book_of.loan(f"{month}-{n}", f"2026-{month:02}-05", [(f"2026-{month + due:02}-05", 1000, 10) for due in (1, 2, 3)], pd=0.1, applicant_id=f"{month}-{n}")
        for month in (1, 2) for n in range(260)
    ]
    book_of.book(root, loans)
    for one in loans:
        month, n = map(int, one["loan_id"].split("-"))
        for due in (1, 2, 3):
            if n % (50 if month == 1 else 5) or due == 3:
                rows.append({"loan_id": one["loan_id"], "value_date": f"2026-{month + due:02}-05", "amount": "1010"})
    rows.append({"loan_id": "", "value_date": "2026-03-01", "amount": "25000"})
    book_of.post(root, book_of.events(root.parent / "events.csv", rows))
    book_of.close(root, "2026-05-31")
    return root


def test_a_book_is_watched_with_its_money_and_its_youngest_loans(book, lender_run):
    measures, alerts = seen([lender_run], book)
    assert measures["ledger-imbalance", None]["value"] == 0 and measures["ledger-imbalance", None]["severity"] == "green"
    assert measures["unmatched-money", None]["value"] == 25_000 and alerts["unmatched-money"]["severity"] == "amber"
    assert alerts["book-behind"]["severity"] == "red" and measures["book-behind", None]["value"] == (datetime.date(2026, 11, 24) - datetime.date(2026, 5, 31)).days
    first, second = measures["first-payment-default", "2026-01"], measures["first-payment-default", "2026-02"]
    assert first["value"] == pytest.approx(6 / (26 * 0.2)) and first["severity"] == "green"
    of_bad = (0.2 * 50 + 6) / (50 + 26)
    assert second["value"] == pytest.approx(52 / (26 * of_bad)) and alerts["first-payment-default:2026-02"]["severity"] == "red"
    assert {row["as_of"] for (measure, _), row in measures.items() if measure == "first-payment-default"} == {datetime.date(2026, 5, 31)}


def test_a_book_alone_can_be_watched_and_nothing_is_said_of_runs(book, capsys):
    told = json.loads(done("monitor", "--book", book, "--view", "measures", "--format", "json").out)["rows"]
    assert {"overdue-30-share", "unmatched-money", "first-payment-default"} <= {row["measure"] for row in told} and "approval-rate" not in {row["measure"] for row in told}
    assert call("monitor").code == 2 and call("monitor", "--book", book, "--outcomes", "x.csv").code == 2


def test_loans_that_matured_are_held_against_their_pds_borrower_by_borrower(tmp_path, lender_run):
    loans = [
        book_of.loan(f"{n}-{tranche}", "2024-01-10", [(f"2024-{month:02}-10", 100, 1) for month in range(2, 13)], pd=0.1, applicant_id=f"P{n}", application_id=f"A{n}", tranche_no=tranche, grade="E")
        for n in range(60) for tranche in (1, 2)
    ]
    root = book_of.book(tmp_path / "book", loans)
    paid = [{"loan_id": one["loan_id"], "value_date": "2024-01-20", "kind": "prepayment", "amount": "1111"} for one in loans if int(one["loan_id"].split("-")[0]) >= 9]
    book_of.post(root, book_of.events(tmp_path / "events.csv", paid))
    book_of.close(root, "2025-01-30")
    assert ("bad-rate", "book") not in seen([lender_run], root)[0], "the window has not ended"
    book_of.close(root, "2025-01-31")
    measures, _ = seen([lender_run], root)
    row = measures["observed-to-expected", "book"]
    assert row["rows"] == 60 and row["value"] == pytest.approx(9 / 6), "two tranches of a borrower are one outcome"
    assert row["severity"] is None and "too few to judge" in row["note"]


def test_what_people_overrode_is_counted_from_the_archive(lender_run, tmp_path):
    done("archive", lender_run, "--to", tmp_path / "archive")
    asked = [row[0] for row in duckdb.sql(f"SELECT application_id FROM '{lender_run}/decisions.parquet' WHERE decision = 'refer' ORDER BY 1 LIMIT 3").fetchall()]
    until = (datetime.date.today() + datetime.timedelta(30)).isoformat()
    ways = (("approve", "O-EXCEPTION", ("--amount", 10_000, "--until", until)), ("approve", "O-EVIDENCE-SHOWN", ("--amount", 10_000)), ("decline", "O-DOUBT-REMAINS", ()))
    for application, (decision, reason, more) in zip(asked, ways):
        done("review", "decide", tmp_path / "archive", "2026", application, "--decision", decision, "--by", "alice", "--reason", reason, "--text", "seen", *more)
    measures, _ = seen([lender_run], archive=tmp_path / "archive")
    override, waits = measures["override-rate", None], measures["review-open", None]
    assert (override["value"], override["rows"], override["severity"]) == (pytest.approx(1 / 3), 3, None) and waits["value"] == pytest.approx(1 - 3 / waits["rows"]) and waits["severity"] == "red"


def test_runs_that_have_not_come_so_far_or_approved_nobody_are_seen_for_what_they_are(lender, lender_run, tmp_path):
    done("intake", lender, "--out", tmp_path / "intake", "--as-of", AS_OF)
    measures, alerts = seen([tmp_path / "intake"])
    assert ("approval-rate", None) not in measures and ("feed-freshness", "payroll") in measures and ("quarantine-rate", None) in measures
    nobody = night(lender_run, tmp_path / "nobody", AS_OF, decisions="SELECT * REPLACE ('decline' AS decision, NULL::BIGINT AS amount_fen, NULL::DOUBLE AS all_in_annual_cost) FROM old")
    measures, _ = seen([nobody])
    assert measures["approval-rate", None]["value"] == 0 and ("mean-limit", None) not in measures and ("expected-auc", "approved") not in measures
    one = night(lender_run, tmp_path / "one", AS_OF, decisions="SELECT * FROM old ORDER BY application_id LIMIT 1")
    assert seen([one])[0]["approval-rate", None]["rows"] == 1


def test_no_alert_or_measure_holds_anything_of_a_person(lender_run, quiet, tmp_path):
    fallen = night(lender_run, tmp_path / "fallen", AS_OF, 0.3, without=("bank_statements", "payroll"))
    result = call("monitor", *quiet, fallen, "--view", "measures", "--format", "json", "--journal", tmp_path / "journal.jsonl")
    out = result.out + result.err + (tmp_path / "journal.jsonl").read_text(encoding="utf-8") + (tmp_path / "alerts.jsonl").read_text(encoding="utf-8")
    people = duckdb.sql(f"SELECT name, id_number, phone, bank_card, contact_phone, application_id, applicant_id FROM '{lender_run}/inputs/applicants/*.parquet'").fetchall()
    assert len(out) > 10_000 and not [value for row in people for value in row if value and value in out]


def test_alerts_leave_by_file_and_webhook_once_and_a_hook_that_is_down_is_an_exit_of_its_own(lender_run, tmp_path):
    got, status = [], [500]

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.headers, body))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    with open(tmp_path / "configs/monitor.toml", "a", encoding="utf-8") as file:
        file.write(f'\n[[sink]]\nname = "hook"\nkind = "webhook"\nurl = "http://127.0.0.1:{server.server_port}/"\nsecret = "env:QQLOAN_HOOK"\nattempts = 2\nfirst_pause_seconds = 0.01\n')
    old = night(lender_run, tmp_path / "old", "2027-03-01", 0.5)
    ask = ("monitor", old, "--config", tmp_path / "configs", "--journal", tmp_path / "kept/journal.jsonl")
    env = {"QQLOAN_HOOK": "a secret"}
    shown = call(*ask, "--dry-run")
    assert shown.code == 0 and "would-tell: hook of feed-freshness" in shown.err and not got and not (tmp_path / "kept").exists()
    down = call(*ask, env=env)
    assert down.code == 75 and "alert-undelivered: hook could not be told: 127.0.0.1 answered 500" in down.err and len(got) == 2
    written = (tmp_path / "kept/alerts.jsonl").read_text(encoding="utf-8")
    status[0] = 200
    up = call(*ask, "--fail-on", "red", env=env)
    assert up.code == 1 and len(got) == 2 + len(written.splitlines()) and (tmp_path / "kept/alerts.jsonl").read_text(encoding="utf-8") == written
    headers, body = got[-1]
    at, given = (part.partition("=")[2] for part in headers["X-Qqloan-Signature"].split(","))
    assert given == hmac.new(b"a secret", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert "alert-told" not in call(*ask, env=env).err and len(got) == 2 + len(written.splitlines())
    stdout = done("monitor", old, "--journal", tmp_path / "other.jsonl", "--sink", "stdout", "--format", "csv").out.splitlines()
    assert [json.loads(line)["event"] for line in stdout if line.startswith("{")].count("new") == len(written.splitlines())
    assert "a secret" not in "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "kept").iterdir())
    server.shutdown()


def test_what_one_did_not_look_at_this_time_is_not_over(book, lender_run, quiet, tmp_path):
    def looked(runs, book=None):
        with Sight([Run.open(run) for run in runs], Book.open(book) if book else None) as sight:
            return look(sight, POLICY)

    few = night(lender_run, tmp_path / "few", AS_OF, decisions="SELECT * FROM old ORDER BY application_id LIMIT 50")
    whole, without_book, little = looked([lender_run, *quiet], book), looked([lender_run, *quiet]), looked([few, *quiet])
    of_the_book = ("unmatched-money", "first-payment-default:2026-02", "observed-to-expected:book", "sequential:calibration:book")
    assert all(without_book.undecided(alert_id) for alert_id in of_the_book) and not whole.undecided("unmatched-money")
    assert little.undecided("approval-rate") and not whole.undecided("approval-rate")
    gone = ("reason-share:R-NO-MORE", "run-warning:regulation-unverified", "income-flag:I-NO-MORE")
    assert not any(whole.undecided(alert_id) for alert_id in (*gone, "first-payment-default:2020-01")), "what is gone for good is over"
    assert whole.undecided("csi:of_another_model") and whole.undecided("sequential:calibration:outcomes") and whole.undecided("auc:outcomes")


@pytest.mark.parametrize(("old", "new", "says"), [
    ('path = "alerts.jsonl"', "", "a sink of kind file wants path"),
    ('kind = "stdout"', 'kind = "webhook"\nurl = "http://hooks.example/x"', "begins with https"),
    ('kind = "stdout"', 'kind = "webhook"\nurl = "https://hooks.example/x"\nsecret = "geheim"', "sink.1.secret"),
    ('kind = "stdout"', 'kind = "smtp"\nhost = "h"\nsender = "a@b"\nto = ["c@d"]\nsecurity = "none"\nuser = "u"\npassword = "env:QQLOAN_P"', "not sent in the clear"),
    ("amber = 0.05\nred = 0.01\nbaseline", "amber = 0.01\nred = 0.05\nbaseline", "red is the rarer"),
    ("amber = 0.05\nred = 0.10\nbeyond_chance", "amber = 0.15\nred = 0.10\nbeyond_chance", "stands beyond red"),
    ("{value} of applications are approved", "{name} of applications are approved", "a text names name"),
    ("[measure.psi]", "[measure.psy]", "measure.psy"),
])
def test_a_configuration_that_cannot_be_right_is_refused_and_says_where(tmp_path, old, new, says):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    path = tmp_path / "configs/monitor.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match="config-invalid") as error:
        load_monitoring(tmp_path / "configs")
    assert says in str(error.value) and "geheim" not in str(error.value)


def test_a_sink_that_is_not_there_and_a_severity_that_is_none_are_refused(lender_run, tmp_path):
    assert call("monitor", lender_run, "--sink", "pigeon", "--journal", tmp_path / "j").code == 2
    assert call("monitor", lender_run, "--sink", "file").code == 2 and call("monitor", lender_run, "--fail-on", "green").code == 2
    with pytest.raises(UsageError, match="sink-unknown"):
        POLICY.sinks(["pigeon"])
