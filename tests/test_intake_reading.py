"""Reading: every format and packing gives the same rows; who is accepted hangs on the row alone; duplicates, strangers, buckets, a killed intake."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import random
import shutil
import stat
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from intake_run import HEAD, applicants, ask, begun, lender, take

from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.run import Run, bucket_of, buckets_for
from qqloan_cli.intake import read as reading
from qqloan_cli.intake.read import take_in

PEOPLE = [
    {"name": "张䶮", "requested_amount": "1200.10"}, {"name": "Li, \"Bo\"", "gender": ""}, {"name": "两\n行", "phone": ""},
    {"requested_amount": "no"}, {"birth_date": "1990-02-30"}, {"gender": "x", "term_months": "7.5"},
]
ROWS = list(csv.DictReader(io.StringIO(applicants(*PEOPLE))))


# The same rows in every wrapping

def _delimited(delimiter: str) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, HEAD.split(","), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue()


def _sheet() -> bytes:
    book = openpyxl.Workbook()
    for row in (HEAD.split(","), *([row[name] or None for name in HEAD.split(",")] for row in ROWS)):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("export/inner.csv", content)
    return out.getvalue()


def _columnar() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{name: row[name] or None for name in HEAD.split(",")} for row in ROWS]), out)
    return out.getvalue()


WRAPPED = {
    "applicants.csv": _delimited(",").encode(),
    "applicants.tsv": _delimited("\t").encode(),
    "applicants_semicolon.csv": _delimited(";").encode(),
    "applicants_pipe.txt": _delimited("|").encode(),
    "applicants_gb.csv": _delimited(",").encode("gb18030"),
    "applicants_utf16.csv": _delimited(",").encode("utf-16"),
    "applicants_bom.csv": _delimited(",").encode("utf-8-sig"),
    "applicants.csv.gz": gzip.compress(_delimited(",").encode()),
    "applicants.csv.zip": _zipped(_delimited(",").encode()),
    "applicants_gb.zip": _zipped(_delimited(",").encode("gb18030")),
    "applicants.jsonl": "\n".join(json.dumps({k: v for k, v in row.items() if v}, ensure_ascii=False) for row in ROWS).encode(),
    "applicants.jsonl.gz": gzip.compress("\n".join(json.dumps(row) for row in ROWS).encode()),
    "applicants.json": json.dumps(ROWS, indent=1, ensure_ascii=False).encode(),
    "applicants.xlsx": _sheet(),
    "applicants.parquet": _columnar(),
    "applicants_preamble.csv": ("export of 2026-11-24\nfor: the lender, all branches\n\n" + _delimited(",")).encode(),
    "applicants_total.csv": (_delimited(",") + "合计,,,,,,,,1,,\r\n").encode(),
    "applicants/000.csv": _delimited(",").encode(),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_same_rows_in_every_wrapping(tmp_path, name):
    """
    Six applications: three good, one with no amount that can be read, one with a bad date, one with a strange gender and half a month
    """
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(WRAPPED[name])
    taken = take(tmp_path / "run", tmp_path / "in")
    plain = take(tmp_path / "plain", lender(tmp_path / "csv", _delimited(",")))
    assert taken.rows("applicants") == plain.rows("applicants") and taken.counts() == plain.counts() == (6, 3, 3, 0)
    assert taken.refused == plain.refused == [
        ("applicants", 4, "requested_amount_fen", "not-an-amount"), ("applicants", 5, "birth_date", "not-a-date"),
        ("applicants", 6, "gender", "gender-unknown"), ("applicants", 6, "term_months", "not-a-number"),
    ]
    [entry] = taken.document["inputs"]
    assert (entry["file"], entry["input"], entry["rows"], entry["bytes"]) == (name, "applicants", 6, len(WRAPPED[name]))


def test_a_typed_parquet_file_is_cast_not_mended(tmp_path):
    """
    Decimals, whole numbers, floats with holes, timestamps with a zone: what a data frame leaves
    """
    table = pa.table({
        "application_id": ["A1", "A2", "A3"], "applicant_id": pa.array([1, 2, 3], pa.int64()),
        "bank_card": pa.array([6222020000000000000, None, 6222020000000000001], pa.int64()),
        "phone": pa.array([13800000000.0, None, 13900000000.0], pa.float64()),
        "id_number": pa.array([None, 110105199010110004.0, None], pa.float64()),
        "requested_amount": pa.array([50000.1, 20000.0, 30000.005], pa.float64()),
        "stated_monthly_income": pa.array([None, "1.50", "12345678.90"], pa.string()).cast(pa.decimal128(12, 2)),
        "term_months": pa.array([12.0, float("nan"), 24.5], pa.float64()),
        "applied_at": pa.array([datetime.datetime(2026, 11, 20, 16, 30)] * 3, pa.timestamp("us", tz="UTC")),
        "birth_date": pa.array([datetime.date(1990, 1, 2)] * 3), "student": pa.array([True, None, False]),
    })
    pq.write_table(table, tmp_path / "applicants.parquet")
    taken = take(tmp_path / "run", tmp_path / "applicants.parquet")
    assert taken.refused == [("applicants", 2, "id_number", "stored-as-number"), ("applicants", 3, "term_months", "not-a-number")]
    row = taken.applicants["A1"]
    assert (row["applicant_id"], row["bank_card"], row["phone"], row["requested_amount_fen"]) == ("1", "6222020000000000000", "13800000000", 5000010)
    assert row["applied_at"] == datetime.datetime(2026, 11, 21, 0, 30)  # half past midnight on the lender's clock
    assert (row["term_months"], row["student"], row["stated_monthly_income_fen"]) == (12, True, None)


def test_money_in_fen_is_taken_as_fen(tmp_path):
    text = "applicant_id,booked_at,amount_fen,balance\nP1,2026-01-02,12345,1.5\nP1,2026-01-03,1.5,2\n"
    taken = take(tmp_path / "run", lender(tmp_path / "in", bank_statements=text))
    [row] = taken.rows("bank_statements")
    assert (row["amount_fen"], row["balance_fen"]) == (12345, 150)
    assert taken.refused == [("bank_statements", 2, "amount_fen", "not-an-amount")]


def test_months_are_their_first_day(tmp_path):
    text = "applicant_id,month,balance\n" + "".join(f"P1,{month},1\n" for month in ("2026-03", "202603", "2026-03-15", "2026年3月", "2026/3", "2026-03-31 10:00:00"))
    taken = take(tmp_path / "run", lender(tmp_path / "in", wealth=text))
    assert [row["month"] for row in taken.rows("wealth")] == [datetime.date(2026, 3, 1)] * 6


# Rows in = accepted + refused + other people's

def test_rows_of_people_without_an_application_are_counted_not_kept(tmp_path):
    """
    P1 applies, P2's application is refused, P9 is nobody's: only P1's line is kept; edges are kept whole
    """
    taken = take(tmp_path / "run", lender(
        tmp_path / "in", applicants({}, {"requested_amount": ""}),
        bank_statements="applicant_id,booked_at,amount\nP1,2026-01-01,1\nP2,2026-01-01,2\nP9,2026-01-01,3\nP9,,4\n",
        social_edges="src,dst\nP1,P9\nP9,P8\n,P8\n", outcomes="applicant_id,observed_at,bad\nP9,2025-01-01,是\n", blocklist="kind,value\nPhone,1\nhorse,2\n",
    ))
    assert taken.counts("bank_statements") == (4, 1, 1, 2)
    assert [row["amount_fen"] for row in taken.rows("bank_statements")] == [100]
    assert taken.counts("social_edges") == (3, 2, 1, 0) and taken.counts("outcomes") == (1, 1, 0, 0) and taken.counts("blocklist") == (2, 1, 1, 0)
    assert [row["kind"] for row in taken.rows("blocklist")] == ["phone"] and taken.rows("outcomes")[0]["bad"] is True


def test_everyone_refused_is_a_batch_of_nobody(tmp_path):
    taken = take(tmp_path / "run", lender(tmp_path / "in", applicants({"requested_amount": ""}), wealth="applicant_id,month,balance\nP1,2026-01,1\n"))
    assert taken.counts() == (1, 0, 1, 0) and taken.counts("wealth") == (1, 0, 0, 1) and taken.document["buckets"] == 1


def test_an_application_that_comes_twice(tmp_path):
    """
    A1 twice the same: one stays. A2 with two amounts: none stays. A3 twice, once broken: the good one stays
    """
    same, other = {"application_id": "A1", "applicant_id": "P1"}, {"application_id": "A2", "applicant_id": "P2"}
    third = {"application_id": "A3", "applicant_id": "P3"}
    text = applicants(same, other, same, {**other, "requested_amount": "60000"}, third, {**third, "requested_amount": ""})
    taken = take(tmp_path / "run", lender(tmp_path / "in", text))
    assert taken.counts() == (6, 2, 4, 0) and list(taken.applicants) == ["A1", "A3"]
    assert taken.refused == [
        ("applicants", 2, "application_id", "application-id-conflict"), ("applicants", 3, "application_id", "repeated-row"),
        ("applicants", 4, "application_id", "application-id-conflict"), ("applicants", 6, "requested_amount_fen", "requested-amount-missing"),
    ]


def test_nothing_and_an_empty_text_are_one_when_rows_are_compared(tmp_path):
    """The same application, once from CSV and once from JSON, in two files."""
    folder = lender(tmp_path / "in", applicants({"name": ""}))
    (folder / "applicants_2.jsonl").write_text(json.dumps({**ROWS[0], "name": None, "requested_amount": "50,000", "application_id": "A1", "applicant_id": "P1"}))
    taken = take(tmp_path / "run", folder)
    assert taken.counts() == (2, 1, 1, 0) and taken.refused[0][3] == "repeated-row"


# Order of rows and split into files

_LINES = st.lists(
    st.tuples(st.sampled_from(["P1", "P2", "P3", "P9", " P1", "P2 ", ""]), st.sampled_from(["2026-01-05", "20260105", "2026/1/5", "soon", "", "2026-02-30"]),
              st.sampled_from(["10.00", "1,000", "-5", "(5.00)", "x", ""]), st.sampled_from(["a", "b, c", "d\ne", "", "合计"])),
    max_size=14,
)
_APPLICANTS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["5000", "6000", "6,000.00", "", "x"]), st.sampled_from(["男", "", "?"])), min_size=1, max_size=8)


def _text(header: list[str], rows: list) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _story(taken) -> tuple:
    """What must not depend on order: rows kept, counts, and which rules refused how many."""
    rules = sorted((q["input"], q["column"] or "", q["rule"], q["raw_masked"] or "") for q in taken.quarantine)
    return taken.rows("applicants"), taken.rows("bank_statements"), taken.document["counts"], rules


@pytest.mark.long
@settings(max_examples=12, deadline=None)
@given(apps=_APPLICANTS, lines=_LINES, seed=st.integers(0, 9), cut=st.integers(0, 14))
def test_order_of_rows_and_split_into_files_change_nothing(tmp_path_factory, apps, lines, seed, cut):
    folder = tmp_path_factory.mktemp("order")
    head, statement = ["application_id", "applicant_id", "requested_amount", "gender"], ["applicant_id", "booked_at", "amount", "memo"]
    rows = [[f"A{n}", f"P{n}", amount, gender] for n, amount, gender in apps]
    once = take(folder / "once", lender(folder / "a", _text(head, rows), bank_statements=_text(statement, lines)))
    random.Random(seed).shuffle(rows)
    lines = list(lines)
    random.Random(seed).shuffle(lines)
    turned = lender(folder / "b", _text(head, rows), bank_statements_2=_text(statement, lines[cut:]), bank_statements_1=_text(statement, lines[:cut]))
    assert _story(take(folder / "again", turned, workers=1)) == _story(once)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_rows_are_numbered_as_they_stand_in_a_large_file(tmp_path, workers):
    """400,000 lines are read by several threads at once; each knows its own number."""
    count = 400_000
    table = pa.table({"applicant_id": ["P1"] * count, "booked_at": ["2026-01-05 10:00:00"] * count, "amount": pa.array(range(1, count + 1)).cast(pa.string()), "memo": ["x" * 60] * count})
    folder = lender(tmp_path / "in")
    pa.csv.write_csv(table, folder / "bank_statements.csv")
    taken = take(tmp_path / "run", folder, workers=workers)
    assert taken.counts("bank_statements") == (count, count, 0, 0)
    assert ask(f"SELECT count(*) FROM '{taken.run.root}/inputs/bank_statements/000.parquet' WHERE amount_fen <> src_row * 100") == [(0,)]


def test_parquet_files_of_one_folder_are_told_apart(tmp_path):
    """Each row's src_file is the number in run.json of the file that it stood in."""
    folder = lender(tmp_path / "in") / "bank_statements"
    folder.mkdir()
    for i in range(5):
        pq.write_table(pa.table({"applicant_id": ["P1"] * 3, "booked_at": [datetime.datetime(2026, 1, 1)] * 3, "amount": [100 * i + 1, 100 * i + 2, 100 * i + 3]}), folder / f"{i}.parquet")
    taken = take(tmp_path / "run", tmp_path / "in")
    numbers = {entry["file"]: entry["no"] for entry in taken.document["inputs"]}
    got = ask(f"SELECT src_file, src_row, amount_fen FROM '{taken.run.root}/inputs/bank_statements/000.parquet' ORDER BY amount_fen")
    assert got == [(numbers[f"bank_statements/{i}.parquet"], r, (100 * i + r) * 100) for i in range(5) for r in (1, 2, 3)]
    assert all(entry["rows"] == 3 for entry in taken.document["inputs"] if entry["input"] == "bank_statements")


# Buckets

def test_everyone_is_in_the_bucket_that_the_engine_expects(tmp_path):
    """40,000 applications: two buckets, by the leading bits of sha256(applicant_id), for applicants and lines alike."""
    count = 40_000
    names = [f"person-{i}" for i in range(count)]
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(pa.table({"application_id": [f"A{i}" for i in range(count)], "applicant_id": names, "requested_amount": [5000] * count}), folder / "applicants.parquet")
    pq.write_table(pa.table({"applicant_id": names[::3], "month": [datetime.date(2026, 1, 1)] * len(names[::3]), "balance": [1.5] * len(names[::3])}), folder / "wealth.parquet")
    taken = take(tmp_path / "run", folder)
    assert taken.document["buckets"] == buckets_for(count) == 2
    for table in ("applicants", "wealth"):
        for path in taken.run.whole(table):
            found = [row["applicant_id"] for row in pq.read_table(path, columns=["applicant_id"]).to_pylist()]
            assert found and {bucket_of(name, 2) for name in found} == {int(path.stem)}
            assert "bucket" not in pq.read_schema(path).names


def test_what_came_in_is_its_owners_alone(tmp_path):
    taken = take(tmp_path / "run", lender(tmp_path / "in"))
    assert stat.S_IMODE((taken.run.root / "inputs").stat().st_mode) == 0o700
    assert not list((taken.run.root / ".scratch").rglob("rows-*")) and not (taken.run.root / ".scratch" / "reading").exists()


def test_run_json_says_what_came_in(tmp_path):
    import hashlib

    folder = lender(tmp_path / "in", wealth="applicant_id,month,balance\nP1,2026-01,1\n")
    taken = take(tmp_path / "run", folder)
    assert [(e["no"], e["input"], e["file"], e["rows"]) for e in taken.document["inputs"]] == [(0, "applicants", "applicants.csv", 1), (1, "wealth", "wealth.csv", 1)]
    assert all(e["sha256"] == hashlib.sha256((folder / e["file"]).read_bytes()).hexdigest() for e in taken.document["inputs"])


# Several places, globs, names

def test_files_of_several_folders_with_one_name(tmp_path):
    a, b = lender(tmp_path / "north", applicants({})), lender(tmp_path / "south", applicants({"application_id": "B1", "applicant_id": "Q1"}))
    taken = take(tmp_path / "run", a, b)
    assert list(taken.applicants) == ["A1", "B1"]
    assert [e["file"] for e in taken.document["inputs"]] == ["north/applicants.csv", "south/applicants.csv"]


def test_a_glob_and_a_file_named_twice(tmp_path):
    folder = lender(tmp_path / "in", applicants({}), wealth="applicant_id,month,balance\nP1,2026-01,1\n")
    taken = take(tmp_path / "run", folder / "app*.csv", folder / "applicants.csv", folder / "wealth.csv")
    assert taken.counts() == (1, 1, 0, 0) and taken.counts("wealth") == (1, 1, 0, 0)


def test_a_header_in_other_case_is_the_same_header(tmp_path):
    text = applicants({}).replace("application_id", "Application_ID", 1).replace("requested_amount", "REQUESTED_AMOUNT", 1)
    assert take(tmp_path / "run", lender(tmp_path / "in", text)).counts() == (1, 1, 0, 0)


def test_broken_lines_do_not_swallow_the_next(tmp_path):
    """
    A quote that is never closed costs its own line; so does a line of too few or too many fields
    """
    rows = applicants({}, {}, {}, {}, {}, {}).rstrip("\n").split("\n")
    rows[2] = rows[2].replace("测试甲", '"测试甲')
    rows[4] += ",and,more"
    rows[5] = "A5,P5"
    taken = take(tmp_path / "run", lender(tmp_path / "in", "\n".join(rows) + "\n"))
    assert list(taken.applicants) == ["A1", "A3", "A6"] and taken.counts() == (6, 3, 3, 0)
    assert [(q["row"], q["rule"]) for q in taken.quarantine] == [(2, "broken-line"), (4, "broken-line"), (5, "broken-line")]
    assert [q["reason"].split(":")[0] for q in taken.quarantine] == ["line 3", "line 5", "line 6"]
    assert all(row[:1] + row[3:4] for row in taken.refused) and "测试甲" not in str(taken.quarantine)


def test_a_long_file_with_one_odd_byte_of_another_encoding_is_read_whole(tmp_path):
    """The first 300,000 bytes are plain, so it looks like UTF-8; then come GB18030 names."""
    text = applicants(*({"name": f"person {i}"} for i in range(3000)), {"name": "张䶮"})
    taken = take(tmp_path / "run", lender(tmp_path / "in", text.encode("gb18030")))
    assert len(text) > 300_000 and taken.applicants["A3001"]["name"] == "张䶮" and taken.counts() == (3001, 3001, 0, 0)


# A killed intake

def _bytes(run: Run) -> dict[str, bytes]:
    return {str(p.relative_to(run.root)): p.read_bytes() for p in sorted(run.root.rglob("*.parquet")) if ".scratch" not in p.parts and "config" not in p.parts}


@pytest.mark.parametrize("stop_at", ["applicants", "bank_statements", "wealth"])
def test_a_killed_intake_goes_on_where_it_was(tmp_path, monkeypatch, stop_at):
    """Killed while it reads one input: what was finished is not read again, the half is thrown away, and the end is the same."""
    folder = lender(
        tmp_path / "in", applicants({}, {}, {"requested_amount": ""}), wealth="applicant_id,month,balance\nP1,2026-01,1\nP2,soon,1\nP9,2026-01,1\n",
        bank_statements="applicant_id,booked_at,amount\nP1,2026-01-01,1\nP2,x,2\n合计,,3\n",
    )
    whole = take(tmp_path / "whole", folder)
    run = begun(tmp_path / "run")

    class Killed(BaseException):
        pass

    real, done = reading._Intake._count, []

    def count(self, name, groups, written):
        if name == stop_at:
            raise Killed
        done.append(name)
        return real(self, name, groups, written)

    monkeypatch.setattr(reading._Intake, "_count", count)
    with pytest.raises(Killed):
        take_in(run, [folder], source=None, max_quarantine=None, workers=2, events=SILENT)
    finished, half = list(done), run.folder(stop_at) / "007.parquet"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half")
    again = begun(tmp_path / "run")
    done.clear()
    monkeypatch.setattr(reading._Intake, "_count", lambda self, name, groups, written: done.append(name) or real(self, name, groups, written))
    take_in(again, [folder], source=None, max_quarantine=None, workers=2, events=SILENT)
    assert not set(done) & set(finished) and _bytes(again) == _bytes(whole.run)
    for key in ("counts", "inputs", "buckets"):
        assert again.document[key] == whole.document[key], key


# The sample, if it is there

def test_the_sample_comes_in_whole_but_for_what_it_plants(tmp_path):
    folder = ROOT / "sample_data"
    if not (folder / "applicants.csv").exists():
        pytest.skip("no sample data in this checkout")
    taken = take(tmp_path / "run", folder)
    with open(folder / "applicants.csv", encoding="utf-8-sig", newline="") as handle:
        assert taken.counts()[0] == sum(1 for _ in csv.DictReader(handle))
    assert taken.counts()[1] > 0.9 * taken.counts()[0]


def test_nothing_is_written_beside_a_lenders_files(tmp_path):
    folder = lender(tmp_path / "in", applicants({}).encode("gb18030"))
    (folder / "wealth.csv.gz").write_bytes(gzip.compress(b"applicant_id,month,balance\nP1,2026-01,1\n"))
    before = {p: p.read_bytes() for p in folder.iterdir()}
    take(tmp_path / "run", folder)
    assert {p: p.read_bytes() for p in folder.iterdir()} == before


def test_a_run_in_the_way_of_its_own_input_is_refused_with_a_reason(tmp_path):
    """A folder of an earlier run is no lender's folder: its tables are not read as if they were."""
    first = take(tmp_path / "first", lender(tmp_path / "in"))
    shutil.copytree(first.run.root / "inputs", tmp_path / "copied")
    taken = take(tmp_path / "run", tmp_path / "copied")
    assert taken.counts() == (1, 1, 0, 0)
    assert taken.rows("applicants") == first.rows("applicants")


def test_goods_named_with_digits_alone_stay_text(tmp_path):
    text = "applicant_id,booked_at,amount,memo,line_id\nP1,2026-01-01,1,12345,0020240302000001\t\n"
    [row] = take(tmp_path / "run", lender(tmp_path / "in", bank_statements=text)).rows("bank_statements")
    assert (row["memo"], row["line_id"]) == ("12345", "0020240302000001")


