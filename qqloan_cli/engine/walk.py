"""Walks stages over a run: the map over buckets on local workers or on Spark, gathers in one place.

The number of workers and the engine decide who does a bucket, never what comes
out of it.
"""

from __future__ import annotations

import resource
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Iterable

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.events import Events
from qqloan_cli.engine.journal import Journal
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, perform, session

MEMORY_MB = 2_400


def walk(run: Run, stages: Iterable[Stage], workers: int, events: Events, spark: str | None = None) -> None:
    """Takes the stages in turn; what the journal calls finished is not done again."""
    journal = Journal(run)
    for stage in stages:
        started = time.perf_counter()
        rows_in = sum(_rows(run, table) for table in stage.reads)
        run.will_write(stage.writes)
        events.started(stage.name, rows_in)
        if stage.kind == "map":
            counts = _map(run, stage, workers, events, journal, rows_in, spark)
        else:
            counts = _gather(run, stage, workers, journal)
        seconds = time.perf_counter() - started
        run.document["stages"][stage.name] = {"rows_in": rows_in, "rows_out": counts}
        run.document["timings"][stage.name] = {"seconds": round(seconds, 3), "memory_mb": memory_mb()}
        events.finished(stage.name, rows_in, sum(counts.values()), seconds, memory_mb())


def memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _rows(run: Run, table: str) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in run.whole(table))


def _files(run: Run, stage: Stage, bucket: int | None) -> list:
    return [path for table in stage.writes for path in ([run.file(table, bucket)] if bucket is not None else run.whole(table))]


def _gather(run: Run, stage: Stage, workers: int, journal: Journal) -> dict[str, int]:
    if (stage.name, None) not in journal.done:
        values = stage.prepare(run)
        con = session(stage, values, workers, MEMORY_MB, run)
        try:
            rows = perform(stage, run, None, con, values)
        finally:
            con.close()
        journal.record(stage.name, None, rows, _files(run, stage, None))
    return dict(journal.done[(stage.name, None)])


def _map(run: Run, stage: Stage, workers: int, events: Events, journal: Journal, rows_in: int, spark: str | None) -> dict[str, int]:
    todo = [bucket for bucket in range(run.buckets) if (stage.name, bucket) not in journal.done]
    if todo:
        values = stage.prepare(run)
        share = rows_in // run.buckets

        def finished(bucket: int, rows: dict[str, int]) -> None:
            journal.record(stage.name, bucket, rows, _files(run, stage, bucket))
            events.advanced(stage.name, share)

        if spark:
            from qqloan_cli.engine.spark import map_buckets

            map_buckets(spark, run, stage, values, todo, finished)
        else:
            _map_local(run, stage, values, todo, workers, finished)
    totals = {table: 0 for table in stage.writes}
    for bucket in range(run.buckets):
        for table, rows in journal.done[(stage.name, bucket)].items():
            totals[table] += rows
    return totals


def _map_local(run: Run, stage: Stage, values, todo: list[int], workers: int, finished) -> None:
    """A pool of threads, each with its own single-threaded DuckDB."""
    own, sessions, stop = threading.local(), [], threading.Event()
    workers = max(1, min(workers, len(todo)))

    def work(bucket: int) -> None:
        if stop.is_set():
            return
        if not hasattr(own, "con"):
            own.con = session(stage, values, 1, MEMORY_MB // workers, run)
            sessions.append(own.con)
        finished(bucket, perform(stage, run, bucket, own.con, values))

    with ThreadPoolExecutor(workers, thread_name_prefix=stage.name) as pool:
        futures = [pool.submit(work, bucket) for bucket in todo]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            stop.set()
            for con in sessions:
                con.interrupt()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for con in sessions:
                con.close()
