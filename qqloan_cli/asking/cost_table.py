"""cost_table: every charge of an approved loan and of every offer, its standard and its part of the all-in annual cost.

The table of comprehensive costs (综合融资成本明示表, regulation/conduct.toml, cost.disclose) that a borrower has to be shown before the
contract, from 2026-08-01. A charge's part is what it adds to the cost: interest alone, then each fee on top; so the parts add up to
the whole. What is charged only if something happens stands beside the total, not in it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from qqloan_cli.asking import question
from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.loans.pricing import BLOCK, cost
from qqloan_cli.loans.schedule import METHODS, Terms, by_rounding, schedule_by
from qqloan_cli.policy.products import load_lender, load_products, ppm
from qqloan_cli.stages.limit import conventions, real_days_of


def settings(run: Run) -> dict[str, object]:
    products, lender = load_products(run.config_dir), load_lender(run.config_dir)
    return {
        **conventions(products, run.as_of),
        "legal_is_effective": lender.legal_cost[lender.licence] == "effective",
        "product_fees": pa.Table.from_pylist([{
            "product": name, "place": place, "principal_free": product.principal_free_months, "method_code": METHODS.index(product.method), "monthly_fee_ppm": ppm(product.monthly_fee_rate), "upfront_fee_ppm": ppm(product.upfront_fee_rate),
            "late_times_ppm": ppm(product.shown.late_rate_times), "early_ppm": ppm(product.shown.early_repayment_rate),
        } for place, (name, product) in enumerate(products.items())]),
    }


def compute(task: Task, only: str | None = None) -> None:
    loans = task.con.sql("""
        SELECT l.application_id, l.offer_no, l.product, l.amount_fen, l.term_months, CAST(l.annual_rate * 1_000_000 AS BIGINT) AS rate_ppm,
          CAST(l.all_in_annual_cost * 1_000_000 AS BIGINT) AS all_in_ppm, p.* EXCLUDE (product)
        FROM (
          SELECT application_id, 0 AS offer_no, product, amount_fen, term_months, annual_rate, all_in_annual_cost FROM "limit" WHERE decision = 'approve'
          UNION ALL
          SELECT application_id, offer_no, product, amount_fen, term_months, annual_rate, all_in_annual_cost FROM offers
        ) l JOIN product_fees p USING (product)
        WHERE CAST($only AS VARCHAR) IS NULL OR l.application_id = $only
        ORDER BY l.application_id, l.offer_no
    """, params={"only": only}).to_arrow_table()
    parts = [_items(loans.slice(start, BLOCK), task.values) for start in range(0, len(loans), BLOCK)]
    task.con.register("_items", pa.concat_tables(parts) if parts else _items(loans, task.values))
    task.con.execute("""
        CREATE OR REPLACE TEMP TABLE cost_table AS
        SELECT application_id, offer_no, item_no, item, product, CAST(CAST(standard_ppm AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(12,6)) AS standard,
          amount_fen, CAST(CAST(part_ppm AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(12,6)) AS annualised, contingent
        FROM _items
    """)
    task.con.unregister("_items")


def _items(loans: pa.Table, values) -> pa.Table:
    """Rows of every item of ``loans`` that is charged, in millionths."""
    column = {name: loans.column(name).to_numpy().astype(np.int64) for name in loans.column_names if name not in ("application_id", "product")}
    amount, zero = column["amount_fen"], np.zeros(len(loans), np.int64)
    monthly = (amount * column["monthly_fee_ppm"] + 500_000) // 1_000_000
    upfront = (amount * column["upfront_fee_ppm"] + 500_000) // 1_000_000
    terms = Terms(amount, column["rate_ppm"], column["term_months"], column["method_code"], monthly, upfront, principal_free=column["principal_free"],
                  **real_days_of(values, column["place"]))

    def legal(terms: Terms) -> np.ndarray:
        which = 1 if values["legal_is_effective"] else 0
        return by_rounding(column["place"], values["roundings"], lambda rows, rounding: {"cost": cost(terms[rows], rounding)[which]})["cost"] if len(terms) else zero

    of_interest = legal(replace(terms, monthly_fee_fen=zero, upfront_fee_fen=zero))
    with_monthly = np.where(monthly > 0, legal(replace(terms, upfront_fee_fen=zero)), of_interest)
    interest = schedule_by(terms, column["place"], values["roundings"]).interest_fen.sum(axis=1) if len(loans) else zero
    fees = monthly * column["term_months"]
    # item: standard, amount, part, whether it is there, whether it is contingent
    rows = {
        "principal": (None, amount, None, amount > 0, False), "interest": (column["rate_ppm"], interest, of_interest, amount > 0, False),
        "monthly_fee": (column["monthly_fee_ppm"], fees, with_monthly - of_interest, monthly > 0, False),
        "upfront_fee": (column["upfront_fee_ppm"], upfront, column["all_in_ppm"] - with_monthly, upfront > 0, False),
        "total": (None, interest + fees + upfront, column["all_in_ppm"], amount > 0, False),
        "late_interest": (column["rate_ppm"] * column["late_times_ppm"] // 1_000_000, None, None, amount > 0, True),
        "early_repayment": (column["early_ppm"], None, None, column["early_ppm"] > 0, True),
    }
    parts = []
    for number, (item, (standard, fen, part, there, contingent)) in enumerate(rows.items(), 1):
        at = pa.array(np.flatnonzero(there))
        whole = lambda values: pa.nulls(len(at), pa.int64()) if values is None else pa.array(values).take(at)  # noqa: E731
        parts.append(pa.table({
            "application_id": loans.column("application_id").combine_chunks().take(at), "offer_no": loans.column("offer_no").combine_chunks().take(at).cast(pa.int16()),
            "item_no": pa.repeat(pa.scalar(number, pa.int16()), len(at)), "item": pa.repeat(item, len(at)), "product": loans.column("product").combine_chunks().take(at),
            "standard_ppm": whole(standard), "amount_fen": whole(fen), "part_ppm": whole(part), "contingent": pa.repeat(contingent, len(at)),
        }))
    return pa.concat_tables(parts)


def cost_table_of(run: Run, application_id: str, bucket: int, offers: list[dict]) -> list[dict]:
    """One application's, worked out on the spot: of what was approved, and of ``offers``."""
    with question.on_the_spot(run, bucket, STAGE) as task:
        run.bind(task.con, "limit", bucket)
        task.con.execute(f"CREATE TEMP TABLE offers AS {CONTRACTS['offers'].empty()}")
        for offer in offers:
            task.con.execute("INSERT INTO offers (application_id, offer_no, product, amount_fen, term_months, annual_rate, all_in_annual_cost) VALUES (?, ?, ?, ?, ?, ?, ?)",
                             [offer[name] for name in ("application_id", "offer_no", "product", "amount_fen", "term_months", "annual_rate", "all_in_annual_cost")])
        compute(task, only=application_id)
        return task.con.sql(CONTRACTS["cost_table"].select("cost_table", order=True)).to_arrow_table().to_pylist()


STAGE = Stage(name="cost_table", kind="map", reads=("limit", "offers"), writes=("cost_table",), module=__name__, settings=settings, compute=compute)
