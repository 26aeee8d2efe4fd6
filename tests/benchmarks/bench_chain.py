"""The whole chain on generated lenders: rows a second and the share of each stage, as JSON lines.

    python tests/benchmarks/bench_chain.py 10000 100000 1000000 [--format csv] [--keep FOLDER]

Generating is not timed. Seconds are of the whole process, memory the peaks of its processes together.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AS_OF = "2026-11-24"


def qqloan(*arguments) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    ended = subprocess.run([sys.executable, "-m", "qqloan_cli", *map(str, arguments), "--quiet"], stdout=subprocess.DEVNULL).returncode
    if ended:
        raise SystemExit(f"qqloan {arguments[0]} ended with {ended}")
    return time.perf_counter() - started


def measure(applicants: int, format: str, folder: Path) -> None:
    data, run = folder / f"{format}-{applicants}", folder / f"run-{format}-{applicants}"
    if not data.exists():
        qqloan("generate", "--applicants", applicants, "--seed", 7, "--format", format, "--out", data)
    seconds = qqloan("run", data, "--out", run, "--as-of", AS_OF)
    document = json.loads((run / "run.json").read_text())
    rows = sum(counts["in"] for counts in document["counts"].values())
    timings = {stage: timing["seconds"] for stage, timing in document["timings"].items()}
    total, memory = sum(timings.values()), max(timing["memory_mb"] for timing in document["timings"].values())  # of all its processes together
    print(json.dumps({
        "bench": "chain", "date": datetime.date.today().isoformat(), "format": format, "applicants": applicants, "rows": rows, "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds), "memory_mb": memory, "cores": len(os.sched_getaffinity(0)),
        "share": {stage: round(spent / total, 3) for stage, spent in timings.items()}, "stage_seconds": timings,
    }), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("applicants", nargs="*", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--keep", type=Path, help="Folder for data and runs, kept (default: a temporary one).")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for applicants in options.applicants:
            measure(applicants, options.format, folder)


if __name__ == "__main__":
    main()
