"""Credit lines in life (qqloan review-lines): what a book knows of them, what they were like, and what was decided every night."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column as C
from qqloan_cli.contracts.model import Contract

LINES = Contract(
    "lines", "approved application: a line", ("line_id",),
    (
        C("line_id", "VARCHAR", "the line: the application that was approved"),
        C("applicant_id", "VARCHAR", "the borrower, the lender's own pseudonym"),
        C("run_id", "VARCHAR", "the run that decided it"),
        C("product", "VARCHAR", "product"),
        C("limit_fen", "BIGINT", "what the run's waterfall allows, whether asked for or not: no raise goes above it", "fen"),
        C("amount_fen", "BIGINT", "approved: the line's first limit", "fen"),
        C("opened_on", "DATE", "day on which the book took it in", "date"),
        C("expires_on", "DATE", "the first day on which nothing may be drawn any more", "date"),
        C("grade", "VARCHAR", "A to G"),
        C("pd", "DOUBLE", "probability of default at the decision"),
        C("region", "VARCHAR", "where the borrower lives", null="not given"),
        C("monthly_income_fen", "BIGINT", "conservative stable monthly income, after tax, at the decision", "fen", "no evidence of income"),
        C("income_confidence", "VARCHAR", "high, medium, low, none", null="not looked at"),
        C("monthly_payment_fen", "BIGINT", "largest instalment of what was approved", "fen", "not worked out"),
        C("dti", "DOUBLE", "debt service with this loan over income, at the decision", "share", "income unknown"),
    ),
)

# What a line was like at the end of a day, as it was known then: what the behaviour score looks at. All amounts are of the line's loans together.
_BEHAVIOUR = (
    C("dpd", "INTEGER", "days past the oldest unpaid due date", "days", "a loan of it is broken"),
    C("worst_dpd_3m", "INTEGER", "worst at the day and the ends of the 3 months before", "days", "a loan of it is broken"),
    C("worst_dpd_6m", "INTEGER", "the same of 6 months", "days", "a loan of it is broken"),
    C("worst_dpd_12m", "INTEGER", "the same of 12 months", "days", "a loan of it is broken"),
    C("months_since_late", "INTEGER", "month ends since it was last late at one; 13: not within 12", "months", "a loan of it is broken"),
    C("months_late_6m", "INTEGER", "of the day and the 6 month ends before, those late", "months", "a loan of it is broken"),
    C("months_late_12m", "INTEGER", "the same of 12 months", "months", "a loan of it is broken"),
    C("months_over_30_12m", "INTEGER", "the same more than 30 days late", "months", "a loan of it is broken"),
    C("months_since_over_30", "INTEGER", "month ends since it was last more than 30 days late at one; 13: not within 12", "months", "a loan of it is broken"),
    C("months_on_book", "INTEGER", "months since the first drawdown", "months", "nothing is drawn"),
    C("balance_share", "DOUBLE", "outstanding principal over drawn", "share", "nothing is drawn"),
    C("paid_late_share", "DOUBLE", "instalments that money covered late, or has not covered, of those fallen before the plan changed", "share", "none fell due"),
    C("paid_early_share", "DOUBLE", "instalments that money covered before they fell due, of the same", "share", "none fell due"),
    C("advance_share", "DOUBLE", "money that waits for the next instalment over drawn", "share", "nothing is drawn"),
    C("utilisation", "DOUBLE", "outstanding over what the line was approved for", "share"),
    C("decision_pd", "DOUBLE", "probability of default at the decision", "share"),
    C("agreed_anew", "INTEGER", "how often restructured or re-aged: a restructuring counts once"),
)

LINE_MONTHS = Contract(
    "line_months", "line and month", ("line_id", "month"),
    (
        C("line_id", "VARCHAR", "the line"),
        C("month", "DATE", "last day of the month; everything as it was known on it", "date"),
        C("instalments_fallen", "INTEGER", "due by now, of all its loans"),
        C("written_off", "BOOLEAN", "a loan of it is written off"),
        *_BEHAVIOUR,
    ),
)

LINE_REVIEWS = Contract(
    "line_reviews", "line and night", ("line_id",),
    (
        C("line_id", "VARCHAR", "the line"),
        C("applicant_id", "VARCHAR", "the borrower, the lender's own pseudonym"),
        C("reviewed_on", "DATE", "the day, as it was known at its end", "date"),
        C("action", "VARCHAR", "keep, raise, cut, freeze, unfreeze, expire, stop"),
        C("reason_codes", "VARCHAR[]", "at least one"),
        C("rules_unknown", "VARCHAR[]", "rules that a missing value left open: they do nothing, and nothing is eased while one that would be adverse is open"),
        C("limit_before_fen", "BIGINT", "before", "fen"),
        C("limit_fen", "BIGINT", "after", "fen"),
        C("outstanding_fen", "BIGINT", "principal outstanding of what was drawn", "fen"),
        C("undrawn_fen", "BIGINT", "tranches that are promised and neither drawn nor stopped, after", "fen"),
        C("available_fen", "BIGINT", "what may still be drawn beyond those; 0 while frozen or expired", "fen"),
        C("frozen_on", "DATE", "frozen since", "date", "not frozen"),
        C("unfrozen_on", "DATE", "last thawed", "date", "not so far"),
        C("raised_on", "DATE", "last raised", "date", "not so far"),
        C("cut_on", "DATE", "last cut", "date", "not so far"),
        C("expired_on", "DATE", "expired for good", "date", "alive"),
        C("stopping", "VARCHAR[]", "tranches stopped tonight, by loan_id"),
        C("stopped", "VARCHAR[]", "all that were stopped so far"),
        C("notice", "VARCHAR", "key of the notice's text in configs/lines.toml", null="nothing to be told"),
        C("notice_values", "MAP(VARCHAR, VARCHAR)", "what the text's places are filled with", null="nothing to be told"),
        C("adverse", "BOOLEAN", "to the borrower's disadvantage"),
        C("behaviour_pd", "DOUBLE", "probability of 60 days late or worse (M3) within six months", "share", "no instalment fell due yet"),
        C("behaviour_score", "INTEGER", "points", null="no instalment fell due yet"),
        C("score_reasons", "VARCHAR[]", "why the score is lower than the average line's", null="no instalment fell due yet"),
        C("dpd", "INTEGER", "days past due", "days", "a loan of it is broken"),
        C("other_dpd", "INTEGER", "worst days past due of the borrower's other loans here", "days", "there is none, or one is broken"),
        C("clean_months", "INTEGER", "whole months since it was last late", "months", "nothing is drawn, or a loan of it is broken"),
        C("cap_fen", "BIGINT", "what the waterfall of the decision, or of the refresh, allows", "fen"),
        C("refreshed_by", "VARCHAR", "the run whose new figures were looked at", null="none"),
        C("scored_by", "VARCHAR", "the card's or the model's version"),
        C("policy_version", "VARCHAR", "digest of lines.toml and its reasons, 12 characters"),
    ),
)

LINES_IN_LIFE = (LINES, LINE_MONTHS, LINE_REVIEWS)
BEHAVIOUR = tuple(column.name for column in _BEHAVIOUR)
