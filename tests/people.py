"""A small batch of people written by hand, taken through the stages that look at who they are and whom they know."""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from conftest import AS_OF, ROOT

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine import secret
from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.run import Run, bucket_of
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.walk import walk

WHO = ("links.keys", "links.links", "stages.verify")


class Batch:
    """``put`` tables as rows (what is left out is null), ``take`` stages, read ``rows``."""

    def __init__(self, folder: Path, as_of: str = AS_OF, history: tuple[Path, ...] = (), buckets: int = 1, config: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(config or ROOT / "configs", folder / "config", dirs_exist_ok=True)
        self.run = Run(folder, {
            "as_of": as_of, "buckets": buckets, "history": [str(path) for path in history], "key_id": secret.fingerprint(secret.load()), "stages": {}, "timings": {},
        })
        (folder / "run.json").write_text(json.dumps(self.run.document))

    @property
    def root(self) -> Path:
        return self.run.root

    def put(self, **tables: list[dict]) -> "Batch":
        con = connect()
        for name, rows in tables.items():
            contract = CONTRACTS[name]
            rows = [{"src_file": 0, "src_row": number, **row} for number, row in enumerate(rows, 1)]
            for bucket in [0] if self.run.is_shared(name) else range(self.run.buckets):
                mine = rows if self.run.is_shared(name) else [row for row in rows if bucket_of(row["applicant_id"], self.run.buckets) == bucket]
                columns = {c.name: pa.array([None if row.get(c.name) is None else str(row[c.name]) for row in mine], pa.string()) for c in contract.columns}
                con.register("given", pa.table(columns))
                path = self.run.file(name, bucket)
                path.parent.mkdir(parents=True, exist_ok=True)
                con.execute(f"COPY ({contract.select('given')}) TO '{path}' (FORMAT parquet)")
                con.unregister("given")
        con.close()
        return self

    def take(self, *stages: str, workers: int = 1) -> "Batch":
        walk(self.run, [importlib.import_module(f"qqloan_cli.{name}").STAGE for name in stages], workers, SILENT)
        (self.root / ".journal").unlink(missing_ok=True)
        return self

    def rows(self, table: str) -> dict[str, dict]:
        """By application_id."""
        return {row["application_id"]: row for path in self.run.whole(table) for row in pq.read_table(path).to_pylist()}

    def digest(self, *tables: str) -> str:
        return hashlib.sha256(b"".join(path.read_bytes() for table in tables for path in self.run.whole(table))).hexdigest()


def check_character(seventeen: str) -> str:
    """ISO 7064 MOD 11-2, as the standard's table has it; not the formula under test."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(w * int(d) for w, d in zip(weights, seventeen)) % 11]


def id_number(region: str = "440305", birth: str = "19900105", order: int = 1) -> str:
    body = f"{region}{birth}{order:03d}"
    return body + check_character(body)


def card_number(number: int) -> str:
    """Sixteen digits that fulfil Luhn."""
    body = f"622202{number:09d}"
    total = sum(d if place % 2 else d // 5 + 2 * d % 10 for place, d in enumerate(map(int, reversed(body))))
    return f"{body}{-total % 10}"


def person(n: int, **more) -> dict:
    """An applicant without a fault, different from every other number's."""
    return {
        "application_id": f"A{n:04d}", "applicant_id": f"P{n:04d}", "id_number": id_number(order=n % 1000, birth=f"{1970 + n // 1000 % 30}0105"),
        "phone": f"138{n:08d}", "bank_card": card_number(n), "product": "cash_loan", "requested_amount_fen": 5_000_000,
        "applied_at": "2026-11-20 10:00:00", "consent_at": "2026-11-20 09:00:00", "consent_scope": "credit;income;social",
        "device_id": f"device-{n}", "contact_phone": f"139{n:08d}", **more,
    }
