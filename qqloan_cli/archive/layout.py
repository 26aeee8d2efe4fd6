"""Where things are in an archive (format.md says it for strangers), and how an entry is added: whole, by one rename, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Iterable, Iterator

from qqloan_cli.archive import secrecy
from qqloan_cli.archive.signing import sign
from qqloan_cli.engine.files import only_writer, remove, sha256, write_json
from qqloan_cli.engine.run import Run
from qqloan_cli.errors import IntegrityError, UsageError

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE, POLICY, EVENT = "https://slsa.dev/provenance/v1", "urn:qqloan:policy:1", "urn:qqloan:event:1"  # a run, a proposed policy, what happened to one of them
BUILD = "urn:qqloan:run:1"
CHUNK = 1 << 20
FORMAT = Path(__file__).with_name("format.md")


@dataclass(frozen=True)
class Entry:
    """One manifest of the chain: a run, a proposed policy, or an event about one of them. ``digest`` is that of its file."""

    sequence: int
    digest: str
    document: dict

    @property
    def kind(self) -> str:
        """run, policy, or the kind of event."""
        return {PROVENANCE: "run", POLICY: "policy"}.get(self.document["predicateType"]) or self.event["kind"]

    @property
    def event(self) -> dict | None:
        """What happened to a run or a policy later; None where the entry is one of those itself."""
        return self.document["predicate"]["event"] if self.document["predicateType"] == EVENT else None

    @property
    def policy(self) -> dict:
        """What a proposed policy says of itself."""
        return self.document["predicate"]["policy"]

    @property
    def name(self) -> str:
        """The run's id, or of a policy the number of its entry; of an event that of what it is about."""
        if self.event is not None:
            return self.document["subject"][0]["name"]
        return str(self.sequence) if self.kind == "policy" else self.document["predicate"]["runDetails"]["metadata"]["invocationId"]

    @property
    def chain(self) -> dict:
        return self.document["predicate"]["qqloan_chain"]

    @property
    def files(self) -> dict[str, str]:
        """Digest of every file of a run or a policy, by name; none of an event, whose subject is a manifest."""
        return {} if self.event is not None else {subject["name"]: subject["digest"]["sha256"] for subject in self.document["subject"]}

    def stored(self, digest: str) -> str:
        """The name of the file that holds a content: its digest, or that of what encryption made of it."""
        found = self.chain.get("encrypted", {}).get(digest)
        return found["stored_sha256"] if found else digest


def file_of(table: str, bucket: int) -> str:
    """The name of a table's file of a bucket in a run, or of its one file."""
    return Run(Path(), {}).file(table, bucket).as_posix()


@dataclass(frozen=True)
class Archive:
    root: Path

    @classmethod
    def open(cls, root: Path) -> "Archive":
        """Raises UsageError where no archive stands."""
        if not (root / "chain").is_dir():
            raise UsageError("archive-not-found", "no archive stands here", str(root), "Make one with qqloan archive RUN --to ARCHIVE.")
        return cls(root)

    def folder(self, sequence: int) -> Path:
        return self.root / "chain" / f"{sequence:06d}"

    def sequences(self) -> list[int]:
        return sorted(int(path.name) for path in (self.root / "chain").iterdir() if path.name.isdigit() and len(path.name) == 6)

    @cached_property
    def _read(self) -> dict[int, Entry]:
        return {}

    def entry(self, sequence: int) -> Entry:
        """As it was when it was first asked for: an entry is never changed. Raises IntegrityError where the manifest is missing or cannot be
        read."""
        if sequence not in self._read:
            self._read[sequence] = self._entry(sequence)
        return self._read[sequence]

    def _entry(self, sequence: int) -> Entry:
        path = self.folder(sequence) / "manifest.json"
        try:
            content = path.read_bytes()
            document = json.loads(content)
            found = Entry(sequence, hashlib.sha256(content).hexdigest(), document)
            found.kind, found.name, found.chain, found.files  # noqa: B018  every part that is relied on is there
            return found
        except (OSError, ValueError, KeyError, TypeError):
            raise IntegrityError("manifest-broken", "the manifest is missing or cannot be read", str(path.relative_to(self.root)), "Take the archive from where it was kept.") from None

    def entries(self) -> Iterator[Entry]:
        for sequence in self.sequences():
            yield self.entry(sequence)

    def runs(self) -> list[Entry]:
        return [entry for entry in self.entries() if entry.kind == "run"]

    def events(self, run_id: str, kind: str) -> list[Entry]:
        """What happened to a run, in order."""
        return [entry for entry in self.entries() if entry.event is not None and entry.kind == kind and entry.name == run_id]

    def find(self, run_id: str) -> Entry:
        """The entry of a run, by its id or the beginning of one."""
        runs = self.runs()
        found = [entry for entry in runs if entry.name == run_id] or [entry for entry in runs if entry.name.startswith(run_id)]
        if len(found) != 1:
            raise UsageError("run-not-in-archive", f"{'no run' if not found else 'more than one run'} of the archive is called {run_id}", str(self.root), "qqloan audit ARCHIVE lists them.")
        return found[0]

    @cached_property
    def replaced(self) -> dict[str, tuple[Entry, str | None]]:
        return replaced_in(self.entries())

    def place_of(self, entry: Entry, digest: str) -> Path:
        """Where the entry that names a content has it, as it was brought."""
        return self.folder(entry.chain["objects"][digest]) / "objects" / entry.stored(digest)

    def fetch(self, entry: Entry, name: str, to: Path) -> None:
        """Puts a run's file at ``to``, in the clear, after its digest was looked at; where people were erased from it, what is left. Raises
        IntegrityError where it is not what it was, UsageError where it was pruned, ConfigError where it is encrypted and the key is not there."""
        digest, holder = entry.files[name], entry
        if digest in self.replaced:
            holder, digest = self.replaced[digest]
            if digest is None:
                raise UsageError("data-pruned", f"{name} was kept as long as it was to be, and pruned on {holder.event['at'][:10]}", f"entry {holder.sequence}", "What is left of the run is in its manifest.")
        stored = holder.stored(digest)
        source = self.place_of(holder, digest)
        altered = IntegrityError("object-altered", f"{name} is missing or not what was sealed", str(source.relative_to(self.root)), "qqloan audit ARCHIVE says what else is.")
        if not source.is_file() or source.is_symlink() or sha256(source) != stored:
            raise altered
        if not to.parent.is_dir():  # to be told that it stands there takes longer than to look
            to.parent.mkdir(parents=True, exist_ok=True)
        if stored != digest:
            secrecy.decrypt(source, to)
            if sha256(to) != digest:
                raise altered
            return
        try:
            os.link(source, to)  # nothing writes into a run's inputs
        except OSError:
            shutil.copyfile(source, to)

    def head(self) -> dict | None:
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((self.root / "HEAD.json").read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
        return None


@contextlib.contextmanager
def adding(root: Path, notes=None) -> Iterator[tuple[Archive, Path, int]]:
    """(archive, folder to fill, sequence): the folder becomes the next entry when the block ends well, and with the first one the archive
    itself comes to stand under its name. One writer at a time; what a killed process had begun is thrown away."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with only_writer(root, notes):
        first = not (root / "chain").is_dir()
        if first and root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise UsageError("not-an-archive", "something stands there that is no archive", str(root), "Choose another --to.")
        at = root.with_name(f".{root.name}.begun") if first else root
        if first:
            remove(at)
            (at / "chain").mkdir(parents=True)
            shutil.copyfile(FORMAT, at / "FORMAT.md")
        archive = Archive(at)
        for begun in (at / "chain").glob(".begun-*"):
            remove(begun)
        sequences = archive.sequences()
        sequence = len(sequences) + 1
        if sequences != list(range(1, sequence)):
            raise IntegrityError("chain-broken", "an entry of the chain is missing", str(root), "qqloan audit ARCHIVE says which.")
        _mend_head(archive, sequence - 1)
        take_away(archive)
        begun = at / "chain" / f".begun-{sequence:06d}"
        (begun / "objects").mkdir(parents=True)
        try:
            yield archive, begun, sequence
        except BaseException:
            remove(at if first else begun)
            raise
        if (begun / "manifest.json").exists():
            os.replace(begun, archive.folder(sequence))
            _sync(at / "chain")
            write_head(archive, sequence)
            if first:
                os.replace(at, root)
            take_away(Archive(root))
        else:
            remove(at if first else begun)


def brought_by(entries: Iterable[Entry]) -> dict[str, int]:
    """By digest of a content: the entry that brought it last. What was pruned is not there to be named again."""
    found: dict[str, int] = {}
    for entry in entries:
        found.update(entry.chain["objects"])
        for digest, by in (entry.event or {}).get("replaced", {}).items():
            if by is None:
                found.pop(digest, None)
    return found


def bring(path: Path, objects: Path, brought: dict[str, int], to=None) -> tuple[str, str]:
    """Copies a file into ``objects`` under its digest, in one reading, or what encryption for ``to`` makes of it under its own. Gives both
    digests. What an entry before has is not kept twice."""
    beside = objects / f".{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    total = hashlib.sha256()
    with open(path, "rb") as source, open(beside, "wb") as target:
        while chunk := source.read(CHUNK):
            total.update(chunk)
            if to is None:
                target.write(chunk)
    digest = name = total.hexdigest()
    if digest in brought:
        beside.unlink()
        return digest, name
    if to is not None:
        secrecy.encrypt(path, beside, to)
        name = sha256(beside)
    os.chmod(beside, 0o444)
    os.replace(beside, objects / name)
    return digest, name


def written(archive: Archive, begun: Path, sequence: int, subject: list[dict], kind: str, predicate: dict, objects: dict[str, int], private_key: Path | None, encrypted: dict | None = None) -> None:
    """The manifest of an entry that is no run, into the folder ``begun``, signed where there is a key."""
    manifest = begun / "manifest.json"
    previous = archive.entry(sequence - 1).digest if sequence > 1 else None
    write_json(manifest, {
        "_type": STATEMENT, "subject": subject, "predicateType": kind,
        "predicate": {**predicate, "qqloan_chain": {"sequence": sequence, "previous": previous, "format_sha256": sha256(FORMAT), "objects": dict(sorted(objects.items())), **({"encrypted": encrypted} if encrypted else {})}},
    })
    os.chmod(manifest, 0o444)
    if private_key is not None:
        sign(manifest, private_key)


def objects_of(entries: list[Entry]) -> tuple[dict[str, str], set[str]]:
    """(the objects that are to be there, with the digests of their bytes; those that were taken away), by their path in the archive."""
    ever: dict[str, str] = {}  # path of every object that was brought
    where: dict[str, str] = {}  # by digest, its path now
    for entry in entries:
        for digest, brought in entry.chain["objects"].items():
            if brought == entry.sequence:
                stored = entry.stored(digest)
                where[digest] = f"chain/{brought:06d}/objects/{stored}"
                ever[where[digest]] = stored
    taken = replaced_in(entries)
    needed = {taken[digest][1] if digest in taken else digest for entry in entries for digest in entry.files.values()}
    needed |= {entry.event["people"] for entry in entries if "people" in (entry.event or {})}
    there = {where[digest] for digest in needed if digest in where}
    return {path: stored for path, stored in ever.items() if path in there}, set(ever) - there


def replaced_in(entries: Iterable[Entry]) -> dict[str, tuple[Entry, str | None]]:
    """By the digest of what was sealed: the last entry that took it away, and the digest of what that put in its place, if anything. What
    was pruned and is sealed anew by a later run is there again; who was erased stays so."""
    found: dict[str, tuple[Entry, str | None]] = {}
    for entry in entries:
        for digest, brought in entry.chain["objects"].items():
            if brought == entry.sequence:
                found.pop(digest, None)
        if entry.event is not None:
            found.update({digest: (entry, by) for digest, by in entry.event.get("replaced", {}).items()})
    return found


def take_away(archive: Archive) -> None:
    """What a later entry took away is removed: at once, or by whoever comes next where a process was killed before it could."""
    if archive.replaced:
        for name in sorted(objects_of(list(archive.entries()))[1]):
            (archive.root / name).unlink(missing_ok=True)


def _mend_head(archive: Archive, last: int) -> None:
    """Whoever added the last entry may have been killed before the head was written."""
    head = archive.head()
    if last > 1 and head is not None and head.get("manifest_sha256") == archive.entry(last).chain["previous"]:
        write_head(archive, last)


def write_head(archive: Archive, sequence: int) -> None:
    write_json(archive.root / "HEAD.json", {"sequence": sequence, "manifest_sha256": archive.entry(sequence).digest})


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
