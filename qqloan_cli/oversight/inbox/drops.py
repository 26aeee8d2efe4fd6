"""What lies in an inbox: a folder or a file that a lender is dropping, complete or not yet.

Complete is
- a folder in which a marker lies, or a folder or file beside which one lies (`2026-11-24.done` of `2026-11-24`): at once;
- without a marker, what has not changed for the time to settle: no name, size, inode or time of it. The time is counted here, by a clock that
  nobody sets: a sender's clock, and times that an upload keeps, say nothing.

Names of uploads under way (`.part` and the like) are passed over; a folder is not complete by its marker while one lies in it.
"""

from __future__ import annotations

import datetime
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

MARKERS = ("_READY", "_SUCCESS", "_DONE", "_COMPLETE", ".ready", ".done")  # in a folder
BESIDE = (".ready", ".done", ".ok")  # added to the name of what is complete
_UNDER_WAY = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".uploading", ".!ut", "~")
_DAY = re.compile(r"(?<!\d)(20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?=(?:T?\d{4}(?:\d\d)?)?(?!\d))")


@dataclass(frozen=True)
class Drop:
    """``signature``: what changes when anything of it does. ``marker``: the file that says it is complete. ``under_way``: an upload in it that
    has not its name yet. ``files``: how many lie in it, markers not counted."""

    path: Path
    signature: tuple
    files: int
    marker: Path | None
    under_way: str | None

    @property
    def name(self) -> str:
        return self.path.name


def day_of(name: str) -> list[datetime.date]:
    """The days that a name says: 2026-11-24, 20261124, 2026_11_24, 20261124T0830, 20261124083000. None or several are not a date."""
    found = set()
    for year, _, month, day in _DAY.findall(name):
        try:
            found.add(datetime.date(int(year), int(month), int(day)))
        except ValueError:  # the 31st of a short month
            continue
    return sorted(found)


def is_under_way(name: str) -> bool:
    return name.lower().endswith(_UNDER_WAY)


def drops(inbox: Path, markers: Iterable[str] = MARKERS) -> list[Drop]:
    """In order of their day and name, so that a backlog is decided in the order of the days. What vanishes while it is looked at is not there."""
    inside, found = frozenset(markers), []
    with os.scandir(inbox) as listing:
        entries = {entry.name: entry for entry in listing}
    for name, entry in entries.items():
        if name.startswith(".") or name in inside or is_under_way(name) or _marks(name, entries):
            continue
        beside = next((inbox / (name + ending) for ending in BESIDE if name + ending in entries), None)
        try:
            found.append(_drop(Path(entry.path), beside, inside))
        except FileNotFoundError:
            continue
    return sorted(found, key=lambda drop: ([day.isoformat() for day in day_of(drop.name)] or ["9"], drop.name))


def _marks(name: str, entries: dict) -> bool:
    """Whether the name is that of a marker beside something, there or not there yet: an empty file."""
    if not name.endswith(BESIDE):
        return False
    stem = name[: name.rindex(".")]
    try:
        return stem in entries or entries[name].stat(follow_symlinks=False).st_size == 0
    except OSError:
        return True


def _drop(path: Path, beside: Path | None, inside: frozenset[str]) -> Drop:
    signature, files, marker, under_way = [], 0, beside, None
    for at, folders, names in os.walk(path, onerror=_raise) if path.is_dir() and not path.is_symlink() else [(str(path.parent), [], [path.name])]:
        for name in sorted(folders) + sorted(names):
            told = os.lstat(os.path.join(at, name))
            signature.append((os.path.relpath(os.path.join(at, name), path), told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns))
            if stat.S_ISDIR(told.st_mode):
                continue
            if name in inside and Path(at) == path:
                marker = marker or path / name
            else:
                files += 1
                under_way = under_way or (name if is_under_way(name) else None)
    return Drop(path, tuple(sorted(signature)), files, marker, under_way)


def _raise(error: OSError) -> None:
    if not isinstance(error, PermissionError):  # what may not be looked into is said when it is taken up
        raise error


class Settling:
    """Since when each drop has looked as it does. ``seconds``: how long that must be; None where a marker alone counts."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._since: dict[str, tuple[tuple, float]] = {}

    def look(self, found: list[Drop]) -> tuple[list[Drop], list[Drop]]:
        """(complete, not yet)."""
        now = time.monotonic()
        self._since = {
            drop.name: before if (before := self._since.get(drop.name)) and before[0] == drop.signature else (drop.signature, now)
            for drop in found
        }
        complete = [drop for drop in found if self._complete(drop, now - self._since[drop.name][1])]
        return complete, [drop for drop in found if drop not in complete]

    def _complete(self, drop: Drop, still_for: float) -> bool:
        settled = self.seconds is not None and still_for >= self.seconds
        if drop.marker is not None:
            return drop.under_way is None or settled
        return settled and drop.files > 0

    def waits_for(self, drop: Drop) -> str:
        if drop.files == 0:
            return "there is no file in it yet"
        if drop.under_way:
            return "an upload into it is under way"
        return "it has no marker yet" if self.seconds is None else f"it has no marker and changed within the last {self.seconds:g} seconds"
