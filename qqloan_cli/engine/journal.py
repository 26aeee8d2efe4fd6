"""What is finished in a run that is being built: one line a bucket and stage, so that a killed run goes on from there."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from qqloan_cli.engine.run import Run


class Journal:
    """``done`` maps (stage, bucket) to rows by table. A line counts only if the files it names have the sizes it names."""

    def __init__(self, run: Run) -> None:
        self._run, self._path, self._lock = run, run.workplace / ".journal", threading.Lock()
        self.done: dict[tuple[str, object], dict[str, int]] = {}
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                self._read(line)

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return  # the line that was being written when the run was killed
        files = {self._run.root / name: size for name, size in entry["files"].items()}
        if all(path.exists() and path.stat().st_size == size for path, size in files.items()):
            self.done[(entry["stage"], entry["bucket"])] = entry["rows"]

    def record(self, stage: str, bucket, rows: dict[str, int], files: list[Path]) -> None:
        sizes = {str(path.relative_to(self._run.root)): path.stat().st_size for path in files if path.exists()}
        line = json.dumps({"stage": stage, "bucket": bucket, "rows": rows, "files": sizes})
        with self._lock:
            with open(self._path, "a", encoding="utf-8") as handle:
                handle.write(line + "\n")
            self.done[(stage, bucket)] = rows

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
