"""Replay: a run worked out again from its archived inputs, configuration and model, in a scratch folder, and held against what was sealed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from qqloan_cli import chain
from qqloan_cli.archive.differences import Difference, differences, filed
from qqloan_cli.archive.erase import erased_from, scrubbed
from qqloan_cli.archive.layout import Archive, Entry
from qqloan_cli.engine import secret
from qqloan_cli.engine.files import write_json
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import ConfigError, UsageError


# They take everybody, or what everybody left: where not everybody is there, they are taken as they were sealed.
OF_EVERYBODY = frozenset({"keys", "links", "fund", "offers", "cost_table"})
SUMS = ("score_bins", "cash_calendar")  # over applications


class Replayed(NamedTuple):
    """``parted``: tables whose rows differ, in the order of the chain, each with what differs; ``otherwise_written``: files whose bytes
    differ though their rows do not; ``erased``: people whose raw data is gone, so that the others alone were worked out again."""

    entry: Entry
    files: int
    identical: int
    parted: list[Difference]
    otherwise_written: list[str]
    other_versions: dict[str, tuple[str, str]]
    erased: int = 0


def replay(archive: Archive, entry: Entry, scratch: Path, workers: int, events) -> Replayed:
    """Raises ConfigError where the key is another, IntegrityError where an object is not what was sealed."""
    from qqloan_cli.engine.build import finish

    erased = erased_from(archive, entry)
    if erased:
        return _of_the_others(archive, entry, set(erased), scratch, workers, events)
    run = furnished(archive, entry, scratch / "run", everything=False)
    done = run.document["sealed"]["stages"]
    stages = chain.named(done)
    walk(run, stages, workers, events)
    finish(run)
    sealed, made = run.document["sealed"]["digests"], run.document["digests"]
    sealed = {name: digest for name, digest in sealed.items() if name not in ("quarantine.parquet",)}
    parted, otherwise = [], []
    for table in (table for stage in stages for table in stage.writes):
        names = [name for name in sorted({*sealed, *made}) if name.split("/")[0].removesuffix(".parquet") == table]
        differing = [name for name in names if sealed.get(name) != made.get(name)]
        if differing:
            for name in names:
                if name in entry.files:
                    archive.fetch(entry, name, scratch / "sealed" / name)
            con = connect(2)
            try:
                found = differences(con, table, filed(table, [scratch / "sealed" / name for name in names if name in entry.files]), filed(table, run.whole(table)))
            finally:
                con.close()
            if found.rows:
                parted.append(found)
            else:
                otherwise += differing
    compared = [name for name in sealed if name in made or name in entry.files]
    return Replayed(entry, len(compared), sum(made.get(name) == sealed[name] for name in compared), parted, otherwise, other_versions(run.document))


def _of_the_others(archive: Archive, entry: Entry, erased: set[str], scratch: Path, workers: int, events) -> Replayed:
    """Where people were erased: everybody else's rows, from the same inputs. Who shares a phone with whom and who funds whom was worked
    out of all of them, and is taken as it was sealed."""
    run = furnished(archive, entry, scratch / "run", everything=True)
    scrubbed(run, erased)
    stages = chain.named(set(run.document["stages"]) - OF_EVERYBODY)
    tables = [table for stage in stages for table in stage.writes]
    sealed = {table: _set_apart(run, table, scratch / "sealed") for table in tables}
    for stage in stages:
        run.document["stages"].pop(stage.name, None)
    write_json(run.root / "run.json", run.document)
    walk(run, stages, workers, events)
    con, parted = connect(2), []
    try:
        for table in tables:
            found = differences(con, table, filed(table, sealed[table]), filed(table, run.whole(table))) if table not in SUMS else None
            if found and found.rows:
                parted.append(found)
    finally:
        con.close()
    return Replayed(entry, sum(map(len, sealed.values())), 0, parted, [], other_versions(run.document), len(erased))


def _set_apart(run: Run, table: str, to: Path) -> list[Path]:
    """Moves a table's files out of the run, so that it can be made again."""
    found = []
    for path in run.whole(table):
        found.append(to / path.relative_to(run.root))
        found[-1].parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, found[-1])
    return found


def furnished(archive: Archive, entry: Entry, root: Path, everything: bool) -> Run:
    """A run as it was after intake, at ``root``; with ``everything``, as it was when it was sealed. ``document["sealed"]`` has what it had made."""
    document = sealed_document(archive, entry, root)
    given = {"config", "inputs", "history", "quarantine.parquet", *document.get("taken", ())}
    for name in entry.files:
        if everything or name.split("/")[0] in given:
            archive.fetch(entry, name, root / name)
    document["sealed"] = {"stages": document["stages"], "digests": document["digests"]}
    if not everything:
        document.update(stages={"intake": document["stages"].get("intake", {})}, digests={}, timings={}, warnings=[])
    write_json(root / "run.json", document)
    return Run(root, document)


def sealed_document(archive: Archive, entry: Entry, root: Path) -> dict:
    """run.json as it was sealed, with the earlier runs that it read where they are now. Raises ConfigError where the key is another."""
    archive.fetch(entry, "run.json", root / ".sealed.json")
    document = json.loads((root / ".sealed.json").read_text(encoding="utf-8"))
    (root / ".sealed.json").unlink()
    if "intake" not in document["stages"]:
        raise UsageError("run-without-intake", "the run never took a lender's files in", entry.name, "Archive a run that is whole.")
    if document["key_id"] != secret.fingerprint(secret.load()):
        raise ConfigError("key-differs", "the run was made with another key", "QQLOAN_KEY_FILE", "Name the key file that it was made with.")
    document["history"] = [str(root / "history" / str(number)) for number in range(len(document.get("history") or ()))]
    return document


def other_versions(document: dict) -> dict[str, tuple[str, str]]:
    """Programs that were of another version then: (then, now)."""
    from qqloan_cli.engine.build import versions

    now = versions()
    return {name: (then, now.get(name, "none")) for name, then in {**document["libraries"], **{k: v for k, v in document["code"].items() if k == "qqloan"}}.items() if now.get(name, "none") != then}
