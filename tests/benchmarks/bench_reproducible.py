"""The same bytes, whatever the workers, the order of rows, the number of files, the memory or the engine: digests of every table.

    python tests/benchmarks/bench_reproducible.py 100000 [--only workers-8 spark] [--keep FOLDER]

Every run is of the same generated lender. Its tables' digests are held to those of the first; only the quarantine may differ, because it
names the lender's files. Seconds are of the whole process, memory the peaks of its processes together.
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

import duckdb
import pyarrow.parquet as pq

AS_OF = "2026-11-24"


def qqloan(*arguments, env: dict | None = None) -> float:
    started = time.perf_counter()
    ended = subprocess.run([sys.executable, "-m", "qqloan_cli", *map(str, arguments), "--quiet"], stdout=subprocess.DEVNULL, env={**os.environ, **(env or {})}).returncode
    if ended:
        raise SystemExit(f"qqloan {arguments[0]} ended with {ended}")
    return time.perf_counter() - started


def turned(data: Path, to: Path, parts: int) -> Path:
    """The lender's files with their rows in another order, dealt out to ``parts`` files each."""
    if not to.exists():
        to.mkdir()
        with duckdb.connect() as con:
            con.execute("SET threads = 1; SET memory_limit = '3GB'")
            for table in sorted(path for path in data.iterdir() if path.is_dir() and path.name != "truth"):
                rows = con.sql(f"""
                    SELECT * EXCLUDE (filename, file_row_number) FROM read_parquet('{table}/*.parquet', filename = true, file_row_number = true)
                    ORDER BY hash(filename, file_row_number * 7919 + 17)
                """).to_arrow_table()
                (to / table.name).mkdir()
                size = -(-rows.num_rows // parts)
                for part in range(parts):
                    pq.write_table(rows.slice(part * size, size), to / table.name / f"part-{part:03d}.parquet")
    return to


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("applicants", nargs="?", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", help="The first run and these.")
    parser.add_argument("--keep", type=Path, help="Folder for data and runs, kept (default: a temporary one).")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / f"lender-{options.applicants}"
        if not data.exists():
            qqloan("generate", "--applicants", options.applicants, "--seed", 7, "--format", "parquet", "--out", data)
        variants = {
            "workers-2": (data, ("--workers", 2), {}), "workers-1": (data, ("--workers", 1), {}), "workers-8": (data, ("--workers", 8), {}),
            "memory-512": (data, (), {"QQLOAN_MEMORY_MB": "512"}), "memory-1024": (data, (), {"QQLOAN_MEMORY_MB": "1024"}),
            "shuffled-1-file": (turned(data, folder / f"turned-{options.applicants}-1", 1), (), {}),
            "shuffled-7-files": (turned(data, folder / f"turned-{options.applicants}-7", 7), (), {}),
            "shuffled-100-files": (turned(data, folder / f"turned-{options.applicants}-100", 100), (), {}),
            "spark": (data, ("--engine", "spark", "--master", "local[2]"), {}),
        }
        first: dict[str, str] | None = None
        for name, (inputs, more, env) in variants.items():
            if first is not None and options.only is not None and name not in options.only:
                continue
            run = folder / f"run-{name}"
            subprocess.run(["rm", "-rf", run], check=True)
            seconds = qqloan("run", inputs, "--out", run, "--as-of", AS_OF, *more, env=env)
            document = json.loads((run / "run.json").read_text())
            digests = {table: digest for table, digest in document["digests"].items() if table != "quarantine.parquet"}
            first = first or digests
            apart = sorted(table for table in {*digests, *first} if digests.get(table) != first.get(table))
            memory = max(timing["memory_mb"] for timing in document["timings"].values())
            print(json.dumps({
                "bench": "reproducible", "date": datetime.date.today().isoformat(), "applicants": options.applicants, "variant": name, "seconds": round(seconds, 2),
                "memory_mb": memory, "tables": len(digests), "same": not apart, "apart": apart[:5],
            }), flush=True)
            if name != "workers-2":
                subprocess.run(["rm", "-rf", run], check=True)
            if apart:
                raise SystemExit(f"{name}: {len(apart)} tables differ")


if __name__ == "__main__":
    main()
