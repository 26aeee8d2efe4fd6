"""Replay of one application: its bucket is opened, its person's rows are taken out of it, and the stages run on those alone.

What everybody takes part in is not worked out again for one: the links (who shares a phone with whom) and the funding programme are
taken as they were sealed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from qqloan_cli import chain
from qqloan_cli.archive.differences import Difference, differences
from qqloan_cli.archive.layout import Archive, Entry
from qqloan_cli.archive.replay import other_versions, sealed_document
from qqloan_cli.contracts import CONTRACTS, INPUTS
from qqloan_cli.contracts.inputs import SHARED
from qqloan_cli.engine.files import write_json
from qqloan_cli.engine.run import Run, bucket_of
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import UsageError

NOT_AGAIN = {"keys", "links", "fund", "offers", "cost_table"}  # they take everybody, or what everybody left
OF_EVERYBODY = ("score_bins", "cash_calendar")  # sums over applications


class ReplayedOne(NamedTuple):
    """``tables``: those that were made again and compared, in order; ``parted``: what differs, the first stage first."""

    entry: Entry
    application_id: str
    bucket: int
    decision: dict
    tables: list[str]
    parted: list[Difference]
    other_versions: dict[str, tuple[str, str]]


def replay_one(archive: Archive, entry: Entry, application_id: str, scratch: Path, events) -> ReplayedOne:
    """Raises UsageError where the run decided no such application."""
    root = scratch / "run"
    document = sealed_document(archive, entry, root)
    con = connect(1, memory_mb=800)
    try:
        return _with(con, archive, entry, application_id, scratch, document, root, events)
    finally:
        con.close()


def _with(con, archive: Archive, entry: Entry, application_id: str, scratch: Path, document: dict, root: Path, events) -> ReplayedOne:
    decision = _decision(con, archive, entry, application_id, scratch)
    person, bucket = decision["applicant_id"], bucket_of(decision["applicant_id"], document["buckets"])
    for name in entry.files:
        if name.startswith("config/"):
            archive.fetch(entry, name, root / name)
    sealed_stages = document["stages"]
    document.update(buckets=1, stages={"intake": {"rows_in": 0, "rows_out": {}}}, digests={}, timings={}, warnings=[], history=[])
    write_json(root / "run.json", document)
    run = Run(root, document)
    stages = chain.named(set(sealed_stages) - NOT_AGAIN)
    made = [table for stage in stages for table in stage.writes if table not in OF_EVERYBODY]
    for table in ["applicants", *sorted({table for stage in stages for table in stage.reads} - {*made, "applicants"})]:
        _take(archive, entry, con, run, table, bucket, person)
    walk(run, stages, 1, events)
    parted = []
    for table in made:
        of = [scratch / "decisions.parquet"] if table == "decisions" else _of_bucket(archive, entry, table, bucket, scratch)
        column = "application_id" if "application_id" in CONTRACTS[table].names else "applicant_id"
        found = differences(con, table, of, run.whole(table), f"{column} = {literal(application_id if column == 'application_id' else person)}")
        if found.rows:
            parted.append(found)
    return ReplayedOne(entry, application_id, bucket, decision, made, parted, other_versions(document))


def _decision(con, archive: Archive, entry: Entry, application_id: str, scratch: Path) -> dict:
    """Its row of decisions.parquet, of which only the row groups that may have it are read."""
    if "decisions.parquet" not in entry.files:
        raise UsageError("run-undecided", "the run was sealed without decisions", entry.run_id, "Replay it whole.")
    path = scratch / "decisions.parquet"
    archive.fetch(entry, "decisions.parquet", path)
    found = con.sql(f"SELECT * FROM read_parquet({literal(str(path))}) WHERE application_id = {literal(application_id)}").to_arrow_table().to_pylist()
    if not found:
        raise UsageError("application-not-found", "the run decided no such application", entry.run_id, "qqloan sql lists a run's applications.")
    return found[0]


def _of_bucket(archive: Archive, entry: Entry, table: str, bucket: int, scratch: Path) -> list[Path]:
    inputs = table in {contract.name for contract in INPUTS}
    name = f"{'inputs/' if inputs else ''}{table}/{0 if table in SHARED else bucket:03d}.parquet"
    if name not in entry.files:
        return []
    path = scratch / "sealed" / name
    if not path.exists():
        archive.fetch(entry, name, path)
    return [path]


def _take(archive: Archive, entry: Entry, con, run: Run, table: str, bucket: int, person: str) -> None:
    """The person's rows of a sealed table into the small run; what is shared by all, whole."""
    [path] = _of_bucket(archive, entry, table, bucket, run.root.parent) or [None]
    if path is None:
        return
    to = run.file(table, 0)
    to.parent.mkdir(parents=True, exist_ok=True)
    columns = CONTRACTS[table].names
    where = f"applicant_id = {literal(person)}" if "applicant_id" in columns else None
    if where is None and "application_id" in columns:
        applicants = literal(str(run.file("applicants", 0)))
        where = f"application_id IN (SELECT application_id FROM read_parquet({applicants}))"
    con.execute(f"COPY (SELECT * FROM read_parquet({literal(str(path))}) {'WHERE ' + where if where and table not in SHARED else ''}) TO {literal(str(to))} (FORMAT parquet)")
