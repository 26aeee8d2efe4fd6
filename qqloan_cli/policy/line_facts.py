"""The facts that rules on credit lines may name: one row a line and night, as it was known at the end of the day. Money in yuan.

servicing/line_facts.sql makes a column of each; a test holds this list against it.
"""

from __future__ import annotations

from qqloan_cli.policy.facts import Fact as F

_YUAN, _INT, _TEXT, _TRUTH, _FLOAT = "DECIMAL(20,2)", "INTEGER", "VARCHAR", "BOOLEAN", "DOUBLE"

LINE_FACTS: tuple[F, ...] = (
    F("product", _TEXT, "", "product", "lines"),
    F("region", _TEXT, "", "where the borrower lives", "lines"),
    F("grade", _TEXT, "", "A to G, at the decision", "lines"),
    F("decision_pd", _FLOAT, "share", "probability of default at the decision", "lines"),
    F("monthly_income", _YUAN, "yuan", "conservative stable monthly income at the decision", "lines"),
    F("income_confidence", _TEXT, "", "high, medium, low, none", "lines"),
    F("dti", _FLOAT, "share", "debt service with the loan over income at the decision", "lines"),
    F("days_to_expiry", _INT, "days", "days until the line's last day is over; 0 or less: it is", "lines"),
    F("line_limit", _YUAN, "yuan", "the limit before the night", "line_reviews"),
    F("cap", _YUAN, "yuan", "what the waterfall of the decision, or of the refresh, allows", "lines, refresh"),
    F("frozen", _TRUTH, "", "frozen before the night", "line_reviews"),
    F("dpd", _INT, "days", "days past the oldest unpaid due date", "state"),
    F("delinquent_days", _INT, "days", "the same less grace and paused days", "state"),
    F("written_off", _TRUTH, "", "a loan of the line is written off", "state"),
    F("other_dpd", _INT, "days", "worst days past due of the borrower's other loans here; 0 where there is none", "state"),
    F("other_written_off", _TRUTH, "", "another loan of the borrower here is written off", "state"),
    F("owed", _YUAN, "yuan", "due and unpaid: principal, interest, penalty, fees; for rules that look away from a trifle", "state"),
    F("outstanding", _YUAN, "yuan", "principal outstanding", "state"),
    F("undrawn", _YUAN, "yuan", "tranches promised, neither drawn nor stopped", "loans"),
    F("clean_months", _INT, "months", "whole months since an instalment was last late, or since the first drawdown", "state, events"),
    F("borrower_clean_months", _INT, "months", "the least of the borrower's lines", "state, events"),
    F("idle_months", _INT, "months", "whole months in which nothing was owed, drawn or paid; 0 while anything is owed or promised", "state, events"),
    F("instalments_fallen", _INT, "", "instalments due by now", "state"),
    F("months_on_book", _INT, "months", "months since the first drawdown", "loans"),
    F("worst_dpd_3m", _INT, "days", "worst days past due of the day and 3 month ends", "state"),
    F("worst_dpd_6m", _INT, "days", "the same of 6", "state"),
    F("worst_dpd_12m", _INT, "days", "the same of 12", "state"),
    F("months_since_late", _INT, "months", "months since it was last late at a month's end; 13: not within 12", "state"),
    F("months_late_6m", _INT, "months", "of the day and 6 month ends, those late", "state"),
    F("months_late_12m", _INT, "months", "the same of 12", "state"),
    F("months_over_30_12m", _INT, "months", "of the day and 12 month ends, those more than 30 days late", "state"),
    F("months_since_over_30", _INT, "months", "months since it was last so at a month's end; 13: not within 12", "state"),
    F("paid_late_share", _FLOAT, "share", "instalments covered late, or not yet, of those fallen", "events"),
    F("paid_early_share", _FLOAT, "share", "instalments covered early, of those fallen", "events"),
    F("balance_share", _FLOAT, "share", "outstanding over drawn", "state"),
    F("utilisation", _FLOAT, "share", "outstanding over what was approved", "state"),
    F("agreed_anew", _INT, "", "how often restructured or re-aged", "state"),
    F("behaviour_pd", _FLOAT, "share", "probability of 60 days late or worse within six months", "card or model"),
    F("behaviour_score", _INT, "points", "the same as points", "card or model"),
    F("refresh_pd", _FLOAT, "share", "probability of default by the refresh", "refresh"),
    F("refresh_decision", _TEXT, "", "approve, refer or decline by the refresh", "refresh"),
)

LINE_KINDS: dict[str, str] = {fact.name: fact.kind for fact in LINE_FACTS}

MONTHS = 12  # month ends that are looked back on, before the day itself
_D = [f"d{ago}" for ago in range(MONTHS + 1)]  # days past due on the day, and at the end of the months before it; missing before the drawdown


def _late(to: int, days: int = 0) -> str:
    return " + ".join(f"coalesce(CAST({d} > {days} AS INTEGER), 0)" for d in _D[: to + 1])


def _since(days: int) -> str:
    return f"CASE WHEN d0 IS NULL THEN NULL {' '.join(f'WHEN {d} > {days} THEN {ago}' for ago, d in enumerate(_D))} ELSE {MONTHS + 1} END"


# What the behaviour score is told of lateness, in SQL over d0 ... d12: the same in a night's review and in training. All are missing where d0 is.
LATENESS: dict[str, str] = {
    "dpd": "d0",
    **{f"worst_dpd_{to}m": f"CASE WHEN d0 IS NOT NULL THEN greatest({', '.join(_D[: to + 1])}) END" for to in (3, 6, 12)},
    "months_since_late": _since(0),
    **{f"months_late_{to}m": f"CASE WHEN d0 IS NOT NULL THEN {_late(to)} END" for to in (6, 12)},
    "months_over_30_12m": f"CASE WHEN d0 IS NOT NULL THEN {_late(12, 30)} END",
    "months_since_over_30": _since(30),
}
