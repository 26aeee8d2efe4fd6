"""What a book of loans holds (qqloan servicing), and the files that are posted to it."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column as C
from qqloan_cli.contracts.model import Contract, Rule

KINDS = ("repayment", "prepayment", "reversal", "fee", "waiver", "pause", "restructure", "re_age", "write_off", "match")
_MONEY = "('repayment', 'prepayment', 'fee', 'waiver')"
_LOAN = C("loan_id", "VARCHAR", "the loan: application and tranche")

REPAYMENTS = Contract(
    "repayments", "event", ("event_id", "src_file", "src_row"),
    (
        C("event_id", "VARCHAR", "the event's own number: the same event may come any number of times"),
        C("loan_id", "VARCHAR", "the loan, as the book calls it", null="not known: the money waits among the unmatched"),
        C("kind", "VARCHAR", ", ".join(KINDS), null="repayment"),
        C("value_date", "DATE", "the day from which it counts", "date"),
        C("amount_fen", "BIGINT", "of money, a fee or a waiver", "fen", "no amount belongs to it"),
        C("reverses", "VARCHAR", "a reversal's or a match's event", null="another kind"),
        C("component", "VARCHAR", "of a waiver: fees, penalty, interest, principal", null="another kind"),
        C("until", "DATE", "a pause's last day", "date", "another kind"),
        C("annual_rate", "DOUBLE", "of a restructuring", null="the rate stays"),
        C("term_months", "INTEGER", "of a restructuring: instalments from then on", "months", "as many as are left"),
        C("src_file", "USMALLINT", "number of the file"),
        C("src_row", "BIGINT", "row of the file"),
    ),
    (
        Rule("event-id-missing", "event_id", "event_id IS NULL OR event_id = ''", "no event_id"),
        Rule("value-date-missing", "value_date", "value_date IS NULL", "no value date"),
        Rule("kind-unknown", "kind", f"kind IS NOT NULL AND kind NOT IN ({', '.join(repr(kind) for kind in KINDS)})", f"no such kind; there are {', '.join(KINDS)}"),
        Rule("amount-missing", "amount_fen", f"coalesce(kind, 'repayment') IN {_MONEY} AND amount_fen IS NULL", "no amount"),
        Rule("amount-not-positive", "amount_fen", f"coalesce(kind, 'repayment') IN {_MONEY} AND amount_fen <= 0", "an amount above 0 is wanted; money back is a reversal"),
        Rule("reverses-missing", "reverses", "kind IN ('reversal', 'match') AND (reverses IS NULL OR reverses = '')", "no event that it is about"),
        Rule("loan-id-missing", "loan_id", "kind NOT IN ('repayment', 'prepayment', 'reversal') AND (loan_id IS NULL OR loan_id = '')", "no loan that it is about"),
        Rule("component-missing", "component", "kind = 'waiver' AND (component IS NULL OR component NOT IN ('fees', 'penalty', 'interest'))", "fees, penalty or interest is wanted: principal is written off"),
        Rule("until-missing", "until", "kind = 'pause' AND (until IS NULL OR until < value_date)", "a day from the value date on is wanted"),
        Rule("rate-wrong", "annual_rate", "kind = 'restructure' AND annual_rate IS NOT NULL AND NOT annual_rate BETWEEN 0 AND 1", "a share a year is wanted, e.g. 0.12"),
        Rule("term-wrong", "term_months", "kind = 'restructure' AND term_months IS NOT NULL AND NOT term_months BETWEEN 1 AND 360", "1 to 360 months are wanted"),
    ),
)

LOANS = Contract(
    "loans", "loan", ("loan_id",),
    (
        _LOAN,
        C("application_id", "VARCHAR", "application"),
        C("tranche_no", "SMALLINT", "tranche"),
        C("applicant_id", "VARCHAR", "the borrower, the lender's own pseudonym"),
        C("run_id", "VARCHAR", "the run that decided it"),
        C("opened_on", "DATE", "day on which the book took it in", "date"),
        C("product", "VARCHAR", "product"),
        C("drawn_on", "DATE", "day of drawdown", "date"),
        C("principal_fen", "BIGINT", "drawn", "fen"),
        C("annual_rate_ppm", "BIGINT", "nominal a year", "millionths"),
        C("penalty_rate_ppm", "BIGINT", "a year, on principal past its grace; at most the cap on the all-in cost", "millionths"),
        C("cost_cap", "DECIMAL(9,6)", "cap on the all-in cost at the decision", null="none applied"),
        C("method", "VARCHAR", "equal_instalment, equal_principal, interest_only, bullet"),
        C("term_months", "INTEGER", "of the loan", "months"),
        C("region", "VARCHAR", "where the borrower lives", null="not given"),
        C("grade", "VARCHAR", "A to G"),
        C("pd", "DOUBLE", "probability of default at the decision"),
    ),
)

INSTALMENTS = Contract(
    "instalments", "loan and instalment", ("loan_id", "instalment_no"),
    (
        _LOAN,
        C("instalment_no", "SMALLINT", "instalment, from 1"),
        C("due_date", "DATE", "due", "date"),
        C("principal_fen", "BIGINT", "principal", "fen"),
        C("interest_fen", "BIGINT", "interest", "fen"),
        C("fee_fen", "BIGINT", "fees", "fen"),
    ),
)

FUNDED_BY = Contract(
    "funded_by", "loan and source", ("loan_id", "source"),
    (_LOAN, C("source", "VARCHAR", "who funds"), C("amount_fen", "BIGINT", "that source's share", "fen")),
)

EVENTS = Contract(
    "events", "event", ("bucket", "loan_id", "value_date", "event_id"),
    (
        C("bucket", "USMALLINT", "of the loan", null="no such loan when it came"),
        *(column for column in REPAYMENTS.columns if column.name not in ("annual_rate", "src_file", "src_row")),
        C("rate_ppm", "BIGINT", "of a restructuring", "millionths", "the rate stays"),
        C("received_on", "DATE", "business day on which the book came to know it", "date"),
        C("file", "VARCHAR", "the file it came in"),
        C("row", "BIGINT", "its row there"),
    ),
)

LEDGER = Contract(
    "ledger", "loan, day, event and account", ("loan_id", "posted_at", "value_date", "event_id", "account"),
    (
        C("loan_id", "VARCHAR", "the loan", null="unmatched money"),
        C("account", "VARCHAR", "cash, principal, interest, penalty, fees, interest_income, penalty_income, fee_income, advance, unmatched, written_off, recovery, waived"),
        C("value_date", "DATE", "the day from which it counts", "date"),
        C("posted_at", "DATE", "the business day on which it was booked: later than the value date for what came late", "date"),
        C("debit_fen", "BIGINT", "debit", "fen"),
        C("credit_fen", "BIGINT", "credit", "fen"),
        C("event_id", "VARCHAR", "the event; drawdown, due-N, penalty or advance where time alone moved it"),
    ),
)

STATE = Contract(
    "state", "loan", ("loan_id",),
    (
        _LOAN,
        C("application_id", "VARCHAR", "application"),
        C("applicant_id", "VARCHAR", "the borrower"),
        C("status", "VARCHAR", "current, overdue, paid, written_off, broken"),
        C("dpd", "INTEGER", "days past the oldest unpaid due date; 0 on the due date itself", "days", "broken"),
        C("delinquent_days", "INTEGER", "the same less grace and paused days, at least 0", "days", "broken"),
        C("class", "VARCHAR", "normal, special_mention, substandard, doubtful, loss", null="broken"),
        C("principal_fen", "BIGINT", "outstanding, due or not", "fen", "broken"),
        C("principal_due_fen", "BIGINT", "due and unpaid", "fen", "broken"),
        C("interest_fen", "BIGINT", "due and unpaid", "fen", "broken"),
        C("penalty_fen", "BIGINT", "grown to the day and unpaid", "fen", "broken"),
        C("fees_fen", "BIGINT", "due and unpaid", "fen", "broken"),
        C("accrued_interest_fen", "BIGINT", "since the last due date, not due yet", "fen", "broken"),
        C("advance_fen", "BIGINT", "money that waits for the next instalment, or to be given back", "fen", "broken"),
        C("written_off_fen", "BIGINT", "written off", "fen", "broken"),
        C("recovered_fen", "BIGINT", "came in after that", "fen", "broken"),
        C("oldest_due_date", "DATE", "of what is unpaid", "date", "nothing is"),
        C("next_due_date", "DATE", "next instalment", "date", "none is left"),
        C("next_due_fen", "BIGINT", "of it", "fen", "none is left"),
        C("instalments_fallen", "INTEGER", "due by now"),
        C("instalments_to_come", "INTEGER", "not yet due"),
        C("restructured_on", "DATE", "last restructured", "date", "never"),
        C("re_aged", "INTEGER", "how often re-aged"),
        C("owed_fen", "BIGINT", "due and unpaid in all: principal, interest, penalty, fees", "fen", "broken"),
        C("restated", "BOOLEAN", "something arrived since that counts from before"),
        C("dpd_said", "INTEGER", "dpd as it was known on the day itself", "days", "broken"),
        C("owed_said_fen", "BIGINT", "owed as it was known on the day itself", "fen", "broken"),
    ),
)

PANEL = Contract(
    "panel", "loan and month", ("loan_id", "month"),
    (
        _LOAN,
        C("month", "DATE", "last day of the month", "date"),
        C("mob", "INTEGER", "months on book: 0 in the month of drawdown", "months"),
        C("status", "VARCHAR", "current, overdue, paid, written_off"),
        C("dpd", "INTEGER", "days past due at the end of the month", "days"),
        C("balance_fen", "BIGINT", "outstanding principal; what was written off, less what came back, where it was", "fen"),
        C("principal_fen", "BIGINT", "drawn", "fen"),
        C("drawn_on", "DATE", "day of drawdown", "date"),
        C("first_due_on", "DATE", "day of the first instalment", "date"),
        C("oldest_due_date", "DATE", "of what is unpaid", "date", "nothing is"),
        C("product", "VARCHAR", "product"),
        C("region", "VARCHAR", "where the borrower lives", null="not given"),
        C("grade", "VARCHAR", "A to G"),
    ),
)

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

EXCEPTIONS = Contract(
    "exceptions", "loan and event", ("loan_id", "event_id", "reason"),
    (
        C("loan_id", "VARCHAR", "the loan", null="no loan"),
        C("event_id", "VARCHAR", "the event that was not applied", null="the loan itself"),
        C("value_date", "DATE", "its day", "date", "the loan itself"),
        C("reason", "VARCHAR", "why"),
    ),
)

BOOK = (REPAYMENTS, LOANS, INSTALMENTS, FUNDED_BY, EVENTS, LEDGER, STATE, PANEL, LINES, LINE_MONTHS, LINE_REVIEWS, EXCEPTIONS)
BEHAVIOUR = tuple(column.name for column in _BEHAVIOUR)
