"""Retention: what was kept as long as it was to be goes, kind by kind, as one chained event; holds are honoured and manifests stay."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.archive.erase import Erased, erased_from, without
from qqloan_cli.archive.events import clock, told
from qqloan_cli.archive.holds import Held, held
from qqloan_cli.archive.layout import EVENT, Archive, Entry, adding, written
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.retention import Kind, Retention

KIND, PEOPLE = "pruning", "pruning-of-people"


class Due(NamedTuple):
    """``files`` by digest that no run needs any longer, with the kind that they are of; ``people`` whose raw rows go, by run; ``held``: runs
    that would lose something but for a hold."""

    runs: dict[str, set[Kind]]
    files: dict[str, Kind]
    people: dict[str, set[str]]
    held: set[str]


def kind_of(name: str) -> Kind:
    """Of a file by its name in the manifest."""
    head = name.split("/")[0]
    if head == "inputs":
        return "inputs"
    return "record" if head in ("config", "decisions.parquet", "run.json") else "tables"


def due(archive: Archive, keep: Retention, today: datetime.date, scratch: Path) -> Due:
    """What may go as of ``today``."""
    runs, holds = archive.runs(), held(archive)
    expired = {entry.name: {kind for kind, rule in keep.keep.items() if (end := rule.until(_day(entry))) is not None and end < today} for entry in runs}
    of_holds = {entry.name for entry in runs if entry.name in holds.runs and expired[entry.name]}
    needed = {digest for entry in runs for name, digest in entry.files.items() if kind_of(name) not in expired[entry.name] or entry.name in holds.runs}
    with_people = _of_held_people(archive, runs, holds, scratch)
    needed |= with_people
    files = {digest: kind_of(name) for entry in runs for name, digest in entry.files.items() if digest not in needed and archive.replaced.get(digest, (None, ""))[1] is not None}
    people = _never_approved(archive, [entry for entry in runs if "inputs_not_approved" in expired[entry.name] and entry.name not in holds.runs and "inputs" not in expired[entry.name]], runs, holds, scratch)
    return Due({name: kinds for name, kinds in expired.items() if kinds}, files, people, of_holds)


def prune(root: Path, keep: Retention, today: datetime.date, scratch: Path, by: str, at: datetime.datetime, private_key: Path | None) -> tuple[Entry | None, Erased | None, Due]:
    """(the event of files, that of people's rows, what was due). Files are dropped first, then rows out of those that stay."""
    found = due(Archive.open(root), keep, today, scratch)
    entry = None
    if found.files:
        with adding(root) as (archive, begun, sequence):
            clock(archive, at)
            about = [run for run in archive.runs() if set(run.files.values()) & set(found.files)]
            event = {
                "kind": KIND, "by": by, "why": f"retention as of {today}", "at": told(at),
                "basis": {kind: keep.keep[kind].basis for kind in sorted(set(found.files.values()))}, "replaced": dict.fromkeys(sorted(found.files)),
            }
            written(archive, begun, sequence, [{"name": run.name, "digest": {"sha256": run.digest}} for run in about], EVENT, {"event": event}, {}, private_key)
        entry = Archive(root).entry(sequence)
    gone = None
    people = set().union(*found.people.values()) if found.people else set()
    if people:
        try:
            gone = without(root, people, PEOPLE, scratch, by, f"retention as of {today}: {keep.keep['inputs_not_approved'].basis}", at, private_key, list(found.people))
        except UsageError as error:
            if error.ref != "nothing-to-erase":  # a run that is to keep them shares every file
                raise
    return entry, gone, found


def _day(entry: Entry) -> datetime.date:
    return datetime.date.fromisoformat(entry.document["predicate"]["buildDefinition"]["externalParameters"]["as_of"])


def _never_approved(archive: Archive, of: list[Entry], runs: list[Entry], holds: Held, scratch: Path) -> dict[str, set[str]]:
    """By run: people whose raw rows are due in it, approved in no run of the archive, and under no hold."""
    if not of:
        return {}
    con = connect(1)
    try:
        approved: set[str] = set()
        for entry in runs:
            approved |= _people(con, archive, entry, "decision = 'approve'", scratch)
        return {
            entry.name: left for entry in of
            if (left := _people(con, archive, entry, "true", scratch) - approved - holds.people - set(erased_from(archive, entry)))
        }
    finally:
        con.close()


def _people(con, archive: Archive, entry: Entry, where: str, scratch: Path) -> set[str]:
    if "decisions.parquet" not in entry.files or archive.replaced.get(entry.files["decisions.parquet"], (None, ""))[1] is None:
        return set()
    path = scratch / "decisions-of.parquet"
    path.unlink(missing_ok=True)
    archive.fetch(entry, "decisions.parquet", path)
    return {person for person, in con.execute(f"SELECT DISTINCT applicant_id FROM read_parquet({literal(str(path))}) WHERE {where}").fetchall()}


def _of_held_people(archive: Archive, runs: list[Entry], holds: Held, scratch: Path) -> set[str]:
    """The files of every run that decided on somebody under a hold: they are kept whole."""
    if not holds.people:
        return set()
    con = connect(1)
    try:
        return {digest for entry in runs if _people(con, archive, entry, "true", scratch) & holds.people for digest in entry.files.values()}
    finally:
        con.close()
