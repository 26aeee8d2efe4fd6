"""The facts that rules may name: one row an application, from the tables before the limit. Money in yuan, as an officer reads it.

The limit stage makes a column of each; a test holds this list against it.
"""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    name: str
    type: str  # DuckDB's
    unit: str
    meaning: str
    source: str

    @property
    def kind(self) -> str:
        return {"VARCHAR": "text", "BOOLEAN": "truth"}.get(self.type, "number")


_YUAN, _INT, _TEXT, _TRUTH, _FLOAT = "DECIMAL(20,2)", "INTEGER", "VARCHAR", "BOOLEAN", "DOUBLE"
F = Fact

FACTS: tuple[Fact, ...] = (
    F("licence", _TEXT, "", "the lender's licence", "lender.toml"),
    F("product", _TEXT, "", "product applied for; the first of products.toml where none is named", "applicants"),
    F("product_known", _TRUTH, "", "products.toml knows the product", "applicants"),
    F("requested_amount", _YUAN, "yuan", "asked for", "applicants"),
    F("term_possible", _TRUTH, "", "some term of the product fits regulation and age", "products.toml, regulation"),
    F("purpose", _TEXT, "", "stated use of the money", "applicants"),
    F("purpose_refused", _TRUTH, "", "the stated use is one of lender.toml's purposes_refused", "applicants"),
    F("purpose_usual", _TRUTH, "", "the stated use is one of the product's", "applicants"),
    F("age_years", _INT, "years", "age on the application's date", "verify"),
    F("age_min", _INT, "years", "the product's lowest age", "products.toml"),
    F("age_max", _INT, "years", "the product's highest age", "products.toml"),
    F("student", _TRUTH, "", "a student at university", "applicants, verify"),
    F("student_loan_banned", _TRUTH, "", "regulation bans lending to students on that date", "regulation"),
    F("verdict", _TEXT, "", "pass, refer or fail", "verify"),
    F("blocklisted", _TRUTH, "", "stands on a blocklist in force", "verify"),
    F("id_other_applicants", _INT, "", "other applicants with the same ID number, earlier", "links"),
    F("phone_other_applicants", _INT, "", "other applicants with the same phone, earlier", "links"),
    F("device_other_applicants", _INT, "", "other applicants with the same device, earlier", "links"),
    F("applications_1d", _INT, "", "earlier applications within 1 day", "links"),
    F("applications_7d", _INT, "", "within 7 days", "links"),
    F("applications_30d", _INT, "", "within 30 days", "links"),
    F("declines_90d", _INT, "", "earlier applications declined within 90 days", "links"),
    F("open_application", _TRUTH, "", "an earlier application of this person stands in the same batch", "links"),
    F("exposure", _YUAN, "yuan", "approved here before and still owed", "links"),
    F("money_cycle", _TRUTH, "", "transfers that come back over at most three others", "links"),
    F("monthly_income", _YUAN, "yuan", "conservative stable monthly income after tax", "income"),
    F("income_confidence", _TEXT, "", "high, medium, low, none", "income"),
    F("months_covered", _INT, "months", "months in which any source shows income", "income"),
    F("income_cv", _FLOAT, "share", "coefficient of variation of monthly income", "income"),
    F("income_trend", _FLOAT, "share", "last three months over the three before, less one", "income"),
    F("income_inflated", _TRUTH, "", "sources contradict one another upwards (I-INFLATED)", "income"),
    F("income_circular", _TRUTH, "", "money goes round (I-CIRCULAR)", "income"),
    F("balance_break", _TRUTH, "", "balances that do not add up (I-BALANCE-BREAK)", "income"),
    F("income_flags", _INT, "", "signs for a person to look at", "income"),
    F("gambling", _YUAN, "yuan", "money to gambling in the window", "income"),
    F("loan_proceeds", _YUAN, "yuan", "money borrowed seen in statements, in the window", "income"),
    F("statement_months", _INT, "months", "months that the statements cover", "income"),
    F("debt_service", _YUAN, "yuan", "existing payments a month: what statements show, or tradelines and lenders that they do not have, the larger", "income, credit"),
    F("history", _TEXT, "", "none, thin or full", "credit"),
    F("open_accounts", _INT, "", "open tradelines", "credit"),
    F("worst_dpd_24m", _INT, "days", "worst days past due in 24 months", "credit"),
    F("overdue_months_24m", _INT, "", "overdue months in all within 24", "credit"),
    F("consecutive_overdue_24m", _INT, "", "longest row of overdue months", "credit"),
    F("bad_status", _TRUTH, "", "a tradeline is written off, bad debt or ended abnormally", "credit"),
    F("currently_overdue", _TRUTH, "", "a tradeline is overdue now", "credit"),
    F("utilisation", _FLOAT, "share", "owed over line on cards", "credit"),
    F("unsecured_balance", _YUAN, "yuan", "owed without mortgage and car loan", "credit"),
    F("lenders_open", _INT, "", "lenders with an open unsecured loan", "credit"),
    F("microloans_open", _INT, "", "open microloans", "credit"),
    F("hard_inquiries_1m", _INT, "", "hard inquiries within 30 days", "credit"),
    F("hard_inquiries_3m", _INT, "", "within 91 days", "credit"),
    F("hard_inquiries_6m", _INT, "", "within 182 days", "credit"),
    F("social_band", _TEXT, "", "strong, fair, weak, unknown", "social"),
    F("ring_alert", _TRUTH, "", "ties that look like a ring", "social"),
    F("ring_size", _INT, "", "applicants tied by shared keys", "social"),
    F("thin_file", _TRUTH, "", "neither credit history nor income evidence nor activity", "social"),
    F("pd", _FLOAT, "share", "probability of default within 12 months", "score"),
    F("grade", _TEXT, "", "A to G", "score"),
    F("pd_without_social", _FLOAT, "share", "the same by the model that sees no social evidence", "score"),
    F("grade_without_social", _TEXT, "", "A to G", "score"),
)

KINDS: dict[str, str] = {fact.name: fact.kind for fact in FACTS}
