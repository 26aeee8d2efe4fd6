"""Disburse: tranches by source on working days, and a schedule for each tranche. Whole columns; nothing goes loan by loan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.errors import InternalError
from qqloan_cli.funding.payees import MERCHANT_PAPERS, Payees
from qqloan_cli.funding.tranches import Plans
from qqloan_cli.loans.schedule import Rounding, Terms, schedule_by
from qqloan_cli.loans.shares import largest_remainder, over_tranches
from qqloan_cli.policy.funding import load_funding
from qqloan_cli.policy.products import load_lender, load_products
from qqloan_cli.policy.regulation import load_regulation

_BLOCK = 8_192  # tranches whose instalments are made together


def settings(run: Run) -> dict:
    products, lender = load_products(run.config_dir), load_lender(run.config_dir)
    plans = Plans.of(products, run.as_of)
    run.warn(plans.warnings)
    sources = sorted(load_funding(run.config_dir).sources)
    return {
        "plans": pa.table({"product": pa.array(plans.products, pa.string()), "plan": pa.array(range(len(plans.products)), pa.int64())}),
        "dates": plans,
        # The last is an unknown product's.
        "roundings": [*(Rounding.of(products[name]) for name in plans.products), Rounding()],
        "free": np.array([*(products[name].principal_free_months for name in plans.products), 0], np.int64),
        "sources": sources,
        "source_places": pa.table({"source": pa.array(sources, pa.string()), "place": pa.array(range(len(sources)), pa.int64())}),
        "payees": Payees.of(products, lender, load_regulation(run.config_dir), run.as_of),
    }


@dataclass(frozen=True)
class _Tranches:
    """m tranches in order of loan and number: the loan's row, the number from 0, the principal."""

    loan: np.ndarray
    number: np.ndarray
    principal_fen: np.ndarray
    skipped: np.ndarray  # common due dates that lie before the tranche's first instalment


def compute(task: Task) -> None:
    task.script(STAGE.sql_file)
    loans = task.con.sql("FROM funded_loans").to_arrow_table()
    of = {name: loans[name].to_numpy() for name in loans.column_names if name != "application_id"}
    ids = loans["application_id"].combine_chunks()
    plans: Plans = task.values["dates"]
    by_number = plans.split(of["plan"], of["term_months"], of["principal_fen"])
    loan, number = np.nonzero(by_number)
    tranches = _Tranches(loan, number, by_number[loan, number], plans.skipped[of["plan"][loan], number])
    task.con.register("disburse_plan", _plan(task, ids, of, by_number, plans))
    task.con.register("schedule", _schedule(task, ids, of, by_number, tranches, plans))


def _plan(task: Task, ids: pa.Array, of: dict, by_number: np.ndarray, plans: Plans) -> pa.Table:
    """Each source's share of each tranche, when it leaves, to whom, and what must be true before."""
    sources, payees = task.values["sources"], task.values["payees"]
    unknown = task.con.execute("SELECT min(source) FROM funded_shares WHERE place IS NULL").fetchall()[0][0]
    if unknown is not None:
        raise InternalError("source-unknown", f"funding_shares names {unknown}, which the configuration does not", "funding.toml", "Run disburse-plan again.")
    given = task.con.sql("SELECT loan, place, amount_fen FROM funded_shares").to_arrow_table()
    shares = np.zeros((len(ids), len(sources)), np.int64)
    shares[given["loan"].to_numpy(), given["place"].to_numpy()] = given["amount_fen"].to_numpy()
    if (shares.sum(axis=1) != of["principal_fen"]).any():
        raise InternalError("shares-do-not-add-up", "a loan's shares are not its amount", "funding_shares", "Please report it.")
    split = over_tranches(shares, by_number)
    loan, number, source = np.nonzero(split)
    plan = of["plan"][loan]
    to_merchant = payees.to_merchant(of["plan"], of["principal_fen"])[loan]
    return pa.table({
        "application_id": _named(ids, loan),
        "tranche_no": number + 1,
        "pay_date": plans.pay_date[plan, number],
        "source": pa.DictionaryArray.from_arrays(pa.array(source), pa.array(sources, pa.string())),
        "amount_fen": split[loan, number, source],
        "payee_kind": _chosen(["borrower", "merchant"], to_merchant.astype(np.int64)),
        "condition": _conditions(plans, plan, number, to_merchant),
    })


def _conditions(plans: Plans, plan: np.ndarray, number: np.ndarray, to_merchant: np.ndarray) -> pa.Array:
    texts = [
        "; ".join(part for part in (plans.conditions[p][t], MERCHANT_PAPERS if merchant else None) if part) or None
        for p in range(len(plans.conditions)) for t in range(plans.most) for merchant in (False, True)
    ]
    return _chosen(texts, ((plan % len(plans.conditions)) * plans.most + number) * 2 + to_merchant)


def _schedule(task: Task, ids: pa.Array, of: dict, by_number: np.ndarray, tranches: _Tranches, plans: Plans) -> pa.Table:
    """A tranche is repaid on the loan's common due dates, over those that are left when it is paid."""
    loan, number = tranches.loan, tranches.number
    plan = of["plan"][loan]
    fees = {name: largest_remainder(of[name], by_number)[loan, number] for name in ("monthly_fee_fen", "upfront_fee_fen")} if len(ids) else {}
    codes = plan % len(task.values["roundings"])
    real_days = plans.real_days(int((of["term_months"][loan] - tranches.skipped).max(initial=1)))
    terms = Terms(
        tranches.principal_fen, of["annual_rate_ppm"][loan], of["term_months"][loan] - tranches.skipped, of["method"][loan],
        first_days=plans.first_days[plan, number], principal_free=_free(task, of, plan, loan, tranches.skipped), **fees,
        **({} if real_days is None else real_days.of(plan, number)),
    )
    dates = plans.due_dates(terms.months + int(tranches.skipped.max(initial=0)))
    parts = []
    for start in range(0, max(len(loan), 1), _BLOCK):  # memory that was touched is used again
        some = slice(start, start + _BLOCK)
        row, month, money = _instalments(terms[some], codes[some], task.values["roundings"])
        first = np.ones(len(row), bool)
        first[1:] = row[1:] != row[:-1]
        at = np.arange(len(row))
        parts.append(pa.table({
            "application_id": _named(ids, loan[some][row]),
            "tranche_no": (number[some] + 1).astype(np.int16)[row],
            "instalment_no": (at - np.maximum.accumulate(np.where(first, at, 0)) + 1).astype(np.int16),
            "due_date": dates[plan[some][row], month + tranches.skipped[some][row]],
            **money,
        }))
    return pa.concat_tables(parts)


def _free(task: Task, of: dict, plan: np.ndarray, loan: np.ndarray, skipped: np.ndarray) -> np.ndarray:
    """Months of interest alone that a tranche still has, when it is paid after some of them."""
    return np.clip(task.values["free"][plan] - skipped, 0, of["term_months"][loan] - skipped - 1)


def _instalments(terms: Terms, codes: np.ndarray, roundings: list[Rounding]) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """(row of ``terms``, month from 0, fen of each kind) of every instalment that falls due, row by row."""
    made = schedule_by(terms, codes, roundings)
    due = np.ascontiguousarray(made.due)
    row, month = np.nonzero(due)
    return row, month, {name: np.ascontiguousarray(getattr(made, name))[due] for name in ("principal_fen", "interest_fen", "fee_fen")}


def _named(ids: pa.Array, rows: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(rows.astype(np.int32)), ids)


def _chosen(texts: list[str | None], codes: np.ndarray) -> pa.Array:
    nothing = np.array([text is None for text in texts])
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=nothing[codes]), pa.array([text or "" for text in texts], pa.string()))


STAGE = Stage(
    name="disburse", kind="map", reads=("limit", "funding", "funding_shares"), writes=("disburse_plan", "schedule"),
    module=__name__, settings=settings, compute=compute, in_order=("disburse_plan", "schedule"),
)
