"""What stages say while they work. ``reports.console.Console`` draws it; ``SILENT`` does not."""

from __future__ import annotations

from typing import Protocol


class Events(Protocol):
    def started(self, stage: str, total: int) -> None: ...

    def advanced(self, stage: str, rows: int) -> None: ...

    def finished(self, stage: str, rows_in: int, rows_out: int, seconds: float, memory_mb: int) -> None: ...

    def note(self, ref: str, text: str) -> None: ...

    def close(self) -> None: ...


class _Silent:
    def started(self, stage, total):
        pass

    def advanced(self, stage, rows):
        pass

    def finished(self, stage, rows_in, rows_out, seconds, memory_mb):
        pass

    def note(self, ref, text):
        pass

    def close(self):
        pass


SILENT: Events = _Silent()
