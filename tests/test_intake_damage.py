"""What spreadsheets, exports and people do to numbers, dates and signs: mended where nothing was lost, refused with a reason where something was."""

from __future__ import annotations

import datetime

import openpyxl
import pytest
from intake_run import HEAD, applicants, lender, take

STATEMENT = "applicant_id,booked_at,amount,balance,memo\n"


def _one(tmp_path, **change):
    """One application that differs from a good one: (its row or None, what it was refused for)."""
    taken = take(tmp_path / "run", lender(tmp_path / "in", applicants(change)))
    return taken.applicants.get("A1"), [(column, rule) for _, _, column, rule in taken.refused]


# Mended: nothing was lost

@pytest.mark.parametrize("column, written, read", [
    ("phone", "13800000000.0", "13800000000"),
    ("phone", "１３８００００００００", "13800000000"),
    ("phone", "+86 138-0000-0000", "13800000000"),
    ("phone", "8613800000000", "13800000000"),
    ("phone", "138 0000 0000", "13800000000"),
    ("id_number", " 11010519901011000x ", "11010519901011000X"),
    ("id_number", "1101051990１01１0004", "110105199010110004"),
    ("id_number", "110105901011000.0", "110105901011000"),
    ("id_number", "110105 19901011 0004", "110105199010110004"),
    ("bank_card", "6222 0200 0000 0000 000", "6222020000000000000"),
    ("bank_card", "6222-0200-0000-0000", "6222020000000000"),
    ("requested_amount_fen", "1,234,567.80", 123456780),
    ("requested_amount_fen", "￥50,000", 5000000),
    ("requested_amount_fen", "RMB 50000元", 5000000),
    ("requested_amount_fen", "５００００．５", 5000050),
    ("requested_amount_fen", "+50000", 5000000),
    ("requested_amount_fen", "50000.", 5000000),
    ("term_months", "36个月", 36),
    ("term_months", "36期", 36),
    ("term_months", "36.0", 36),
    ("term_months", " 36 ", 36),
    ("gender", "男", "male"),
    ("gender", "Ｆ", "female"),
    ("gender", "2", "female"),
    ("gender", "未知", None),
    ("birth_date", "1990/1/2", datetime.date(1990, 1, 2)),
    ("birth_date", "1990年1月2日", datetime.date(1990, 1, 2)),
    ("birth_date", "19900102", datetime.date(1990, 1, 2)),
    ("birth_date", "1990.01.02", datetime.date(1990, 1, 2)),
    ("birth_date", "32875", datetime.date(1990, 1, 2)),
    ("birth_date", "2-Jan-1990", datetime.date(1990, 1, 2)),
    ("birth_date", "1990-01-02 00:00:00", datetime.date(1990, 1, 2)),
    ("applied_at", "2026-11-20T10:00:00+08:00", datetime.datetime(2026, 11, 20, 10)),
    ("applied_at", "2026/11/20 9:05", datetime.datetime(2026, 11, 20, 9, 5)),
    ("applied_at", "46346.5", datetime.datetime(2026, 11, 20, 12)),
    ("applied_at", "20261120 101112", datetime.datetime(2026, 11, 20, 10, 11, 12)),
    ("name", "　测试甲 ", "测试甲"),
    ("name", "", None),
])
def test_what_lost_nothing_is_mended(tmp_path, column, written, read):
    row, refused = _one(tmp_path, **{column.removesuffix("_fen"): written})
    assert refused == [] and row[column] == read


@pytest.mark.parametrize("column, written", [
    ("phone", ""), ("phone", "NULL"), ("id_number", "N/A"), ("bank_card", "-"), ("birth_date", "NULL"), ("birth_date", "#N/A"), ("term_months", "nan"), ("gender", ""), ("applied_at", ""),
])
def test_a_word_for_nothing_is_nothing(tmp_path, column, written):
    row, refused = _one(tmp_path, **{column: written})
    assert refused == []
    assert row[column] == (datetime.datetime(2026, 11, 24) if column == "applied_at" else None)  # who has no date applied on the as-of date


def test_yes_and_no_in_many_words(tmp_path):
    """
    是, Y, 1, TRUE are yes; 否, n, 0.0 are no; 也许 is neither
    """
    words = ["是", "Y", "1", "TRUE", "否", "n", "0.0", "", "也许"]
    taken = take(tmp_path / "run", lender(tmp_path / "in", applicants(*({"student": word} for word in words), columns=HEAD + ",student")))
    assert [taken.applicants[f"A{i}"]["student"] for i in range(1, 9)] == [True] * 4 + [False] * 3 + [None]
    assert taken.refused == [("applicants", 9, "student", "not-a-yes-or-no")]


# Refused: something was lost, or cannot be known

@pytest.mark.parametrize("column, written, rule", [
    ("id_number", "1.10105E+17", "stored-as-number"),
    ("id_number", "1.10105199010110E+17", "stored-as-number"),
    ("id_number", "110105199010110000.0", "stored-as-number"),
    ("bank_card", "6.22202E+18", "stored-as-number"),
    ("phone", "1.38E+10", "stored-as-number"),
    ("requested_amount", "five", "not-an-amount"),
    ("requested_amount", "1.234,56", "not-an-amount"),
    ("requested_amount", "1,3", "not-an-amount"),
    ("requested_amount", "5E4", "not-an-amount"),
    ("birth_date", "1990-02-30", "not-a-date"),
    ("birth_date", "03/04/1990", "not-a-date"),
    ("birth_date", "90-03-04", "not-a-date"),
    ("birth_date", "infinity", "not-a-date"),
    ("applied_at", "soon", "not-a-date"),
    ("term_months", "24.5", "not-a-number"),
    ("term_months", "two years", "not-a-number"),
    ("term_months", "0", "term-out-of-range"),
    ("requested_amount", "0", "requested-amount-not-positive"),
    ("requested_amount", "-5", "requested-amount-not-positive"),
    ("requested_amount", "", "requested-amount-missing"),
    ("application_id", "", "application-id-missing"),
    ("applicant_id", "NULL", "applicant-id-missing"),
    ("applicant_id", "1.23457E+11", "stored-as-number"),
    ("gender", "robot", "gender-unknown"),
    ("applied_at", "2026-11-25 00:00:00", "applied-after-as-of"),
])
def test_what_cannot_be_trusted_is_refused(tmp_path, column, written, rule):
    row, refused = _one(tmp_path, **{column: written})
    assert row is None
    assert [r for _, r in refused] == [rule]


def test_an_invalid_number_is_not_intakes_to_judge(tmp_path):
    """
    A wrong check digit, a short phone, letters inside: verify decides
    """
    row, refused = _one(tmp_path, id_number="11010519A01011000X", phone="1380000", bank_card="12345")
    assert refused == [] and (row["id_number"], row["phone"], row["bank_card"]) == ("11010519A01011000X", "1380000", "12345")


# The cases of others (../shared/cases), made anew

def test_g02_letters_and_full_width_digits_inside(tmp_path):
    numbers = ["11010519A01011000X", "1101051990１01１0005", "", "110105199010110005", "110105199013110005"]
    taken = take(tmp_path / "run", lender(tmp_path / "in", applicants(*({"id_number": n} for n in numbers))))
    assert taken.counts() == (5, 5, 0, 0)
    assert [taken.applicants[f"A{i}"]["id_number"] for i in range(1, 6)] == ["11010519A01011000X", "110105199010110005", None, "110105199010110005", "110105199013110005"]


def _workbook(path, *rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_g03_identity_numbers_kept_as_numbers(tmp_path):
    """
    A1 was cut to 15 digits, A2's digits end in 000 and its check digit fits by chance: a number all the same. A3 is text
    """
    path = _workbook(
        tmp_path / "applicants.xlsx", ["application_id", "applicant_id", "id_number", "requested_amount"],
        ["A1", "P1", 110105199412310000, 5000], ["A2", "P2", 110105199001080000, 6000], ["A3", "P3", "11010519941231000X", 7000.5],
    )
    taken = take(tmp_path / "run", path)
    assert taken.refused == [("applicants", 1, "id_number", "stored-as-number"), ("applicants", 2, "id_number", "stored-as-number")]
    assert list(taken.applicants) == ["A3"] and taken.applicants["A3"]["requested_amount_fen"] == 700050


def test_g04_a_sheet_that_lies_about_its_size(tmp_path):
    """
    The sheet says A1; five rows and a total of 15000 are there
    """
    import zipfile

    whole = _workbook(tmp_path / "whole.xlsx", ["application_id", "applicant_id", "requested_amount"], *([f"A{i}", f"P{i}", 1000 * i] for i in range(1, 6)))
    lying = tmp_path / "applicants.xlsx"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(lying, "w") as target:
        for entry in source.namelist():
            content = source.read(entry)
            if entry.startswith("xl/worksheets/sheet"):
                assert b'<dimension ref="A1:C6"' in content
                content = content.replace(b'<dimension ref="A1:C6"', b'<dimension ref="A1"')
            target.writestr(entry, content)
    taken = take(tmp_path / "run", lying)
    assert taken.counts() == (5, 5, 0, 0) and sum(row["requested_amount_fen"] for row in taken.rows("applicants")) == 1_500_000


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_g05_rare_characters_in_any_encoding(tmp_path, encoding):
    names = ["张䶮", "李𠮷", "王㐂"]
    text = applicants(*({"name": name, "requested_amount": "1200.10"} for name in names)).replace("\n", "\r\n")
    taken = take(tmp_path / "run", lender(tmp_path / "in", text.encode(encoding)))
    assert [taken.applicants[f"A{i}"]["name"] for i in (1, 2, 3)] == names
    assert sum(row["requested_amount_fen"] for row in taken.rows("applicants")) == 360030


def test_g06_ten_rows_three_bad(tmp_path):
    """
    A bare comma in line 4, 30 February in line 6, no amount in line 9; a quoted comma and a quoted line break are good
    """
    text = (
        "applicant_id,booked_at,amount,memo\nP1,2024-03-01,100.00,a\nP1,2024-03-01,200.00,\"b, with comma\"\nP1,2024-03-01,1,300.00,c\n"
        "P1,2024-03-01,400.00,d\nP1,2024-02-30,500.00,e\nP1,2024-03-01,600.00,\"two\nlines\"\nP1,2024-03-01,,g\n"
        "P1,2024-03-01,800.00,h\nP1,2024-03-01,900.00,i\nP1,2024-03-01,1000.00,j\n"
    )
    taken = take(tmp_path / "run", lender(tmp_path / "in", bank_statements=text))
    assert taken.counts("bank_statements") == (10, 7, 3, 0)
    assert sum(row["amount_fen"] for row in taken.rows("bank_statements")) == 400000
    assert "two\nlines" in [row["memo"] for row in taken.rows("bank_statements")]
    assert [(q["row"], q["rule"], q["reason"].split(":")[0]) for q in taken.quarantine] == [
        (3, "broken-line", "line 4"), (5, "not-a-date", "line 6"), (7, "amount-missing", "line 9"),
    ]


def test_g08_yen_signs_and_thousands(tmp_path):
    text = STATEMENT + 'P1,2024-03-02,"¥1,020.00",,\nP1,2024-03-03,"￥12,345.67",,\nP1,2024-03-04,-¥3.50,,\n'
    taken = take(tmp_path / "run", lender(tmp_path / "in", bank_statements=text))
    assert sorted(row["amount_fen"] for row in taken.rows("bank_statements")) == [-350, 102000, 1234567]


def test_g09_signs_of_every_style(tmp_path):
    """
    +5000 salary, -1200 rent, -50 fee, -35.50 and -20 card, +300 gift; 1.000- DR is two signs, so it is refused
    """
    amounts = ['"5,000.00 CR"', '"1,200.00 DR"', "50.00-", "(35.50)", "−20.00", "+300.00", "-7.00 DR", "8.00 X"]
    text = STATEMENT + "".join(f"P1,2024-03-0{i},{amount},,\n" for i, amount in enumerate(amounts, 1))
    taken = take(tmp_path / "run", lender(tmp_path / "in", bank_statements=text))
    got = [row["amount_fen"] for row in taken.rows("bank_statements")]
    assert (sum(a for a in got if a > 0), -sum(a for a in got if a < 0)) == (530000, 130550)
    assert taken.refused == [("bank_statements", 7, "amount_fen", "not-an-amount"), ("bank_statements", 8, "amount_fen", "not-an-amount")]


def test_g20_nothing_of_a_refused_value_is_kept(tmp_path):
    """
    A number in scientific notation, an amount in words, a gender that is none: masked but for the outline
    """
    bad = {"id_number": "1.10105199010110E+17", "requested_amount": "五万八千", "gender": "robot", "name": "测试乙"}
    taken = take(tmp_path / "run", lender(tmp_path / "in", applicants(bad)))
    said = str(taken.quarantine)
    assert len(taken.quarantine) == 3
    for value in (*bad.values(), "110105", "1990"):
        assert value not in said
    assert all(set(q["raw_masked"]) <= set("*.+") for q in taken.quarantine)


# Rows that are no data

def test_totals_headers_and_blank_rows_are_skipped_and_counted(tmp_path):
    """
    Two applications, a blank row, the header again, and a total in the applicants; a total under the statements
    """
    rows = applicants({}, {}).rstrip("\n").split("\n")
    text = "\n".join([rows[0], rows[1], "," * 10, rows[0], rows[2], "合计,,,,,,,,100000,,"]) + "\n"
    statement = STATEMENT + "P1,2024-03-01,100.00,,\n总计：,,100.00,,\n"
    taken = take(tmp_path / "run", lender(tmp_path / "in", text, bank_statements=statement))
    assert taken.counts() == (2, 2, 0, 0) and taken.counts("bank_statements") == (1, 1, 0, 0)
    skipped = {entry["file"]: entry.get("skipped", {}) for entry in taken.document["inputs"]}
    assert {kind: told["rows"] for kind, told in skipped["applicants.csv"].items() if kind != "blank-row"} == {"repeated-header": 1, "total-row": 1}
    assert skipped["bank_statements.csv"] == {"total-row": {"rows": 1, "first": [2]}}
    assert [entry["rows"] for entry in taken.document["inputs"]] == [2, 1]


def test_dates_in_a_sheet_are_dates_and_serial_numbers_too(tmp_path):
    path = _workbook(
        tmp_path / "applicants.xlsx", ["application_id", "applicant_id", "phone", "birth_date", "requested_amount", "applied_at"],
        ["A1", "P1", 13800000000, datetime.date(1990, 1, 2), 5000, datetime.datetime(2026, 11, 20, 10, 30)],
        ["A2", "P2", "13900000000", 32875, "5,000.00", 46346.5],
    )
    taken = take(tmp_path / "run", path)
    first, second = taken.applicants["A1"], taken.applicants["A2"]
    assert first["birth_date"] == second["birth_date"] == datetime.date(1990, 1, 2)
    assert (first["applied_at"], second["applied_at"]) == (datetime.datetime(2026, 11, 20, 10, 30), datetime.datetime(2026, 11, 20, 12))
    assert (first["phone"], second["phone"]) == ("13800000000", "13900000000")
