"""One application, from its checks to its last instalment, as a credit officer reads it."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from qqloan_cli.engine.run import Run
from qqloan_cli.policy.reasons import Reason
from qqloan_cli.reports.console import SCHEMA_VERSION
from qqloan_cli.reports.money import yuan
from qqloan_cli.reports.waterfall import basis
from qqloan_cli.reports.words import word

_CREDIT = ("history", "worst_dpd_24m", "overdue_months_24m", "utilisation", "lenders_open", "hard_inquiries_3m", "total_balance_fen")
_SOCIAL = ("social_score", "social_band", "account_age_days", "active_days_avg", "degree", "neighbour_bad_rate", "ring_size", "ring_shape", "ring_alert")


def document(found: dict[str, list[dict]], reasons: dict[str, Reason], lang: str) -> dict:
    """The dossier with the words of every code in it."""
    codes = {code for table in ("decisions", "verify", "income", "social", "score", "limit") for row in found[table] for code in _codes(row)}
    steps = [{**step, "basis": basis(step, found, lang)} for step in found["limit_steps"]]
    return {"schema_version": SCHEMA_VERSION, **found, "limit_steps": steps, "words": {code: reasons[code].text(lang) for code in sorted(codes) if code in reasons}}


def _codes(row: dict) -> list[str]:
    lists = [row.get(name) or [] for name in ("reason_codes", "reasons", "flags", "rules_hit", "rules_unknown")]
    return [code if isinstance(code, str) else code["code"] for codes in lists for code in codes]


class Page:
    """What the parts are drawn on: heads, lines and tables, here of the terminal."""

    def __init__(self, reasons: dict[str, Reason], lang: str, products: dict) -> None:
        import sys

        self.products = products

        self.console = Console() if sys.stdout.isatty() else Console(width=4_000)
        self.reasons, self.lang = reasons, lang

    def w(self, key: str) -> str:
        return word(key, self.lang)

    def head(self, text: str) -> None:
        self.console.print(f"\n{text}", style="bold", markup=False, highlight=False)

    def line(self, text: str) -> None:
        self.console.print(f"  {text}", markup=False, highlight=False)

    def table(self, names: list[str], rows: list[list], numeric: tuple[int, ...] = ()) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(names):
            table.add_column(self.w(name), justify="right" if index in numeric else "left")
        for row in rows:
            table.add_row(*("-" if cell is None else str(cell) for cell in row))
        self.console.print(table, markup=False, highlight=False)

    def say(self, code: str) -> str:
        return self.reasons[code].text(self.lang) if code in self.reasons else ""


def show(run: Run, found: dict[str, list[dict]], reasons: dict[str, Reason], lang: str, products: dict) -> None:
    """Prints the dossier; a stage that has not run yet leaves its part out. ``products``: policy/products.py, for whom charges go to."""
    page = Page(reasons, lang, products)
    for part, draw in PARTS.items():
        if found[part]:
            draw(page, found)


def _decision(page: Page, found: dict) -> None:
    row, limit = found["decisions"][0], (found["limit"] or [{}])[0]
    page.head(f"{page.w('application')} {row['application_id']}: {page.w(row['decision'])}")
    if row["decision"] == "approve":
        page.line(f"{page.w('amount')} {yuan(row['amount_fen'])}, {page.w('term')} {row['term_months']} {page.w('months')}, {page.w('annual_rate')} {_share(row['annual_rate'])}")
        cap = f", {page.w('cost_cap')} {_share(limit.get('cost_cap'))}" if limit.get("cost_cap") is not None else ""
        page.line(f"{page.w('all_in')} {_share(row['all_in_annual_cost'])} ({page.w('effective')} {_share(limit.get('all_in_effective'))}){cap}")
    if row["refer_to"]:
        page.line(f"{page.w('refer_to')} {row['refer_to']}")
    page.line(f"{page.w('decide_by')} {row['decide_by']}")
    page.table(["code", "in_words"], [[code, page.say(code)] for code in row["reason_codes"]])


def _verify(page: Page, found: dict) -> None:
    row = found["verify"][0]
    page.head(f"{page.w('checks')}: {page.w(row['verdict'])}")
    page.table(["check", "outcome", "code", "in_words"], [[c["check"], page.w(c["outcome"]), c["code"], page.say(c["code"] or "")] for c in row["checks"]])
    page.line(f"{page.w('pass')}: {row['passed'].replace(' ', ', ')}")


def _income(page: Page, found: dict) -> None:
    row = found["income"][0]
    page.head(f"{page.w('income')}: {yuan(row['monthly_income_fen'])} ({page.w('income_rule')}: {row['income_rule'] or '-'}; {page.w('confidence')}: {page.w(row['income_confidence'])})")
    page.table(["figure", "value", "over_months", "confidence"], [
        *([page.w(source), yuan(row[f"{source}_income_fen"]), row[f"{source}_months"], page.w(row[f"{source}_confidence"])] for source in ("payroll", "fund", "bank")),
        [page.w("stated"), yuan(row["stated_income_fen"]), None, None],
        [page.w("debt_service"), yuan(row["statement_debt_service_fen"]), row["statement_months"], None],
        [page.w("undeclared"), yuan(row["undeclared_debt_service_fen"]), None, None],
        [page.w("variation"), None if row["income_cv"] is None else f"{row['income_cv']:.3f}", row["months_covered"], None],
        [page.w("gaps"), None, row["income_gap_months"], None],
        [page.w("employer_changed"), row["employer_changed_on"], None, None],
    ], (1, 2))
    codes = list(dict.fromkeys([*row["reasons"], *row["flags"]]))
    page.table(["code", "in_words"], [[code, page.say(code)] for code in codes])
    if found["income_lines"]:
        page.head(page.w("lines"))
        page.table(["figure", "input", "row", "date", "amount", "class"], [
            [line["figure"], line["input"], " ".join(line["stood"]), line["on_date"], yuan(line["amount_fen"]), line["class"]] for line in found["income_lines"]
        ], (4,))


def _facts(page: Page, row: dict, names: tuple[str, ...]) -> None:
    page.table(["figure", "value"], [[page.w(name), _fact(page, name, row[name])] for name in names], (1,))


def _fact(page: Page, name: str, value):
    if value is None or isinstance(value, str):
        return page.w(value)
    if isinstance(value, bool):
        return page.w("yes") if value else page.w("none")
    return yuan(value) if name.endswith("_fen") else f"{value:.3f}" if isinstance(value, float) else value


def _credit(page: Page, found: dict) -> None:
    page.head(page.w("credit"))
    _facts(page, found["credit"][0], _CREDIT)


def _social(page: Page, found: dict) -> None:
    row = found["social"][0]
    page.head(page.w("social"))
    _facts(page, row, _SOCIAL)
    page.table(["code", "in_words"], [[code, page.say(code)] for code in row["reasons"]])


def _score(page: Page, found: dict) -> None:
    row = found["score"][0]
    page.head(f"{page.w('score')}: {row['score']}, {page.w('grade')} {row['grade']}, {page.w('pd')} {row['pd']:.4f}")
    page.line(f"{page.w('without_social')}: {row['score_without_social']}, {row['grade_without_social']}, {row['pd_without_social']:.4f}")
    if row.get("challenger_pd") is not None:
        other = "challenger" if row["scorer"] == "champion" else "champion"
        page.line(f"{page.w(other)}: {row[f'{other}_score']}, {row[f'{other}_pd']:.4f}")
    page.table(["code", "in_words", "feature", "points"], [[r["code"], page.say(r["code"]), r["feature"], f"{r['points']:.1f}"] for r in row["reasons"]], (3,))


def _limit(page: Page, found: dict) -> None:
    row = found["limit"][0]
    for part in ("rules_hit", "rules_unknown"):
        if row[part]:
            page.head(page.w("rules" if part == "rules_hit" else part))
            page.table(["code", "in_words"], [[code, page.say(code)] for code in row[part]])
    if found["limit_steps"]:
        page.head(page.w("waterfall"))
        page.table(["step", "cap", "left", "binding", "basis"], [
            [page.w(s["step"]), yuan(s["cap_fen"]), yuan(s["running_fen"]), page.w("yes") if s["binding"] else "", basis(s, found, page.lang)] for s in found["limit_steps"]
        ], (1, 2))


def _offers(page: Page, found: dict) -> None:
    page.head(page.w("offers"))
    page.table(["no", "product", "amount", "term", "annual_rate", "all_in", "monthly_payment"], [
        [o["offer_no"], o["product"], yuan(o["amount_fen"]), o["term_months"], _share(o["annual_rate"]), _share(o["all_in_annual_cost"]), yuan(o["monthly_payment_fen"])] for o in found["offers"]
    ], (2, 3, 4, 5, 6))


def _cost_table(page: Page, found: dict) -> None:
    """As it has to be shown: every charge, its standard, to whom it goes, what it comes to; what is contingent apart; and that there is nothing else."""
    items = [item for item in found["cost_table"] if item["offer_no"] == 0]
    if not items:
        return
    page.head(page.w("cost_table"))
    page.table(["item", "standard", "payee", "amount", "annualised"], [[page.w(f"item_{i['item']}"), _standard(page, i), _payee(page, i), yuan(i["amount_fen"]) if i["amount_fen"] is not None else page.w("if_it_happens"),
                                                                        None if i["annualised"] is None else f"{i['annualised']:.4%}"] for i in items], (3, 4))
    page.line(page.w("nothing_else"))


def _standard(page: Page, item: dict) -> str | None:
    return None if item["standard"] is None else f"{item['standard']:.4%} {page.w('per_' + item['item'])}"


def _payee(page: Page, item: dict) -> str | None:
    shown = page.products[item["product"]].shown
    payee = getattr(shown, item["item"], None) if item["item"] in ("interest", "monthly_fee", "upfront_fee") else shown.interest if item["contingent"] else None
    return None if payee is None else getattr(payee, page.lang)


def _plan(page: Page, found: dict) -> None:
    page.head(page.w("plan"))
    page.table(["tranche", "pay_date", "source", "amount", "payee", "condition"], [
        [p["tranche_no"], p["pay_date"], p["source"], yuan(p["amount_fen"]), p["payee_kind"], p["condition"]] for p in found["disburse_plan"]
    ], (3,))


def _schedule(page: Page, found: dict) -> None:
    page.head(page.w("schedule"))
    page.table(["tranche", "instalment", "due", "principal", "interest", "fee", "total"], [
        [s["tranche_no"], s["instalment_no"], s["due_date"], yuan(s["principal_fen"]), yuan(s["interest_fen"]), yuan(s["fee_fen"]),
         yuan(s["principal_fen"] + s["interest_fen"] + s["fee_fen"])] for s in found["schedule"]
    ], (3, 4, 5, 6))


def _share(value) -> str:
    return "-" if value is None else f"{float(value):.2%}"


def _person(page: Page, found: dict) -> None:
    row = found["reviews"][0]
    page.head(page.w("person"))
    page.table(["outcome", "at_most", "income_shown", "exception", "code", "in_words"], [[
        page.w(row["decision"]), yuan(row["amount_fen"]), yuan(row["monthly_income_fen"]), page.w("yes" if row["exception"] else "none"), row["reason"], page.say(row["reason"]),
    ]], numeric=(1, 2))


PARTS = {
    "decisions": _decision, "reviews": _person, "verify": _verify, "income": _income, "credit": _credit, "social": _social, "score": _score,
    "limit": _limit, "cost_table": _cost_table, "offers": _offers, "disburse_plan": _plan, "schedule": _schedule,
}
