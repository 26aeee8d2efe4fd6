"""qqloan sql: questions are answered; nothing else is done, and nobody is shown."""

from __future__ import annotations

import duckdb
import pytest

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.query import ask
from qqloan_cli.errors import UsageError
from test_engine_run import a_run


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run" / "inputs" / "applicants").mkdir(parents=True)
    run = a_run(tmp_path / "run")
    con = duckdb.connect()
    row = {"application_id": "'A1'", "applicant_id": "'P1'", "name": "'张三'", "phone": "'13800138000'", "requested_amount_fen": "5000000"}
    columns = ", ".join(f"CAST({row.get(c.name, 'NULL')} AS {c.type}) AS \"{c.name}\"" for c in CONTRACTS["applicants"].columns)
    con.execute(f"COPY (SELECT {columns}) TO '{run.file('applicants', 0)}' (FORMAT parquet)")
    (tmp_path / "elsewhere.csv").write_text("secret\n1\n")
    return run


def test_a_select_is_answered(run):
    assert ask(run, "WITH a AS (SELECT * FROM applicants) SELECT application_id, requested_amount_fen FROM a, range(1);").to_pylist() == [
        {"application_id": "A1", "requested_amount_fen": 5_000_000}]


@pytest.mark.parametrize("column", [c.name for c in CONTRACTS["applicants"].columns if c.personal])
def test_no_personal_column_is_within_reach(run, column):
    with pytest.raises(UsageError):
        ask(run, f"SELECT {column} FROM applicants")
    assert "张三" not in str(ask(run, "SELECT * FROM applicants").to_pylist())


@pytest.mark.parametrize("question", [
    "DROP VIEW applicants", "COPY applicants TO 'out.csv'", "CREATE TABLE t AS SELECT 1", "ATTACH 'x.db'", "INSTALL httpfs", "PRAGMA version",
    "SET enable_external_access = true", "SELECT 1; SELECT 2", "", "SELEC 1",
    "SELECT * FROM read_csv('{elsewhere}')", "SELECT * FROM '{elsewhere}'", "SELECT * FROM read_text('{elsewhere}')", "SELECT * FROM glob('/*')",
    "SELECT * FROM read_parquet('{own}')", "SELECT * FROM '{own}'", "SELECT (SELECT max(name) FROM read_parquet('{own}'))",
    "WITH a AS (SELECT * FROM '{own}') SELECT * FROM a", "SELECT * FROM nothing_here", "SELECT * FROM duckdb_settings()",
])
def test_everything_else_is_refused(run, tmp_path, question):
    before = sorted(p for p in tmp_path.rglob("*"))
    with pytest.raises(UsageError) as refused:
        ask(run, question.format(elsewhere=tmp_path / "elsewhere.csv", own=run.file("applicants", 0)))
    assert "张三" not in str(refused.value) and "13800138000" not in str(refused.value)
    assert sorted(p for p in tmp_path.rglob("*")) == before
