"""The nightly report of a large night: so many applications in a run, and so many loans in a book. One JSON line.

    python tests/benchmarks/bench_report.py RUN BOOK

RUN is a decided run and BOOK a book with closed days (bench_servicing.py and qqloan run make them). Five of its figures are also taken
with pandas from the same files in the same run; the two must agree.
"""

from __future__ import annotations

import datetime
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from qqloan_cli.engine.run import Run
from qqloan_cli.oversight import figures
from qqloan_cli.oversight.sight import Sight

FIVE = ("decisions", "reasons", "scores", "binding_caps", "waterfall")


def timed(function):
    started = time.perf_counter()
    found = function()
    return round(time.perf_counter() - started, 2), found


def with_pandas(run: Path) -> dict[str, int]:
    """A number of each of FIVE."""
    decisions = pd.read_parquet(run / "decisions.parquet")
    by_decision = decisions.groupby("decision").agg(n=("decision", "size"), amount=("amount_fen", "sum"), pd=("pd", "mean"))
    reasons = decisions[decisions["decision"] != "approve"].explode("reason_codes").groupby(["decision", "reason_codes"]).size()
    scores = decisions.groupby(decisions["score"] // 20 * 20).size()
    approved = decisions[decisions["decision"] == "approve"]
    caps = approved.groupby("binding_cap").agg(n=("binding_cap", "size"), amount=("amount_fen", "sum"))
    steps = pd.read_parquet(run / "limit_steps", columns=["application_id", "step_no", "step", "running_fen", "binding"])
    steps = steps[steps["application_id"].isin(approved["application_id"])].groupby(["step_no", "step"]).agg(left=("running_fen", "sum"), binding=("binding", "sum"))
    return {
        "decisions": int(by_decision["amount"].sum()), "reasons": int(reasons.groupby("decision").nlargest(8).sum()), "scores": int(scores.sum()),
        "binding_caps": int(caps["amount"].sum()), "waterfall": int(steps["left"].sum()),
    }


def with_ours(run: Path) -> dict[str, int]:
    with Sight([Run.open(run)], threads=2) as sight:
        rows = {name: figures.take(sight, name).to_pylist() for name in FIVE}
    of = {"decisions": "amount_fen", "reasons": "applications", "scores": "applications", "binding_caps": "amount_fen", "waterfall": "left_fen"}
    return {name: sum(row[column] or 0 for row in rows[name]) for name, column in of.items()}


def main() -> None:
    run, book = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "night.html"
        whole, _ = timed(lambda: subprocess.run([sys.executable, "-m", "qqloan_cli", "report", "nightly", str(run), "--book", str(book), "--out", str(out), "--quiet"], check=True, stdout=subprocess.DEVNULL))
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        size = out.stat().st_size
    ours, found = timed(lambda: with_ours(run))
    theirs, other = timed(lambda: with_pandas(run))
    if found != other:
        raise SystemExit(f"the two disagree: {found} {other}")
    applications = json.loads((run / "run.json").read_text(encoding="utf-8"))["counts"]["applicants"]["accepted"]
    loans = sum(opened["loans"] for opened in json.loads((book / "book.json").read_text(encoding="utf-8"))["opens"])
    print(json.dumps({
        "bench": "report", "date": str(datetime.date.today()), "applications": applications, "loans": loans, "report_s": whole, "page_bytes": size, "largest_process_mb": memory,
        "five_figures_s": ours, "pandas_s": theirs, "times_pandas": round(theirs / ours, 1),
    }))


if __name__ == "__main__":
    main()
