"""Stage tables as the contracts have them, written by hand: people whose hidden log odds we know. No other room's code runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect

TABLES = ("applicants", "verify", "income", "credit", "social")


def evidence(n: int, seed: int) -> tuple[dict[str, pa.Table], np.ndarray]:
    """(tables, bad): partial tables of n applications, and outcomes that follow from them."""
    rng = np.random.default_rng(seed)
    ids = pa.array([f"A{seed}-{i:06d}" for i in range(n)])
    income = np.round(np.exp(rng.normal(13.8, 0.5, n))).astype(np.int64)
    asked = np.round(income * np.exp(rng.normal(1.8, 0.6, n)) / 100).astype(np.int64) * 100
    dpd = rng.choice([0, 0, 0, 0, 7, 35, 65, 95], n)
    inquiries, lenders = rng.poisson(1.5, n), rng.poisson(1.0, n)
    use, cv = rng.beta(2, 3, n), rng.gamma(2, 0.1, n)
    active, age = rng.uniform(0, 30, n), rng.integers(10, 4000, n)
    shown, carded, networked = rng.random(n) > 0.1, rng.random(n) > 0.3, rng.random(n) > 0.2
    z = (
        -3.4 + 0.5 * np.log(asked / income) - 0.4 * np.log(income / 1e6) * shown + 0.02 * dpd + 0.18 * inquiries + 0.15 * lenders
        + 1.5 * use * carded + 1.2 * cv - 0.03 * active * networked
    )
    bad = rng.random(n) < 1 / (1 + np.exp(-z))
    days = np.datetime64("2025-01-01") + rng.integers(0, 180, n)

    def some(values, there):
        return pa.array(values, mask=~there)

    tables = {
        "applicants": {
            "application_id": ids, "applicant_id": pa.array([f"P{seed}-{i // 2:06d}" for i in range(n)]), "requested_amount_fen": pa.array(asked),
            "term_months": some(rng.choice([12, 24, 36], n), rng.random(n) > 0.05), "applied_at": pa.array(days.astype("datetime64[us]")),
            "gender": pa.array(rng.choice(["male", "female"], n)), "name": pa.array(["nobody"] * n),
        },
        "verify": {"application_id": ids, "verdict": pa.array(["pass"] * n)},
        "income": {
            "application_id": ids, "monthly_income_fen": some(income, shown), "income_confidence": pa.array(np.where(shown, "high", "none")),
            "months_covered": pa.array(np.where(shown, 12, 0)), "income_cv": some(cv, shown), "employers": pa.array(np.ones(n, np.int32)),
            "stated_income_fen": pa.array(income), "statement_debt_service_fen": pa.array(income // 10), "lowest_balance_fen": pa.array(income // 20),
            "loan_proceeds_fen": pa.array(np.zeros(n, np.int64)), "gambling_fen": pa.array(np.zeros(n, np.int64)),
        },
        "credit": {
            "application_id": ids, "worst_dpd_24m": pa.array(dpd), "utilisation": some(use, carded), "hard_inquiries_3m": pa.array(inquiries),
            "hard_inquiries_6m": pa.array(inquiries + rng.poisson(1, n)), "lenders_open": pa.array(lenders), "account_debt_service_fen": pa.array(income // 12),
            "unsecured_balance_fen": pa.array(income), "bad_status": pa.array(np.zeros(n, bool)), "currently_overdue": pa.array(dpd > 90),
        },
        "social": {
            "application_id": ids, "active_days_avg": some(active, networked), "account_age_days": some(age, networked),
            "neighbour_bad_rate": some(rng.beta(1, 15, n), networked),
        },
    }
    return {name: pa.table(columns) for name, columns in tables.items()}, bad


def write_run(root: Path, tables: dict[str, pa.Table], buckets: int = 1) -> Run:
    """A run that holds these tables, dealt to buckets by application."""
    run = Run(root, {"as_of": "2025-06-30", "buckets": buckets, "stages": {}, "timings": {}})
    con = connect(1)
    for name in TABLES:
        contract, table = CONTRACTS[name], tables[name]
        for column in contract.columns:
            if column.name not in table.column_names:
                table = table.append_column(column.name, pa.nulls(len(table)))
        con.register("given", table)
        for bucket in range(buckets):
            path = run.file(name, bucket)
            path.parent.mkdir(parents=True, exist_ok=True)
            source = f"(SELECT * FROM given WHERE CAST(right(application_id, 6) AS INTEGER) % {buckets} = {bucket})"
            pq.write_table(con.sql(contract.select(source)).to_arrow_table(), path)
        con.unregister("given")
    con.close()
    run.save()
    return run


def outcomes_csv(path: Path, tables: dict[str, pa.Table], bad: np.ndarray, blank: int = 0) -> Path:
    lines = ["application_id,bad"]
    for i, (key, value) in enumerate(zip(tables["applicants"].column("application_id").to_pylist(), bad)):
        lines.append(f"{key},{'' if i < blank else int(value)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
