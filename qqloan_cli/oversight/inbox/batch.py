"""One batch on its way. Where it is, is where it lies; what was done, is in the journal.

    INBOX/NAME  ->  STATE/working/BATCH/NAME  ->  STATE/done/BATCH/NAME
                                              ->  STATE/refused/BATCH/NAME, and reason.json

Each arrow is one rename. BATCH is NAME where that is free, else NAME.2, NAME.3, ...: also the run's name, and never given twice. What no path of a
run should hold (bytes that are no text, line breaks, signs that a glob reads) is an underscore in both. A step is
done, then said in the journal; each step may be done twice with the same end, so that a kill between the two repeats nothing. Everything under
STATE is the watch's own, mode 0700: people are in it.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Callable, NamedTuple

from qqloan_cli.engine.files import remove, sha256, write_json
from qqloan_cli.engine.workers import Apart
from qqloan_cli.errors import InputError, LockedError, QqloanError, frames, unexpected
from qqloan_cli.oversight.inbox import refusals, steps
from qqloan_cli.oversight.inbox.drops import MARKERS, Drop, day_of, is_under_way
from qqloan_cli.oversight.inbox.journal import Journal, State
from qqloan_cli.oversight.inbox.unpack import unpacked

_ROOM = 64 << 20  # with less disk than this left, whatever went wrong went wrong of it
_LONGEST_NAME = 200  # a run has locks and unfinished siblings beside it, whose names are longer
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class Held(Exception):
    """The machine's trouble, or somebody else's lock, and not the batch's: it stays where it is and is tried again."""

    def __init__(self, error: QqloanError) -> None:
        super().__init__(str(error))
        self.error = error


class Asked(NamedTuple):
    """``as_of``: the day of batches whose name says none; ``as_of_said`` how it was said. ``again``: the same content is decided again on
    another day. ``discard``: what was decided and archived is removed, and not kept in done/."""

    wanted: steps.Wanted
    as_of: Callable[[], datetime.date] | None = None
    as_of_said: str = ""
    markers: tuple[str, ...] = MARKERS
    again: bool = False
    discard: bool = False


class Batches:
    def __init__(self, inbox: Path, state: Path, asked: Asked, events) -> None:
        self.inbox, self.state, self.asked, self.events = inbox, state, asked, events
        for place in (state, *(state / name for name in ("working", "done", "refused"))):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(state, 0o700)
        self.journal = Journal(state / "journal.jsonl")
        wanted = asked.wanted
        self.steps: list[tuple[str, Callable[[str, State], dict]]] = [("identified", self._identify), ("ran", self._run), ("archived", self._apart(steps.seal))]
        if wanted.book is not None:
            self.steps.append(("opened", self._apart(steps.open_into_book)))
        self.steps.append(("monitored", self._apart(steps.monitor)))
        if wanted.report is not None and wanted.pages is not None:
            self.steps.append(("reported", self._apart(steps.report)))

    def take(self, drop: Drop) -> str:
        """Out of the inbox, under a name of its own. Raises OSError where that may not be done, and leaves it where it was."""
        name = _plain(drop.name)
        batch = self._free(name)
        beside = drop.marker.name if drop.marker is not None and drop.marker.parent == self.inbox else None
        self.journal.add(batch, "taking", name=name, beside=_plain(beside) if beside else None, beside_ns=drop.marker.lstat().st_mtime_ns if beside else None)
        try:
            (self.state / "working" / batch).mkdir(mode=0o700, exist_ok=True)
            os.rename(drop.path, self._dropped(batch))
        except OSError:
            self._nothing_came(batch)
            raise
        self._taken(batch)
        return batch

    def recover(self) -> list[str]:
        """What a watch that was stopped had begun, as it stands: those that are to be gone on with."""
        for batch in self.journal.under_way():
            state = self.journal.batches[batch]
            if state["event"] == "taking":
                if os.path.lexists(self._dropped(batch)):
                    self._taken(batch)
                else:
                    self._nothing_came(batch)
        for batch in self.journal.under_way():
            if (self.state / "refused" / batch).is_dir():
                reason = json.loads((self.state / "refused" / batch / refusals.REASON).read_text(encoding="utf-8"))
                self.journal.add(batch, "refused", **{name: value for name, value in reason.items() if name != "trail"})
            elif not (self.state / "working" / batch).exists():
                self.journal.add(batch, "done")
        return self.journal.under_way()

    def go(self, batch: str) -> State:
        """To its end. Raises Held where it is to be tried again."""
        state = self.journal.batches[batch]
        for event, step in self.steps:
            if not state.has(event):
                try:
                    told = step(batch, state)
                except (QqloanError, OSError) as error:
                    self._mind(batch, event, error)
                    return state
                except Exception as error:  # ours: one batch, not the watch, ends in it
                    self._mind(batch, event, unexpected(error))
                    return state
                self.journal.add(batch, event, **told)
                self.events.note(f"batch-{event}", f"{batch}: {_in_words(event, told)}")
            if state.get("repeats"):
                self._refuse(batch, event, self._repeated(state))
                return state
        place = self.state / "working" / batch
        if self.asked.discard:
            remove(place)
        else:
            os.replace(place, self.state / "done" / batch)
        self.journal.add(batch, "done")
        self.events.note("batch-done", f"{batch} is done")
        return state

    # taking
    def _free(self, name: str) -> str:
        number, batch = 1, name
        while batch in self.journal.batches or os.path.lexists(self.asked.wanted.runs / batch) or any(os.path.lexists(self.state / place / batch) for place in ("working", "done", "refused")):
            number += 1
            batch = f"{name}.{number}"
        return batch

    def _dropped(self, batch: str) -> Path:
        return self.state / "working" / batch / self.journal.batches[batch]["name"]

    def _taken(self, batch: str) -> None:
        told = self.journal.batches[batch]
        if told["beside"]:
            for marker in [path for path in self.inbox.iterdir() if _plain(path.name) == told["beside"]]:
                with contextlib.suppress(FileNotFoundError):
                    if marker.lstat().st_mtime_ns == told["beside_ns"]:  # or it is that of the next
                        marker.unlink()
        self.journal.add(batch, "taken")
        self.events.note("batch-taken", f"{batch}: taken up")

    def _nothing_came(self, batch: str) -> None:
        with contextlib.suppress(OSError):
            (self.state / "working" / batch).rmdir()
        self.journal.batches.pop(batch)

    # steps
    def _apart(self, function: Callable[..., dict], *more) -> Callable[[str, State], dict]:
        def call(batch: str, state: State) -> dict:
            with Apart(function, self.asked.wanted, state.get("run", batch), *more, self.events, alone=False) as there:
                return there.result()

        return call

    def _identify(self, batch: str, state: State) -> dict:
        dropped = self._dropped(batch)
        files = self._unpack(dropped)
        digests = self._digests(files)
        day, said = self._day(state["name"])
        content = hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
        told = {"as_of": day.isoformat(), "as_of_from": said, "content": content, "files": len(digests), "unpacked": files != dropped}
        before = [(of, was) for of, was in self.journal.decided(content, batch) if was["as_of"] == told["as_of"] or not self.asked.again]
        if before:
            of, was = before[0]
            if was["event"] == "refused" and was["as_of"] == told["as_of"] and (self.asked.wanted.runs / was["run"]).is_dir():
                return {**told, "goes_on": of}  # it was decided, and what came after failed: only that is done again
            return {**told, "repeats": of}
        return told

    def _unpack(self, dropped: Path) -> Path:
        try:
            if dropped.is_file() and not dropped.is_symlink():
                return unpacked(dropped, dropped.parent / ".unpacked") or dropped
        except OSError as error:
            raise self._unreadable(error, dropped) from None
        return dropped

    def _digests(self, files: Path) -> list[str]:
        """Of every file that intake would look at. InputError at what is no plain file, or cannot be read."""
        digests = []
        try:
            paths = sorted(files.rglob("*")) if files.is_dir() and not files.is_symlink() else [files]
            if files.is_dir() and not files.is_symlink():
                os.listdir(files)  # rglob passes over what it may not look into
            for path in paths:
                told = path.lstat()
                name = path.relative_to(files.parent).as_posix()
                if not name.isprintable():
                    raise InputError("batch-name-unreadable", "a file's name is no text in UTF-8", _plain(name), "Name it in UTF-8, without line breaks.")
                if stat.S_ISDIR(told.st_mode):
                    os.listdir(path)
                    continue
                if not stat.S_ISREG(told.st_mode):
                    raise InputError("batch-not-files", "there is a link, pipe or device in it", name, "Drop plain files.")
                if is_under_way(path.name):
                    raise InputError("batch-unfinished", "the upload of a file was not finished", name, "Drop it again when it is whole.")
                if not any(part.startswith((".", "_")) for part in path.relative_to(files).parts) and path.name not in self.asked.markers:
                    digests.append(sha256(path))
        except OSError as error:
            raise self._unreadable(error, files) from None
        if not digests:
            raise InputError("batch-empty", "there is no file in it", files.name, "Drop the lender's files with their marker.")
        return digests

    def _unreadable(self, error: OSError, at: Path) -> QqloanError | OSError:
        if error.errno in _FULL:
            return error
        where = os.path.basename(str(error.filename)) if error.filename else at.name
        return InputError("batch-unreadable", f"a file or folder of it cannot be read: {os.strerror(error.errno or errno.EIO)}", where, "Let the watch's user read it and drop it again.")

    def _day(self, name: str) -> tuple[datetime.date, str]:
        days = day_of(name)
        if len(days) == 1:
            return days[0], "name"
        if days:
            raise InputError("batch-of-two-days", f"its name says {len(days)} dates", name, "Name it by one: 2026-11-24.")
        if self.asked.as_of is None:
            raise InputError("batch-undated", "its name says no date, and none was given", name, "Name it by its day, as 2026-11-24; or --as-of DATE, or today.")
        return self.asked.as_of(), self.asked.as_of_said

    def _repeated(self, state: State) -> InputError:
        was = self.journal.batches[state["repeats"]]
        hint = "Nothing is decided twice." if was["as_of"] == state["as_of"] else "A feed that was not refreshed? --again decides it on this day too."
        return InputError("batch-repeated", f"the same files were decided as of {was['as_of']}, in batch {state['repeats']}", state["name"], hint)

    def _run(self, batch: str, state: State) -> dict:
        if state.get("goes_on"):
            was = self.journal.batches[state["goes_on"]]
            return {name: was[name] for name in ("run", "run_id", "applications", "refused_rows", "decisions")} | {"seconds": 0.0}
        dropped = self._dropped(batch)
        files = dropped.parent / ".unpacked" if state["unpacked"] else dropped
        digests = frozenset(self._digests(files))
        return self._apart(steps.run, files, datetime.date.fromisoformat(state["as_of"]), digests)(batch, state)

    # ends
    def _mind(self, batch: str, step: str, error: QqloanError | OSError) -> None:
        """Sets the batch aside, or holds it where it is not its fault."""
        if isinstance(error, OSError):
            error = unexpected(error)
        if isinstance(error, LockedError) or error.ref == "machine-failed" or error.exit_code == 70 and self._no_room():
            raise Held(error)
        self._refuse(batch, step, error)

    def _no_room(self) -> bool:
        return any(shutil.disk_usage(place).free < _ROOM for place in {self.state, self.asked.wanted.runs} if place.exists())

    def _refuse(self, batch: str, step: str, error: QqloanError) -> None:
        place = self.state / "working" / batch
        reason = {"ref": error.ref, "what": error.what, "where": error.where, "hint": error.hint, "exit_code": error.exit_code, "step": step}
        write_json(place / refusals.REASON, {**reason, "trail": frames(error)} if error.exit_code == 70 else reason)
        os.replace(place, self.state / "refused" / batch)
        self.journal.add(batch, "refused", **reason)
        self.events.note("batch-refused", f"{batch}: {error}")


def _plain(name: str) -> str:
    """A name that any path of a run may hold; of bytes that are no UTF-8 as GB18030 has them, if it does."""
    if not name.isprintable():
        with contextlib.suppress(UnicodeDecodeError):
            name = os.fsencode(name).decode("gb18030")
    name = "".join(sign if sign.isprintable() and sign not in "*?[]\\" else "_" for sign in name)
    while len(name.encode()) > _LONGEST_NAME:
        name = name[:-1]
    return name


def _in_words(event: str, told: dict) -> str:
    if event == "identified":
        return f"{told['files']} files as of {told['as_of']}" + (f", the same as {of}" if (of := told.get("repeats") or told.get("goes_on")) else "")
    if event == "ran":
        return f"{told['applications']:,} applications decided: " + ", ".join(f"{count:,} {name}" for name, count in told["decisions"].items())
    if event == "archived":
        return f"archived as entry {told['entry']}"
    if event == "opened":
        return f"{told['loans']:,} loans are in the book from {told['opened_on']}"
    if event == "monitored":
        return f"{told['alerts']['red']} red and {told['alerts']['amber']} amber" + (f"; not sent to {', '.join(told['not_sent'])}" if told["not_sent"] else "")
    return f"the report is {told['page']}"
