"""The same run on Spark: same code, same bytes."""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import AS_OF, call, done, tables
from intake_run import Taken, applicants, begun

from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.spark import on_executors
from qqloan_cli.intake import on_spark
from qqloan_cli.intake.read import take_in

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed: pip install 'qqloan[spark]'"),
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java here, and Spark needs one"),
]


def row(number: int, **told) -> dict:
    """A good applicant, as text."""
    one, = csv.DictReader(io.StringIO(applicants({"application_id": f"A{number}", "applicant_id": f"P{number}", **told})))
    return one


def test_spark_writes_the_very_same_files(sample_run, tmp_path):
    said = done("run", "sample_data", "--out", tmp_path / "run", "--as-of", AS_OF, "--engine", "spark", "--master", "local[2]")
    assert tables(tmp_path / "run") == tables(sample_run)
    assert "WARN" not in said.err and "Spark" not in said.err


@pytest.mark.long
def test_files_are_dealt_out_by_executors_a_task_each(tmp_path):
    """Two files of applicants, three of which one row is bad and one comes twice: read apart, put together, counted as here."""
    folder = tmp_path / "lender"
    folder.mkdir()
    first = [row(1), row(2), row(3, requested_amount="none of your business")]
    second = [row(number) for number in (4, 5, 1)]
    for number, rows in enumerate((first, second)):
        pq.write_table(pa.Table.from_pylist(rows), folder / f"applicants_{number}.parquet")
    here, there = begun(tmp_path / "here"), begun(tmp_path / "there")
    dealt = []

    class Watched(on_spark.OnSpark):
        def deal(self, run, select, groups, made):
            super().deal(run, select, groups, made)
            dealt.append(sorted(part.name for part in made.iterdir()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_spark, "OnSpark", Watched)
        take_in(there, [folder], source=None, max_quarantine=None, workers=2, events=SILENT, spark="local[2]")
    take_in(here, [folder], source=None, max_quarantine=None, workers=2, events=SILENT)
    assert dealt == [["part-00000", "part-00001"]]
    ours, theirs = Taken(here), Taken(there)
    assert theirs.counts() == ours.counts() == (6, 4, 2, 0)
    assert theirs.rows("applicants") == ours.rows("applicants") and theirs.quarantine == ours.quarantine
    assert there.document["inputs"] == here.document["inputs"]


def test_a_task_runs_in_another_process():
    assert os.getpid() not in on_executors("local[2]", lambda _: os.getpid(), [1, 2])


def test_a_master_that_is_not_there_is_one_line(tmp_path):
    refused = call("run", "sample_data", "--out", tmp_path / "run", "--as-of", AS_OF, "--engine", "spark", "--master", "nonsense", "--quiet")
    assert refused.code == 2 and refused.err.startswith("error: spark-not-started") and refused.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
