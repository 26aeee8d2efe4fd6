"""Walks stages over a run. What is ready is done: a bucket goes on to the next stage while others are still in this one.

A map's bucket waits for its own bucket of the maps before it, and for gathers
whole; a gather waits for all. The number of workers and the engine decide who
does a bucket and when, never what comes out of it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Mapping

from qqloan_cli.engine.events import Events
from qqloan_cli.engine.files import sha256
from qqloan_cli.engine.journal import Journal
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import USUAL_MB, clear, connect, settle
from qqloan_cli.engine.stage import Stage, furnish, perform, read_settings
from qqloan_cli.engine.workers import Workers, memory_mb

MEMORY_MB, GATHER_MB = USUAL_MB, 1_600  # of DuckDB; what NumPy and the workers beside it hold comes on top
GATHER_MB_A_BUCKET = 300  # with which a gather is sure to do
DIGEST_MB = 60  # a thirtieth of a second
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


@dataclass(frozen=True)
class Made:
    """What a worker says of a piece of work: rows by table, seconds, warnings that came up, who it is and what it holds."""

    rows: dict[str, int]
    seconds: float
    warnings: list[dict]
    worker: int
    memory_mb: int


class Bench:
    """What a worker has before it: one single-threaded DuckDB for all its buckets and for gathers of few, and a session of the stage that it is at."""

    def __init__(self, run: Run, stages: list[Stage], settings: Mapping[str, Mapping[str, object]], workers: int) -> None:
        self.run, self.stages, self.settings, self.memory_mb = run, stages, settings, MEMORY_MB // workers
        self.values: dict[int, Mapping[str, object]] = {}
        self.base = self.con = self.at = None
        self.left: list = []  # sessions of earlier stages, empty

    def __call__(self, task: tuple[Todo, int]) -> Made:
        """A piece of work, and on how many threads if it is a gather of many buckets."""
        (place, bucket), threads = task
        started, warnings = time.perf_counter(), self.run.document.setdefault("warnings", [])
        known = len(warnings)
        if self.at != place:
            self._turn_to(place, threads)
        rows = perform(self.stages[place], self.run, bucket, self.con, self.values_of(place))
        if self._stands_alone(place):  # it is done once, and the maps after it need the memory
            self.con.close()
            self.con = self.at = None
        return Made(rows, time.perf_counter() - started, warnings[known:], os.getpid(), memory_mb())

    def values_of(self, place: int) -> Mapping[str, object]:
        """What the stage is to know, read once for all its buckets."""
        if place not in self.values:
            stage = self.stages[place]
            con = self._cursor() if stage.listed else None
            self.values[place] = stage.prepare(self.run, con, self.settings.get(stage.name))
            if con is not None:
                self._leave(con)
        return self.values[place]

    def _turn_to(self, place: int, threads: int) -> None:
        values = self.values_of(place)
        if self.con is not None:
            self._leave(self.con)
        self.con = connect(threads, GATHER_MB, self.run.scratch) if self._stands_alone(place) else self._cursor()
        furnish(self.con, values)
        self.at = place

    def _cursor(self):
        """A session with temporary tables of its own."""
        self.base = self.base or connect(1, self.memory_mb, self.run.scratch)
        con = self.base.cursor()
        settle(con)
        return con

    def _leave(self, con) -> None:
        clear(con)
        self.left.append(con)

    def _stands_alone(self, place: int) -> bool:
        """Whether the stage has a database of its own, with more memory and threads: a gather of many buckets."""
        return self.stages[place].kind == "gather" and self.run.buckets * GATHER_MB_A_BUCKET > self.memory_mb


class _Walk:
    def __init__(self, run: Run, stages: list[Stage], workers: int, events: Events, settings: Mapping[str, Mapping[str, object]]) -> None:
        self.run, self.stages, self.workers, self.events, self.settings = run, stages, workers, events, dict(settings)
        for stage in stages:
            run.will_write(stage.writes)
        self.journal = Journal(run)
        makers = {table: place for place, stage in enumerate(stages) for table in stage.writes}
        self.needs = [{makers[table] for table in stage.reads if table in makers} for stage in stages]
        self.todo: dict[Todo, None] = {(place, bucket): None for place, stage in enumerate(stages) for bucket in self._buckets(stage)}
        self.seconds = [0.0] * len(stages)
        self.memory: dict[int, int] = {}
        self.sizes: dict[Todo, int] = {}
        self.started: set[int] = set()
        self.finished: list[Path] = []
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

    def _next(self, room: int) -> tuple[Todo, int] | None:
        """Of what is ready a gather; else what the next gather waits for, and of that the bucket with most to read, so that nothing
        long is left for the end. A gather gets the threads of all workers that would have nothing to do, and a share where there are many."""
        gathers = [place for place, bucket in self.todo if bucket is None]
        awaited = self._behind(min(gathers)) if gathers else set()
        ready = [piece for piece in self.todo if self._ready(*piece)]
        if not ready:
            return None
        piece = max(ready, key=lambda piece: (piece[1] is None, piece[0] in awaited, self._to_read(piece)))
        return piece, max(room - (len(ready) - 1), self.workers // 4, 1)

    def _behind(self, place: int) -> set[int]:
        """The stages that this one needs, and those that they need."""
        return {place for need in self.needs[place] for place in {need, *self._behind(need)}}

    def _to_read(self, piece: Todo) -> int:
        """Bytes of a bucket's files."""
        if piece not in self.sizes:
            paths = [self.run.file(table, piece[1]) for table in self.stages[piece[0]].reads]
            self.sizes[piece] = sum(path.stat().st_size for path in paths if path.exists())
        return self.sizes[piece]

    def here(self) -> None:
        """On workers of this machine."""
        self._read_settings()
        with Workers(self.workers, Bench(self.run, self.stages, self.settings, self.workers)) as pool:
            while self.todo or pool.is_busy:
                self._say_what_finished()
                for piece in [p for p in self.todo if self._done(*p)]:
                    del self.todo[piece]
                while pool.room and (task := self._next(pool.room)):
                    del self.todo[task[0]]
                    self._say_started(task[0][0])
                    pool.give(task)
                if pool.is_busy and pool.room:
                    self._digest_some()
                if pool.is_busy:
                    for (piece, _), made in pool.take():
                        self._take(*piece, made)
            self._say_what_finished()

    def _digest_some(self) -> None:
        """While a worker has nothing to do: what is finished gets its digest, which the run's end would wait for. A little at a time,
        for nobody gets work meanwhile."""
        left = DIGEST_MB * 1_000_000
        for path in [path for path in self.finished if path not in self.run.digested]:
            left -= path.stat().st_size
            if left < 0:
                return
            self.run.digested[path] = sha256(path)

    def _read_settings(self) -> None:
        """Before the workers begin, which have them from here; what is wrong with one is said before anything is done."""
        unread = [
            stage for place, stage in enumerate(self.stages)
            if stage.name not in self.settings and not all(self._done(place, bucket) for bucket in self._buckets(stage))
        ]
        self.settings |= read_settings(self.run, unread)

    def _take(self, place: int, bucket: int | None, made: Made) -> None:
        self.run.warn(made.warnings)
        self.memory[made.worker] = made.memory_mb
        self._record(place, bucket, made.rows, made.seconds)

    def on_spark(self, master: str) -> None:
        """Maps on Spark's executors, gathers here: stage by stage, for Spark has its own way of keeping busy."""
        from qqloan_cli.engine.spark import map_buckets

        bench = Bench(self.run, self.stages, self.settings, self.workers)
        for place, stage in enumerate(self.stages):
            started = time.perf_counter()
            todo = [bucket for bucket in self._buckets(stage) if not self._done(place, bucket)]
            self._say_started(place)
            if todo and stage.kind == "map":
                map_buckets(master, self.run, stage, bench.values_of(place), todo, lambda bucket, rows: self._record(place, bucket, rows, 0.0))
            elif todo:
                self._record(place, None, bench(((place, None), self.workers)).rows, 0.0)
            self.seconds[place] = time.perf_counter() - started
            self._say_what_finished()

    def _record(self, place: int, bucket: int | None, rows: dict[str, int], seconds: float) -> None:
        stage = self.stages[place]
        files = [path for table in stage.writes for path in ([self.run.file(table, bucket)] if bucket is not None else self.run.whole(table))]
        self.journal.record(stage.name, bucket, rows, files)
        self.finished += files
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
            memory = memory_mb() + sum(self.memory.values())
            self.run.document["timings"][stage.name] = {"seconds": round(self.seconds[place], 3), "memory_mb": memory}
            self.events.finished(stage.name, rows_in, sum(totals.values()), self.seconds[place], memory)
