"""One person's raw data taken out of an archive: the files that hold their rows are put again without them, chained as an event.

Manifests, counts and decisions stay what they were and are verified as before. What was worked out of the raw data (keyed hashes,
figures, decisions) stays with the run; retention ends it.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Iterable, NamedTuple

from qqloan_cli.archive import secrecy
from qqloan_cli.archive.events import clock, told
from qqloan_cli.archive.holds import held
from qqloan_cli.archive.layout import EVENT, Archive, Entry, adding, bring, written
from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.files import sha256
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import IntegrityError, UsageError

KIND = "erasure"


class Erased(NamedTuple):
    """``rows`` by input, over all runs; ``files`` that were put again."""

    entry: Entry
    runs: list[str]
    rows: dict[str, int]
    files: int


def erase(root: Path, applicant_id: str, scratch: Path, by: str, why: str, at: datetime.datetime, private_key: Path | None) -> Erased:
    """Raises UsageError where no sealed run has raw data of the person, or a legal hold keeps it."""
    return without(root, {applicant_id}, KIND, scratch, by, why, at, private_key)


def without(root: Path, people: set[str], kind: str, scratch: Path, by: str, why: str, at: datetime.datetime, private_key: Path | None, runs: list[str] | None = None) -> Erased:
    """Takes the raw rows of ``people`` out of every sealed run, or of those named."""
    if not by.strip() or not why.strip():
        raise UsageError("erase-incomplete", "erasing needs who and why in words", "--by, --why", "Name both.")
    with adding(root) as (archive, begun, sequence):
        clock(archive, at)
        kept = held(archive)
        if kept.people & people:
            raise UsageError("legal-hold", "a legal hold keeps what there is of this person", str(root), "qqloan archive holds lists them.")
        replaced, objects, encrypted, rows, touched = {}, {}, {}, {}, []
        con = connect(1)
        try:
            name_people(con, people)
            con.execute("CREATE TEMP TABLE erased_applications(application_id VARCHAR)")
            named_by: dict[str, set[str]] = {}  # runs by content: what several share goes from all of them
            for entry in archive.runs():
                _add_applications(con, archive, entry, scratch)
                for digest in entry.files.values():
                    named_by.setdefault(digest, set()).add(entry.name)
            for entry in archive.runs():
                if runs is not None and entry.name not in runs:
                    continue
                here = False
                for name, digest in entry.files.items():
                    if runs is not None and not named_by[digest] <= set(runs):
                        continue  # another run is to keep it
                    if not name.startswith(secrecy.PERSONAL) or digest in replaced or archive.replaced.get(digest, (None, ""))[1] is None:
                        continue
                    archive.fetch(entry, name, scratch / name)
                    gone = put_without(con, name.split("/")[1], scratch / name, scratch / "left.parquet")
                    (scratch / name).unlink()
                    if not gone:
                        continue
                    if on_hold := sorted(named_by[digest] & kept.runs):
                        raise UsageError("legal-hold", f"a legal hold keeps run {on_hold[0]}", str(root), "qqloan archive holds lists them.")
                    was_encrypted = entry.stored(digest) != digest
                    left, stored = bring(scratch / "left.parquet", begun / "objects", {}, secrecy.identity().to_public() if was_encrypted else None)
                    replaced[digest], objects[left] = left, sequence
                    if stored != left:
                        encrypted[left] = {"format": secrecy.FORMAT, "stored_sha256": stored}
                    rows[name.split("/")[1]] = rows.get(name.split("/")[1], 0) + gone
                    here = True
                if here or any(digest in replaced for digest in entry.files.values()):
                    touched.append(entry)
        finally:
            con.close()
        if not touched:
            raise UsageError("nothing-to-erase", "no sealed run has raw data of this person", str(root), "Check the applicant_id; it may have been erased before.")
        subject = [{"name": entry.name, "digest": {"sha256": entry.digest}} for entry in touched]
        named = scratch / "people.txt"
        named.write_text("".join(f"{person}\n" for person in sorted(people)), encoding="utf-8")
        listed, _ = bring(named, begun / "objects", {})
        objects[listed] = sequence
        event = {"kind": kind, "people": listed, "count": len(people), "by": by.strip(), "why": why.strip(), "at": told(at), "rows": dict(sorted(rows.items())), "replaced": dict(sorted(replaced.items()))}
        written(archive, begun, sequence, subject, EVENT, {"event": event}, objects, private_key, encrypted)
    return Erased(Archive(root).entry(sequence), [entry.name for entry in touched], rows, len(replaced))


def _add_applications(con, archive: Archive, entry: Entry, scratch: Path) -> None:
    if "decisions.parquet" in entry.files:
        path = scratch / "decisions-of.parquet"
        path.unlink(missing_ok=True)
        archive.fetch(entry, "decisions.parquet", path)
        con.execute(f"INSERT INTO erased_applications SELECT application_id FROM read_parquet({literal(str(path))}) WHERE applicant_id IN (SELECT applicant_id FROM erased_people)")


def erased_from(archive: Archive, entry: Entry) -> dict[str, Entry]:
    """By applicant_id: those whose raw rows are gone from a sealed run, and the entry that says so."""
    digests, found = set(entry.files.values()), {}
    for event in archive.entries():
        if event.event is not None and "people" in event.event and digests & set(event.event["replaced"]):
            listed = archive.place_of(event, event.event["people"])
            if not listed.is_file() or sha256(listed) != event.event["people"]:
                raise IntegrityError("object-altered", "the list of who was erased is missing or not what was chained", f"entry {event.sequence}", "qqloan audit ARCHIVE says what else is.")
            found.update(dict.fromkeys(listed.read_text(encoding="utf-8").split("\n")[:-1], event))
    return found


def name_people(con, people: Iterable[str]) -> None:
    """Leaves ``erased_people``."""
    import pyarrow as pa

    con.register("_people", pa.table({"applicant_id": pa.array(sorted(people), pa.string())}))
    con.execute("CREATE OR REPLACE TEMP TABLE erased_people AS FROM _people")
    con.unregister("_people")


def whose(table: str) -> str | None:
    """SQL that is true for the rows of ``erased_people`` in a table; None where it has nobody's."""
    names, theirs = CONTRACTS[table].names, "(SELECT applicant_id FROM erased_people)"
    if table == "social_edges":
        return f"src IN {theirs} OR dst IN {theirs}"
    if "applicant_id" in names:
        return f"applicant_id IN {theirs}"
    return "application_id IN (SELECT application_id FROM erased_applications)" if "application_id" in names else None


def scrubbed(run: Run, people: Iterable[str]) -> None:
    """Takes every row of ``people`` out of every table of a run in a scratch folder, so that what is left belongs together."""
    con = connect(1)
    try:
        name_people(con, people)
        decided = ", ".join(literal(str(path)) for path in run.whole("decisions"))
        con.execute(f"CREATE TEMP TABLE erased_applications AS SELECT application_id FROM read_parquet([{decided}]) WHERE applicant_id IN (SELECT applicant_id FROM erased_people)")
        left = run.root / ".left.parquet"
        for table in CONTRACTS:
            for path in run.whole(table):
                if put_without(con, table, path, left):
                    os.replace(left, path)
    finally:
        con.close()


def put_without(con, table: str, path: Path, to: Path) -> int:
    """Writes the rows of others to ``to`` in their order, and says how many were left out; 0, and nothing, where none are theirs."""
    where = whose(table)
    if where is None:
        return 0
    source = f"read_parquet({literal(str(path))})"
    gone = con.execute(f"SELECT count(*) FROM {source} WHERE {where}").fetchall()[0][0]
    if gone:
        con.execute(f"COPY (SELECT * FROM {source} WHERE ({where}) IS NOT TRUE) TO {literal(str(to))} (FORMAT parquet, COMPRESSION zstd)")
    return gone
