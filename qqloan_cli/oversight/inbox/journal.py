"""What became of each batch: JSON lines that are only ever added to. A line is written whole, after what it says is so on disk (`taking`
alone is said before), and read again at every start: nothing else is remembered.

    {"seq": 7, "at": "2026-11-24T08:31:02+00:00", "batch": "2026-11-24", "event": "ran", "run_id": ..., "seconds": ...}

`at` is for people: nothing is decided by it.
"""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

from qqloan_cli.errors import IntegrityError

ENDS = ("done", "refused")


class State(dict):
    """What the lines say of a batch together: a later one adds to what an earlier one said. ``event`` is the last."""

    @property
    def ended(self) -> bool:
        return self["event"] in ENDS

    def has(self, event: str) -> bool:
        return event in self["events"]


class Journal:
    def __init__(self, path: Path) -> None:
        self.path, self.batches, self._next = path, {}, 1
        if path.exists():
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):  # the line that was being written when the watch was killed
                os.truncate(path, len(whole))
            for number, line in enumerate(whole.splitlines(), 1):
                try:
                    self._take(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    raise IntegrityError("journal-broken", f"line {number} of the journal cannot be read", str(path), "Take it from a backup; without it a batch could be decided twice.") from None

    def add(self, batch: str, event: str, **told) -> None:
        line = {"seq": self._next, "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"), "batch": batch, "event": event, **told}
        content = (json.dumps(line, ensure_ascii=False) + "\n").encode()
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            stood = os.fstat(handle).st_size
            try:
                if os.write(handle, content) < len(content):
                    raise OSError(28, os.strerror(28), str(self.path))
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, stood)
                raise
        finally:
            os.close(handle)
        self._take(line)

    def _take(self, line: dict) -> None:
        if line["event"] == "taking":  # the same place is taken anew where nothing came of it before
            self.batches[line["batch"]] = State(events={})
        state = self.batches.setdefault(line["batch"], State(events={}))
        state.update({name: value for name, value in line.items() if name not in ("seq", "at")})
        state["events"][line["event"]] = line["at"]
        self._next = line["seq"] + 1

    def under_way(self) -> list[str]:
        return [batch for batch, state in self.batches.items() if not state.ended]

    def decided(self, content: str, but: str) -> list[tuple[str, State]]:
        """Other batches of the same content that became a run, the latest first."""
        return [(batch, state) for batch, state in reversed(self.batches.items()) if batch != but and state.get("content") == content and state.has("ran")]
