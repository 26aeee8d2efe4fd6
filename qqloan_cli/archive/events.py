"""What happens to a sealed run or a proposed policy later: an entry of the chain like any other, whole or not there."""

from __future__ import annotations

import datetime
from pathlib import Path

from qqloan_cli.archive.layout import EVENT, Archive, Entry, adding, written
from qqloan_cli.errors import UsageError


def append(root: Path, about: Entry, event: dict, at: datetime.datetime, private_key: Path | None, check=None) -> Entry:
    """Chains ``event`` about the run or policy ``about``. ``check(archive)`` is called under the lock, and raises where the event may not be.
    Raises UsageError where the clock ``at`` stands before an earlier event."""
    with adding(root) as (archive, begun, sequence):
        clock(archive, at)
        if check is not None:
            check(archive)
        named = {"run_id": about.name} if about.kind == "run" else {"release": int(about.name)}
        written(archive, begun, sequence, [{"name": about.name, "digest": {"sha256": about.digest}}], EVENT, {"event": {**event, **named, "at": told(at)}}, {}, private_key)
    return Archive(root).entry(sequence)


def told(at: datetime.datetime) -> str:
    return at.isoformat(timespec="seconds")


def clock(archive: Archive, at: datetime.datetime) -> None:
    """Raises UsageError where ``at`` is before what the chain says has happened."""
    earlier = [(entry.event or entry.policy)["at"] for entry in archive.entries() if entry.kind != "run"]
    if earlier and told(at) < max(earlier):
        raise UsageError("clock-set-back", f"the clock stands at {told(at)}, before the last entry of {max(earlier)}", str(archive.root), "Set the clock right.")
