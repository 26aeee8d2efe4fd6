"""Progress bars on a terminal's stderr, by rows, with the time left."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bars:
    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )
        self._tasks: dict[str, int] = {}
        self._progress.start()

    def add(self, stage: str, total: int) -> None:
        self._tasks[stage] = self._progress.add_task(stage, total=total or None)

    def advance(self, stage: str, rows: int) -> None:
        if stage in self._tasks:
            self._progress.advance(self._tasks[stage], rows)

    def remove(self, stage: str) -> None:
        if stage in self._tasks:
            self._progress.remove_task(self._tasks.pop(stage))

    def print(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def stop(self) -> None:
        self._progress.stop()
