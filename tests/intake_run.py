"""Intake alone, over files written by a test: what came in, what was refused and why."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from conftest import ROOT

from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.run import Run
from qqloan_cli.intake.read import take_in

AS_OF = "2026-11-24"
HEAD = "application_id,applicant_id,name,id_number,phone,bank_card,birth_date,gender,requested_amount,term_months,applied_at"
GOOD = "A1,P1,测试甲,110105199010110004,13800000000,6222020000000000000,1990-10-11,male,50000.00,24,2026-11-20 10:00:00"


class Taken:
    """A run after intake."""

    def __init__(self, run: Run) -> None:
        self.run, self.document = run, run.document

    def rows(self, name: str) -> list[dict]:
        """An input's rows without where they stood, in order of their text."""
        files = self.run.whole(name)
        found = [row for path in files for row in pq.ParquetFile(path).read().to_pylist()]
        for row in found:
            del row["src_file"], row["src_row"]
        return sorted(found, key=lambda row: json.dumps(row, default=str, ensure_ascii=False, sort_keys=True))

    @property
    def applicants(self) -> dict[str, dict]:
        return {row["application_id"]: row for row in self.rows("applicants")}

    @property
    def quarantine(self) -> list[dict]:
        return pq.read_table(self.run.file("quarantine")).to_pylist()

    @property
    def refused(self) -> list[tuple]:
        """(input, row, column, rule) of every refused row."""
        return [(q["input"], q["row"], q["column"], q["rule"]) for q in self.quarantine]

    def counts(self, name: str = "applicants") -> tuple[int, int, int, int]:
        c = self.document["counts"][name]
        assert c["in"] == c["accepted"] + c["refused"] + c["unmatched"]
        return c["in"], c["accepted"], c["refused"], c["unmatched"]


def begun(folder: Path, config: Path | None = None, as_of: str = AS_OF) -> Run:
    """A run as ``building`` hands it to intake."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config").exists():
        (folder / "config").symlink_to(config or ROOT / "configs")
    datetime.date.fromisoformat(as_of)
    return Run(folder, {"as_of": as_of, "buckets": None, "inputs": [], "counts": {}, "stages": {}, "timings": {}, "warnings": []})


def take(folder: Path, *inputs: Path, config: Path | None = None, source: str | None = None, max_quarantine: float | None = None, as_of: str = AS_OF, workers: int = 2) -> Taken:
    run = begun(folder, config, as_of)
    take_in(run, list(inputs), source=source, max_quarantine=max_quarantine, workers=workers, events=SILENT)
    return Taken(run)


def lender(folder: Path, applicants: str | bytes = f"{HEAD}\n{GOOD}\n", **others: str | bytes) -> Path:
    """A folder of CSV files: applicants.csv and whatever is named."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"applicants": applicants, **others}.items():
        (folder / f"{name}.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def applicants(*rows: dict, columns: str = HEAD) -> str:
    """applicants.csv of rows that differ from a good one in what they name."""
    import csv
    import io

    names = columns.split(",")
    good = dict(zip(HEAD.split(","), GOOD.split(",")))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for number, row in enumerate(rows, 1):
        writer.writerow([{**good, "application_id": f"A{number}", "applicant_id": f"P{number}", **row}.get(name, "") for name in names])
    return out.getvalue()


def ask(question: str):
    return duckdb.connect().execute(question).fetchall()
