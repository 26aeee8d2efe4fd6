"""One batch after the other: what was begun is gone on with, what is complete is taken up, what is not is waited for.

The inbox is looked at every few seconds and not by inotify, which says nothing of what happens on a network share, where many inboxes are.
The watch itself stays small and has one thread: each step works in a process of its own, which dies with it.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import time
from pathlib import Path
from typing import Iterator, NamedTuple

from qqloan_cli.engine.files import only_writer
from qqloan_cli.engine.workers import Apart
from qqloan_cli.errors import ConfigError, LockedError, QqloanError, UsageError, unexpected
from qqloan_cli.oversight.inbox import refusals
from qqloan_cli.oversight.inbox.batch import Asked, Batches, Held
from qqloan_cli.oversight.inbox.drops import Drop, Settling, drops

_LOCK_SECONDS = 3.0  # a watch that was killed is gone at once, and its processes soon after
_LONGEST_PAUSE = 300.0


class Ended(NamedTuple):
    """Of one look at everything: batches that came to their end, those that did not for the machine's or a lock's sake, and what is not
    complete yet."""

    done: list[str]
    refused: list[str]
    held: dict[str, QqloanError]
    waiting: list[str]


@contextlib.contextmanager
def watching(inbox: Path, state: Path, asked: Asked, settle: float | None, events) -> Iterator["Watch"]:
    """Raises LockedError where another watch has this inbox or this state, UsageError where batches could not be moved between them by a
    rename, ConfigError where the configuration cannot be right: every batch would be set aside by it."""
    if not inbox.is_dir():
        raise UsageError("inbox-not-found", "no such folder", str(inbox), "Make it, and let the lender write into it.")
    if state.resolve().is_relative_to(inbox.resolve()):
        raise UsageError("state-in-inbox", "what the watch keeps may not lie in the inbox", str(state), "Choose another --state on the same disk.")
    if asked.wanted.policies is None:
        with Apart(_wrong_with, asked.wanted.config) as there:
            wrong = there.result()
        if wrong:
            raise ConfigError("config-wrong", f"{wrong[0]['what']}: {wrong[0]['says']}", "", "qqloan config check says all that is.")
    with _alone(inbox, state, events):
        batches = Batches(inbox, state, asked, events)
        _may_rename(inbox, state)
        yield Watch(batches, Settling(settle), events)


def _wrong_with(config: Path | None) -> list[dict]:
    from qqloan_cli.policy.check import check
    from qqloan_cli.policy.home import config_dir

    return [row for row in check(config_dir(config)) if not row["ok"]]


@contextlib.contextmanager
def _alone(inbox: Path, state: Path, events) -> Iterator[None]:
    """The inbox's own lock, and the state's. A step's processes have the first one with them: a killed watch's lock stands until the last of them
    is gone, and nobody meets them at work."""
    until = time.monotonic() + _LOCK_SECONDS
    handle = os.open(inbox, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise LockedError("inbox-watched", "another process watches this inbox", str(inbox), "One is enough: it takes up what is there.") from None
                time.sleep(0.1)
            except OSError:  # a share without such locks: there is still the state's
                break
        with only_writer(state, events):
            yield
    finally:
        os.close(handle)


def _may_rename(inbox: Path, state: Path) -> None:
    """Tried, for two folders of one disk may be two mounts (systemd's ReadWritePaths=), and a right may be missing."""
    there, here = inbox / f".qqloan-{os.getpid()}", state / f".qqloan-{os.getpid()}"
    try:
        there.mkdir()
        try:
            os.rename(there, here)
            here.rmdir()
        except OSError:
            there.rmdir()
            raise
    except OSError as error:
        raise UsageError("inbox-cannot-be-taken-from", f"nothing can be renamed out of the inbox: {os.strerror(error.errno or 0)}", f"{inbox} to {state}", "The watch's user must be let write into both, and both be on one disk and mount.") from None


class Watch:
    def __init__(self, batches: Batches, settling: Settling, events) -> None:
        self.batches, self.settling, self.events = batches, settling, events
        self._tries: dict[str, tuple[int, float]] = {}  # of batches that are held: how often, and when again
        self._said: dict[str, object] = {}
        self._refused: tuple | None = None

    def once(self, every: float) -> Ended:
        """Until everything that is there is done, or set aside, or held, or as incomplete as it was for the time to settle."""
        began, before = time.monotonic(), set(self.batches.journal.batches)
        under_way = set(self.batches.journal.under_way())
        held: dict[str, QqloanError] = {}
        while True:
            more, waiting = self.look()
            held |= more
            settled = self.settling.seconds is None or time.monotonic() - began > self.settling.seconds
            if not waiting or settled:
                break
            time.sleep(min(every, 0.2 + self.settling.seconds / 4))
        states = {batch: state for batch, state in self.batches.journal.batches.items() if batch not in before or batch in under_way}
        return Ended(
            [batch for batch, state in states.items() if state["event"] == "done"], [batch for batch, state in states.items() if state["event"] == "refused"],
            {batch: error for batch, error in held.items() if batch in self.batches.journal.under_way() or batch not in states}, [drop.name for drop in waiting],
        )

    def forever(self, every: float) -> None:
        """Ends with the process. What the machine does not do now, for want of disk or of a right, it is asked again."""
        while True:
            self.look()
            time.sleep(every)

    def look(self) -> tuple[dict[str, QqloanError], list[Drop]]:
        """Everything that can be done now; (what is held, what is not complete)."""
        try:
            held = self._go_on(self.batches.recover())
            complete, waiting = self.settling.look(drops(self.batches.inbox, self.batches.asked.markers))
        except OSError as error:
            failed = unexpected(error)
            self._say("inbox", (failed.what, failed.where), "watch-held", str(failed))
            return {"inbox": failed}, []
        for drop in waiting:
            self._say(drop.name, drop.signature, "batch-waits", f"{drop.name}: {self.settling.waits_for(drop)}")
        for drop in complete:
            try:
                batch = self.batches.take(drop)
            except Exception as error:  # not ours to move, or we are wrong about it: it stays, and the next goes on
                failed = unexpected(error)
                self._say(drop.name, (drop.signature, failed.what), "batch-not-taken", f"{drop.name}: {failed}")
                held[drop.name] = failed
                continue
            held |= self._go_on([batch])
        try:
            self._tell_of_refused()
        except OSError as error:
            held["refused"] = unexpected(error)
        return held, waiting

    def _go_on(self, batches: list[str]) -> dict[str, QqloanError]:
        held = {}
        for batch in batches:
            tries, again = self._tries.get(batch, (0, 0.0))
            if time.monotonic() < again:
                continue
            try:
                self.batches.go(batch)
                self._tries.pop(batch, None)
            except (Held, OSError) as error:
                held[batch] = error.error if isinstance(error, Held) else unexpected(error)
                self._tries[batch] = tries + 1, time.monotonic() + min(2.0 ** tries, _LONGEST_PAUSE)
                self._say(batch, (held[batch].ref, held[batch].what), "batch-held", f"{batch}: {held[batch]}")
        return held

    def _tell_of_refused(self) -> None:
        """Whoever is told of alerts is told of what lies in refused/, and when it is gone from there. Each day anew, for what is to be reminded of."""
        there = tuple(sorted(path.name for path in (self.batches.state / "refused").iterdir() if path.is_dir() and any(part.name != refusals.REASON for part in path.iterdir())))
        now = there, datetime.date.today()
        if now == self._refused:
            return
        told = self.batches.state / "refused-told.jsonl"
        if there or told.exists():
            with Apart(refusals.tell, self.batches.state / "refused", there, now[1], self.batches.asked.wanted, told, self.events) as there_:
                try:
                    there_.result()
                except QqloanError as error:  # of the configuration, or of the journal of what was told: the watch goes on
                    self._say("refused", str(error), "refusals-not-told", str(error))
                    return
        self._refused = now

    def _say(self, what: str, of: object, ref: str, text: str) -> None:
        """Once, until it is another."""
        if self._said.get(what) != of:
            self._said[what] = of
            self.events.note(ref, text)
