"""The nightly report: what it says is what the tables say, and what a browser and a screen reader make of it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import call, done, faults_of_page

from qqloan_cli.oversight.figures import FIGURES
from qqloan_cli.reports import nightly_words

NEXT_DAY = "2026-11-25"


@pytest.fixture(scope="module")
def night(sample_run, lender_run, tmp_path_factory) -> dict[str, Path]:
    """Two days of runs, and a book of the first with eight months of payments."""
    folder = tmp_path_factory.mktemp("night")
    done("run", "sample_data", "--out", folder / "next", "--as-of", NEXT_DAY)
    done("servicing", "open", lender_run, "--book", folder / "book")
    done("generate", "repayments", lender_run, "--months", 8, "--seed", 3, "--out", folder / "repayments.csv")
    done("servicing", "post", folder / "repayments.csv", "--book", folder / "book")
    done("servicing", "close", "--book", folder / "book", "--to", "2027-04-30")
    done("report", "nightly", folder / "next", lender_run, "--book", folder / "book", "--out", folder / "en.html")
    done("report", "nightly", folder / "next", lender_run, "--book", folder / "book", "--out", folder / "zh.html", "--lang", "zh")
    return {"runs": [folder / "next", lender_run], "book": folder / "book", "en": folder / "en.html", "zh": folder / "zh.html"}


@pytest.fixture(scope="module")
def told(night) -> dict:
    return json.loads(done("report", "nightly", *night["runs"], "--book", night["book"], "--format", "json", "--quiet").out)


def rows(told: dict, name: str) -> list[dict]:
    return next(figure["rows"] for figure in told["figures"] if figure["name"] == name)


class Page(HTMLParser):
    """Tags that stand open, counts, and what is in cells."""

    ALONE = {"meta", "path", "line", "rect", "circle", "br", "link"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.tables: dict[str, int] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag == "figure":
            self.figure = dict(attrs)["id"]
        if tag == "table":
            self.tables[self.figure] = self.tables.get(self.figure, 0) + 1
        if tag not in self.ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag


def test_one_file_that_asks_for_nothing(night):
    text = night["en"].read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == [] and len(text.encode()) <= 2_000_000
    assert "script" not in page.counts and "link" not in page.counts and "img" not in page.counts
    assert page.counts["svg"] >= 15 and not re.search(r'(src|href)="?(https?:)?//', text)
    assert "default-src 'none'" in re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert " style=" not in text and " on" + "click" not in text  # the policy would refuse them


def test_behind_each_chart_stands_its_table_and_each_figure_its_sql(night):
    text = night["en"].read_text(encoding="utf-8")
    for figure in re.findall(r"<figure id=.*?</figure>", text, re.DOTALL):
        name = re.search(r'id="f-([^"]+)"', figure)[1]
        if "<svg" in figure:
            assert "<table>" in figure, name
            assert re.search(r'<svg [^>]*role="img" aria-label="[^"]+"', figure), name
        if name != "left-out":
            assert "SELECT" in figure and "-- grain:" in figure, name


def test_what_a_browser_says(night, browser):
    for lang, scheme in (("en", "dark"), ("zh", "light")):
        assert faults_of_page(browser, night[lang], color_scheme=scheme) == [], (lang, scheme)


def test_it_is_read_by_the_keyboard_and_printed(night, browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto(night["en"].as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#now"
    page.keyboard.press("Enter")
    assert page.url.endswith("#now")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details').open")
    narrow = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
    narrow.goto(night["zh"].as_uri())
    assert narrow.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.pdf()[:5] == b"%PDF-"
    context.close()


def test_the_same_night_is_the_same_bytes(night, tmp_path):
    done("report", "nightly", *reversed(night["runs"]), "--book", night["book"], "--out", tmp_path / "again.html", "--workers", 1)
    assert (tmp_path / "again.html").read_bytes() == night["en"].read_bytes()


def test_its_figures_are_what_the_tables_say(night, told):
    of = {row["decision"]: row for row in pq.read_table(night["runs"][0] / "decisions.parquet").to_pandas().groupby("decision").agg(n=("decision", "size"), amount=("amount_fen", "sum")).reset_index().to_dict("records")}
    run = json.loads((night["runs"][0] / "run.json").read_text(encoding="utf-8"))
    funnel = {row["step"]: row["applications"] for row in rows(told, "funnel")}
    assert (funnel["came_in"], funnel["accepted"], funnel["approved"]) == (run["counts"]["applicants"]["in"], run["counts"]["applicants"]["accepted"], of["approve"]["n"])
    assert funnel["not_declined"] == of["approve"]["n"] + of["refer"]["n"]
    changes = {row["measure"]: row for row in rows(told, "changes")}
    everybody = sum(row["n"] for row in of.values())
    assert changes["approval_rate"]["today"] == round(of["approve"]["n"] / everybody, 6) and changes["approved_fen"]["today"] == of["approve"]["amount"]
    before = pq.read_table(night["runs"][1] / "decisions.parquet").to_pandas()
    assert changes["applications"]["before"] == len(before) and changes["mean_score"]["before"] == round(before["score"].mean(), 1)
    assert changes["approval_rate"]["change"] == pytest.approx(changes["approval_rate"]["today"] - changes["approval_rate"]["before"], abs=2e-6)
    assert sum(row["approved"] for row in rows(told, "binding_caps") if row["date_of"] == "today") == of["approve"]["n"]
    waterfall = rows(told, "waterfall")
    assert waterfall[-1]["left_fen"] >= of["approve"]["amount"] and all(row["taken_fen"] >= 0 for row in waterfall)
    assert waterfall[0]["left_fen"] - sum(row["taken_fen"] for row in waterfall) == waterfall[-1]["left_fen"]


def test_the_book_in_it_is_what_servicing_says(night, told, tmp_path):
    at = "2027-04-30"
    assert told["book"]["closed_to"] == at
    portfolio = json.loads(done("servicing", "portfolio", "--book", night["book"], "--at", at, "--format", "json").out)
    assert [(row["class"], row["provision_fen"]) for row in rows(told, "classes")] == [(row["class"], row["provision_fen"]) for row in portfolio["classes"]]
    done("servicing", "panel", "--book", night["book"], "--to", at, "--out", tmp_path / "panel.parquet")
    vintages = json.loads(done("servicing", "measure", tmp_path / "panel.parquet", "--measure", "vintages", "--format", "json").out)["rows"]
    assert [(row["cohort"], row["mob"], row["ever_30"]) for row in rows(told, "vintages")] == [(row["cohort"], row["mob"], row["ever_30"]) for row in vintages]
    pool = json.loads(done("reserve", "--book", night["book"], "--view", "pool", "--format", "json").out)["rows"]
    assert rows(told, "reserve")[0]["closing_fen"] == pool[-1]["closing_fen"]
    done("servicing", "state", "--book", night["book"], "--at", at, "--out", tmp_path / "state.parquet")
    [(loans, owed)] = duckdb.sql(f"SELECT count(*), sum(principal_fen)::BIGINT FROM '{tmp_path}/state.parquet' WHERE status = 'overdue'").fetchall()
    overdue = next(row for row in rows(told, "book_today") if row["measure"] == "overdue")
    assert (overdue["loans"], overdue["amount_fen"]) == (loans, owed)


def test_a_figure_by_its_name_is_the_report_s(night, told):
    for name in ("rolls", "funnel", "reserve"):
        alone = json.loads(done("report", "figure", name, *night["runs"], "--book", night["book"], "--format", "json").out)["rows"]
        assert alone == rows(told, name), name
    wrong = call("report", "figure", "hope", night["runs"][0])
    assert wrong.code == 2 and "figure-unknown" in wrong.err
    without = call("report", "figure", "rolls", night["runs"][0])
    assert without.code == 2 and "figure-lacks" in without.err and "--book" in without.err


def test_without_a_book_or_an_end_it_says_what_is_missing(sample_run, tmp_path):
    alone = json.loads(done("report", "nightly", sample_run, "--format", "json").out)
    assert {one["name"] for one in alone["left_out"]} == {name for name, section in FIGURES.items() if section in ("book", "reserve")} | {"book_today", "bad_by_grade"}
    assert alone["before"] is None and all(row["before"] is None for row in rows(alone, "changes"))
    done("intake", "sample_data", "--out", tmp_path / "begun", "--as-of", NEXT_DAY)
    done("report", "nightly", tmp_path / "begun", "--out", tmp_path / "begun.html")
    assert "Left out" in (tmp_path / "begun.html").read_text(encoding="utf-8")


def test_on_the_terminal_it_is_short(night):
    out = done("report", "nightly", *night["runs"], "--book", night["book"]).out
    assert "Nightly risk report 2027-04-30" in out and "Headline figures" in out and len(out.splitlines()) < 70
    assert "每日风险报告" in done("report", "nightly", night["runs"][0], "--lang", "zh").out


def test_every_figure_and_column_has_words_in_both_languages(told):
    lacking = {name for figure in told["figures"] for row in figure["rows"] for name in row if name not in nightly_words.COLUMNS} - {"is_share"}
    assert lacking == set() and set(FIGURES) <= set(nightly_words.FIGURES)
    for words in (nightly_words.SECTIONS, nightly_words.COLUMNS, nightly_words.VALUES, nightly_words.PAGE):
        assert all(len(pair) == 2 and pair[0] and pair[1] for pair in words.values())


def test_nobody_is_in_it(night, sample_run):
    text = "".join(night[lang].read_text(encoding="utf-8") for lang in ("en", "zh"))
    people = pq.read_table(sample_run / "inputs" / "applicants").to_pylist()
    for person in people:
        for column in ("name", "id_number", "phone", "bank_card"):
            assert not person[column] or person[column] not in text, column
