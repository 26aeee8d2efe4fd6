"""The map over buckets on Spark: the same function, called with a bucket's number on an executor, writes the same file.

The run's folder must be reachable under the same path by every executor.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from typing import Callable, Mapping

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import Stage, furnish, perform
from qqloan_cli.errors import UsageError

EXECUTOR_MEMORY_MB = 1_200


def map_buckets(master: str, run: Run, stage: Stage, values: Mapping[str, object], todo: list[int], finished: Callable[[int, dict[str, int]], None]) -> None:
    """One Spark task a bucket. Rows come back as they finish; files are already in place by then."""
    root, document = run.root, run.document

    def work(bucket: int) -> tuple[int, dict[str, int]]:
        here = Run(root, document)
        con = connect(1, EXECUTOR_MEMORY_MB, here.scratch)
        try:
            furnish(con, values)
            return bucket, perform(stage, here, bucket, con, values)
        finally:
            con.close()

    for bucket, rows in on_executors(master, work, todo):
        finished(bucket, rows)


def on_executors(master: str, work: Callable, todo: list) -> list:
    """What ``work`` made of each, a task each."""
    return spark_context(master).parallelize(todo, len(todo)).map(work).collect() if todo else []


def spark_context(master: str):
    """Spark's context, made once a process: quiet, and without a web page of its own. On this machine it runs this Python."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise UsageError("spark-not-installed", "pyspark is not installed", "--engine spark", "pip install 'qqloan[spark]', or use --engine local.") from None
    builder = (
        SparkSession.builder.master(master).appName("qqloan").config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC").config("spark.log.level", "OFF")
    )
    if master.startswith("local"):
        os.environ["PYSPARK_PYTHON"] = sys.executable
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    try:
        with _java_says_nothing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return builder.getOrCreate().sparkContext
    except Exception as error:  # a missing JVM shows as RuntimeError, PySparkRuntimeError or OSError by version
        raise UsageError("spark-not-started", f"Spark did not start ({type(error).__name__})", master, "Java 17 is needed; or use --engine local.") from None


@contextlib.contextmanager
def _java_says_nothing():
    """The JVM inherits our stderr, and would print whole rows into it with its stack traces."""
    ours, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(ours, 2)
        os.close(ours)
        os.close(nowhere)
