"""Scores and reasons of a million applicants against TreeSHAP on the same model, and a scorecard against scorecardpy's, as JSON lines.

    python tests/benchmarks/bench_scoring_speed.py [--rows 1000000] [--features 40] [--bags 8] [--trees 300] [--scorecardpy PYTHON]

Needs shap beside qqloan; scorecardpy wants pandas 2 and so an interpreter of its own. Peers that take minutes are timed on a part of
the rows and said per million. Contributions of ours and TreeSHAP's must add up to the same margin.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring.calibrate import apply, probability
from qqloan_cli.scoring.features import of_columns
from qqloan_cli.scoring.fit import Recipe
from qqloan_cli.scoring.model import Scorer
from qqloan_cli.scoring.study import Material
from qqloan_cli.scoring.tables import BLOCK, bins_of, summed
from qqloan_cli.scoring.train import Wishes, train

ROOT = Path(__file__).resolve().parents[2]
PLY = """
import json, sys, time, warnings; warnings.filterwarnings("ignore")
import numpy as np, pandas as pd, scorecardpy as sc
frame = pd.read_csv(sys.argv[1]); bins = sc.woebin(frame, y="bad", print_info=False)
from sklearn.linear_model import LogisticRegression
woe = sc.woebin_ply(frame, bins, print_info=False); names = [c for c in woe if c != "bad"]
card = sc.scorecard(bins, LogisticRegression(max_iter=2000).fit(woe[names], woe["bad"]), names)
many = pd.concat([frame] * int(sys.argv[2]), ignore_index=True).drop(columns="bad")
started = time.perf_counter(); points = sc.scorecard_ply(many, card, print_step=0); print(json.dumps({"seconds": time.perf_counter() - started, "rows": len(points), "columns": len(names)}))
"""


def timed(work, times: int = 3) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def whole(scorer: Scorer, columns) -> None:
    scorer.score(columns)


def parts(scorer: Scorer, columns) -> None:
    """pd and every column's contribution, and no more."""
    for start in range(0, len(columns[0]), BLOCK):
        contributions = scorer.tables.contributions(bins_of([column[start : start + BLOCK] for column in columns], scorer.cuts))
        probability(apply(scorer.calibration, summed(scorer.tables.constant, contributions)))


def on_two(work, scorer, columns):
    """Halves of the rows in two processes, as the chain's workers have them."""
    middle = len(columns[0]) // 2
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=work, args=(scorer, [column[half] for column in columns])) for half in (slice(0, middle), slice(middle, None))]
    for process in running:
        process.start()
    for process in running:
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("--rows", 1_000_000), ("--features", 40), ("--bags", 8), ("--trees", 300), ("--fit", 40_000)):
        parser.add_argument(name, type=int, default=usual)
    parser.add_argument("--scorecardpy", metavar="PYTHON")
    asked = parser.parse_args()
    import shap
    import xgboost

    rng = np.random.default_rng(4)
    names = [f"c{i}" for i in range(asked.features)]
    columns = [rng.normal(size=asked.rows).astype(np.float32) for _ in names]
    for column in columns[::4]:
        column[rng.random(asked.rows) < 0.1] = np.nan
    z = -2.5 + sum(0.6 / (i + 1) * np.nan_to_num(column) for i, column in enumerate(columns[:20])) + 0.4 * np.nan_to_num(columns[1]) * np.nan_to_num(columns[2])
    bad = (rng.random(asked.rows) < 1 / (1 + np.exp(-z))).astype(float)
    with tempfile.TemporaryDirectory() as folder:
        fit = slice(0, asked.fit)
        scale = load_scale(ROOT / "configs")
        material = Material(of_columns(dict.fromkeys(names)), [column[fit] for column in columns], bad[fit], np.arange(asked.fit), None, {})
        train(material, Path(folder) / "m", Recipe(bags=asked.bags, trees=asked.trees, patience=asked.trees, folds=2), 1, 2, Wishes(challenger=scale))
        scorer = Scorer.load(Path(folder) / "m", scale)
        booster = xgboost.Booster(model_file=str(Path(folder) / "m/model.json"))
        x = np.column_stack(columns)
        million = 1_000_000 / asked.rows
        few = min(20_000, asked.rows)
        said = {"rows": asked.rows, "features": asked.features, "trees": booster.num_boosted_rounds(), "pairs": len(scorer.tables.pairs)}
        ours = {
            "all_one_process": timed(lambda: whole(scorer, columns)) * million, "all_two_processes": timed(lambda: on_two(whole, scorer, columns)) * million,
            "pd_and_contributions_one_process": timed(lambda: parts(scorer, columns)) * million, "pd_and_contributions_two_processes": timed(lambda: on_two(parts, scorer, columns)) * million,
        }
        booster.set_param({"nthread": 2})
        booster.predict(xgboost.DMatrix(x[:few], feature_names=names))  # its threads start
        data, small = xgboost.DMatrix(x, feature_names=names), xgboost.DMatrix(x[:few], feature_names=names)
        explainer = shap.TreeExplainer(booster)
        peers = {
            "prediction_two_threads": timed(lambda: booster.predict(data), 1) * million,  # a second time it would answer from its cache
            "tree_shap_two_threads": timed(lambda: booster.predict(small, pred_contribs=True), 1) * 1e6 / few,
            "shap_tree_explainer": timed(lambda: explainer.shap_values(x[:few]), 1) * 1e6 / few,
        }
        apart = np.abs(summed(scorer.tables.constant, scorer.contributions([column[:few] for column in columns])) - booster.predict(small, output_margin=True)).max()
        print(json.dumps({**said, "seconds_a_million": {**{k: round(v, 2) for k, v in ours.items()}, **{k: round(v, 1) for k, v in peers.items()}},
                          "tree_explainer_over_all_two_processes": round(peers["shap_tree_explainer"] / ours["all_two_processes"], 1),
                          "prediction_over_pd_and_contributions": round(peers["prediction_two_threads"] / ours["pd_and_contributions_two_processes"], 2), "margins_apart": float(apart)}))
        if asked.scorecardpy:
            card = scorer.scorecard.card
            by_name = dict(zip(names, columns))
            ply = timed(lambda: card.pd(card.score(by_name))) * million
            used = [name for name in card.names]
            pd.DataFrame({name: by_name[name][:20_000] for name in used}).assign(bad=bad[:20_000].astype(int)).to_csv(f"{folder}/t.csv", index=False)
            found = json.loads(subprocess.run([asked.scorecardpy, "-c", PLY, f"{folder}/t.csv", str(max(1, asked.rows // 20_000))], check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            peer = found["seconds"] * 1e6 / found["rows"]
            print(json.dumps({"scorecard_columns": len(used), "scorecardpy_columns": found["columns"], "seconds_a_million": {"ours": round(ply, 3), "scorecardpy_scorecard_ply": round(peer, 2)}, "ratio": round(peer / ply, 1)}))


if __name__ == "__main__":
    main()
