"""A book of loans made by hand: what a run would have opened, without the run."""

from __future__ import annotations

import csv
import datetime
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from qqloan_cli.engine.run import bucket_of
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.servicing import close as servicing_close
from qqloan_cli.servicing import post as servicing_post
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.panel import write_panel
from qqloan_cli.servicing.state import write_state

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
COLUMNS = ("event_id", "loan_id", "kind", "value_date", "amount", "reverses", "component", "until", "annual_rate", "term_months")
DAY = datetime.date.fromisoformat


def loan(loan_id: str, drawn_on: str, dues: list[tuple], rate: float = 0.12, penalty: float = 0.18, **other) -> dict:
    """``dues``: (date, principal, interest[, fee]) in yuan."""
    return {"loan_id": loan_id, "drawn_on": DAY(drawn_on), "dues": dues, "annual_rate_ppm": round(rate * 1e6), "penalty_rate_ppm": round(penalty * 1e6), **other}


def book(root: Path, loans: list[dict], servicing: dict[str, str] | None = None, products: dict[str, str] | None = None, buckets: int = 1, undrawn: list[dict] = ()) -> Path:
    """``servicing`` and ``products``: texts of servicing.toml and products.toml to be replaced. Loans of one ``application_id`` are tranches of a
    line, which may be given ``line``: columns of its own; ``undrawn``: lines of which nothing was funded."""
    first = min(one["drawn_on"] for one in loans)
    made = Book.begin(root, buckets, first)
    number, beside = made.new_folder("opens")
    shutil.copytree(CONFIGS, beside / "config", ignore=shutil.ignore_patterns("model", "sources"))
    for name, edits in (("servicing.toml", servicing), ("products.toml", products)):
        path = beside / "config" / name
        text = path.read_text(encoding="utf-8")
        for old, new in (edits or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    rows, dues, shares, lines = [], [], [], {}
    for one in loans:
        principal = one.get("principal_fen", sum(fen(due[1]) for due in one["dues"]))
        bucket = bucket_of(one.get("applicant_id", one["loan_id"]), buckets)
        lines.setdefault(one.get("application_id", one["loan_id"]), []).append({**one, "principal_fen": principal, "bucket": bucket})
        rows.append({
            "loan_id": one["loan_id"], "application_id": one.get("application_id", one["loan_id"]), "tranche_no": one.get("tranche_no", 1), "applicant_id": one.get("applicant_id", one["loan_id"]), "run_id": "by-hand",
            "opened_on": first, "product": one.get("product", "cash_loan"), "drawn_on": one["drawn_on"], "principal_fen": principal,
            "annual_rate_ppm": one["annual_rate_ppm"], "penalty_rate_ppm": one["penalty_rate_ppm"], "cost_cap": None, "method": one.get("method", "equal_instalment"),
            "term_months": len(one["dues"]), "region": one.get("region"), "grade": one.get("grade", "C"), "pd": one.get("pd", 0.05), "bucket": bucket,
        })
        for number_, due in enumerate(one["dues"], 1):
            dues.append({"loan_id": one["loan_id"], "instalment_no": number_, "due_date": DAY(due[0]), "principal_fen": fen(due[1]), "interest_fen": fen(due[2]), "fee_fen": fen(due[3]) if len(due) > 3 else 0, "bucket": bucket})
        shares += [{"loan_id": one["loan_id"], "source": source, "amount_fen": amount, "bucket": bucket} for source, amount in one.get("funded_by", {"own": principal}).items()]
    approved = [_line(line_id, of, first) for line_id, of in lines.items()] + [{**_line(one["line_id"], [], first), **one, "bucket": bucket_of(one.get("applicant_id", one["line_id"]), buckets)} for one in undrawn]
    con = connect(1)
    for table, content in (("loans", rows), ("instalments", dues), ("funded_by", shares), ("lines", approved)):
        con.register("given", pa.Table.from_pylist(content))
        for bucket in range(buckets):
            path = beside / table / f"{bucket:03d}.parquet"
            path.parent.mkdir(exist_ok=True)
            put(con, table, path, f"(SELECT * FROM given WHERE bucket = {bucket})", True)
    con.close()
    made.put_in_place(beside, root / "opens" / f"{number:05d}")
    made.document["opens"].append({"number": number, "run_id": "by-hand", "as_of": first.isoformat(), "opened_on": first.isoformat(), "loans": len(rows), "principal_fen": 0})
    made.save()
    return root


def _line(line_id: str, loans: list[dict], opened_on: datetime.date) -> dict:
    one = loans[0] if loans else {"bucket": 0}
    amount = sum(of["principal_fen"] for of in loans) or 1_000_000
    return {
        "line_id": line_id, "applicant_id": one.get("applicant_id", one.get("loan_id", line_id)), "run_id": "by-hand", "product": one.get("product", "cash_loan"), "limit_fen": 3 * amount,
        "amount_fen": amount, "opened_on": opened_on, "expires_on": opened_on.replace(year=opened_on.year + 3), "grade": one.get("grade", "C"), "pd": one.get("pd", 0.05),
        "region": one.get("region"), "monthly_income_fen": 1_000_000, "income_confidence": "high", "monthly_payment_fen": amount // 12, "dti": 0.3, "bucket": one["bucket"],
        **one.get("line", {}),
    }


def fen(yuan) -> int:
    return round(float(yuan) * 100)


def events(path: Path, rows: list[dict]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, row in enumerate(rows, 1):
            writer.writerow({"event_id": f"E{number}", "kind": "repayment", **row})
    return path


def post(root: Path, path: Path, received: str | None = None) -> dict:
    return servicing_post.post(Book.open(root), [path], DAY(received) if received else None, CONFIGS, None)


def close(root: Path, to: str, workers: int = 1) -> dict:
    return servicing_close.close(Book.open(root), DAY(to), workers)


def state(root: Path, at: str, known_at: str | None = None) -> dict[str, dict]:
    """Rows by loan."""
    out = root.parent / f"{root.name}-state.parquet"
    write_state(Book.open(root), DAY(at), DAY(known_at) if known_at else None, out, 1)
    return {row["loan_id"]: row for row in pq.read_table(out).to_pylist()}


def panel(root: Path, first: str, last: str) -> list[dict]:
    out = root.parent / f"{root.name}-panel.parquet"
    write_panel(Book.open(root), DAY(first), DAY(last), out, 1)
    return pq.read_table(out).to_pylist()


def from_the_drawdowns(root: Path) -> Path:
    """The same book without what its closes left to go on from."""
    copy = root.parent / f"{root.name}-from-the-drawdowns"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("standing", "months"))
    return copy


def ledger(root: Path, where: str = "true") -> dict[str, int]:
    """Debit less credit by account, fen."""
    return dict(duckdb.sql(f"SELECT account, CAST(sum(debit_fen) - sum(credit_fen) AS BIGINT) FROM '{root}/ledger/*.parquet' WHERE {where} GROUP BY ALL").fetchall())
