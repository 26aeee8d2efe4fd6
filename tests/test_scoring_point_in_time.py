"""Features know nothing later than the application: a leak is planted where a lender's files would carry one, and must leave no trace."""

from __future__ import annotations

import csv
import datetime
import shutil

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, done

from qqloan_cli.engine.run import Run
from qqloan_cli.scoring.features import load_features
from qqloan_cli.scoring.runs import features_of_run

AS_OF = "2025-06-30"
EARLIER = datetime.timedelta(days=70)  # applications are moved back, so that evidence goes on after them


def _rows(path) -> list[dict]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _write(path, rows: list[dict]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def lender(tmp_path_factory):
    """(folder, applied, bad): a lender whose people applied some ten weeks before the day of the run; by applicant the day, and who went bad."""
    folder = tmp_path_factory.mktemp("leak") / "files"
    done("generate", "--applicants", 300, "--seed", 5, "--as-of", AS_OF, "--format", "csv", "--out", folder)
    applicants = _rows(folder / "applicants.csv")
    for row in applicants:
        for column in ("applied_at", "consent_at"):
            if row[column]:
                row[column] = str(datetime.datetime.fromisoformat(row[column]) - EARLIER)
    _write(folder / "applicants.csv", applicants)
    outcomes = {row["application_id"]: row["bad"] for row in pq.read_table(folder / "truth/truth_outcomes.parquet").to_pylist()}
    applied = {row["applicant_id"]: datetime.datetime.fromisoformat(row["applied_at"]).date() for row in applicants if row["applied_at"]}
    bad = {row["applicant_id"] for row in applicants if outcomes.get(row["application_id"])}
    return folder, applied, bad


def _planted(lender, to, days: int):
    """The files with, for everyone who went bad, what a collector would see, ``days`` after the application: pay that stops short, debits
    in tens of thousands, a rush of inquiries, an app that nobody opens any more."""
    folder, applied, bad = lender
    shutil.copytree(folder, to)
    count = 0
    for name, column, change in (
        ("payroll", "pay_date", {"gross": "90.00", "net": "80.00"}), ("bank_statements", "booked_at", {"amount": "-98000.00", "memo": "催收 还款"}),
        ("credit_inquiries", "inquired_at", {"reason": "loan_approval"}), ("social_activity", "month", {"active_days": "0", "payments_count": "0", "payments_amount": "0.00"}),
    ):
        rows, latest = _rows(folder / f"{name}.csv"), {}
        for row in rows:
            if row["applicant_id"] in bad and row["applicant_id"] in applied:
                latest[row["applicant_id"]] = row
        for person, row in sorted(latest.items()):
            when = applied[person] + datetime.timedelta(days=days)
            when = when.replace(day=1) if column == "month" and days < 0 else (when.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) if column == "month" else when
            for again in range(3 if name == "credit_inquiries" else 1):
                rows.append({**row, **change, column: str(when + datetime.timedelta(days=again)) + row[column][10:]})
                count += 1
        _write(to / f"{name}.csv", rows)
    known = _rows(folder / "outcomes.csv")
    for person in sorted(bad & set(applied)):
        known.append({"applicant_id": person, "decided_at": "2024-01-05", "observed_at": str(applied[person] + datetime.timedelta(days=days)), "bad": "true"})
    _write(to / "outcomes.csv", known)
    assert count > 20
    return to


def _features(files, root):
    done("intake", files, "--out", root, "--as-of", AS_OF)
    for step in ("link", "verify", "ingest-income", "credit", "social"):
        done(step, root)
    return features_of_run(Run.open(root), load_features(ROOT / "configs/features.toml")).sort_by("application_id")


def test_what_happens_after_an_application_is_in_no_feature_of_it_though_the_run_is_later(lender, tmp_path):
    clean = _features(lender[0], tmp_path / "clean")
    after = _features(_planted(lender, tmp_path / "after-files", 12), tmp_path / "after")
    assert after.equals(clean)
    before = _features(_planted(lender, tmp_path / "before-files", -12), tmp_path / "before")
    differing = [name for name in clean.column_names if not before.column(name).equals(clean.column(name))]
    assert len(differing) >= 5, "the same rows before the application do change features, or this test could not fail"
