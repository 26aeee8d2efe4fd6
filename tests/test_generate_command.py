"""qqloan generate as a user meets it, and the sample that came of it."""

from __future__ import annotations

import csv

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, call, done

from qqloan_cli.engine.files import digest_folder
from qqloan_cli.generate.lender import INPUTS


def test_the_same_order_gives_the_same_bytes_whatever_the_workers(tmp_path):
    for workers in (1, 2):
        done("generate", "--applicants", 17_000, "--seed", 3, "--format", "parquet", "--out", tmp_path / str(workers), "--workers", workers)
    assert digest_folder(tmp_path / "1") == digest_folder(tmp_path / "2")
    assert len(list((tmp_path / "1" / "bank_statements").glob("*.parquet"))) == 2
    assert not list(tmp_path.glob(".*"))


def test_csv_and_parquet_hold_the_same_rows(tmp_path):
    for format in ("csv", "parquet"):
        done("generate", "--applicants", 200, "--seed", 4, "--format", format, "--out", tmp_path / format)
    con = duckdb.connect()
    for name in INPUTS:
        parquet = f"read_parquet('{tmp_path}/parquet/{name}/*.parquet')"
        types = dict(con.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {parquet})").fetchall())
        text = f"read_csv('{tmp_path}/csv/{name}.csv', columns = {types!r}, header = true, delim = ',', quote = '')"
        for one, other in ((parquet, text), (text, parquet)):
            assert con.execute(f"SELECT count(*) FROM (SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other})").fetchall() == [(0,)], name
    assert digest_folder(tmp_path / "csv" / "truth") == digest_folder(tmp_path / "parquet" / "truth")


def test_parquet_has_the_types_of_the_design(tmp_path):
    done("generate", "--applicants", 30, "--format", "parquet", "--out", tmp_path / "d")
    schema = pq.read_schema(tmp_path / "d" / "applicants" / "00000.parquet")
    got = {name: str(schema.field(name).type) for name in ("requested_amount", "birth_date", "applied_at", "term_months", "student", "id_number")}
    assert got == {
        "requested_amount": "decimal128(18, 2)", "birth_date": "date32[day]", "applied_at": "timestamp[us]", "term_months": "int32", "student": "bool", "id_number": "string",
    }


def test_the_truth_is_named_so_that_nobody_takes_it_for_input(tmp_path):
    done("generate", "--applicants", 30, "--out", tmp_path / "d")
    files = sorted(path.name for path in (tmp_path / "d" / "truth").iterdir())
    assert files == ["README.md", "truth_applications.parquet", "truth_lines.parquet", "truth_outcomes.parquet"]
    assert sorted(path.name for path in (tmp_path / "d").iterdir() if path.is_file()) == sorted(f"{name}.csv" for name in INPUTS)
    text = (tmp_path / "d" / "truth" / "README.md").read_text(encoding="utf-8")
    assert "log odds" in text and "| `pay-inflated` | 0.8% |" in text


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("mine")
    result = call("generate", "--applicants", 10, "--out", tmp_path)
    result.shows(2, err=f"error: out-not-empty: something stands under this name ({tmp_path}). Choose another --out.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "d").mkdir()
    done("generate", "--applicants", 10, "--out", tmp_path / "d")
    assert (tmp_path / "d" / "applicants.csv").is_file()


@pytest.mark.parametrize("options, says", [
    (("--format", "xlsx"), "format-unknown"), (("--as-of", "24.11.2026"), "date-wrong"), (("--applicants", "0"), "command-line-wrong"), (("--seed", "-1"), "command-line-wrong"),
])
def test_a_wrong_order_is_refused_and_leaves_nothing(tmp_path, options, says):
    result = call("generate", "--applicants", 10, *options, "--out", tmp_path / "d")
    assert (result.code, result.err.split(":")[1].strip()) == (2, says)
    assert not list(tmp_path.iterdir())


def test_a_dry_run_says_sizes_and_writes_nothing(tmp_path):
    result = done("generate", "--applicants", 1_000_000, "--format", "parquet", "--out", tmp_path / "d", "--dry-run")
    assert "bank_statements   about    12,200,000 rows" in result.err
    assert not list(tmp_path.iterdir())


def test_another_day_moves_everything_with_it(tmp_path):
    done("generate", "--applicants", 200, "--as-of", "2025-03-01", "--out", tmp_path / "d")
    day = duckdb.connect().execute(f"SELECT max(CAST(applied_at AS DATE)), (SELECT max(CAST(booked_at AS DATE)) FROM '{tmp_path}/d/bank_statements.csv') FROM '{tmp_path}/d/applicants.csv'").fetchall()[0]
    assert str(day[0]) == "2025-03-01" and "2025-02-20" < str(day[1]) <= "2025-03-01"


def test_the_sample_has_every_input_and_some_damage():
    sample = ROOT / "sample_data"
    assert {path.stem for path in sample.glob("*.csv")} == set(INPUTS)
    assert sum(path.stat().st_size for path in sample.rglob("*")) < 1_000_000
    with open(sample / "applicants.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 301 and rows[-1] in rows[:-1]
    assert sum("E+17" in row["id_number"] for row in rows) == 1
    assert [row["requested_amount"] for row in rows if not row["requested_amount"].replace(".", "").isdigit()] == ["八万元整"]
