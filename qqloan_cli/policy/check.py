"""Whether a whole configuration can be right: every file by itself, then what they say of one another, then the rules' own examples."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from qqloan_cli.errors import QqloanError
from qqloan_cli.policy.approvers import load_approvers
from qqloan_cli.policy.cases import load_cases
from qqloan_cli.policy.collections import load_collections
from qqloan_cli.policy.credit import load_credit
from qqloan_cli.policy.funding import Funding, load_funding
from qqloan_cli.policy.income import load_income
from qqloan_cli.policy.limits import load_limits
from qqloan_cli.policy.lines import LineRules, load_line_policy
from qqloan_cli.policy.monitor import load_monitoring
from qqloan_cli.policy.notices import load_letters
from qqloan_cli.policy.price import load_price
from qqloan_cli.policy.products import load_lender, load_products
from qqloan_cli.policy.reasons import load_reasons
from qqloan_cli.policy.regulation import load_regulation
from qqloan_cli.policy.reserve import Reserve, load_reserve
from qqloan_cli.policy.retention import load_retention
from qqloan_cli.policy.review import load_review
from qqloan_cli.policy.rules import load_rules
from qqloan_cli.policy.scale import load_scale
from qqloan_cli.policy.servicing import Compensation, load_servicing
from qqloan_cli.policy.social import load_social
from qqloan_cli.policy.tax import load_tax
from qqloan_cli.policy.verify import load_verify
from qqloan_cli.policy.worth import load_worth

LOADERS: tuple[tuple[str, Callable], ...] = (
    ("products.toml", load_products), ("lender.toml", load_lender), ("verify.toml", load_verify), ("income.toml", load_income),
    ("tax", load_tax), ("credit.toml", load_credit), ("social.toml", load_social), ("scale.toml", load_scale),
    ("reasons/", load_reasons), ("regulation/", load_regulation), ("rules.toml", load_rules), ("limit.toml", load_limits), ("funding.toml", load_funding),
    ("review.toml", load_review), ("approvers.toml", load_approvers), ("retention.toml", load_retention), ("servicing.toml", load_servicing), ("reserve.toml", load_reserve),
    ("collections.toml", load_collections), ("lines.toml", load_line_policy), ("notices/", load_letters), ("worth.toml", load_worth), ("monitor.toml", load_monitoring),
    ("cases.toml", lambda folder: load_cases(folder / "cases.toml")),
)


def check(config_dir: Path) -> list[dict]:
    """One row for each file and each agreement: what, ok, says. Nothing is raised: all findings come at once."""
    rows = []
    loaded = {name: _try(rows, name, lambda load=load: load(config_dir)) for name, load in LOADERS}
    products, limits, scale = loaded["products.toml"], loaded["limit.toml"], loaded["scale.toml"]
    if products and limits:
        _try(rows, "price.toml", lambda: load_price(config_dir, products, limits))
    if limits and scale:
        have, want = [grade.grade for grade in limits.grade], [grade.grade for grade in scale.grades]
        _say(rows, "grades of limit.toml and scale.toml", have == want, f"{' '.join(have)} against {' '.join(want)}")
    if scale and loaded["monitor.toml"] and "csi" in loaded["monitor.toml"].measure:
        csi = loaded["monitor.toml"].measure["csi"]
        _say(rows, "drift in monitor.toml and scale.toml", (csi.amber, csi.red) == (scale.drift_amber, scale.drift_red), f"{csi.amber}, {csi.red} against {scale.drift_amber}, {scale.drift_red}")
    if products and loaded["funding.toml"]:
        named = {product for source in loaded["funding.toml"].sources.values() for product in source.products or []}
        _say(rows, "products that funding.toml names", named <= set(products), f"unknown: {', '.join(sorted(named - set(products)))}")
    if loaded["reserve.toml"] and loaded["funding.toml"]:
        _try(rows, "sources that reserve.toml names", lambda: load_reserve(config_dir, loaded["funding.toml"]))
    if loaded["reserve.toml"] and loaded["funding.toml"] and loaded["servicing.toml"]:
        _say(rows, "what reserve.toml and servicing.toml agree on", *_one_guarantee(loaded["reserve.toml"], loaded["servicing.toml"].compensation, loaded["funding.toml"]))
    if loaded["rules.toml"]:
        wrong = loaded["rules.toml"].check_examples()
        _say(rows, "examples of rules.toml", not wrong, "; ".join(wrong))
    if loaded["lines.toml"]:
        wrong = LineRules(loaded["lines.toml"].lines.rule).check_examples()
        _say(rows, "examples of lines.toml", not wrong, "; ".join(wrong))
    return rows


def _one_guarantee(reserve: Reserve, compensation: Compensation | None, funding: Funding) -> tuple[bool, str]:
    """The pool is what compensates: the same funders, from the same lateness on, for the same share of their interest."""
    if compensation is None:
        return True, ""
    pool = (sorted(reserve.cover.funders(funding)), 30 * (int(reserve.cover.from_bucket.strip("M+")) - 1) + 1, reserve.contribution[-1].of_interest)
    agreed = (sorted(compensation.of), compensation.from_dpd, compensation.fee_of_interest)
    differ = [f"{what}: {a} against {b}" for what, a, b in zip(("sources", "days past due", "share of interest"), pool, agreed) if a != b]
    return not differ, "; ".join(differ)


def _try(rows: list[dict], what: str, load: Callable):
    try:
        found = load()
    except QqloanError as error:
        rows.append({"what": what, "ok": False, "says": f"{error.ref}: {error.what}" + (f" ({error.where})" if error.where else "")})
        return None
    rows.append({"what": what, "ok": True, "says": ""})
    return found


def _say(rows: list[dict], what: str, ok: bool, says: str) -> None:
    rows.append({"what": what, "ok": ok, "says": "" if ok else says})
