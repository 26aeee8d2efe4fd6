"""Walks stages over a run. What is ready is done: a bucket goes on to the next stage while others are still in this one.

A map's bucket waits for its own bucket of the maps before it, and for gathers
whole; a gather waits for all. The number of workers and the engine decide who
does a bucket and when, never what comes out of it.
"""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Iterable, Mapping

from qqloan_cli.engine.events import Events
from qqloan_cli.engine.journal import Journal
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import Stage, perform, session

MEMORY_MB = 2_400
Todo = tuple[int, int | None]  # (place of the stage, bucket; None for a gather)


def walk(
    run: Run, stages: Iterable[Stage], workers: int, events: Events, spark: str | None = None, settings: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Takes the stages; what the journal calls finished is not done again. ``settings`` are those of stages, by name, that were read before."""
    walked = _Walk(run, list(stages), workers, events, settings or {})
    if spark:
        walked.on_spark(spark)
    else:
        walked.here()
    run.document.get("warnings", []).sort(key=lambda warning: (warning["ref"], warning["text"]))


def memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class _Walk:
    def __init__(self, run: Run, stages: list[Stage], workers: int, events: Events, settings: Mapping[str, Mapping[str, object]]) -> None:
        self.run, self.stages, self.workers, self.events, self.settings = run, stages, workers, events, settings
        for stage in stages:
            run.will_write(stage.writes)
        self.journal = Journal(run)
        makers = {table: place for place, stage in enumerate(stages) for table in stage.writes}
        self.needs = [{makers[table] for table in stage.reads if table in makers} for stage in stages]
        self.todo: dict[Todo, None] = {(place, bucket): None for place, stage in enumerate(stages) for bucket in self._buckets(stage)}
        self.values: dict[int, object] = {}
        self.seconds = [0.0] * len(stages)
        self.preparing = threading.Lock()
        self.started: set[int] = set()
        self.told = 0

    def _buckets(self, stage: Stage) -> Iterable[int | None]:
        return range(self.run.buckets) if stage.kind == "map" else (None,)

    def _done(self, place: int, bucket: int | None) -> bool:
        return (self.stages[place].name, bucket) in self.journal.done

    def _ready(self, place: int, bucket: int | None) -> bool:
        """Whether everything that this piece of work reads is there."""
        for need in self.needs[place]:
            stage = self.stages[need]
            pieces = [bucket] if stage.kind == "map" and bucket is not None else self._buckets(stage)
            if not all(self._done(need, piece) for piece in pieces):
                return False
        return True

    def _next(self) -> Todo | None:
        """What is ready: a gather before any bucket, for more waits for it."""
        ready = [piece for piece in self.todo if self._ready(*piece)]
        return next((piece for piece in ready if piece[1] is None), ready[0] if ready else None)

    def here(self) -> None:
        """On threads of this process, each with its own single-threaded DuckDB."""
        own, sessions, bases, stop = threading.local(), [], [], threading.Event()

        def work(place: int, bucket: int | None) -> None:
            if stop.is_set():
                return
            started, stage = time.perf_counter(), self.stages[place]
            if not hasattr(own, "base"):
                own.base, own.of, own.con = connect(1, MEMORY_MB // self.workers, self.run.scratch), None, None
                bases.append(own.base)
            if own.of != place:
                if own.con is not None:
                    own.con.close()
                if stage.kind == "map":  # one database a worker; a cursor has its own temporary tables
                    own.con = session(stage, self._values(place), 1, 0, self.run, on=own.base)
                else:
                    own.con = session(stage, self._values(place), self.workers, MEMORY_MB, self.run)
                own.of = place
                sessions.append(own.con)
            rows = perform(stage, self.run, bucket, own.con, self._values(place))
            self._record(place, bucket, rows, time.perf_counter() - started)

        with ThreadPoolExecutor(self.workers) as pool:
            under_way: dict = {}
            try:
                while self.todo or under_way:
                    self._say_what_finished()
                    for piece in [p for p in self.todo if self._done(*p)]:
                        del self.todo[piece]
                    while len(under_way) < self.workers and (piece := self._next()):
                        del self.todo[piece]
                        self._say_started(piece[0])
                        under_way[pool.submit(work, *piece)] = piece
                    if under_way:
                        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                            del under_way[future]
                            future.result()
                self._say_what_finished()
            except BaseException:
                stop.set()
                for con in sessions:
                    with contextlib.suppress(Exception):  # one that is closed already
                        con.interrupt()
                raise
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                for con in (*sessions, *bases):
                    con.close()

    def on_spark(self, master: str) -> None:
        """Maps on Spark's executors, gathers here: stage by stage, for Spark has its own way of keeping busy."""
        from qqloan_cli.engine.spark import map_buckets

        for place, stage in enumerate(self.stages):
            started = time.perf_counter()
            todo = [bucket for bucket in self._buckets(stage) if not self._done(place, bucket)]
            self._say_started(place)
            if todo and stage.kind == "map":
                map_buckets(master, self.run, stage, self._values(place), todo, lambda bucket, rows: self._record(place, bucket, rows, 0.0))
            elif todo:
                con = session(stage, self._values(place), self.workers, MEMORY_MB, self.run)
                try:
                    self._record(place, None, perform(stage, self.run, None, con, self._values(place)), 0.0)
                finally:
                    con.close()
            self.seconds[place] = time.perf_counter() - started
            self._say_what_finished()

    def _values(self, place: int):
        """The stage's settings, read once for all its buckets."""
        with self.preparing:
            if place not in self.values:
                self.values[place] = self.stages[place].prepare(self.run, self.settings.get(self.stages[place].name))
            return self.values[place]

    def _record(self, place: int, bucket: int | None, rows: dict[str, int], seconds: float) -> None:
        stage = self.stages[place]
        files = [path for table in stage.writes for path in ([self.run.file(table, bucket)] if bucket is not None else self.run.whole(table))]
        self.journal.record(stage.name, bucket, rows, files)
        self.seconds[place] += seconds
        if bucket is not None:
            self.events.advanced(stage.name, self._applications() // self.run.buckets)

    def _applications(self) -> int:
        return self.run.document.get("counts", {}).get("applicants", {}).get("accepted", 0)

    def _rows_in(self, stage: Stage) -> int:
        made = {table: rows for done in self.run.document["stages"].values() for table, rows in done["rows_out"].items()}
        return sum(made.get(table, 0) for table in stage.reads)

    def _say_started(self, place: int) -> None:
        if place not in self.started:
            self.started.add(place)
            self.events.started(self.stages[place].name, self._applications())

    def _say_what_finished(self) -> None:
        """In order of the chain: a stage that is done early is told of after those before it."""
        for place, stage in enumerate(self.stages[self.told:], self.told):
            if not all(self._done(place, bucket) for bucket in self._buckets(stage)):
                return
            self.told += 1
            totals = {table: 0 for table in stage.writes}
            for bucket in self._buckets(stage):
                for table, rows in self.journal.done[(stage.name, bucket)].items():
                    totals[table] += rows
            rows_in = self._rows_in(stage)
            self.run.document["stages"][stage.name] = {"rows_in": rows_in, "rows_out": totals}
            self.run.document["timings"][stage.name] = {"seconds": round(self.seconds[place], 3), "memory_mb": memory_mb()}
            self.events.finished(stage.name, rows_in, sum(totals.values()), self.seconds[place], memory_mb())
