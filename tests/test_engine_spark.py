"""The same run on Spark: same code, same bytes."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from conftest import AS_OF, call, done, tables

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed: pip install 'qqloan[spark]'"),
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java here, and Spark needs one"),
]


def test_spark_writes_the_very_same_files(sample_run, tmp_path):
    said = done("run", "sample_data", "--out", tmp_path / "run", "--as-of", AS_OF, "--engine", "spark", "--master", "local[2]")
    assert tables(tmp_path / "run") == tables(sample_run)
    assert "WARN" not in said.err and "Spark" not in said.err


def test_a_master_that_is_not_there_is_one_line(tmp_path):
    refused = call("run", "sample_data", "--out", tmp_path / "run", "--as-of", AS_OF, "--engine", "spark", "--master", "nonsense", "--quiet")
    assert refused.code == 2 and refused.err.startswith("error: spark-not-started") and refused.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
