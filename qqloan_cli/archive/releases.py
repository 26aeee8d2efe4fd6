"""A book of policies: an archive whose entries are proposed configurations, people's signatures under them, and what was withdrawn.

A policy is released when enough approvers of the one before it have signed it; which one is in force on a date follows from the book
alone. Nothing is edited and nothing is dated back, so what was decided on a date stays decided under what was in force on it.
"""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.archive.events import append, clock, told
from qqloan_cli.archive.layout import POLICY, Archive, Entry, adding, bring, brought_by, written
from qqloan_cli.archive.signing import holds, public_from, public_of, read_private
from qqloan_cli.engine.files import sha256
from qqloan_cli.errors import ConfigError, IntegrityError, UsageError
from qqloan_cli.policy.approvers import Approvers, load_approvers
from qqloan_cli.policy.changes import changes
from qqloan_cli.policy.check import check
from qqloan_cli.policy.load import read_toml
from qqloan_cli.policy.version import model_version, policy_version

APPROVAL, WITHDRAWAL = "policy-approval", "policy-withdrawal"


class Release(NamedTuple):
    """``state``: proposed, half-approved, released or withdrawn. ``approved_by``: whose signatures hold, in order. ``replaces`` and
    ``rolls_back_to``: numbers of other releases."""

    entry: Entry
    state: str
    approved_by: list[str]

    @property
    def number(self) -> int:
        return self.entry.sequence

    @property
    def says(self) -> dict:
        return self.entry.policy

    @property
    def effective(self) -> str:
        return self.says["effective"]


def releases(book: Archive) -> list[Release]:
    """Every proposed policy in order, as the chain leaves it: an approval counts where it is signed by one whom the policy before names
    and was possible when it was given. Raises IntegrityError where a proposal names approvers of its own making."""
    found: dict[int, Release] = {}
    for entry in book.entries():
        if entry.kind == "policy":
            _hold_to_the_one_before(book, entry, found)
            found[entry.sequence] = Release(entry, "proposed", [])
        elif entry.kind in (APPROVAL, WITHDRAWAL):
            release = found.get(entry.event.get("release"))
            if release is None or release.entry.digest != entry.document["subject"][0]["digest"]["sha256"]:
                continue
            name, at = _signer(book, entry, release), entry.event["at"]
            if name is None or _refusal(list(found.values()), release, entry.kind, name, at) is not None:
                continue
            if entry.kind == WITHDRAWAL:
                found[release.number] = release._replace(state="withdrawn")
                continue
            approved = [*release.approved_by, name]
            found[release.number] = release._replace(approved_by=approved, state="released" if len(approved) >= release.says["approvers"]["needed"] else "half-approved")
    return list(found.values())


def _released(found: list[Release]) -> list[Release]:
    return [release for release in found if release.state == "released"]


def _refusal(found: list[Release], release: Release, kind: str, name: str, at: str) -> UsageError | None:
    """Why an approval or a withdrawal by ``name`` may not be, as things stand."""
    which, standing = f"release {release.number}", _released(found)
    if kind == WITHDRAWAL:
        if release.state == "withdrawn" or release.state == "released" and release.effective <= at[:10]:
            return UsageError("policy-settled", f"it is {'in force' if release.state == 'released' else 'withdrawn'} already", which, "qqloan policy rollback takes effect from a date on.")
        after = [other.number for other in found if other.says["replaces"] == release.number and other.state != "withdrawn"]
        return UsageError("policy-built-upon", f"release {after[0]} is told by its differences from it", which, "Withdraw that one first.") if after else None
    if release.state in ("released", "withdrawn"):
        return UsageError("policy-settled", f"it is {release.state} already", which, "qqloan policy list BOOK shows what waits.")
    if name == release.says["by"]:
        return UsageError("policy-own-approval", f"{name} proposed it", which, "Others must approve.")
    if name in release.approved_by:
        return UsageError("policy-approved-twice", f"{name} has approved it", which, "Another person must.")
    if standing and standing[-1].number != release.says["replaces"]:
        return UsageError("policy-overtaken", f"release {standing[-1].number} was released since, and its differences are from another", which, "Propose it anew.")
    return _backdated(release.effective, at) if standing else None


def _backdated(effective: str, at: str) -> UsageError | None:
    """The first release of a book may have any date: nothing was decided under another."""
    if effective < at[:10]:
        return UsageError("policy-backdated", f"{effective} has passed, and what was decided since was decided under another policy", "--effective", "Name today or a later date.")
    return None


def in_force(book: Archive, date: datetime.date) -> Release | None:
    """What was released with the latest effective date up to ``date``; of two of one date the later one."""
    standing = [release for release in _released(releases(book)) if release.effective <= date.isoformat()]
    return max(standing, key=lambda release: (release.effective, release.number)) if standing else None


def numbered(book: Archive, number: int) -> Release:
    found = [release for release in releases(book) if release.number == number]
    if not found:
        raise UsageError("release-not-found", f"no policy of the book has the number {number}", str(book.root), "qqloan policy list BOOK lists them.")
    return found[0]


def laid_out(book: Archive, release: Release, folder: Path) -> Path:
    """Its configuration as a folder, each file held to its digest."""
    for name in release.entry.files:
        book.fetch(release.entry, name, folder / name)
        if (folder / name).stat().st_nlink > 1:  # a file of its own: what is laid out may be edited
            shutil.copyfile(folder / name, folder / f"{name}.own")
            (folder / f"{name}.own").replace(folder / name)
    return folder


def propose(root: Path, config: Path, scratch: Path, effective: datetime.date, by: str, why: str, at: datetime.datetime, private_key: Path | None, rolls_back_to: int | None = None) -> Release:
    """Adds a configuration to the book, with its differences from the release that it would replace. Raises ConfigError where the
    configuration cannot be right, UsageError where the date or the proposer cannot be."""
    wrong = [row for row in check(config) if not row["ok"]]
    if wrong:
        raise ConfigError("policy-wrong", f"{len(wrong)} checks of the configuration fail, the first: {wrong[0]['what']}: {wrong[0]['says']}", str(config), "qqloan config check lists them.")
    if not by.strip() or not why.strip():
        raise UsageError("policy-incomplete", "a proposal needs who and why in words", "--by, --why", "Name both.")
    with adding(root) as (book, begun, sequence):
        clock(book, at)
        standing = _released(releases(book))
        before = standing[-1] if standing else None
        if before is not None:
            if refused := _backdated(effective.isoformat(), told(at)):
                raise refused
            if effective.isoformat() < max(release.effective for release in standing):
                raise UsageError("policy-out-of-order", f"release {before.number} takes effect on {before.effective}, after this one", "--effective", "Name a later date, or withdraw that one first.")
        replaced = laid_out(book, before, scratch / "before") if before else None
        people = load_approvers(replaced or config)
        if len(set(people.people) - {by.strip()}) < people.needed:
            raise ConfigError("approvers-too-few", f"{people.needed} people must approve, and approvers.toml names {len(set(people.people) - {by.strip()})} besides the proposer", str(config / "approvers.toml"), "Name them with their public keys.")
        brought, digests = brought_by(book.entries()), {}
        for path in sorted(path for path in config.rglob("*") if path.is_file()):
            digests[path.relative_to(config).as_posix()], _ = bring(path, begun / "objects", brought)
        differences = [change._asdict() for change in changes(replaced, config)] if replaced else []
        if before is not None and not differences:
            raise UsageError("policy-unchanged", f"the configuration is what release {before.number} is", str(config), "Nothing has to be released.")
        said = {
            "version": policy_version(config), "model_version": model_version(config), "effective": effective.isoformat(), "by": by.strip(), "why": why.strip(), "at": told(at),
            "replaces": before.number if before else None, "rolls_back_to": rolls_back_to, "approvers": people.model_dump(), "differences": differences,
        }
        subject = [{"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()]
        written(book, begun, sequence, subject, POLICY, {"policy": said}, {digest: brought.get(digest, sequence) for digest in digests.values()}, private_key)
    return numbered(Archive(root), sequence)


def approve(root: Path, number: int, private_key: Path, at: datetime.datetime) -> Release:
    """Signs a proposal with an approver's key. Raises UsageError where the key is no approver's, or the approval may not be."""
    return _signed(root, number, private_key, at, {"kind": APPROVAL})


def withdraw(root: Path, number: int, private_key: Path, why: str, at: datetime.datetime) -> Release:
    """Takes a proposal or a release that is not in force yet back. Raises UsageError once its date has come."""
    return _signed(root, number, private_key, at, {"kind": WITHDRAWAL, "why": why})


def _signed(root: Path, number: int, private_key: Path, at: datetime.datetime, event: dict) -> Release:
    release = numbered(Archive.open(root), number)
    people, line = release.says["approvers"]["people"], public_of(read_private(private_key))
    name = next((name for name, key in people.items() if key == line), None)
    if name is None:
        raise UsageError("approver-unknown", "the key is none of the approvers'", str(private_key), f"They are {', '.join(sorted(people))}, as the policy before says.")

    def may_be(book: Archive) -> None:
        refused = _refusal(releases(book), numbered(book, number), event["kind"], name, told(at))
        if refused is not None:
            raise refused

    append(root, release.entry, {**event, "by": name}, at, private_key, may_be)
    return numbered(Archive(root), number)


def _signer(book: Archive, event: Entry, release: Release) -> str | None:
    """Whose valid signature is on it; None where nobody's of the approvers, or another name stands in it."""
    name = event.event.get("by", "")
    key = release.says["approvers"]["people"].get(name)
    return name if key and holds(book.folder(event.sequence) / "manifest.json", public_from(key)) else None


def _hold_to_the_one_before(book: Archive, entry: Entry, found: dict[int, Release]) -> None:
    """A proposal's approvers are those of the release that it replaces, and only the first has its own: nobody appoints themselves."""
    named, standing = entry.policy["replaces"], _released(list(found.values()))
    before = entry if named is None and not standing else found[named].entry if named in found else None
    if before is not None and "approvers.toml" in before.files:
        digest = before.files["approvers.toml"]
        path = book.folder(before.chain["objects"][digest]) / "objects" / digest
        if path.is_file() and sha256(path) == digest and Approvers.model_validate(read_toml(path)).model_dump() == entry.policy["approvers"]:
            return
    raise IntegrityError("policy-without-ground", f"the approvers of release {entry.sequence} are not those of a policy before it", str(book.root), "qqloan audit BOOK says what was altered.")
