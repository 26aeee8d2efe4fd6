"""kill -9 at random moments in archive, run and review: afterwards the archive verifies and has what was being added whole or not at all.

    python tests/benchmarks/bench_faults.py [--trials 200] [--seed 1]

Prints a JSON line a kind of work: trials, kills that hit, and what stood afterwards. Ends with 1 at the first archive that does not verify,
or the first run that --resume ends in other bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "qqloan_cli", *map(str, arguments)]


def done(*arguments) -> str:
    return subprocess.run(command(*arguments), cwd=ROOT, check=True, capture_output=True, text=True).stdout


def killed(after: float, *arguments) -> bool:
    """Whether the kill hit; the work may have ended before."""
    child = subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(after)
    hit = child.poll() is None
    if hit:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return hit


def audited(archive: Path) -> dict:
    found = subprocess.run(command("audit", archive, "--format", "json"), cwd=ROOT, capture_output=True, text=True)
    if found.returncode:
        print(found.stdout[-1000:], file=sys.stderr)
        sys.exit(1)
    return json.loads(found.stdout)


def digest(run: Path) -> str:
    names = sorted(path for path in run.rglob("*.parquet") if path.relative_to(run).parts[0] != "inputs")
    return hashlib.sha256(b"".join(path.read_bytes() for path in names)).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng, each = random.Random(asked.seed), max(1, asked.trials // 3)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        started = time.monotonic()
        done("run", ROOT / "sample_data", "--out", folder / "one", "--as-of", "2026-11-24")
        usual_run = time.monotonic() - started
        done("run", ROOT / "sample_data", "--out", folder / "two", "--as-of", "2026-11-23")
        started = time.monotonic()
        done("archive", folder / "one", "--to", folder / "first")
        usual = time.monotonic() - started

        hits = whole = 0
        for _ in range(each):
            shutil.copytree(folder / "first", folder / "archive")
            hits += killed(rng.uniform(0.05, 1.1) * usual, "archive", folder / "two", "--to", folder / "archive")
            runs = len(audited(folder / "archive")["runs"])
            assert runs in (1, 2)
            whole += runs == 2
            shutil.rmtree(folder / "archive")
        print(json.dumps({"work": "archive", "trials": each, "kills": hits, "whole": whole, "not at all": each - whole}), flush=True)

        referred = json.loads(done("review", "list", folder / "first", "2026", "--format", "json"))["cases"]
        hits = whole = 0
        for trial in range(each):
            before = len(audited(folder / "first")["events"])
            case = referred[trial % len(referred)]["application_id"]
            hits += killed(rng.uniform(0.05, 1.1) * usual, "review", "decide", folder / "first", "2026", case, "--decision", "decline", "--by", "a", "--reason", "O-DOUBT-REMAINS", "--text", "t")
            after = len(audited(folder / "first")["events"])
            assert after - before in (0, 1)
            whole += after - before
        print(json.dumps({"work": "review", "trials": each, "kills": hits, "whole": whole, "not at all": each - whole}), flush=True)

        expected, hits, resumed = digest(folder / "one"), 0, 0
        for _ in range(each):
            hits += killed(rng.uniform(0.05, 1.0) * usual_run, "run", ROOT / "sample_data", "--out", folder / "again", "--as-of", "2026-11-24")
            done("run", ROOT / "sample_data", "--out", folder / "again", "--as-of", "2026-11-24", "--resume")
            if digest(folder / "again") != expected:
                sys.exit("a resumed run differs")
            resumed += 1
            shutil.rmtree(folder / "again")
        print(json.dumps({"work": "run", "trials": each, "kills": hits, "the same bytes after --resume": resumed}), flush=True)


if __name__ == "__main__":
    main()
