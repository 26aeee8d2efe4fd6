"""Replay of one application: its bucket is opened, its person's rows are taken out of it, and the stages run on those alone.

What everybody takes part in is not worked out again for one: the links (who shares a phone with whom) and the funding programme are
taken as they were sealed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from qqloan_cli import chain
from qqloan_cli.archive.differences import Difference, differences, filed
from qqloan_cli.archive.erase import erased_from
from qqloan_cli.archive.layout import Archive, Entry, file_of
from qqloan_cli.archive.replay import OF_EVERYBODY, SUMS, other_versions, sealed_document
from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.contracts.inputs import SHARED
from qqloan_cli.engine.held import Held, walk_alone
from qqloan_cli.engine.run import bucket_of
from qqloan_cli.engine.session import arrow_without_pandas, connect, literal
from qqloan_cli.engine.workers import Apart
from qqloan_cli.errors import UsageError


class ReplayedOne(NamedTuple):
    """``tables``: those that were made again and compared, in order; ``parted``: what differs, the first stage first."""

    entry: Entry
    application_id: str
    bucket: int
    decision: dict
    tables: list[str]
    parted: list[Difference]
    other_versions: dict[str, tuple[str, str]]


# Two processes take the stages, each its own, from what the stages before had left when they were sealed: where every stage leaves what was
# sealed from what was sealed, the whole does. Divided by the time that they take, imports included.
HALVES = (frozenset({"verify", "income", "credit", "social", "decisions"}), frozenset({"score", "limit", "disburse"}))


def replay_one(archive: Archive, entry: Entry, application_id: str, scratch: Path) -> ReplayedOne:
    """Where a stage leaves anything else, all are taken again one after the other, so that it shows how far that goes. Raises UsageError
    where the run decided no such application."""
    arrow_without_pandas()
    import duckdb  # noqa: F401  both need these: the other is forked with them
    import pydantic  # noqa: F401

    with Apart(_took, archive, entry, application_id, scratch / "other", HALVES[1]) as other:
        mine = _took(archive, entry, application_id, scratch / "mine", HALVES[0])
        versions = other_versions(sealed_document(archive, entry, scratch))
        theirs = other.result()
    mine = mine._replace(tables=sorted(mine.tables + theirs.tables, key=list(CONTRACTS).index), other_versions=versions)
    if mine.parted or theirs.parted:
        mine = _took(archive, entry, application_id, scratch / "all", None)._replace(other_versions=versions)
    return mine


def _took(archive: Archive, entry: Entry, application_id: str, scratch: Path, only: frozenset[str] | None) -> ReplayedOne:
    """Takes the stages ``only``, or all, and compares what they leave."""
    con = connect(1, memory_mb=800)
    con.execute("SET async_threads = 0")  # DuckDB's for reading ahead: with so little to read, to wake them is all that they cost
    try:
        decision = decision_of(con, archive, entry, application_id, scratch)
        small = Small(archive, entry, decision["applicant_id"], scratch, only=only)
        made = small.walk(con, scratch / "run")
        parted = []
        for table in small.tables:
            of = [scratch / "decisions.parquet"] if table == "decisions" else small.sealed(table)
            column = "application_id" if "application_id" in CONTRACTS[table].names else "applicant_id"
            found = differences(con, table, filed(table, of), made.source(table), f"{column} = {literal(application_id if column == 'application_id' else small.person)}")
            if found.rows:
                parted.append(found)
        return ReplayedOne(entry, application_id, small.bucket, decision, small.tables, parted, {})
    finally:
        con.close()


class Small:
    """A run of one person: their rows of a sealed run's bucket, and the stages that can be taken on those alone. ``policy`` and ``model``
    name other sealed runs whose configuration or model is to be used, ``as_of`` another date, ``only`` some of the stages."""

    def __init__(self, archive: Archive, entry: Entry, person: str, scratch: Path, policy: Entry | None = None, model: Entry | None = None, as_of: str | None = None, only: frozenset[str] | None = None) -> None:
        self.archive, self.entry, self.person, self.scratch = archive, entry, person, scratch
        if gone := erased_from(archive, entry).get(person):
            raise UsageError("applicant-erased", f"the raw data was erased on {gone.event['at'][:10]}, so nothing can be worked out again", f"entry {gone.sequence}", "qqloan explain ARCHIVE APPLICATION --run-id RUN_ID shows what was decided.")
        self.policy, self.model = policy or entry, model or policy or entry
        self.document = sealed_document(archive, entry, scratch)
        self.bucket = bucket_of(person, self.document["buckets"])
        self.stages = chain.named((set(self.document["stages"]) if only is None else only & set(self.document["stages"])) - OF_EVERYBODY)
        self.document.update(buckets=1, stages={"intake": {"rows_in": 0, "rows_out": {}}}, digests={}, timings={}, warnings=[], history=[])
        if as_of is not None:
            self.document["as_of"] = as_of

    @property
    def tables(self) -> list[str]:
        """What the stages make, in order, but for sums over applications."""
        return [table for stage in self.stages for table in stage.writes if table not in SUMS]

    def walk(self, con, root: Path) -> Held:
        """Takes the stages, with the configuration at ``root``."""
        cites = any(stage.name == "limit" for stage in self.stages)  # a digest of all configuration; a lender's layouts are intake's alone
        for config, inside in ((self.policy, False), (self.model, True)):
            for name in config.files:
                if name.startswith("config/") and name.startswith("config/model/") == inside and (cites or not name.startswith("config/sources/")):
                    self.archive.fetch(config, name, root / name)
        run = Held(root, self.document, con)
        made = set(self.tables)
        for table in ["applicants", *sorted({table for stage in self.stages for table in stage.reads} - made - {"applicants"})]:
            self._take(run, table)
        walk_alone(run, self.stages)
        return run

    def sealed(self, table: str) -> list[Path]:
        """The bucket's file of a table as it was sealed."""
        name = file_of(table, self.bucket)
        if name not in self.entry.files:
            return []
        path = self.scratch / "sealed" / str(self.entry.sequence) / name
        if not path.exists():
            self.archive.fetch(self.entry, name, path)
        return [path]

    def _take(self, run: Held, table: str) -> None:
        """The person's rows of a sealed table into the small run; what is shared by all, whole."""
        paths = self.sealed(table)
        if not paths:
            return
        columns, rows = CONTRACTS[table].names, f"SELECT * FROM read_parquet({literal(str(paths[0]))})"
        if table in SHARED:
            run.take(table, rows, kind="VIEW")
        elif "applicant_id" in columns:
            run.take(table, f"{rows} WHERE applicant_id = {literal(self.person)}")
        elif "application_id" in columns:
            run.take(table, f"{rows} WHERE application_id IN (SELECT application_id FROM held.applicants)")
        else:
            run.take(table, rows)


def decision_of(con, archive: Archive, entry: Entry, application_id: str, scratch: Path) -> dict:
    """Its row of decisions.parquet, of which only the row groups that may have it are read."""
    if "decisions.parquet" not in entry.files:
        raise UsageError("run-undecided", "the run was sealed without decisions", entry.name, "Replay it whole.")
    path = scratch / "decisions.parquet"
    path.unlink(missing_ok=True)
    archive.fetch(entry, "decisions.parquet", path)
    found = con.sql(f"SELECT * FROM read_parquet({literal(str(path))}) WHERE application_id = {literal(application_id)}").to_arrow_table().to_pylist()
    if not found:
        raise UsageError("application-not-found", "the run decided no such application", entry.name, "qqloan sql lists a run's applications.")
    return found[0]
