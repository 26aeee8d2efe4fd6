"""Loans worked out from their contracts, for people and machines."""

from __future__ import annotations

import json
from decimal import Decimal

from qqloan_cli.reports import formats
from qqloan_cli.reports.money import yuan


def _fen(amount: Decimal) -> int:
    return int(amount * 100)


def _rows(instalments: list) -> list[dict]:
    return [{
        "instalment_no": row.number, "due_date": row.due_date, "pay_date": row.pay_date, "principal_fen": _fen(row.principal), "interest_fen": _fen(row.interest),
        "fee_fen": _fen(row.charges), "payment_fen": _fen(row.payment), "balance_fen": _fen(row.balance),
    } for row in instalments]


def schedules(loans: list[tuple[str, list]], format: str, one: bool) -> None:
    """``loans``: each one's name and instalments (loans/instalments.py)."""
    if format == "json" or (format == "jsonl" and not one):
        _documents(loans, format, one, lambda instalments: {"instalments": [formats.plain(row) for row in _rows(instalments)]})
    elif format == "table":
        for name, instalments in loans:
            _schedule_table(name, _rows(instalments))
    else:
        import pyarrow as pa

        formats.emit(pa.Table.from_pylist([({} if one else {"id": name}) | row for name, instalments in loans for row in _rows(instalments)]), format)


def _schedule_table(name: str, rows: list[dict]) -> None:
    moved = any(row["pay_date"] != row["due_date"] for row in rows)
    names = ["no.", "due", *(["paid on"] if moved else []), "principal", "interest", "charges", "payment", "left"]
    money = ("principal_fen", "interest_fen", "fee_fen", "payment_fen")
    shown = [[str(row["instalment_no"]), str(row["due_date"]), *([str(row["pay_date"])] if moved else []), *(yuan(row[name]) for name in (*money, "balance_fen"))] for row in rows]
    total = ["", "total", *([""] if moved else []), *(yuan(sum(row[name] for row in rows)) for name in money), ""]
    formats.draw(names, [*shown, total], name or None, [True, False, *([False] if moved else []), True, True, True, True, True])


def costs(loans: list[tuple[str, object]], format: str, one: bool) -> None:
    """``loans``: each one's name and cost (loans/cost.py)."""
    if format in ("json", "jsonl"):
        _documents(loans, format, one, _cost_document)
    elif format == "table":
        for name, found in loans:
            _cost_table(name, found)
    else:
        import pyarrow as pa

        flat = [{"id": name, **{key: value for key, value in _cost_document(found).items() if not key.endswith("charges")}} for name, found in loans]
        formats.emit(pa.Table.from_pylist(flat), format)


def _cost_document(found) -> dict:
    return {
        "received_fen": _fen(found.received), "repaid_fen": _fen(found.repaid), "total_cost_fen": _fen(found.total), "interest_fen": _fen(found.interest),
        "all_in_nominal": _share(found.nominal), "all_in_effective": _share(found.effective), "all_in_dated": _share(found.dated), "time_count": found.time_count, "simple": _share(found.simple),
        "charges": [{"name": name, "amount_fen": _fen(amount)} for name, amount in found.charges],
        "contingent_charges": [{"name": name, "amount_fen": _fen(amount)} for name, amount in found.contingent],
    }


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 8)


def _cost_table(title: str, found) -> None:
    percent = lambda value: "no rate" if value is None else f"{value * 100:.4f} %"  # noqa: E731
    formats.draw(["cost", "a year", "how"], [
        ["all in, nominal", percent(found.nominal), "internal rate of a period x periods of a year (IRR x 12)"],
        ["all in, effective", percent(found.effective), "(1 + internal rate of a period) ^ periods of a year - 1"],
        ["all in, by dates", percent(found.dated), f"internal rate of the dated flows, {found.time_count}"],
        ["simple", percent(found.simple), "all costs over what was really used, day by day, x 365"],
    ], title or None, [False, True, False])
    money = [["received", found.received], ["repaid", found.repaid], ["interest", found.interest], *([f"charge: {name}", amount] for name, amount in found.charges),
             ["costs in all", found.total], *([f"only if it happens: {name}", amount] for name, amount in found.contingent)]
    formats.draw(["amount", "yuan"], [[name, yuan(_fen(amount))] for name, amount in money], None, [False, True])


def _documents(loans: list[tuple], format: str, one: bool, make) -> None:
    documents = ({**({"id": name} if name or not one else {}), **make(found)} for name, found in loans)
    if format == "jsonl":
        for document in documents:
            print(json.dumps(document, ensure_ascii=False))
    elif one:
        formats.document(next(documents))
    else:
        formats.document({"loans": list(documents)})
