"""Letters to applicants and borrowers: everyone gets one, it says what was decided and no more than it may, and its figures are the decision's.

``GOLDEN=write python -m pytest tests/test_oversight_notices.py`` writes tests/golden/notices/ anew; the difference is then read in review.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import duckdb
import pytest

import book_of
from conftest import ROOT, call, done
from qqloan_cli.policy.notices import FIELDS, KINDS, LANGS, OF_RUN, WHENS, load_letters
from qqloan_cli.policy.reasons import load_reasons

GOLDEN = Path(__file__).parent / "golden" / "notices"
CONFIGS = ROOT / "configs"
# What no letter says: how a check against fraud works, and anything of other people.
UNSPOKEN = re.compile(
    r"\bring\b|ring-|gang|blocklist|black ?list|\bfraud|neighbour|other applicant|another applicant|others\b|shared|same (device|phone|card|contact)|tied to|circular|goes? round|gambl|forged"
    r"|团伙|名单|欺诈|他人|其他申请人|另有申请人|共用|关联人|回流|循环|博彩|黑名单|伪造", re.IGNORECASE,
)


@pytest.fixture(scope="module")
def run(lender_run, tmp_path_factory) -> Path:
    """The lender's run, with offers."""
    out = tmp_path_factory.mktemp("lettered") / "run"
    shutil.copytree(lender_run, out)
    done("offers", out)
    return out


@pytest.fixture(scope="module")
def letters(run, tmp_path_factory) -> Path:
    """Every letter of it, as a table."""
    out = tmp_path_factory.mktemp("letters") / "table"
    done("notice", run, "--to", out, "--as", "parquet", "--workers", 2)
    return out


def _texts(letters: Path, where: str = "true") -> list[tuple]:
    return duckdb.execute(f"SELECT application_id, kind, lang, text FROM '{letters}/*.parquet' WHERE {where} ORDER BY 1, 3").fetchall()


def _one(run: Path, application: str, *options) -> str:
    return done("notice", run, "--application", application, *options).out


# --- everybody ---


def test_every_application_gets_one_letter_in_each_language_of_the_kind_that_its_decision_is(run, letters):
    got = duckdb.execute(f"""
        SELECT d.application_id, d.decision, n.kind, count(*) FILTER (n.lang = 'en'), count(*) FILTER (n.lang = 'zh'), any_value(d.amount_fen), any_value(l.requested_amount_fen),
          any_value(l.term_months), any_value(l.requested_term_months)
        FROM '{run}/decisions.parquet' d JOIN '{run}/limit/*.parquet' l USING (application_id) LEFT JOIN '{letters}/*.parquet' n USING (application_id) GROUP BY ALL
    """).fetchall()
    assert len(got) == duckdb.execute(f"SELECT count(*) FROM '{run}/decisions.parquet'").fetchall()[0][0]
    for _, decision, kind, en, zh, amount, asked, term, asked_term in got:
        assert (en, zh) == (1, 1)
        whole = amount == asked and asked_term in (None, term)
        assert kind == {"decline": "decline", "refer": "referral"}.get(decision, "approval" if whole else "partial")
    assert {row[2] for row in got} == set(OF_RUN)
    told = json.loads(done("notice", run, "--format", "json").out)
    assert told["letters"] == 2 * len(got) == sum(row["letters"] for row in told["by_kind"])


def test_no_letter_has_a_placeholder_left_or_an_identifier_in_it(lender, letters):
    texts = _texts(letters)
    people = duckdb.execute(f"SELECT name, id_number, phone, bank_card FROM read_csv('{lender}/applicants.csv', all_varchar = true)").fetchall()
    numbers = {value for row in people for value in row[1:] if value}
    names = {row[0] for row in people if row[0]}
    for application, kind, lang, text in texts:
        assert not re.search(r"[{}]|None|NULL|\bnan\b", text), (application, kind, lang)
        assert text.startswith("# ") and text.endswith("\n") and application in text
        assert not set(re.findall(r"\d{8,}[X\d]*", text.replace(application, ""))) & numbers
        assert not any(name in text for name in names if len(name) > 2)


def test_what_a_check_against_fraud_found_is_not_told_nor_anything_of_other_people(letters, run):
    for application, kind, lang, text in _texts(letters):
        assert not UNSPOKEN.search(text), (application, kind, UNSPOKEN.search(text)[0])
    says = load_letters(CONFIGS)
    for code in load_reasons(CONFIGS):
        say = says.says[says.said_by[code]]
        for text in (say.en, say.zh):
            assert text.strip()
            if not code.startswith(("LN-", "M-LINE")):
                assert not UNSPOKEN.search(text), (code, text)
                assert "applicant" not in text.lower() and "申请人" not in text, f"{code} speaks of the applicant, not to them"
    told = {code for code, name in says.said_by.items() if name == "security"}
    assert {code for code in load_reasons(CONFIGS) if code.startswith(("V-BLOCK", "V-SAME")) or code in ("R-BLOCKLIST", "R-RING-ALERT", "S-RING", "S-NEIGHBOURS-BAD")} <= told


def test_a_decline_has_up_to_four_reasons_said_once_and_one_at_least(run, letters):
    for _, _, lang, text in _texts(letters, "kind IN ('decline', 'referral', 'partial')"):
        part = re.search(r"## (?:Why|What is looked at|原因|主要原因|审核事项)\n\n((?:- .*\n)+)", text)
        reasons = part[1].strip().split("\n")
        assert 1 <= len(reasons) == len(set(reasons)) <= 4


@pytest.mark.parametrize("lang,rights", [
    ("en", ["explain it", "by automated means alone", "by a person", "article 24"]), ("zh", ["作出说明", "仅通过自动化决策", "人工复核", "第二十四条"]),
])
def test_who_was_declined_is_told_their_rights(letters, lang, rights):
    for _, _, _, text in _texts(letters, f"kind = 'decline' AND lang = '{lang}'"):
        assert all(right in text for right in rights)
        assert "400-000-0000" in text


def test_credit_record_rights_stand_where_a_credit_report_was_used(run, letters):
    used = dict(duckdb.execute(f"SELECT application_id, history <> 'none' OR credit_accounts > 0 OR hard_inquiries_6m > 0 FROM '{run}/credit/*.parquet'").fetchall())
    for application, _, _, text in _texts(letters, "lang = 'en'"):
        assert ("article 25" in text) == ("credit report of the Credit Reference Center" in text) == used[application]
    assert set(used.values()) == {True, False}


# --- figures ---


def _fen(text: str) -> int:
    return int(text.replace(",", "").replace(".", "").replace("*", ""))


def _tables(text: str) -> list[list[list[str]]]:
    blocks = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.strip().split("\n")] for block in blocks]


def test_the_cost_table_is_the_schedules(run, letters):
    """Of loans that are paid out at once, to the fen: interest and fees are those of the instalments, and the total is their sum."""
    due = dict((row[0], row[1:]) for row in duckdb.execute(f"""
        SELECT application_id, CAST(sum(principal_fen) AS BIGINT), CAST(sum(interest_fen) AS BIGINT), CAST(sum(fee_fen) AS BIGINT)
        FROM '{run}/schedule/*.parquet' GROUP BY 1 HAVING max(tranche_no) = 1""").fetchall())
    compared = 0
    for application, _, _, text in _texts(letters, "kind IN ('approval', 'partial') AND lang = 'en'"):
        if application not in due:
            continue
        rows = {row[0].strip("*"): row for row in _tables(text)[0][2:]}
        principal, interest, fees = due[application]
        assert _fen(rows["Loan principal"][4]) == principal
        assert _fen(rows["Interest"][4]) == interest
        assert sum(_fen(rows[name][4]) for name in ("Guarantee fee", "Service fee") if name in rows) == fees
        assert _fen(rows["Total of charges: comprehensive financing cost"][4]) == interest + fees
        parts = sum(float(row[5].strip("*%")) for name, row in rows.items() if not name.startswith(("Loan", "Total")))
        assert parts == pytest.approx(float(rows["Total of charges: comprehensive financing cost"][5].strip("*%")), abs=1e-3)
        compared += 1
    assert compared > 100


def test_an_approval_says_the_decisions_figures(run, letters):
    decided = {row[0]: row[1:] for row in duckdb.execute(f"SELECT application_id, amount_fen, term_months, annual_rate, all_in_annual_cost FROM '{run}/decisions.parquet' WHERE decision = 'approve'").fetchall()}
    for application, _, _, text in _texts(letters, "kind IN ('approval', 'partial') AND lang = 'zh'"):
        amount, term, rate, cost = decided[application]
        assert f"金额：{amount // 100:,}.{amount % 100:02d} 元" in text and f"期限：{term}个月" in text
        assert float(re.search(r"年利率（单利）：([\d.]+)%", text)[1]) == pytest.approx(float(rate) * 100, abs=1e-9)
        assert float(re.search(r"综合融资年化成本（含全部息费）：([\d.]+)%", text)[1]) == pytest.approx(float(cost) * 100, abs=1e-9)
        assert "不收取其他任何息费" in text


def test_every_offer_has_its_own_cost_table(run, letters):
    offers = dict(duckdb.execute(f"SELECT application_id, count(*) FROM '{run}/offers/*.parquet' GROUP BY 1").fetchall())
    for application, kind, _, text in _texts(letters, "lang = 'en'"):
        assert len(re.findall(r"^### Comprehensive cost table of choice \d$", text, re.MULTILINE)) == offers.get(application, 0)
    assert offers


def test_without_offers_having_been_asked_for_approvals_have_their_cost_table_all_the_same(lender_run, letters, tmp_path):
    assert "offers" not in json.loads((lender_run / "run.json").read_text(encoding="utf-8"))["stages"]
    done("notice", lender_run, "--to", tmp_path / "letters", "--as", "parquet", "--kind", "approval")
    assert _texts(tmp_path / "letters") == _texts(letters, "kind = 'approval'")


# --- dates and law ---


@pytest.mark.parametrize("as_of,named", [("2026-07-31", False), ("2026-08-01", True)])
def test_the_disclosure_rule_is_named_from_its_first_day_on(lender_run, tmp_path, as_of, named):
    shutil.copytree(lender_run, tmp_path / "run")
    document = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    (tmp_path / "run" / "run.json").write_text(json.dumps({**document, "as_of": as_of}), encoding="utf-8")
    done("notice", tmp_path / "run", "--to", tmp_path / "letters", "--as", "parquet")
    texts = _texts(tmp_path / "letters", "kind = 'approval'")
    assert texts and all(("金规〔2026〕2号" in text or "Jin Gui [2026] No. 2" in text) == named for *_, text in texts)
    assert all("| " in text for *_, text in texts), "the table itself is shown in any case"


def test_law_that_is_not_sure_or_not_the_licences_is_not_named(lender_run, tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    path = tmp_path / "configs" / "regulation" / "data.toml"
    before, rule = path.read_text(encoding="utf-8").split('id = "pipl.24"\n')
    path.write_text(before + 'id = "pipl.24"\n' + rule.replace('certainty = "H"', 'certainty = "M"', 1), encoding="utf-8")
    application = duckdb.execute(f"SELECT min(application_id) FROM '{lender_run}/decisions.parquet' WHERE decision = 'decline'").fetchall()[0][0]
    assert "article 24" in _one(lender_run, application, "--lang", "en")
    assert "article 24" not in _one(lender_run, application, "--lang", "en", "--config", tmp_path / "configs")


# --- words ---


@pytest.mark.parametrize("kind", OF_RUN)
@pytest.mark.parametrize("lang", LANGS)
def test_golden_letters(run, letters, kind, lang):
    """Of each kind the first that says most."""
    [(application,)] = duckdb.execute(f"SELECT application_id FROM '{letters}/*.parquet' WHERE kind = '{kind}' AND lang = 'en' ORDER BY length(text) DESC, application_id LIMIT 1").fetchall()
    _golden(f"{kind}.{lang}.md", _one(run, application, "--lang", lang))


def _golden(name: str, text: str) -> None:
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_one_letter_alone_is_the_one_of_the_whole_run(run, letters):
    for application, kind, lang, text in _texts(letters)[:3]:
        assert _one(run, application, "--lang", lang) == text


def test_the_number_of_workers_changes_no_byte(run, letters, tmp_path):
    done("notice", run, "--to", tmp_path / "one", "--as", "parquet", "--workers", 1)
    assert [path.read_bytes() for path in sorted((tmp_path / "one").iterdir())] == [path.read_bytes() for path in sorted(letters.iterdir())]


@pytest.mark.parametrize("file,old,new,ref", [
    ("decline.toml", 'en = "{reasons}"', 'en = "{reason}"', "notice-placeholder-unknown"),
    ("common.toml", "- Product: {product}", "- Product", "notice-languages-differ"),
    ("common.toml", 'when = ["!named"]', 'when = ["unnamed"]', "notice-condition-unknown"),
    ("common.toml", "{law:pipl.24}", "{law:pipl.25}", "notice-placeholder-unknown"),
    ("decline.toml", 'use = "rights"', 'use = "rites"', "notice-block-unknown"),
    ("reasons.toml", '"R-GRADE"', '"R-GRAAD"', "notice-reason-wrong"),
    ("words.toml", "[item_total]", "[item_totals]", "notice-word-missing"),
    ("letters.toml", "dispute = 20", "dispute = 0", "config-invalid"),
])
def test_a_text_that_cannot_be_right_is_refused(tmp_path, file, old, new, ref):
    from qqloan_cli.errors import ConfigError

    shutil.copytree(CONFIGS, tmp_path / "configs", ignore=shutil.ignore_patterns("model", "sources"))
    path = tmp_path / "configs" / "notices" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_letters(tmp_path / "configs")
    assert refused.value.ref == ref


def test_every_template_is_whole_under_every_mix_of_conditions():
    import datetime

    letters = load_letters(CONFIGS)
    for kind in KINDS:
        for mask in range(2 ** len(WHENS[kind])):
            texts = {lang: letters.template(kind, lang, mask, datetime.date(2026, 11, 24)) for lang in LANGS}
            filled = {lang: duckdb.execute("SELECT format($1, " + ", ".join("'x'" for _ in FIELDS[kind]) + ")", [text]).fetchall()[0][0] for lang, text in texts.items()} if mask % 37 == 0 else {}
            assert sorted(re.findall(r"\{\d+\}", texts["en"])) == sorted(re.findall(r"\{\d+\}", texts["zh"]))
            assert all("{" not in text for text in filled.values())


# --- files ---


def test_letters_with_names_are_for_their_owner_alone(run, lender, tmp_path):
    application = duckdb.execute(f"SELECT min(application_id) FROM '{run}/decisions.parquet' WHERE decision = 'decline'").fetchall()[0][0]
    [(name, number)] = duckdb.execute(f"SELECT name, id_number FROM read_csv('{lender}/applicants.csv', all_varchar = true) WHERE application_id = ?", [application]).fetchall()
    for ending in ("md", "pdf", "parquet"):
        out = tmp_path / ending
        done("notice", run, "--application", application, "--with-names", "--to", out, "--as", ending)
        assert all(stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600) for path in [out, *out.rglob("*")])
    text = (tmp_path / "md" / "decline" / f"{application}.zh.md").read_text(encoding="utf-8")
    assert name in text and number not in text and f"{number[:3]}XXXXXXXXXXX{number[-4:]}" in text
    assert name not in _one(run, application)


def test_files_are_named_for_their_application_and_what_stands_is_not_overwritten(run, letters, tmp_path):
    done("notice", run, "--to", tmp_path / "out", "--kind", "decline", "--kind", "referral", "--lang", "zh")
    for application, kind, _, text in _texts(letters, "kind IN ('decline', 'referral') AND lang = 'zh'"):
        assert (tmp_path / "out" / kind / f"{application}.zh.md").read_text(encoding="utf-8") == text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["decline", "referral"]
    assert "file-exists" in call("notice", run, "--to", tmp_path / "out").err
    done("notice", run, "--to", tmp_path / "out", "--kind", "approval", "--lang", "zh", "--yes")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["approval"]
    from qqloan_cli.reports.letters import name_of

    assert name_of("../..", None, "en", "md") == "%2E.%2F...en.md" and "/" not in name_of("A/1", None, "zh", "pdf") and name_of("A", "A-1", "zh", "md") == "A-1.zh.md"


@pytest.mark.parametrize("kind", ["partial", "decline"])
def test_a_pdf_has_the_figures_of_the_markdown_and_the_same_bytes_every_time(run, letters, tmp_path, kind):
    [(application,)] = duckdb.execute(f"SELECT application_id FROM '{letters}/*.parquet' WHERE kind = '{kind}' AND lang = 'en' ORDER BY length(text) DESC, application_id LIMIT 1").fetchall()
    for out in ("one", "two"):
        done("notice", run, "--application", application, "--to", tmp_path / out, "--as", "pdf", "--workers", 1 if out == "one" else 2)
    for lang, code in (("en", b"en-GB"), ("zh", b"zh-CN")):
        path = tmp_path / "one" / kind / f"{application}.{lang}.pdf"
        assert path.read_bytes() == (tmp_path / "two" / kind / path.name).read_bytes()
        assert b"/Lang (" + code + b")" in path.read_bytes() and b"/Title" in path.read_bytes()
        if shutil.which("pdftotext") is None or (lang == "zh" and not Path("/usr/share/poppler/cMap/Adobe-GB1").is_dir()):
            continue  # without poppler-data it reads no Chinese font that is not embedded
        shown = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
        text = _one(run, application, "--lang", lang)
        figures = re.findall(r"\d[\d,]*\.\d+%?|\d{2,}", text)
        bare = re.sub(r"\s", "", shown)
        assert figures and all(figure in bare for figure in figures)
        assert text.split("\n")[0].removeprefix("# ") in shown


def test_a_font_that_is_named_is_embedded_and_one_that_cannot_be_read_is_said(run, tmp_path):
    import reportlab

    shutil.copytree(CONFIGS, tmp_path / "configs")
    shutil.copyfile(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf", tmp_path / "configs" / "notices" / "letters.ttf")
    path = tmp_path / "configs" / "notices" / "letters.toml"
    path.write_text(path.read_text(encoding="utf-8") + 'font = "letters.ttf"\n', encoding="utf-8")
    application = duckdb.execute(f"SELECT min(application_id) FROM '{run}/decisions.parquet'").fetchall()[0][0]
    ask = ("notice", run, "--application", application, "--lang", "zh", "--as", "pdf", "--config", tmp_path / "configs")
    done(*ask, "--to", tmp_path / "out")
    [made] = (tmp_path / "out").rglob("*.pdf")
    assert b"/FontFile2" in made.read_bytes()
    (tmp_path / "configs" / "notices" / "letters.ttf").write_bytes(b"not a font")
    failed = call(*ask, "--to", tmp_path / "again")
    assert failed.code == 2 and "font-unreadable" in failed.err and not (tmp_path / "again").exists()


def test_long_words_and_full_tables_stay_on_the_page():
    from qqloan_cli.reports.letter_pdf import _WIDTH, _styles, _widths

    for rows in ([["Choice", "Product"], ["1", "x" * 400]], [["n"] * 8, ["9" * 30] * 8], [["项目"] * 7, ["很长的文字" * 40] * 7]):
        for right in ([False] * len(rows[0]), [True] * len(rows[0])):
            widths = _widths(rows, right, _styles("en", "Helvetica")["head"])
            assert sum(widths) == pytest.approx(_WIDTH) and min(widths) > 0


# --- before adverse data is reported ---


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """Two loans of which one falls late on 2026-02-15, a third that is paid in time, a fourth that has been late for longer."""
    root = tmp_path_factory.mktemp("adverse") / "book"
    dues = [("2026-02-15", 900, 100), ("2026-03-15", 900, 90)]
    book_of.book(root, [book_of.loan(name, "2026-01-15", dues, product="cash_loan") for name in ("L1-1", "L2-1")] + [
        book_of.loan("L3-1", "2026-01-15", dues, product="bridge_loan", penalty=0.0), book_of.loan("L4-1", "2025-12-15", [("2026-01-15", 500, 50), ("2026-02-15", 500, 40)])])
    events = root.parent / "events.csv"
    events.write_text("event_id,loan_id,kind,value_date,amount\nE1,L2-1,repayment,2026-02-15,1000\nE2,L3-1,repayment,2026-02-15,600\n", encoding="utf-8")
    done("servicing", "post", events, "--book", root)
    done("servicing", "close", "--book", root, "--to", "2026-02-20")
    return root


def _adverse(book: Path, out: Path, *options) -> dict[str, str]:
    done("notice", "--book", book, "--to", out, "--as", "parquet", "--lang", "en", *options)
    return dict(duckdb.execute(f"SELECT loan_id, text FROM '{out}/*.parquet' ORDER BY 1").fetchall())


def test_who_is_late_is_told_before_it_is_reported_what_is_owed_and_by_when(book, tmp_path):
    found = _adverse(book, tmp_path / "out")
    assert list(found) == ["L1-1", "L3-1", "L4-1"]
    done("servicing", "state", "--book", book, "--at", "2026-02-20", "--out", tmp_path / "state.parquet")
    for loan, owed, dpd, principal, interest, penalty, fees in duckdb.execute(f"SELECT loan_id, owed_fen, dpd, principal_due_fen, interest_fen, penalty_fen, fees_fen FROM '{tmp_path}/state.parquet' WHERE status = 'overdue'").fetchall():
        text = found[loan]
        rows = {row[0].strip("*"): _fen(row[1]) for row in _tables(text)[0][2:]}
        assert rows["In all"] == owed == principal + interest + penalty + fees == sum(fen for name, fen in rows.items() if name != "In all")
        assert f"overdue by {dpd} days" in text and "by 27 February 2026, and it is not reported" in text
        assert "article 15" in text and "article 25" in text and "within 20 days" in text and "twice a year" in text
        assert ("Penalty interest grows" in text) == (loan != "L3-1")
    assert list(_adverse(book, tmp_path / "since", "--since", "2026-02-01")) == ["L1-1", "L3-1"]
    assert _adverse(book, tmp_path / "before", "--at", "2026-01-14") == {}


@pytest.mark.parametrize("lang", LANGS)
def test_golden_adverse(book, lang):
    _golden(f"adverse.{lang}.md", done("notice", "--book", book, "--application", "L1-1", "--lang", lang).out)


def test_what_cannot_be_is_said(run, book, tmp_path):
    for arguments, ref in (
        ((), "notice-of-what"), ((run, run), "notice-of-what"), ((run, "--at", "2026-01-01"), "notice-options-wrong"), (("--book", book, "--kind", "decline"), "notice-options-wrong"),
        ((run, "--kind", "praise"), "notice-choice-unknown"), ((run, "--lang", "fr"), "notice-choice-unknown"), ((run, "--as", "docx"), "format-unknown"), ((run, "--application", "nobody"), "application-not-found"),
        (("--book", book, "--at", "2027-01-01"), "day-not-closed"), (("--book", book, "--application", "L2-1"), "loan-not-overdue"), (("--book", book, "--with-names"), "names-of-whom"),
    ):
        failed = call("notice", *arguments)
        assert failed.code == 2 and ref in failed.err, (arguments, failed.err)
    done("intake", "sample_data", "--out", tmp_path / "run", "--as-of", "2026-11-24")
    assert "notice-undecided" in call("notice", tmp_path / "run").err
    application = duckdb.execute(f"SELECT min(application_id) FROM '{run}/decisions.parquet' WHERE decision = 'refer'").fetchall()[0][0]
    assert "no-letter" in done("notice", run, "--application", application, "--kind", "decline").err
    assert done("notice", run, "--to", tmp_path / "dry", "--dry-run").out and not (tmp_path / "dry").exists()
