"""Scorers on real loans, the same folds for all: qqloan beside logistic regression, optbinning, scorecardpy, XGBoost, LightGBM and EBM.

    python tests/benchmarks/bench_scorer.py [--sets taiwan lending_club give_me_some_credit home_credit] [--repeats 2] [--scorecardpy PYTHON]

Needs ../shared/data, and lightgbm and interpret-core beside qqloan. scorecardpy fails on pandas 3, so it is given another interpreter,
which has it and pandas 2. A JSON line for every scorer and fold, then a table a set: means, and the difference from qqloan with its 95 %
interval (Nadeau and Bengio's corrected resampled t, which knows that folds share their rows).

Peers get every column: numbers as they are, a few words as an indicator each. ``qqloan`` has a features file, as a lender would write
one: directions where the field knows them, and codes apart from the order that they break. ``qqloan auto`` has what the peers have.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring import measures
from qqloan_cli.scoring.calibrate import probability
from qqloan_cli.scoring.features import Feature, Features
from qqloan_cli.scoring.fit import Recipe
from qqloan_cli.scoring.flat import drawn_up, feature_columns, outcome, read_table
from qqloan_cli.scoring.model import Scorer
from qqloan_cli.scoring.study import Material, Study
from qqloan_cli.scoring.train import train

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
MEASURES = ("auc", "ks", "brier", "log_loss", "ece")


def taiwan():
    table = read_table(DATA / "taiwan_credit/UCI_Credit_Card.csv").drop(["ID"])
    wise = {}
    for name in table.column_names[:-1]:
        if name.startswith("PAY_") and "AMT" not in name:  # -2, -1 and 0 are codes; 1 and more are months late
            wise[f"{name}_late"] = Feature(sql=f"GREATEST({name}, 0)", direction=1)
            wise[f"{name}_code"] = Feature(sql=f"CASE WHEN {name} <= 0 THEN {name} ELSE 1 END")
        else:
            wise[name] = Feature(direction=-1 if name == "LIMIT_BAL" or name.startswith("PAY_AMT") else 0)
    return table, "default.payment.next.month", Features(feature=wise)


def give_me_some_credit():
    path = next((DATA / "give_me_some_credit").glob("*.zip"))
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if not name.startswith("__"))
        frame = pd.read_csv(archive.open(name)).iloc[:, 1:]
    use, debt, income = '"RevolvingUtilizationOfUnsecuredLines"', '"DebtRatio"', '"MonthlyIncome"'
    wise = {
        "use": Feature(sql=use),  # free: amounts stand among shares, and to hold it monotone costs 0.0011 of AUC and more
        "debt_to_income": Feature(sql=f"CASE WHEN {income} > 100 THEN {debt} END"), "debt": Feature(sql=f"CASE WHEN {income} IS NULL OR {income} <= 100 THEN {debt} END"),
        "income": Feature(sql=f"CASE WHEN {income} > 100 THEN {income} END"), "income_code": Feature(sql=f"CASE WHEN {income} > 100 THEN 1000 ELSE {income} END"),
        "age": Feature(), "NumberOfOpenCreditLinesAndLoans": Feature(), "NumberRealEstateLoansOrLines": Feature(), "NumberOfDependents": Feature(),
    }
    for name in frame.columns:
        if "PastDue" in name or "90Days" in name:  # 96 and 98 are codes
            wise[name] = Feature(sql=f'CASE WHEN "{name}" < 90 THEN "{name}" END', direction=1)
    return pa.Table.from_pandas(frame, preserve_index=False), "SeriousDlqin2yrs", Features(feature=wise)


def lending_club():
    frame = pd.read_csv(next((DATA / "lending_club").glob("*.csv")), keep_default_na=False, na_values=[""])
    frame["bad"] = (frame.pop("loan_status") == "Charged Off").astype(int)
    table = pa.Table.from_pandas(frame.drop(columns=["zip_code", "addr_state"]), preserve_index=False)
    drawn, _ = drawn_up(table.drop(["bad"]), "lending_club")
    worse = {"term=60 months": 1, "term=36 months": -1, "annual_inc": -1, "delinq_2yrs": 1, "inq_last_6mths": 1, "pub_rec": 1, "revol_util": 1}
    wise = {name: f.model_copy(update={"direction": worse.get(name, 0)}) for name, f in drawn.feature.items() if not name.startswith("emp_length=")}
    wise["employed_years"] = Feature(sql="CASE WHEN emp_length = '< 1 year' THEN 0 ELSE TRY_CAST(replace(replace(replace(emp_length, ' years', ''), ' year', ''), '+', '') AS DOUBLE) END")
    return table, "bad", Features(feature=wise)


def home_credit():
    table = read_table(DATA / "home_credit/application.csv").drop(["SK_ID_CURR"])
    drawn, _ = drawn_up(table.drop(["DEFAULTED"]), "home_credit")
    wise = {name: f.model_copy(update={"direction": -1 if name.startswith("EXT_SOURCE") else 0}) for name, f in drawn.feature.items()}
    wise["DAYS_EMPLOYED"] = Feature(sql="CASE WHEN DAYS_EMPLOYED < 300000 THEN DAYS_EMPLOYED END")  # 365243 stands for none
    return table, "DEFAULTED", Features(feature=wise)


SETS = {"taiwan": taiwan, "lending_club": lending_club, "give_me_some_credit": give_me_some_credit, "home_credit": home_credit}


def ours(features, columns, bad, fit, held, recipe: Recipe) -> tuple[np.ndarray, dict]:
    """pd of the held rows by a model folder as ``qqloan train`` leaves it, and the time of a single fit besides."""
    material = Material(features, [column[fit] for column in columns], bad[fit], np.arange(fit.sum()), None, {})
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        train(material, Path(folder) / "m", recipe, 1, 2)
        whole = time.perf_counter() - started
        scorer = Scorer.load(Path(folder) / "m", load_scale(ROOT / "configs"))
        pd_held = probability(scorer.log_odds([column[held] for column in columns]))
    study = Study.of(material, recipe, 1, 2)
    started = time.perf_counter()
    study.grown({"model": features.names}, recipe, only="whole")
    return pd_held, {"seconds": time.perf_counter() - started, "seconds_with_cross_validation": whole}


def peer(name: str, x: np.ndarray, bad, fit, held, scorecardpy: str | None) -> np.ndarray:
    columns = [f"c{i}" for i in range(x.shape[1])]
    if name == "logistic regression":
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        made = make_pipeline(SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler(), LogisticRegression(max_iter=2_000))
        return made.fit(x[fit], bad[fit]).predict_proba(x[held])[:, 1]
    if name == "optbinning":
        from optbinning import BinningProcess
        from sklearn.linear_model import LogisticRegression

        process = BinningProcess(columns)
        woe = process.fit(x[fit], bad[fit]).transform(x[fit], metric="woe", metric_missing="empirical")
        made = LogisticRegression(max_iter=2_000).fit(woe, bad[fit])
        return made.predict_proba(process.transform(x[held], metric="woe", metric_missing="empirical"))[:, 1]
    if name == "scorecardpy":
        return in_another(scorecardpy, x, bad, fit, held, columns)
    if name == "XGBoost":
        import xgboost

        return xgboost.XGBClassifier(n_jobs=2).fit(x[fit], bad[fit]).predict_proba(x[held])[:, 1]
    if name == "LightGBM":
        import lightgbm

        return lightgbm.LGBMClassifier(n_jobs=2, verbose=-1).fit(x[fit], bad[fit]).predict_proba(x[held])[:, 1]
    from interpret.glassbox import ExplainableBoostingClassifier

    frame = pd.DataFrame(x, columns=columns)
    return ExplainableBoostingClassifier(random_state=1, n_jobs=2).fit(frame[fit], bad[fit]).predict_proba(frame[held])[:, 1]


ELSEWHERE = """
import sys, warnings; warnings.filterwarnings("ignore")
import pandas as pd, scorecardpy as sc
from sklearn.linear_model import LogisticRegression
folder = sys.argv[1]
fit, held = pd.read_csv(folder + "/fit.csv"), pd.read_csv(folder + "/held.csv")
bins = sc.woebin(fit, y="bad", print_info=False, ignore_const_cols=False)
woe = sc.woebin_ply(fit, bins, print_info=False); names = [c for c in woe if c != "bad"]
made = LogisticRegression(max_iter=2000).fit(woe[names].fillna(0), woe["bad"])
after = sc.woebin_ply(held, bins, print_info=False)
pd.DataFrame({"pd": made.predict_proba(after.reindex(columns=names).fillna(0))[:, 1]}).to_csv(folder + "/pd.csv", index=False)
"""


def in_another(python: str, x, bad, fit, held, columns) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        frame = pd.DataFrame(x, columns=columns)
        frame = frame.loc[:, frame[fit].nunique() > 1]
        frame[fit].assign(bad=bad[fit].astype(int)).to_csv(f"{folder}/fit.csv", index=False)
        frame[held].to_csv(f"{folder}/held.csv", index=False)
        subprocess.run([python, "-c", ELSEWHERE, folder], check=True, capture_output=True)
        return pd.read_csv(f"{folder}/pd.csv")["pd"].to_numpy()


def interval(differences: np.ndarray, folds: int) -> tuple[float, float]:
    """95 % of the mean difference over repeated folds: the variance is that of the folds, corrected for the rows they share."""
    from scipy.stats import t

    n = len(differences)
    spread = np.sqrt(differences.var(ddof=1) * (1 / n + 1 / (folds - 1)))
    reach = t.ppf(0.975, n - 1) * spread
    return float(differences.mean() - reach), float(differences.mean() + reach)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--scorecardpy", metavar="PYTHON", help="an interpreter that has scorecardpy and pandas 2")
    parser.add_argument("--skip", nargs="*", default=[], help="scorers to leave out")
    asked = parser.parse_args()
    from sklearn.model_selection import StratifiedKFold

    own = {"qqloan": Recipe(), "qqloan auto": Recipe(), "qqloan depth 4": Recipe(depth=4), "qqloan depth 1": Recipe(depth=1), "qqloan 1 bag": Recipe(bags=1), "qqloan free": Recipe()}
    peers = ["EBM", "LightGBM", "XGBoost", "logistic regression", "optbinning", *(["scorecardpy"] if asked.scorecardpy else [])]
    for name in asked.sets:
        table, target, wise = SETS[name]()
        known, bad = outcome(table, target, name)
        drawn, _ = drawn_up(table.drop([target]), name)
        raw = [column[known] for column in feature_columns(table, drawn, name)[0]]
        free = wise.model_copy(update={"feature": {n: f.model_copy(update={"direction": 0}) for n, f in wise.feature.items()}})
        knowing = [column[known] for column in feature_columns(table, wise, name)[0]]
        x = np.column_stack(raw).astype(float)
        found = defaultdict(list)
        for repeat in range(asked.repeats):
            for number, (train_rows, held_rows) in enumerate(StratifiedKFold(asked.folds, shuffle=True, random_state=repeat).split(x, bad)):
                fit, held = (np.isin(np.arange(len(bad)), rows) for rows in (train_rows, held_rows))
                for scorer in (*own, *peers):
                    if scorer in asked.skip:
                        continue
                    started, more = time.perf_counter(), {}
                    try:
                        if scorer in own:
                            features, columns = (drawn, raw) if scorer == "qqloan auto" else (free if scorer == "qqloan free" else wise, knowing)
                            predicted, more = ours(features, columns, bad, fit, held, own[scorer])
                        else:
                            predicted = peer(scorer, x, bad, fit, held, asked.scorecardpy)
                    except subprocess.CalledProcessError as error:
                        print(json.dumps({"set": name, "scorer": scorer, "failed": error.stderr.decode().strip().splitlines()[-1][:200]}), file=sys.stderr, flush=True)
                        continue
                    row = {m: getattr(measures, m)(bad[held], predicted) for m in MEASURES} | {"seconds": time.perf_counter() - started} | more
                    row["slope"] = measures.calibration_line(bad[held], predicted)[0]
                    found[scorer].append(row)
                    print(json.dumps({"set": name, "repeat": repeat, "fold": number, "scorer": scorer, **{k: round(v, 6) for k, v in row.items()}}), flush=True)
        print(f"\n{name}: {len(bad):,} rows, {bad.mean():.2%} bad, {asked.repeats} x {asked.folds} folds\n")
        print("| scorer | AUC | difference from qqloan (95 %) | KS | Brier | log loss | ECE | slope | s a fit |\n|---|---|---|---|---|---|---|---|---|")
        for scorer, rows in sorted(found.items(), key=lambda item: -np.mean([row["auc"] for row in item[1]])):
            mean = {key: np.mean([row[key] for row in rows]) for key in (*MEASURES, "seconds", "slope")}
            apart = np.array([row["auc"] for row in rows]) - np.array([row["auc"] for row in found["qqloan"]]) if len(rows) == len(found["qqloan"]) else np.zeros(2)
            low, high = interval(apart, asked.folds)
            differs = "" if scorer == "qqloan" else f"{apart.mean():+.4f} ({low:+.4f} to {high:+.4f})"
            print(f"| {scorer} | {mean['auc']:.4f} | {differs} | {mean['ks']:.4f} | {mean['brier']:.5f} | {mean['log_loss']:.5f} | {mean['ece']:.4f} | {mean['slope']:.3f} | {mean['seconds']:.1f} |")
        with_cross = np.mean([row["seconds_with_cross_validation"] for row in found["qqloan"]])
        print(f"\nqqloan with its own cross-validation, calibration and card: {with_cross:.1f} s\n", flush=True)


if __name__ == "__main__":
    main()
