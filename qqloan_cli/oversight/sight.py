"""Runs and a book side by side, read-only, in one DuckDB: what every figure, alert and check of this room is a query over.

A run's tables are there by their names (contracts/), of all runs together, each row with

    run_id   the run
    as_of    its date
    age      0 of the latest date, 1 of the date before it, and so on

and without personal columns. Where a run carries out what people decided on another in sight (qqloan review carry), what it says of an
application stands on the day of that other, in its place, so that nobody counts twice; funding and what follows is of its own day. `runs` has a row a run, `run_inputs` a row a run and input file, `run_warnings` what each run had to say. A
book's tables are there as they are, and those that are worked out of it when they are asked for: `state` (every loan at the day) with
`classes`, `stages`, `concentration` and `yields` of it (servicing/portfolio.py), `panel` (every loan at every month's end up to it) with
`ageing`, `rolls`, `vintages`, `early` and `cures` of it (servicing/measures.py). `days` says which day the book is seen on.
"""

from __future__ import annotations

import datetime
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS, INPUTS, OUTPUTS, REVIEWS
from qqloan_cli.contracts.inputs import SHARED
from qqloan_cli.engine.parse import branches, queries_within, serialised
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import at_hand, connect, duckdb_error, literal, quoted
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.version import cited
from qqloan_cli.servicing import measures, portfolio
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.measured_book import measured_book

_OF_ITS_DAY = frozenset({"funding", "funding_shares", "disburse_plan", "schedule"})
_ANSWERED = frozenset(contract.name for contract in (*OUTPUTS, *INPUTS) if "application_id" in contract.names and contract.name not in SHARED) - _OF_ITS_DAY
_TAKEN = frozenset({"score_bins", "quarantine", *(contract.name for contract in INPUTS)}) - _ANSWERED
OF_RUNS = tuple(contract.name for contract in (*OUTPUTS, *INPUTS, REVIEWS))
OF_BOOK = ("loans", "instalments", "funded_by", "lines", "events", "ledger", "contact_log")
OF_STATE, OF_PANEL = ("state", *portfolio.VIEWS), ("panel", *measures.KEYS)
WORKED_OUT = (*OF_STATE, *OF_PANEL)
_MEMORY_MB = 2_000


class _Seen(NamedTuple):
    """A run and, where it carries out what people decided on another in sight, that other."""

    run: Run
    run_id: str
    carries: Run | None


class Sight:
    """``at``: the day on which the book is seen (default: the last that is closed). With more than one of ``threads`` sums of floats differ
    in their last digits from time to time: round them. A context manager: what was worked out goes when it is left."""

    def __init__(self, runs: list[Run], book: Book | None = None, at: datetime.date | None = None, workers: int = 1, threads: int = 1) -> None:
        named = {run.run_id: run for run in runs}
        if len(named) < len(runs):
            raise UsageError("run-twice", "the same run is named twice", hint="Name each run once.")
        seen = [_Seen(run, run_id, named.get(run.document.get("carries", {}).get("run_id"))) for run_id, run in named.items()]
        self._seen = sorted(seen, key=lambda one: ((one.carries or one.run).as_of, one.carries is not None, one.run_id))
        self.runs = [one.run for one in self._seen]
        # The latest first: their places are ``age``. What carries another run out belongs to the night before it.
        self.dates = sorted({one.run.as_of for one in self._seen if one.carries is None}, reverse=True)
        if book is not None:
            at = at or book.closed_to
            if at is None:
                raise UsageError("book-not-closed", "no day of this book is closed, so nothing can be said of it", str(book.root), f"qqloan servicing close --book {book.root} --to DATE closes one.")
            book.must_be_closed(at, "--at")
        self.book, self.at, self.workers, self._threads = book, at, workers, threads
        self._scratch: Path | None = None
        self._con = None
        self._small: dict[str, pa.Table] = {}
        self._asked: dict[str, list[str]] = {}
        self.notes: list[dict] = []  # what could not be looked at: ref, text
        self._bound: set[str] = set()
        self._describe()

    @classmethod
    def of(cls, runs: list[Path], book: Path | None = None, at: datetime.date | None = None, workers: int = 1, threads: int = 1) -> "Sight":
        """The same of folders. Raises UsageError where one is no run, or no book."""
        return cls([Run.open(run) for run in runs], Book.open(book) if book else None, at, workers, threads)

    @property
    def con(self):
        """The database; begun when it is needed, for what is worked out of a book before is worked out by processes that are forked."""
        if self._con is None:
            self._con = connect(self._threads, _MEMORY_MB)
            for name, table in self._small.items():
                self._con.register(name, table)
        return self._con

    def __enter__(self) -> "Sight":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        if self._con is not None:
            self._con.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def age(self, run: Run) -> int:
        """0 of a run of the latest night."""
        return next(age for age, date in enumerate(self.dates) if date <= run.as_of)

    @property
    def begins_processes(self) -> bool:
        """Whether processes may still be forked: not once the database works with threads of its own."""
        return self._con is None or self._threads == 1

    @property
    def panel_files(self) -> list[Path]:
        """Where ``panel`` was worked out to."""
        return sorted((self._scratch / "panel").glob("*.parquet")) if self._scratch else []

    def files(self, table: str) -> list[Path] | None:
        """Where a table of the book lies, or was worked out to; None of one that is small and at hand."""
        if table in ("state", "panel"):
            self.work_out(table)
            return sorted((self._scratch / table).glob("*.parquet"))
        return self.book.files(table) if table in OF_BOOK and self.book is not None else None

    def small(self, table: str) -> pa.Table:
        """A small table that is at hand."""
        return self._small[table]

    def has(self, table: str) -> bool:
        """Whether there is anything to look at under this name."""
        if table in OF_RUNS:
            return any(run.whole(table) for run in self.runs)
        if table in OF_BOOK or table in WORKED_OUT:
            return self.book is not None
        return table in self._small or table in self._bound

    @property
    def tables(self) -> list[str]:
        return [name for name in (*OF_RUNS, *OF_BOOK, *WORKED_OUT) if self.has(name)] + sorted(set(self._small) - set(WORKED_OUT))

    def bind(self, *tables: str) -> None:
        """Makes each a view; one that no run has is empty."""
        self.work_out(*tables)
        for table in tables:
            if table in self._bound or table in self._small:
                continue
            if table in OF_RUNS:
                self._bind_of_runs(table)
            elif table in OF_BOOK and self.book is not None:
                self.con.execute(f"CREATE TEMP VIEW {quoted(table)} AS {self.book.source(table)}")
            elif table in ("state", "panel") and self.book is not None:
                self.con.execute(f"CREATE TEMP VIEW {quoted(table)} AS SELECT * FROM read_parquet({literal(str(self._scratch / table))} || '/*.parquet')")
            else:
                raise UsageError("sight-table-unknown", f"no table {table[:80]!r} in sight", hint="There are: " + ", ".join(self.tables))
            self._bound.add(table)

    def register(self, name: str, table: pa.Table) -> None:
        """A small table that queries may join: limits, names, prices."""
        self._small[name] = table
        if self._con is not None:
            self._con.register(name, table)

    def see(self, name: str, question: str) -> None:
        """The answer to a SELECT under a name of its own, for others to read again and again."""
        self.bind(*self.asked_of(question))
        self.con.execute(f"CREATE TEMP TABLE {quoted(name)} AS {question}")
        self._bound.add(name)

    def work_out(self, *tables: str) -> None:
        """Makes those of WORKED_OUT that are not made yet, by as many processes as there are workers: what needs them is best asked first."""
        if self.book is None:
            return
        for name, of, making in (("state", OF_STATE, portfolio.portfolio), ("panel", OF_PANEL, measured_book)):
            if not set(of) & set(tables) or of[1] in self._small:
                continue
            if self._scratch is None:
                self._scratch = Path(tempfile.mkdtemp(prefix="qqloan-sight-"))
            (self._scratch / name).mkdir()
            for table, content in making(self.book, self.at, self.workers, self._scratch / name).items():
                self.register(table, content)
            if not any((self._scratch / name).iterdir()):
                connect(1).execute(f"COPY ({CONTRACTS[name].empty()}) TO {literal(str(self._scratch / name / '000.parquet'))} (FORMAT parquet)")

    def asked_of(self, question: str) -> list[str]:
        """The tables that a SELECT reads, as DuckDB's own parser has it; raises UsageError at anything but one SELECT."""
        if question in self._asked:
            return self._asked[question]
        with at_hand(self.con):
            [tree] = serialised([question.strip().rstrip(";")])
        if tree.get("error") or len(tree["statements"]) != 1:
            raise UsageError("sql-refused", f"one SELECT can be asked: {str(tree.get('error_message', 'not one'))[:200]}", hint="Tables: " + ", ".join(self.tables))
        nodes = list(branches(tree))
        own = queries_within(nodes)
        self._asked[question] = sorted({node["table_name"] for node in nodes if node.get("type") == "BASE_TABLE"} - own)
        return self._asked[question]

    def ask(self, question: str, **values) -> pa.Table:
        """The answer to one SELECT over what is in sight; ``values`` are its variables (getvariable)."""
        self.bind(*(name for name in self.asked_of(question)))
        for name, value in values.items():
            self.con.execute(f"SET VARIABLE {name} = $1", [value])
        try:
            return self.con.sql(question).to_arrow_table()
        except duckdb_error() as error:
            raise UsageError("sql-wrong", str(error).splitlines()[0][:300], hint="Tables: " + ", ".join(self.tables)) from None

    def _describe(self) -> None:
        rows, files, warnings = [], [], []
        for run, run_id, carries in self._seen:
            of = {"run_id": run_id, "as_of": run.as_of, "age": self.age(run)}
            told = run.document
            applicants = told["counts"].get("applicants", {}) if carries is None else {"in": 0, "accepted": 0, "refused": 0}
            rows.append({
                **of, "rows_in": applicants.get("in"), "accepted": applicants.get("accepted"), "refused": applicants.get("refused"),
                "policy": cited(run.config_dir, told.get("policy", {})), "draft": bool(told.get("policy", {}).get("draft")), "source": told.get("source"),
                "seconds": round(sum(timing["seconds"] for timing in told.get("timings", {}).values()), 3),
            })
            files += [{**of, "input": given["input"], "file": Path(given["file"]).name, "rows": given.get("rows"), "bytes": given.get("bytes"), "sha256": given["sha256"]} for given in told["inputs"] if carries is None or given["input"] == "reviews"]
            warnings += [{**of, "ref": said["ref"], "text": said["text"]} for said in told.get("warnings", [])]
        of = [("run_id", pa.string()), ("as_of", pa.date32()), ("age", pa.int32())]
        more = {
            "runs": (rows, [("rows_in", pa.int64()), ("accepted", pa.int64()), ("refused", pa.int64()), ("policy", pa.string()), ("draft", pa.bool_()), ("source", pa.string()), ("seconds", pa.float64())]),
            "run_inputs": (files, [("input", pa.string()), ("file", pa.string()), ("rows", pa.int64()), ("bytes", pa.int64()), ("sha256", pa.string())]),
            "run_warnings": (warnings, [("ref", pa.string()), ("text", pa.string())]),
        }
        for name, (content, columns) in more.items():
            self.register(name, pa.Table.from_pylist(content, schema=pa.schema(of + columns)))
        self.register("days", pa.table({"at": pa.array([self.at], pa.date32())}))

    def _bind_of_runs(self, table: str) -> None:
        shown = ", ".join(quoted(column.name) for column in CONTRACTS[table].columns if not column.personal)
        empty = f"SELECT CAST(NULL AS VARCHAR) AS run_id, CAST(NULL AS DATE) AS as_of, CAST(NULL AS INTEGER) AS age, {shown} FROM ({CONTRACTS[table].empty()})"
        parts = []
        for seen in self._seen:
            told_on = seen.carries if seen.carries is not None and table in _ANSWERED else seen.run
            if (rows := self._rows(seen, table)) is not None:
                parts.append(f"SELECT {literal(seen.run_id)} AS run_id, DATE {literal(told_on.document['as_of'])} AS as_of, CAST({self.age(told_on)} AS INTEGER) AS age, * FROM {rows}")
        self.con.execute(f"CREATE TEMP VIEW {quoted(table)} AS " + (f"SELECT run_id, as_of, age, {shown} FROM (" + " UNION ALL BY NAME ".join([*parts, empty]) + ")"))

    def _rows(self, seen: _Seen, table: str) -> str | None:
        """SQL for what a run itself has to say in a table; None where that is nothing."""
        def read(paths: list[Path]) -> str:
            return f"read_parquet([{', '.join(literal(str(path)) for path in paths)}])"

        paths = seen.run.whole(table)
        if not paths or seen.carries is not None and table in _TAKEN:
            return None
        later = [path for other, _, carries in self._seen if carries is seen.run for path in other.whole("decisions")] if table in _ANSWERED else []
        return f"(SELECT * FROM {read(paths)} ANTI JOIN (SELECT application_id FROM {read(later)}) USING (application_id))" if later else read(paths)
