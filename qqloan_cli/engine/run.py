"""A run: a folder of tables, each a folder of bucket files, and run.json that says what made them.

It is built under a hidden name beside its own and renamed at the end, so what
stands under a run's name is whole.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from pathlib import Path
from typing import Iterable

from qqloan_cli.contracts import CONTRACTS, INPUTS, REVIEWS
from qqloan_cli.contracts.inputs import SHARED
from qqloan_cli.engine.files import remove, write_json
from qqloan_cli.engine.session import literal
from qqloan_cli.errors import InputError, UsageError

_INPUTS = frozenset(contract.name for contract in (*INPUTS, REVIEWS))
_ONE_FILE = ("quarantine", "decisions", "funding_sources", "funding_limits", "funding_programme", "cash_calendar")
APPLICANTS_A_BUCKET = 130_000
WORTH_TWO = 8_192  # from so many on two workers are faster than one


def buckets_for(applications: int) -> int:
    """The power of two that leaves at most 130,000 applications a bucket; two at least where that is faster."""
    buckets = 1 if applications < WORTH_TWO else 2
    while applications > buckets * APPLICANTS_A_BUCKET:
        buckets *= 2
    return buckets


def bucket_of(applicant_id: str, buckets: int) -> int:
    """The leading bits of sha256(applicant_id): the same here, in intake's SQL and on Spark."""
    leading = int(hashlib.sha256(applicant_id.encode()).hexdigest()[:4], 16)
    return leading >> (16 - (buckets.bit_length() - 1))


class Run:
    """Where a run's tables are. ``document`` is run.json."""

    def __init__(self, root: Path, document: dict) -> None:
        self.root, self.document = root, document
        self.digested: dict[Path, str] = {}  # of files that were finished while others had nothing to do
        self._staged: set[str] | None = None  # tables that a step is making beside the run

    @classmethod
    def open(cls, root: Path) -> "Run":
        path = root / "run.json"
        if not path.is_file():
            raise UsageError("run-not-found", "no run stands here", str(root), "Make one with qqloan run INPUT --out RUN --as-of DATE.")
        try:
            return cls(root, json.loads(path.read_text(encoding="utf-8")))
        except ValueError:
            raise InputError("run-json-broken", "run.json cannot be read", str(path), "Replay the run from its archive.") from None

    @property
    def run_id(self) -> str:
        """Its date and twelve characters that follow from what went in and what came out: the same run has the same name anywhere."""
        what = {name: self.document.get(name) for name in ("as_of", "source", "config_digest", "key_id", "digests")}
        what["inputs"] = sorted([given["input"], given["sha256"]] for given in self.document.get("inputs", []))
        return f"{self.document['as_of']}-{hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]}"

    @property
    def as_of(self) -> datetime.date:
        return datetime.date.fromisoformat(self.document["as_of"])

    @property
    def buckets(self) -> int:
        return self.document["buckets"]

    @property
    def config_dir(self) -> Path:
        """The configuration and model that this run used: its own copy."""
        return self.root / "config"

    @property
    def scratch(self) -> Path:
        path = self.root / ".scratch"
        path.mkdir(mode=0o700, exist_ok=True)  # what lies here on the way is people
        return path

    def warn(self, warnings: Iterable[dict]) -> None:
        """Adds to the run's warnings what they do not say yet."""
        said = self.document.setdefault("warnings", [])
        said += [warning for warning in warnings if warning not in said]

    def save(self) -> None:
        write_json(self.root / "run.json", self.document)

    def forget(self, stages: Iterable) -> None:
        """What these stages wrote is to be made again."""
        for stage in stages:
            for table in stage.writes:
                for path in self.whole(table):
                    path.unlink()
            self.document["stages"].pop(stage.name, None)
            self.document["timings"].pop(stage.name, None)

    @property
    def beside(self) -> Path:
        """Where a step makes its tables until they are whole."""
        return self.root / ".beside"

    def stage_beside(self) -> None:
        remove(self.beside)
        self.beside.mkdir()
        self._staged = set()

    def will_write(self, tables: tuple[str, ...]) -> None:
        """From here on these tables are the new ones, where a step is making them beside the run."""
        if self._staged is not None:
            self._staged.update(tables)

    def put_in_place(self) -> None:
        """The step's tables take the place of the old ones."""
        for made in sorted(self.beside.iterdir()):
            if made.name.startswith("."):
                continue
            stands = self.root / made.name
            if stands.is_dir():
                remove(stands)
            os.replace(made, stands)
        remove(self.beside)
        self._staged = None

    @property
    def workplace(self) -> Path:
        """Where the journal of the work under way is."""
        return self.root if self._staged is None else self.beside

    def _root_of(self, table: str) -> Path:
        return self.beside if self._staged is not None and table in self._staged else self.root

    def folder(self, table: str) -> Path:
        return self.root / "inputs" / table if table in _INPUTS else self._root_of(table) / table

    def file(self, table: str, bucket: int | None = None) -> Path:
        """The bucket's file, or the one file of a table that has one."""
        if table in _ONE_FILE:
            return self._root_of(table) / f"{table}.parquet"
        return self.folder(table) / f"{0 if table in SHARED else bucket or 0:03d}.parquet"

    def whole(self, table: str) -> list[Path]:
        """Every file of a table, in order of bucket."""
        if table in _ONE_FILE:
            path = self.file(table)
            return [path] if path.exists() else []
        return sorted(self.folder(table).glob("*.parquet"))

    def rows(self, con, table: str) -> int:
        """How many rows a table has, as its files say."""
        listed = ", ".join(literal(str(path)) for path in self.whole(table))
        return con.execute(f"SELECT CAST(sum(num_rows) AS BIGINT) FROM parquet_file_metadata([{listed}])").fetchall()[0][0] if listed else 0

    def is_shared(self, table: str) -> bool:
        return table in SHARED or table in _ONE_FILE

    def bind(self, con, table: str, bucket: int | None = None, name: str | None = None) -> None:
        """Makes ``table`` a view on ``con``, under another ``name`` where one is given: a bucket's rows, or everybody's with a column ``bucket``. Without a file: no rows."""
        if bucket is not None or self.is_shared(table):
            path = self.file(table, bucket)
            query = f"SELECT * FROM read_parquet({literal(str(path))})" if path.exists() else CONTRACTS[table].empty()
        else:
            query = "\nUNION ALL BY NAME\n".join(
                f"SELECT *, CAST({int(path.stem)} AS USMALLINT) AS bucket FROM read_parquet({literal(str(path))})" for path in self.whole(table)
            ) or f"SELECT *, CAST(NULL AS USMALLINT) AS bucket FROM ({CONTRACTS[table].empty()})"
        con.execute(f'CREATE OR REPLACE TEMP VIEW "{name or table}" AS {query}')
