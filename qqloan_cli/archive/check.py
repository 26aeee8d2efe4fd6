"""Auditing an archive: every link, every file, in one pass over its bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.archive import signing
from qqloan_cli.archive.layout import EVENT, POLICY, PROVENANCE, STATEMENT, Archive, Entry, objects_of
from qqloan_cli.engine.files import sha256
from qqloan_cli.errors import IntegrityError


class Finding(NamedTuple):
    """``what``: altered, missing, added, linked, broken-link, head-differs or signature-wrong; ``where`` a path in the archive."""

    what: str
    where: str
    why: str


class Audit(NamedTuple):
    entries: list[Entry]
    signed: dict[int, bool]
    findings: list[Finding]
    notes: list[str]
    files: int
    bytes: int


def audit(archive: Archive, public_key: Path | None = None, head: str | None = None) -> Audit:
    """``public_key``: whoever must have signed every entry. ``head``: the digest of the last manifest as it was noted elsewhere."""
    root, findings, notes = archive.root, [], []
    public = signing.read_public(public_key) if public_key else None
    entries, expected, signed = _chain(archive, findings), {"FORMAT.md", "HEAD.json"}, {}
    for entry in entries:
        folder = archive.folder(entry.sequence)
        expected.add(_name(root, folder / "manifest.json"))
        if (folder / "signature.json").exists():
            expected.add(_name(root, folder / "signature.json"))
            signed[entry.sequence] = signing.holds(folder / "manifest.json", public)
            if not signed[entry.sequence]:
                findings.append(Finding("signature-wrong", _name(root, folder / "signature.json"), "it is not over this manifest, or by another key"))
        elif public is not None:
            findings.append(Finding("signature-wrong", _name(root, folder / "manifest.json"), "the entry is not signed"))
    objects, gone = objects_of(entries)
    names = {entry.stored(digest): name for entry in reversed(entries) for name, digest in entry.files.items()}
    for entry in entries:
        if not set(entry.files.values()) <= set(entry.chain["objects"]):
            findings.append(Finding("broken-link", f"chain/{entry.sequence:06d}/manifest.json", "it names a file without saying where its content is"))
    there, size = {}, 0
    for path in sorted(root.rglob("*")):
        name = _name(root, path)
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            if path.parent == root / "chain":
                notes.append(f"{name} is an entry that was begun and not finished; the next qqloan archive removes it")
            continue
        if path.is_symlink():
            findings.append(Finding("linked", name, "a link stands where a file was"))
        elif path.is_file():
            there[name] = path
    with ThreadPoolExecutor(2) as pool:
        looked_at = [name for name in objects if name in there]
        for name, digest in zip(looked_at, pool.map(lambda name: sha256(there[name]), looked_at)):
            size += there[name].stat().st_size
            if digest != objects[name]:
                findings.append(Finding("altered", name, f"the content of {names.get(objects[name], 'a file')} is not what was sealed"))
    for name in sorted((expected | set(objects)) - set(there)):
        if not any(finding.where == name for finding in findings):
            findings.append(Finding("missing", name, f"the content of {names[objects[name]]}" if name in objects and objects[name] in names else "it belongs to every archive"))
    for name in sorted(set(there) & gone):
        notes.append(f"{name} was to be taken away, and erasing was interrupted; the next qqloan archive removes it")
    for name in sorted(set(there) - expected - set(objects) - gone):
        if not any(finding.where == name for finding in findings):
            findings.append(Finding("added", name, "nothing in the chain names it"))
    if entries and "FORMAT.md" in there and sha256(there["FORMAT.md"]) != entries[0].chain["format_sha256"]:
        findings.append(Finding("altered", "FORMAT.md", "it is not the text that the first entry was written by"))
    _head(archive, entries, head, findings, notes)
    return Audit(entries, signed, findings, notes, len(there), size)


def _chain(archive: Archive, findings: list[Finding]) -> list[Entry]:
    """The entries in order, each linked to the one before. What cannot be read is a finding, and so is the first link that does not hold."""
    entries, previous, broken = [], None, False
    sequences = archive.sequences()
    for place, sequence in enumerate(sequences, 1):
        where = f"chain/{sequence:06d}/manifest.json"
        try:
            entry = archive.entry(sequence)
        except IntegrityError as error:
            findings.append(Finding("altered" if (archive.folder(sequence) / "manifest.json").is_file() else "missing", where, error.what))
            broken, previous = True, None
            continue
        if entry.document.get("_type") != STATEMENT or entry.document.get("predicateType") not in (PROVENANCE, POLICY, EVENT):
            findings.append(Finding("altered", where, "it is no statement of this kind"))
        if not broken and (entry.chain.get("sequence") != place or sequence != place or entry.chain.get("previous") != previous):
            findings.append(Finding("broken-link", where, "it does not follow from the entry before"))
            broken = True
        previous = entry.digest
        entries.append(entry)
    return entries


def _head(archive: Archive, entries: list[Entry], noted: str | None, findings: list[Finding], notes: list[str]) -> None:
    head, last = archive.head(), entries[-1] if entries else None
    if head is None or set(head) != {"sequence", "manifest_sha256"}:
        if (archive.root / "HEAD.json").exists():
            findings.append(Finding("altered", "HEAD.json", "it cannot be read"))
    elif last is None or (head["sequence"], head["manifest_sha256"]) != (last.sequence, last.digest):
        behind = len(entries) > 1 and (head["sequence"], head["manifest_sha256"]) == (entries[-2].sequence, entries[-2].digest)
        if behind:
            notes.append("HEAD.json is one entry behind: archiving was interrupted after the entry was whole; the next qqloan archive mends it")
        else:
            findings.append(Finding("head-differs", "HEAD.json", "the last manifest is not the one that it names"))
    if noted is not None and noted not in [entry.digest for entry in entries]:
        findings.append(Finding("head-differs", "chain", f"no manifest has the digest {noted[:12]}... that was noted elsewhere"))


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
