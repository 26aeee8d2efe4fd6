"""What reject inference is worth where the truth is known: a generated lender, whose declined applications' outcomes are hidden from training.

    python tests/benchmarks/bench_rejects.py [--applicants 16000] [--seed 41]

A JSON line for every way: AUC, mean pd and bad rate on the declined (whose outcomes no training saw), on a fresh lender of the same kind.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np

from qqloan_cli.engine.run import Run
from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring import measures, sample
from qqloan_cli.scoring.calibrate import probability
from qqloan_cli.scoring.model import Scorer

ROOT = Path(__file__).resolve().parents[2]
AS_OF = "2025-06-30"


def qqloan(*arguments) -> None:
    subprocess.run([sys.executable, "-m", "qqloan_cli", *map(str, arguments), "--quiet"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def lender(folder: Path, applicants: int, seed: int, name: str) -> tuple[Path, Path]:
    """(run, outcomes of everybody)."""
    qqloan("generate", "--applicants", applicants, "--seed", seed, "--as-of", AS_OF, "--format", "parquet", "--out", folder / name)
    qqloan("run", folder / name, "--out", folder / f"{name}-run", "--as-of", AS_OF)
    return folder / f"{name}-run", folder / name / "truth/truth_outcomes.parquet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--applicants", type=int, default=16_000)
    parser.add_argument("--seed", type=int, default=41)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        teacher, truth = lender(folder, asked.applicants, asked.seed, "teacher")
        fresh, fresh_truth = lender(folder, asked.applicants, asked.seed + 1, "fresh")
        known = folder / "known.parquet"
        duckdb.execute(f"COPY (SELECT o.* FROM '{truth}' o JOIN '{teacher}/decisions.parquet' d USING (application_id) WHERE d.decision <> 'decline') TO '{known}'")
        ways = [("all outcomes known", truth, ()), ("none", known, ()), ("fuzzy", known, ("--reject-inference", "fuzzy")), ("parcelling", known, ("--reject-inference", "parcelling")),
                ("parcelling, odds x2", known, ("--reject-inference", "parcelling", "--reject-odds", 2))]
        decided = f"JOIN '{fresh}/decisions.parquet' d USING (application_id)"
        declined = np.array([row[0] for row in duckdb.sql(f"SELECT d.decision = 'decline' FROM '{fresh_truth}' o {decided} WHERE o.bad IS NOT NULL ORDER BY o.application_id").fetchall()])
        for number, (way, outcomes, options) in enumerate(ways):
            model = folder / f"model{number}"
            qqloan("train", teacher, "--outcomes", outcomes, "--bags", 4, "--trees", 150, *options, "--out", model)
            scorer = Scorer.load(model, load_scale(ROOT / "configs"))
            rows = sample.of_run(Run.open(fresh), fresh_truth, scorer.features)
            pd = probability(scorer.log_odds(rows.columns))
            assert len(declined) == len(pd)
            said = {"way": way}
            for name, at in (("declined", declined), ("others", ~declined)):
                said[name] = {"rows": int(at.sum()), "bad_rate": round(float(rows.bad[at].mean()), 4), "mean_pd": round(float(pd[at].mean()), 4),
                              "auc": round(measures.auc(rows.bad[at], pd[at]), 4), "log_loss": round(measures.log_loss(rows.bad[at], pd[at]), 5)}
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
