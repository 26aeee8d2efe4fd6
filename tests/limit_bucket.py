"""A bucket for the limit stage, from a few words on each applicant: what is not said is that of a plain good case."""

from __future__ import annotations

import datetime
import functools
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import furnish, perform
from qqloan_cli.reports.waterfall import basis
from qqloan_cli.stages.limit import STAGE

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
YUAN = 100

PLAIN = {
    "applicants": {
        "product": "cash_loan", "purpose": "education", "requested_amount_fen": 50_000 * YUAN, "term_months": 24,
        "applied_at": datetime.datetime(2026, 11, 20, 9), "student": False, "region": "440305", "src_file": 0, "src_row": 1,
    },
    "links": {"applications_1d": 0, "applications_7d": 0, "applications_30d": 0, "declines_90d": 0, "open_application": False, "exposure_fen": 0, "money_cycle": None},
    "verify": {"verdict": "pass", "reasons": ["V-OK"], "checks": [{"check": "id", "outcome": "pass", "code": None}], "age_years": 35, "student": False},
    "income": {
        "monthly_income_fen": 15_000 * YUAN, "income_confidence": "high", "months_covered": 12, "income_cv": 0.1, "income_trend": 0.0,
        "statement_months": 12, "statement_debt_service_fen": 0, "undeclared_debt_service_fen": None, "loan_proceeds_fen": 0, "gambling_fen": 0, "flags": [], "reasons": ["I-AGREED"],
    },
    "credit": {
        "history": "full", "open_accounts": 2, "worst_dpd_24m": 0, "overdue_months_24m": 0, "consecutive_overdue_24m": 0, "bad_status": False,
        "currently_overdue": False, "account_debt_service_fen": 0, "lenders_open": 1, "microloans_open": 0, "hard_inquiries_1m": 0,
        "hard_inquiries_3m": 1, "hard_inquiries_6m": 2, "unsecured_balance_fen": 0, "utilisation": 0.1,
    },
    "social": {"social_band": "fair", "ring_alert": False, "thin_file": False, "reasons": ["S-OK"]},
    "score": {
        "pd": 0.015, "score": 640, "grade": "B", "pd_without_social": 0.015, "grade_without_social": "B", "reason_codes": ["M-AMOUNT"], "model_version": "0" * 12,
    },
}


def case(**told) -> dict[str, dict]:
    """An application: ``told`` are columns by name, wherever they belong; ``table__column`` where two tables have one name."""
    rows = {table: dict(plain) for table, plain in PLAIN.items()}
    for name, value in told.items():
        table, _, column = name.rpartition("__")
        tables = [table] if table else [t for t in PLAIN if name in CONTRACTS[t].names]
        assert tables, name
        rows[tables[0]][column or name] = value
    return rows


def answered(rows: dict[str, dict], decision: str, **told) -> dict[str, dict]:
    """The application with what a person said of it: columns of reviews."""
    shown = {"income_confidence": "medium"} if told.get("monthly_income_fen") is not None else {}
    return {**rows, "reviews": {"decision": decision, "reason": "O-EVIDENCE-SHOWN", "exception": False, **shown, **told}}


class Bucket:
    """A run of one bucket under ``root`` with the shipped configuration, changed by ``edit(config_dir)``."""

    def __init__(self, root: Path, as_of: str = "2026-11-24", edit=None) -> None:
        shutil.copytree(CONFIGS, root / "config", ignore=shutil.ignore_patterns("model"))
        if edit is not None:
            edit(root / "config")
        self.run = Run(root, {"as_of": as_of, "buckets": 1, "warnings": [], "stages": {}, "timings": {}})
        self.con = connect(1)
        self.values = STAGE.prepare(self.run, self.con)
        furnish(self.con, self.values)

    def decide(self, cases: list[dict[str, dict]]) -> list[dict]:
        """The limit's rows in the order of the cases, each with its ``steps`` by name, in words too."""
        for table in PLAIN:
            self._write(table, [{**rows[table], **_keys(table, number)} for number, rows in enumerate(cases)])
        self._write("reviews", [{**rows["reviews"], **_keys("reviews", number)} for number, rows in enumerate(cases) if "reviews" in rows])
        perform(STAGE, self.run, 0, self.con, self.values)
        found = pq.read_table(self.run.file("limit", 0)).to_pylist()
        steps: dict[str, dict] = {}
        dossiers = {row["application_id"]: {"limit": [row], **{table: [rows[table]] for table in rows}} for row, rows in zip(found, cases)}
        for step in pq.read_table(self.run.file("limit_steps", 0)).to_pylist():
            step["basis"] = basis(step, dossiers[step["application_id"]], "en")
            steps.setdefault(step["application_id"], {})[step["step"]] = step
        return [{**row, "steps": steps.get(row["application_id"], {})} for row in found]

    def _write(self, table: str, rows: list[dict]) -> None:
        path = self.run.file(table, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in CONTRACTS[table].names} for row in rows], schema_of(table)), path)


@functools.cache
def schema_of(table: str) -> pa.Schema:
    con = connect(1)
    try:
        return con.sql(CONTRACTS[table].empty()).to_arrow_table().schema
    finally:
        con.close()


def _keys(table: str, number: int) -> dict:
    return {"application_id": f"A{number:06d}", "applicant_id": f"P{number:06d}"}


def replace(path: Path, old: str, new: str) -> None:
    """Changes a line of a configuration; ``old`` must stand there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
