"""One object for what is said while a command works: text for people, JSON lines for machines, or silence.

Data goes to stdout, everything here to stderr. No value of a row ever passes
through: stages emit names, counts and seconds (engine/events.py).
"""

from __future__ import annotations

import json
import sys
import time

from qqloan_cli.errors import QqloanError, frames
from qqloan_cli.errors import unexpected as ours_of

SCHEMA_VERSION = 1


class Console:
    """The events of a walk (engine/events.py), drawn as text."""

    def __init__(self, log_format: str = "text", quiet: bool = False, debug: bool = False) -> None:
        self.log_format, self.quiet, self.debug = log_format, quiet, debug
        self._bars = None

    # what stages say
    def started(self, stage: str, total: int) -> None:
        if self.quiet:
            return
        if self.log_format == "jsonl":
            self._json("started", stage=stage, rows=total)
        elif sys.stderr.isatty():
            self._progress().add(stage, total)

    def advanced(self, stage: str, rows: int) -> None:
        if not self.quiet and self.log_format == "text" and self._bars is not None:
            self._bars.advance(stage, rows)

    def finished(self, stage: str, rows_in: int, rows_out: int, seconds: float, memory_mb: int) -> None:
        if self.quiet:
            return
        if self._bars is not None:
            self._bars.remove(stage)
        if self.log_format == "jsonl":
            self._json("finished", stage=stage, rows_in=rows_in, rows_out=rows_out, seconds=round(seconds, 3), memory_mb=memory_mb)
        else:
            self._line(f"{stage:<10} {rows_in:>12,} rows in {rows_out:>12,} out {seconds:>8.2f} s {memory_mb:>6,} MB")

    def note(self, ref: str, text: str) -> None:
        """A thing worth knowing that stops nothing: ``ref`` is kebab-case and stable."""
        if self.quiet:
            return
        if self.log_format == "jsonl":
            self._json("note", ref=ref, text=text)
        else:
            self._line(f"note: {ref}: {text}")

    # what commands say
    def say(self, text: str) -> None:
        if not self.quiet and self.log_format == "text":
            self._line(text)

    def next_step(self, command: str) -> None:
        """The last line of a summary: what people usually do next."""
        self.say(f"next: {command}")

    def error(self, error: QqloanError) -> None:
        self._close_bars()
        if self.debug and error.__traceback__ is not None:
            self._traceback(error)
        if self.log_format == "jsonl":
            self._json("error", ref=error.ref, what=error.what, where=error.where, hint=error.hint, exit_code=error.exit_code)
        else:
            self._line(f"error: {error}")

    def unexpected(self, error: BaseException) -> int:
        """Ours, and not a user's."""
        ours = ours_of(error)
        self.error(ours)
        return ours.exit_code

    def close(self) -> None:
        self._close_bars()

    # how
    def _traceback(self, error: BaseException) -> None:
        for line in frames(error):
            self._line(f"  {line}")

    def _line(self, text: str) -> None:
        if self._bars is not None:
            self._bars.print(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def _json(self, event: str, **fields) -> None:
        document = {"schema_version": SCHEMA_VERSION, "event": event, "at": time.strftime("%Y-%m-%dT%H:%M:%S"), **fields}
        print(json.dumps(document, ensure_ascii=False), file=sys.stderr, flush=True)

    def _progress(self):
        if self._bars is None:
            from qqloan_cli.reports.bars import Bars

            self._bars = Bars()
        return self._bars

    def _close_bars(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


_console = Console()


def configure(log_format: str = "text", quiet: bool = False, debug: bool = False) -> Console:
    global _console
    _console = Console(log_format, quiet, debug)
    return _console


def current() -> Console:
    return _console


def error(error: QqloanError) -> None:
    _console.error(error)


def unexpected(error: BaseException) -> int:
    return _console.unexpected(error)
