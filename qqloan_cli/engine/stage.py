"""What a stage is: a function of a bucket (map), or of everybody (gather), from tables to tables.

A stage reads views named for their contracts, leaves temporary tables or views
named for the contracts it writes, and knows nothing of files, workers or engines. Unless
it brings a function, its work is the SQL file beside its module.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Literal, Mapping

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import arrow_without_pandas, literal

# The fastest to write, and small, of what pandas, Spark and DuckDB all read; the limit is of distinct values up to which a dictionary is worth its making.
PARQUET = "COMPRESSION snappy, PARQUET_VERSION V2, WRITE_BLOOM_FILTER false, DICTIONARY_SIZE_LIMIT 2000"


@dataclass(frozen=True)
class Task:
    """One call of a stage. ``con`` has the views it reads and the settings' tables; ``values`` is what ``settings`` gave besides."""

    run: Run
    con: object
    bucket: int | None
    values: Mapping[str, object]

    def script(self, sql_file: Path) -> None:
        self.con.execute(sql_file.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Stage:
    """``settings(run)``, from configuration alone, and ``listed(run, con)``, from the run's inputs with an empty session to ask them in,
    are called once for all buckets: Arrow tables in them become tables of the session, the rest goes to ``Task.values``.

    ``in_order`` names tables whose rows the stage leaves in the order of their contract's key, so that they need no sort.
    """

    name: str
    kind: Literal["map", "gather"]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    module: str
    settings: Callable[[Run], Mapping[str, object]] | None = None
    listed: Callable[[Run, object], Mapping[str, object]] | None = None
    compute: Callable[[Task], None] | None = None
    in_order: tuple[str, ...] = ()

    @property
    def sql_file(self) -> Path:
        return Path(importlib.import_module(self.module).__file__).with_suffix(".sql")

    def prepare(self, run: Run, con, settings: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """Everything that the stage is to know besides its tables; ``settings`` where they were read before."""
        if settings is None:
            settings = self.settings(run) if self.settings else {}
        return {**settings, **(self.listed(run, con) if self.listed else {})}


def read_settings(run: Run, stages: Iterable[Stage]) -> dict[str, Mapping[str, object]]:
    """What the configuration says to each stage, by its name."""
    arrow_without_pandas()
    return {stage.name: stage.settings(run) for stage in stages if stage.settings}


def furnish(con, values: Mapping[str, object]) -> None:
    """Makes the tables among ``values`` tables of the session, for any number of buckets."""
    import pyarrow as pa

    for name, value in values.items():
        if isinstance(value, pa.Table):
            con.register(f"_{name}", value)
            con.execute(f'CREATE TEMP TABLE "{name}" AS SELECT * FROM "_{name}"')
            con.unregister(f"_{name}")


def work(stage: Stage, run: Run, bucket: int | None, con, values: Mapping[str, object]) -> None:
    """Does the stage's work: what it reads is there as views, and then what it writes as tables or views."""
    for table in stage.reads:
        run.bind(con, table, bucket)
    task = Task(run, con, bucket, values)
    if stage.compute is not None:
        stage.compute(task)
    else:
        task.script(stage.sql_file)


def perform(stage: Stage, run: Run, bucket: int | None, con, values: Mapping[str, object]) -> dict[str, int]:
    """Does the stage's work and puts its files in place. Returns rows in and out by table."""
    work(stage, run, bucket, con, values)
    rows = {}
    for table in stage.writes:
        sort = table not in stage.in_order
        if bucket is None and not run.is_shared(table):
            rows[table] = sum(
                put(con, table, run.file(table, b), f'(SELECT * FROM "{table}" WHERE bucket = {b})', sort) for b in range(run.buckets)
            )
        else:
            rows[table] = put(con, table, run.file(table, bucket), f'"{table}"', sort)
        _drop(con, table)
    return rows


def _drop(con, table: str) -> None:
    """A stage leaves a table, or a view where what it leaves is read only once: to be written."""
    import duckdb

    try:
        con.execute(f'DROP TABLE IF EXISTS "{table}"')
    except duckdb.CatalogException:
        con.execute(f'DROP VIEW "{table}"')


def put(con, table: str, path: Path, source: str, sort: bool) -> int:
    """Writes ``source`` as the contract has it, in the order of its key, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    contract = CONTRACTS[table]
    count = con.execute(
        f"COPY ({contract.select(source, order=sort)}) TO {literal(str(beside))} (FORMAT parquet, {PARQUET}, "
        f"KV_METADATA {{contract: {literal(contract.name)}, grain: {literal(contract.grain)}}})"
    ).fetchall()[0][0]
    os.replace(beside, path)
    return count
