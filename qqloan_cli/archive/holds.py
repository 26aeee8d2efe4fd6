"""Legal holds: while one stands, neither erasing nor retention touches what it is about."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.archive.events import append
from qqloan_cli.archive.layout import Archive, Entry
from qqloan_cli.errors import UsageError

HOLD, RELEASE = "legal-hold", "legal-hold-release"


class Held(NamedTuple):
    """``runs``: ids; ``people``: applicant_ids; ``entries``: the holds that stand."""

    runs: set[str]
    people: set[str]
    entries: list[Entry]


def held(archive: Archive) -> Held:
    events = [entry for entry in archive.entries() if entry.kind in (HOLD, RELEASE)]
    ended = {entry.event["hold"] for entry in events if entry.kind == RELEASE}
    standing = [entry for entry in events if entry.kind == HOLD and entry.sequence not in ended]
    return Held({entry.name for entry in standing if entry.event["applicant_id"] is None}, {entry.event["applicant_id"] for entry in standing} - {None}, standing)


def hold(root: Path, run_id: str, applicant_id: str | None, by: str, why: str, at: datetime.datetime, private_key: Path | None) -> Entry:
    """On a whole run, or on one person wherever they are."""
    return append(root, Archive.open(root).find(run_id), {"kind": HOLD, "applicant_id": applicant_id, "by": by, "why": why}, at, private_key)


def release(root: Path, number: int, by: str, why: str, at: datetime.datetime, private_key: Path | None) -> Entry:
    """Raises UsageError where no hold of that number stands."""
    archive = Archive.open(root)
    found = [entry for entry in held(archive).entries if entry.sequence == number]
    if not found:
        raise UsageError("hold-not-found", f"no legal hold has the number {number}", str(root), "qqloan archive holds lists them.")
    return append(root, archive.find(found[0].name), {"kind": RELEASE, "hold": number, "by": by, "why": why}, at, private_key)
