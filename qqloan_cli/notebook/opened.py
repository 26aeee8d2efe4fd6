"""Runs and a book, opened to be looked at from a notebook: SQL, Arrow tables, and the nightly report's figures by their names.

Nothing here can change them: the database reads through Arrow alone, with every door to files shut and its settings locked. Personal columns
are not within reach.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import connect, duckdb_error, literal, quoted
from qqloan_cli.errors import UsageError
from qqloan_cli.oversight import figures
from qqloan_cli.oversight.sight import OF_RUNS, WORKED_OUT, Sight

_MEMORY_MB = 2_000


class Figure:
    """A figure of the nightly report: ``table`` (Arrow), ``sql`` that gave it, and a picture where it is shown."""

    def __init__(self, name: str, table: pa.Table) -> None:
        self.name, self.table, self.sql = name, table, figures.sql(name)

    def to_pandas(self):
        return self.table.to_pandas()

    def __repr__(self) -> str:
        return f"figure {self.name}: {len(self.table):,} rows of {', '.join(self.table.column_names)}"

    def _repr_html_(self) -> str:
        from qqloan_cli.reports.cells import figure

        return figure(self.name, self.table.to_pylist())


class Opened:
    """What ``open_run`` gives. A context manager; ``close()`` ends it."""

    def __init__(self, runs: list, book=None, at=None) -> None:
        day = datetime.date.fromisoformat(at) if isinstance(at, str) else at
        self._sight = Sight.of([Path(run) for run in runs], Path(book) if book is not None else None, day, workers=len(os.sched_getaffinity(0)))
        self._con = None
        self._bound: set[str] = set()

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._sight.close()
        if self._con is not None:
            self._con.close()

    @property
    def tables(self) -> list[str]:
        """Names that ``sql`` and ``table`` know: of runs with run_id, as_of and age (0: the latest date), of the book as they are."""
        return self._sight.tables

    @property
    def figures(self) -> list[str]:
        """Names that ``figure`` knows and has everything for."""
        return [name for name, section in figures.FIGURES.items() if not (set(figures.lacking(self._sight, name)) - {"reserve_months", "reserve_outlook"}) and (section != "reserve" or self._sight.book is not None)]

    @property
    def con(self):
        """A DuckDB connection with every table of the runs, and of the book those that stand in it; read-only."""
        self._bind(*(name for name in self.tables if name not in WORKED_OUT))
        return self._con

    def sql(self, question: str) -> pa.Table:
        """The answer to one SELECT."""
        self._bind(*(name for name in self._sight.asked_of(question) if name in self.tables))
        try:
            return self._con.sql(question).to_arrow_table()
        except duckdb_error() as error:
            raise UsageError("sql-wrong", str(error).splitlines()[0][:300], hint="Tables: " + ", ".join(self.tables)) from None

    def table(self, name: str) -> pa.Table:
        """A whole table."""
        if name not in self.tables:
            raise UsageError("sight-table-unknown", f"no table {name[:80]!r} in sight", hint="There are: " + ", ".join(self.tables))
        return self.sql(f"SELECT * FROM {quoted(name)}")

    def figure(self, name: str) -> Figure:
        """A figure of the nightly report."""
        figures.sql(name)
        figures.prepare(self._sight, name)
        return Figure(name, figures.take(self._sight, name))

    def __repr__(self) -> str:
        told = self._sight.runs
        book = f"; book closed to {self._sight.at}" if self._sight.book is not None else ""
        return f"{', '.join(run.run_id for run in told)}{book}: {len(self.tables)} tables, {len(self.figures)} figures"

    def _repr_html_(self) -> str:
        from qqloan_cli.reports.cells import opened

        decided = self.sql("SELECT as_of, decision, count(*) AS applications, CAST(sum(amount_fen) AS BIGINT) AS amount_fen FROM decisions GROUP BY ALL ORDER BY as_of DESC, decision").to_pylist() if "decisions" in self.tables else []
        return opened(repr(self), decided, [(name, CONTRACTS[name].grain if name in CONTRACTS else "") for name in self.tables], self.figures)

    def _bind(self, *names: str) -> None:
        if self._con is None:
            self._con = connect(2, _MEMORY_MB)
            self._con.execute("SET enable_external_access = false; SET lock_configuration = true")
        self._sight.work_out(*names)
        for name in names:
            if name not in self._bound:
                self._see(name)
                self._bound.add(name)

    def _see(self, name: str) -> None:
        if name in OF_RUNS:
            shown = ", ".join(quoted(column.name) for column in CONTRACTS[name].columns if not column.personal)
            parts = []
            for place, run in enumerate(self._sight.runs):
                if paths := run.whole(name):
                    self._con.register(f"_{place}_{name}", pyarrow.dataset.dataset([str(path) for path in paths]))
                    age = self._sight.dates.index(run.as_of)
                    parts.append(f"SELECT {literal(run.run_id)} AS run_id, DATE {literal(str(run.as_of))} AS as_of, {age} AS age, * FROM {quoted(f'_{place}_{name}')}")
            self._con.execute(f"CREATE TEMP VIEW {quoted(name)} AS SELECT run_id, as_of, age, {shown} FROM ({' UNION ALL BY NAME '.join(parts)})")
            return
        files = self._sight.files(name)
        if files is None:
            self._con.register(name, self._sight.small(name))
        elif not files:
            self._con.execute(f"CREATE TEMP VIEW {quoted(name)} AS {CONTRACTS[name].empty()}")
        else:
            self._con.register(f"_{name}", pyarrow.dataset.dataset([str(path) for path in files]))
            known = f" WHERE posted_at <= DATE {literal(str(self._sight.book.closed_to))}" if name == "ledger" else ""  # a close that was killed left more
            self._con.execute(f"CREATE TEMP VIEW {quoted(name)} AS SELECT * FROM {quoted(f'_{name}')}{known}")


