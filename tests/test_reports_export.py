"""Exports: what a spreadsheet makes of them."""

from __future__ import annotations

import csv
import json

import duckdb
import openpyxl
import pyarrow as pa
import pytest

from conftest import call, done
from qqloan_cli.reports import formats

TRICKS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "http://example.com", "110105199010110005", "公司"]


def test_a_workbook_holds_text_as_text_and_no_formula(tmp_path):
    table = pa.table({"application_id": TRICKS, "amount_fen": pa.array([123_456] * len(TRICKS), pa.int64()), "reasons": [["A", "B"]] * len(TRICKS)})
    formats.write(table, tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]] == ["application_id", "amount", "reasons"]
    assert [row[0].value for row in rows[1:]] == TRICKS
    assert {cell.data_type for row in rows[1:] for cell in (row[0], row[2])} == {"s"}
    assert {row[1].value for row in rows[1:]} == {1234.56}
    assert not any(cell.hyperlink for row in rows for cell in row)


def test_no_csv_cell_begins_as_a_formula_does(tmp_path):
    formats.write(pa.table({"text": TRICKS}), tmp_path / "t.csv")
    with open(tmp_path / "t.csv", encoding="utf-8-sig", newline="") as handle:
        cells = [row[0] for row in csv.reader(handle)][1:]
    assert [cell.removeprefix("'") for cell in cells] == TRICKS
    assert not any(cell[0] in "=+-@\t\r" for cell in cells)


@pytest.mark.parametrize("ending", ["xlsx", "csv", "jsonl", "json", "parquet"])
def test_every_decision_is_in_every_format(sample_run, tmp_path, ending):
    out = tmp_path / f"decisions.{ending}"
    done("export", sample_run, "--to", out)
    wanted = [row for (row,) in duckdb.execute(f"SELECT application_id FROM '{sample_run}/decisions.parquet' ORDER BY ALL").fetchall()]
    if ending == "xlsx":
        got = [row[0] for row in openpyxl.load_workbook(out, read_only=True).active.iter_rows(min_row=2, values_only=True)]
    elif ending == "json":
        got = [row["application_id"] for row in json.loads(out.read_text())["rows"]]
    else:
        reader = {"csv": "read_csv", "jsonl": "read_json", "parquet": "read_parquet"}[ending]
        got = [row for (row,) in duckdb.execute(f"SELECT application_id FROM {reader}('{out}')").fetchall()]
    assert sorted(got) == wanted
    refused = call("export", sample_run, "--to", out)
    assert refused.code == 2 and "file-exists" in refused.err
    assert not list(tmp_path.glob(".*"))


def test_an_ending_that_nobody_knows_is_refused(sample_run, tmp_path):
    refused = call("export", sample_run, "--to", tmp_path / "decisions.docx")
    assert refused.code == 2 and "format-unknown" in refused.err and not (tmp_path / "decisions.docx").exists()


def test_a_dry_run_writes_nothing(sample_run, tmp_path):
    said = done("export", sample_run, "--to", tmp_path / "d.csv", "--dry-run")
    assert "would write" in said.err and not (tmp_path / "d.csv").exists()
    said = done("limit", sample_run, "--dry-run")
    assert "would write limit, limit_steps and remove funding" in said.err


def test_a_table_lines_up_with_chinese_in_it(capsys):
    formats.draw(["code", "in words"], [["a", "通过"], ["bb", "ok"]])
    lines = [line for line in capsys.readouterr().out.splitlines() if "通过" in line or "ok" in line]
    from rich.cells import cell_len

    assert cell_len(lines[0].split("通过")[0]) == len(lines[1].split("ok")[0])
