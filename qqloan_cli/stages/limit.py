"""limit: rules, waterfall, price: the decision.

limit.sql makes the facts and the waterfall; the rules, compiled from
configs/rules.toml, are asked over the facts; limit_outcome.sql weighs their
answers; loans/pricing.py prices what may be offered; limit_decision.sql decides.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.errors import IntegrityError
from qqloan_cli.funding.tranches import Plans
from qqloan_cli.loans.pricing import NO_CAP, Priced, price
from qqloan_cli.loans.schedule import METHODS, Rounding, Terms, by_rounding
from qqloan_cli.policy.limits import FEN, load_limits
from qqloan_cli.policy.price import load_price, payments
from qqloan_cli.policy.products import Product, load_lender, load_products, ppm
from qqloan_cli.policy.regulation import load_regulation
from qqloan_cli.policy.rules import load_rules
from qqloan_cli.policy.version import cited

HERE = Path(__file__)

# The waterfall's steps in order, each with the reason that it gives when it set the amount.
STEPS = (
    ("requested", "L-CAP-REQUESTED"), ("product", "L-CAP-PRODUCT"), ("income_multiple", "L-CAP-INCOME"), ("payment_to_income", "L-CAP-PAYMENT"),
    ("debt_to_income", "L-CAP-DEBT"), ("grade", "L-CAP-GRADE"), ("credit_history", "L-CAP-HISTORY"), ("social", "L-CAP-SOCIAL"),
    ("regulation", "L-CAP-REGULATION"), ("exposure", "L-CAP-EXPOSURE"),
)
PERIODS = pa.schema([
    ("id", pa.string()), ("topic", pa.string()), ("product_kind", pa.string()), ("method", pa.string()),
    ("from_date", pa.date32()), ("to_date", pa.date32()), ("value", pa.int64()),
])


def settings(run: Run) -> dict[str, object]:
    config = run.config_dir
    products, lender, limits = load_products(config), load_lender(config), load_limits(config)
    prices, law, rules = load_price(config, products, limits), load_regulation(config), load_rules(config)
    run.warn(law.warnings(lender, run.as_of))
    legal_is_effective = lender.legal_cost[lender.licence] == "effective"
    return {
        **conventions(products, run.as_of),
        "rules_sql": rules.select,
        "legal_is_effective": legal_is_effective,
        "cut": (ppm(prices.cut.floor), ppm(prices.cut.step)),
        "lender": pa.Table.from_pylist([{
            "licence": lender.licence, "unknown_product": lender.unknown_product, "legal_is_effective": legal_is_effective,
            "policy_version": cited(config, run.document.get("policy", {})),
            # Of the income's reasons those that can stop an application; the others speak for it.
            "telling": sorted(code for code, reason in rules.reasons.items() if code.startswith("I-") and reason.effect != "note"),
        }]),
        "rule_book": rules.table(),
        "step_book": pa.Table.from_pylist([{"step_no": number, "step": step, "code": code} for number, (step, code) in enumerate(STEPS, 1)]),
        "product_book": pa.Table.from_pylist([_product(place, name, product) for place, (name, product) in enumerate(products.items())]),
        "product_terms": pa.Table.from_pylist([{"product": name, "term_months": term} for name, product in products.items() for term in product.terms]),
        "product_purposes": _names("purpose", [(name, purpose) for name, product in products.items() for purpose in sorted(set(product.purposes))]),
        "purposes_refused": pa.table({"purpose": pa.array(sorted(set(lender.purposes_refused)), pa.string())}),
        "law_periods": pa.Table.from_pylist(law.periods(lender), PERIODS),
        "payment_book": pa.Table.from_pylist(payments(prices, limits, products)),
        "grade_book": pa.Table.from_pylist(limits.grades()),
        "confidence_book": pa.Table.from_pylist(limits.confidence()),
        "overdue_caps": pa.Table.from_pylist(limits.overdue_caps(), pa.schema([(name, pa.int64()) for name in ("from_months", "to_months", "cap_fen")])),
        "limit_row": pa.Table.from_pylist([limits.one_row()]),
    }


def _product(place: int, name: str, product: Product) -> dict:
    return {
        "place": place, "product": name, "kind": product.kind, "method": product.method, "method_code": METHODS.index(product.method),
        "amount_min_fen": product.amount_min * FEN, "amount_max_fen": product.amount_max * FEN, "amount_step_fen": product.amount_step * FEN,
        "term_usual": product.term_usual, "age_min": product.age_min, "age_max": product.age_max, "age_max_at_end": product.age_max_at_end,
        "monthly_fee_ppm": ppm(product.monthly_fee_rate), "upfront_fee_ppm": ppm(product.upfront_fee_rate), "principal_free": product.principal_free_months,
    }


def conventions(products: dict[str, Product], as_of: datetime.date) -> dict[str, object]:
    """How the products' schedules are worked out: their roundings, and the days of each month where interest goes by them."""
    plans = Plans.of(products, as_of)
    return {
        "roundings": [Rounding.of(product) for product in products.values()],
        "real_days": plans.real_days(max(term for product in products.values() for term in product.terms)),
        "plan_of_place": np.array([plans.products.index(name) for name in products], np.int64),
    }


def real_days_of(values, place: np.ndarray) -> dict[str, np.ndarray]:
    """What Terms wants to know where interest goes by real days: the loan's first money leaves on the batch's first day."""
    return {} if values["real_days"] is None else values["real_days"].of(values["plan_of_place"][place])


def _names(column: str, pairs: list[tuple[str, str]]) -> pa.Table:
    return pa.table({"product": pa.array([product for product, _ in pairs], pa.string()), column: pa.array([name for _, name in pairs], pa.string())})


def compute(task: Task) -> None:
    task.script(HERE.with_suffix(".sql"))
    _stand_side_by_side(task)
    task.con.execute(f"CREATE OR REPLACE TEMP TABLE ruled AS {task.values['rules_sql']}")
    task.script(HERE.with_name("limit_outcome.sql"))
    _price_offers(task)
    task.script(HERE.with_name("limit_decision.sql"))


def _stand_side_by_side(task: Task) -> None:
    """The tables of the stages before have the same applications in the same order, or something wrote them against their contracts."""
    rows, applications, beside = task.con.execute(
        "SELECT count(*), count(place), coalesce(bool_and(beside AND place IS NOT NULL), true) FROM evidence").fetchall()[0]
    if rows != applications or not beside:
        raise IntegrityError("evidence-out-of-step", "the stages' tables do not hold the same applications", f"bucket {task.bucket}", "Run the whole chain again.")


def _price_offers(task: Task) -> None:
    """Leaves ``offers``: the price of every wanted offer."""
    wanted = task.con.sql(f"SELECT * REPLACE (COALESCE(cost_cap_ppm, {NO_CAP}) AS cost_cap_ppm) FROM wanted").to_arrow_table().combine_chunks()
    column = {name: wanted[name].to_numpy().astype(np.int64) for name in wanted.column_names}
    terms = Terms(
        column["offered_fen"], column["rate_ppm"], column["term_months"], column["method_code"], column["monthly_fee_fen"], column["upfront_fee_fen"],
        principal_free=column["principal_free"], **real_days_of(task.values, column["product_place"]),
    )
    floor_ppm, step_ppm = task.values["cut"]

    def price_some(rows: np.ndarray | slice, rounding: Rounding) -> dict[str, np.ndarray]:
        return vars(price(terms[rows], column["cost_cap_ppm"][rows], task.values["legal_is_effective"], floor_ppm, step_ppm, rounding))

    priced = Priced(**by_rounding(column["product_place"], task.values["roundings"], price_some))
    offers = pa.table({
        "place": wanted["place"],
        "annual_rate_ppm": priced.annual_rate_ppm,
        "nominal_ppm": priced.nominal_ppm,
        "effective_ppm": priced.effective_ppm,
        "largest_payment_fen": priced.largest_payment_fen,
        "upfront_fee_fen": column["upfront_fee_fen"],
        "repriced": priced.repriced,
        "over_cap": priced.over_cap,
    })
    task.con.register("_offers", offers)
    task.con.execute("CREATE OR REPLACE TEMP TABLE offers AS SELECT * FROM _offers")
    task.con.unregister("_offers")


STAGE = Stage(
    name="limit", kind="map", reads=("applicants", "links", "verify", "income", "credit", "social", "score", "reviews"), writes=("limit", "limit_steps"),
    module=__name__, settings=settings, compute=compute, in_order=("limit_steps",),
)
