"""Files that are not what they say: exit code 3, one line that names the file and how to mend it, nothing of a row in it, nothing left behind."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import AS_OF, call
from intake_run import GOOD, HEAD, applicants, lender, take

from qqloan_cli.errors import ConfigError, InputError, QqloanError

TEXT = f"{HEAD}\n{GOOD}\n".encode()
VALUES = ("测试甲", "110105199010110004", "13800000000", "6222020000000000000", "P1", "50000.00")


def _parquet(columns: dict | None = None) -> bytes:
    out = io.BytesIO()
    names = HEAD.split(",")
    pq.write_table(pa.table(columns or {name: [value] * 2000 for name, value in zip(names, GOOD.split(","))}), out)
    return out.getvalue()


def _workbook(*rows) -> bytes:
    out = io.BytesIO()
    book = openpyxl.Workbook()
    for row in rows or (HEAD.split(","), GOOD.split(",")):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_csv", ".csv"), content)
    return out.getvalue()


def _holed(content: bytes) -> bytes:
    """Damaged inside, its ends whole."""
    middle = len(content) // 2
    return content[: middle - 200] + bytes(400) + content[middle + 200:]


def _without(name: str) -> bytes:
    return TEXT.replace(name.encode(), b"another", 1)


RANDOM = random.Random(7).randbytes(4096)
JSON = json.dumps(dict(zip(HEAD.split(","), GOOD.split(","))), ensure_ascii=False)

# file, content, reference of the error
FILES = {
    "empty": ("applicants.csv", b"", "file-empty"),
    "blank lines alone": ("applicants.csv", b"\n\n  \n", "file-empty"),
    "a byte order mark alone": ("applicants.csv", b"\xef\xbb\xbf", "file-empty"),
    "header alone": ("applicants.csv", HEAD.encode() + b"\n", "no-applications"),
    "header and blank rows": ("applicants.csv", HEAD.encode() + b"\n" + b"," * 10 + b"\n", "no-applications"),
    "header and a total": ("applicants.csv", HEAD.encode() + "\n合计,,,,,,,,5,,\n".encode(), "no-applications"),
    "random bytes": ("applicants.csv", RANDOM, "file-binary"),
    "random bytes as Parquet": ("applicants.parquet", RANDOM, "parquet-broken"),
    "random bytes as a workbook": ("applicants.xlsx", RANDOM, "workbook-broken"),
    "random bytes as an old workbook": ("applicants.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + RANDOM, "workbook-broken"),
    "a program": ("applicants.csv", b"\x7fELF\x02\x01\x01" + bytes(500) + TEXT, "file-binary"),
    "a picture": ("applicants.csv", b"\x89PNG\r\n\x1a\n" + RANDOM, "file-binary"),
    "other columns": ("applicants.csv", b"foo,bar\n1,2\n", "columns-missing"),
    "a needed column renamed": ("applicants.csv", _without("application_id"), "columns-missing"),
    "another needed column renamed": ("applicants.csv", _without("requested_amount"), "columns-missing"),
    "a column twice": ("applicants.csv", TEXT.replace(b"name,", b"phone,", 1), "column-twice"),
    "no header": ("applicants.csv", GOOD.encode() + b"\n" + GOOD.encode() + b"\n", "columns-missing"),
    "header in another case of words": ("applicants.csv", "申请编号,姓名,金额\n1,测试甲,5\n".encode(), "columns-missing"),
    "half of a Parquet file": ("applicants.parquet", _parquet()[:3000], "parquet-broken"),
    "Parquet without its end": ("applicants.parquet", _parquet()[:-8], "parquet-broken"),
    "Parquet damaged inside": ("applicants.parquet", _holed(_parquet({"application_id": [f"A{i}{'x' * 40}" for i in range(5000)], "applicant_id": [f"P{i}" for i in range(5000)], "requested_amount": list(range(5000))})), "file-unreadable"),
    "Parquet with lists": ("applicants.parquet", _parquet({"application_id": ["A1"], "applicant_id": [["P1"]], "requested_amount": [5]}), "column-type-wrong"),
    "Parquet without rows": ("applicants.parquet", _parquet({"application_id": pa.array([], pa.string()), "applicant_id": pa.array([], pa.string()), "requested_amount": pa.array([], pa.int64())}), "no-applications"),
    "CSV that is called Parquet": ("applicants.parquet", TEXT, "parquet-broken"),
    "CSV that is called a workbook": ("applicants.xlsx", TEXT, "workbook-broken"),
    "a workbook cut short": ("applicants.xlsx", _workbook()[:3000], "workbook-broken"),
    "zip letters and rubbish": ("applicants.xlsx", b"PK\x03\x04rubbish", "workbook-broken"),
    "a workbook of other columns": ("applicants.xlsx", _workbook(["foo", "bar"], ["1", "2"]), "columns-missing"),
    "a workbook with nothing in it": ("applicants.xlsx", _workbook([]), "columns-missing"),
    "a zip cut short": ("applicants.csv.zip", _zip(a_csv=TEXT * 50)[:100], "archive-broken"),
    "a zip of two files": ("applicants.csv.zip", _zip(a_csv=TEXT, b_csv=TEXT), "archive-of-several"),
    "a zip of none": ("applicants.csv.zip", _zip(), "archive-broken"),
    "a zip damaged inside": ("applicants.csv.zip", _holed(_zip(a_csv=applicants(*({"name": f"{random.Random(i).random()}"} for i in range(300))).encode())), "archive-broken"),
    "gzip cut short": ("applicants.csv.gz", gzip.compress(applicants(*({"name": f"{random.Random(i).random()}"} for i in range(300))).encode())[:4000], "archive-broken"),
    "gzip letters and rubbish": ("applicants.csv.gz", b"\x1f\x8b" + RANDOM, "archive-broken"),
    "no line is JSON": ("applicants.jsonl", b'{"application_id": 1\n{"application_id"\n', "json-broken"),
    "one JSON line, broken": ("applicants.jsonl", b'{"application_id": 1\n', "json-broken"),
    "a JSON list, broken": ("applicants.json", f"[{JSON},".encode(), "json-broken"),
    "JSON of other names": ("applicants.jsonl", b'{"foo": 1}\n', "columns-missing"),
    "JSON numbers, not objects": ("applicants.jsonl", b"1\n2\n", "json-broken"),
    "UTF-8 cut in a character, GB18030 neither": ("applicants.csv", TEXT + "甲,".encode() + b"\xff\x81\n", "encoding-unknown"),
    "UTF-16 cut in a character": ("applicants.csv", TEXT.decode().encode("utf-16")[:-1], "encoding-wrong"),
}


def _quiet(said: str) -> None:
    """One line, and nothing of a row."""
    assert "\n" not in said and len(said) < 600 and "Traceback" not in said
    for value in VALUES:
        assert value not in said.split(), said
        assert len(value) < 5 or value not in said, said


@pytest.mark.parametrize("name, content, ref", FILES.values(), ids=FILES.keys())
def test_a_file_that_is_not_what_it_says(tmp_path, name, content, ref):
    path = tmp_path / "in" / name
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", path.parent)
    _quiet(str(error.value))
    assert error.value.exit_code == 3 and error.value.hint
    assert error.value.ref == ref, str(error.value)
    assert name in error.value.where


def test_there_are_thirty_kinds_and_more():
    assert len(FILES) >= 30 and len({ref for _, _, ref in FILES.values()}) >= 12


@pytest.mark.parametrize("content", [b"foo,bar\n1,2\n", b"", RANDOM], ids=["other columns", "empty", "binary"])
def test_a_supporting_file_is_looked_at_as_hard(tmp_path, content):
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", lender(tmp_path / "in", bank_statements=content))
    assert error.value.where == "bank_statements.csv"
    _quiet(str(error.value))


def test_a_supporting_file_with_a_header_alone_is_a_table_of_no_rows(tmp_path):
    taken = take(tmp_path / "run", lender(tmp_path / "in", bank_statements="applicant_id,booked_at,amount\n", blocklist="kind,value\n"))
    assert taken.counts("bank_statements") == taken.counts("blocklist") == (0, 0, 0, 0)


def test_the_wrong_columns_are_named_with_those_there_are(tmp_path):
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", lender(tmp_path / "in", _without("application_id")))
    assert "application_id" in str(error.value) and "another" in str(error.value)


def test_a_row_in_the_place_of_the_header_is_not_repeated(tmp_path):
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", lender(tmp_path / "in", GOOD + "\n"))
    assert "does not look like a header" in str(error.value)
    _quiet(str(error.value))


def test_a_folder_of_other_things(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "README.md").write_text("nothing")
    (tmp_path / "in" / "photo.jpg").write_bytes(RANDOM)
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", tmp_path / "in")
    assert error.value.ref == "input-not-recognised" and "applicants.csv" in error.value.hint


@pytest.mark.parametrize("given", ["nowhere", "nowhere/*.csv"])
def test_nothing_there(tmp_path, given):
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", tmp_path / given)
    assert error.value.ref == "input-not-found"


def test_an_empty_folder(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", tmp_path / "in")
    assert error.value.ref == "input-not-found"


def test_no_applicants_among_the_files(tmp_path):
    path = tmp_path / "bank_statements.csv"
    path.write_text("applicant_id,booked_at,amount\nP1,2026-01-01,5\n")
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", path)
    assert error.value.ref == "applicants-missing" and "bank_statements" in str(error.value)


def test_a_file_that_was_named_and_is_of_no_use_is_an_error(tmp_path):
    other = tmp_path / "notes.csv"
    other.write_text("foo,bar\n1,2\n")
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", lender(tmp_path / "in") / "applicants.csv", other)
    assert error.value.where == "notes.csv" and "draft" in error.value.hint


def test_a_file_of_no_use_in_a_folder_is_left_and_said(tmp_path):
    folder = lender(tmp_path / "in")
    (folder / "notes.csv").write_text("foo,bar\n1,2\n")
    (folder / "payrol.csv").write_text("applicant_id,pay_date,net\nP1,2026-01-01,5\n")
    taken = take(tmp_path / "run", folder)
    [warning] = [w["text"] for w in taken.document["warnings"] if w["ref"] == "files-not-used"]
    assert "notes.csv" in warning and "payrol.csv" in warning


def test_a_column_that_nothing_reads_is_said(tmp_path):
    taken = take(tmp_path / "run", lender(tmp_path / "in", TEXT.replace(b"name,", b"full_name,", 1)))
    assert any("full_name" in w["text"] for w in taken.document["warnings"])


def test_an_unknown_mapping(tmp_path):
    with pytest.raises(ConfigError) as error:
        take(tmp_path / "run", lender(tmp_path / "in"), source="no_such")
    assert error.value.exit_code == 2


# Too many refused rows

def test_more_refused_rows_than_allowed_stop_it_and_the_top_rule_is_named(tmp_path):
    """
    3 of 10 have no amount, 1 has a bad date: 40 %
    """
    rows = [{"requested_amount": ""}] * 3 + [{"birth_date": "soon"}] + [{}] * 6
    folder = lender(tmp_path / "in", applicants(*rows))
    assert take(tmp_path / "allowed", folder, max_quarantine=0.4).counts() == (10, 6, 4, 0)
    with pytest.raises(InputError) as error:
        take(tmp_path / "run", folder, max_quarantine=0.39)
    assert "4 of 10" in str(error.value) and "requested-amount-missing" in str(error.value) and error.value.where == "applicants"


# Through the command line

@pytest.mark.parametrize("kind", ["empty", "random bytes", "half of a Parquet file", "other columns", "CSV that is called Parquet", "zip letters and rubbish", "one JSON line, broken"])
def test_on_the_command_line_it_is_exit_3_one_line_and_nothing_left(tmp_path, kind):
    name, content, ref = FILES[kind]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    result = call("intake", tmp_path / "in", "--out", tmp_path / "run", "--as-of", AS_OF, "--quiet")
    assert (result.code, result.out) == (3, "") and len(result.err.splitlines()) == 1 and ref in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_every_error_is_one_of_ours(tmp_path):
    """Cut anywhere, a Parquet file and a workbook end in one of our errors or are read."""
    for number, (name, content) in enumerate([("applicants.parquet", _parquet()), ("applicants.xlsx", _workbook()), ("applicants.csv.gz", gzip.compress(TEXT))]):
        for cut in range(1, len(content), max(1, len(content) // 12)):
            folder: Path = tmp_path / f"{number}-{cut}"
            folder.mkdir()
            (folder / name).write_bytes(content[:cut])
            with pytest.raises(QqloanError) as error:
                take(folder / "run", folder / name)
            _quiet(str(error.value))
