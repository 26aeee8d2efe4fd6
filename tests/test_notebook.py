"""Runs and a book looked at from a notebook: what ``qqloan_cli.open_run`` gives, and the example that ships."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from book_of import book, close, events, loan, post
from conftest import ROOT, call, done

import qqloan_cli
from qqloan_cli.contracts import INPUTS
from qqloan_cli.errors import UsageError

EXAMPLE = ROOT / "qqloan_cli" / "notebook" / "example.ipynb"


@pytest.fixture(scope="module")
def looked(sample_run):
    with qqloan_cli.open_run(sample_run) as opened:
        yield opened


def test_to_import_it_loads_nothing_heavy():
    script = "import sys, qqloan_cli; qqloan_cli.open_run; print(sorted({'duckdb', 'pandas', 'pyarrow', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_tables_and_sql_are_the_run_s(looked, sample_run):
    rows = duckdb.sql(f"SELECT decision, count(*) AS n FROM '{sample_run}/decisions.parquet' GROUP BY 1 ORDER BY 1").fetchall()
    assert [tuple(row.values()) for row in looked.sql("SELECT decision, count(*) AS n FROM decisions GROUP BY 1 ORDER BY 1").to_pylist()] == rows
    assert len(looked.table("decisions")) == sum(n for _, n in rows)
    assert looked.con.sql("SELECT count(*) FROM limit_steps").fetchall() == duckdb.sql(f"SELECT count(*) FROM read_parquet('{sample_run}/limit_steps/*.parquet')").fetchall()
    assert set(looked.table("runs").column_names) >= {"run_id", "as_of", "rows_in", "policy"}


def test_every_figure_that_it_names_is_the_report_s(looked, sample_run):
    told = {figure["name"]: figure["rows"] for figure in json.loads(done("report", "nightly", sample_run, "--format", "json", "--quiet").out)["figures"]}
    assert set(looked.figures) == set(told)
    for name in ("funnel", "waterfall", "grades", "reasons"):
        figure = looked.figure(name)
        assert len(figure.table) == len(told[name]) and figure.to_pandas().shape[0] == len(told[name])
        assert "<svg" in figure._repr_html_() and "-- grain:" in figure.sql and name in repr(figure)


def test_what_it_shows_of_itself(looked):
    html = looked._repr_html_()
    assert "approve" in html and "<code>limit_steps</code>" in html and "waterfall" in html and "figures" in repr(looked)


@pytest.mark.parametrize("question", [
    "COPY (SELECT 1) TO 'x.parquet'", "CREATE TABLE x AS SELECT 1", "SELECT * FROM read_parquet('{run}/decisions.parquet')", "SELECT * FROM '{run}/decisions.parquet'", "SELECT 1; SELECT 2", "SELECT hope FROM decisions",
])
def test_nothing_but_its_tables_can_be_asked(looked, sample_run, question):
    with pytest.raises(UsageError):
        looked.sql(question.format(run=sample_run))


def test_the_connection_writes_nothing_and_reads_nothing_else(looked, sample_run, tmp_path):
    for statement in (f"COPY (SELECT 1) TO '{sample_run}/x.parquet'", f"COPY (SELECT 1) TO '{tmp_path}/x.parquet'", f"ATTACH '{tmp_path}/x.db'", f"SELECT * FROM '{sample_run}/decisions.parquet'", "SET enable_external_access = true"):
        with pytest.raises(duckdb.Error):
            looked.con.execute(statement)
    assert not list(tmp_path.iterdir()) and not (sample_run / "x.parquet").exists()


def test_people_are_not_within_reach(looked):
    for contract in INPUTS:
        for column in contract.columns:
            if column.personal and contract.name in looked.tables:
                assert column.name not in looked.table(contract.name).column_names
    with pytest.raises(UsageError):
        looked.sql("SELECT id_number FROM applicants")


def test_a_book_is_there_with_what_is_worked_out_of_it(sample_run, tmp_path):
    root = book(tmp_path / "b", [loan("L1", "2024-01-10", [("2024-02-10", 500, 5), ("2024-03-10", 500, 5)], penalty=0), loan("L2", "2024-01-10", [("2024-02-10", 1000, 5)], penalty=0)])
    post(root, events(tmp_path / "e.csv", [{"loan_id": "L2", "value_date": "2024-02-10", "amount": 1005}]))
    close(root, "2024-03-31")
    with qqloan_cli.open_run(sample_run, book=root, at="2024-03-31") as opened:
        assert opened.sql("SELECT loan_id, status, dpd FROM state ORDER BY 1").to_pylist() == [{"loan_id": "L1", "status": "overdue", "dpd": 50}, {"loan_id": "L2", "status": "paid", "dpd": 0}]
        assert opened.figure("ageing").table.num_rows and "reserve" in opened.figures
        assert opened.con.sql("SELECT sum(debit_fen) = sum(credit_fen) FROM ledger").fetchall() == [(True,)]


def test_several_runs_side_by_side(sample_run, lender_run):
    with qqloan_cli.open_run(sample_run, lender_run) as opened:
        assert len(opened.sql("SELECT DISTINCT run_id FROM decisions").to_pylist()) == 2
    with pytest.raises(UsageError, match="run-twice"):
        qqloan_cli.open_run(sample_run, sample_run)


def test_what_is_not_there_is_said(tmp_path, looked):
    with pytest.raises(UsageError, match="run-not-found"):
        qqloan_cli.open_run(tmp_path)
    with pytest.raises(UsageError, match="figure-unknown"):
        looked.figure("hope")
    with pytest.raises(UsageError, match="--book"):
        looked.figure("vintages")
    with pytest.raises(UsageError, match="decisions"):
        looked.table("hope")


def test_the_example_runs_and_shows_the_report_s_figures(sample_run, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    written = call("init", tmp_path / "here")
    assert written.code == 0 and "example.ipynb" in written.err
    (tmp_path / "here" / "runs").mkdir()
    (tmp_path / "here" / "runs" / "first").symlink_to(sample_run)
    monkeypatch.setenv("PYTHONPATH", str(ROOT) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    example = nbformat.read(tmp_path / "here" / "example.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in example.cells), "the example ships without outputs"
    nbclient.NotebookClient(example, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path / "here")}}).execute()
    shown = ["".join(str(output.get("data", {}).get("text/html", "")) + str(output.get("text", "")) for output in cell.get("outputs", [])) for cell in example.cells]
    assert not any(output.get("output_type") == "error" for cell in example.cells for output in cell.get("outputs", []))
    caps = json.loads(done("report", "figure", "binding_caps", sample_run, "--format", "json").out)["rows"]
    page = next(text for text in shown if "What set the amount" in text)
    assert "<svg" in page and all(f"<td>{row['approved']:,}</td>" in page for row in caps)
    assert sum("<svg" in text for text in shown) == 2 and any("up to grade" in text for text in shown)
    assert isinstance(EXAMPLE.read_text(encoding="utf-8"), str) and Path(EXAMPLE).stat().st_size < 20_000
