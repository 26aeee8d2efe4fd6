"""What a book of loans holds (qqloan servicing), and the files that are posted to it."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column as C
from qqloan_cli.contracts.model import Contract, Rule

KINDS = ("repayment", "prepayment", "reversal", "fee", "waiver", "pause", "restructure", "re_age", "write_off", "match", "cancel", "compensation", "buy_back")
_MONEY = "('repayment', 'prepayment', 'fee', 'waiver', 'compensation', 'buy_back')"
_LOAN = C("loan_id", "VARCHAR", "the loan: application and tranche")

REPAYMENTS = Contract(
    "repayments", "event", ("event_id", "src_file", "src_row"),
    (
        C("event_id", "VARCHAR", "the event's own number: the same event may come any number of times"),
        C("loan_id", "VARCHAR", "the loan, as the book calls it", null="not known: the money waits among the unmatched"),
        C("kind", "VARCHAR", ", ".join(KINDS), null="repayment"),
        C("value_date", "DATE", "the day from which it counts", "date"),
        C("amount_fen", "BIGINT", "of money, a fee or a waiver; what a compensation or buy-back paid", "fen", "no amount belongs to it"),
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

_WHAT_CAME = "what came to it of the loan in the period"
FUNDER_STATEMENTS = Contract(
    "funder_statements", "loan", ("loan_id", "src_file", "src_row"),
    (
        C("loan_id", "VARCHAR", "the loan, as the book calls it"),
        C("principal_fen", "BIGINT", _WHAT_CAME, "fen", "it does not say"),
        C("interest_fen", "BIGINT", _WHAT_CAME, "fen", "it does not say"),
        C("penalty_fen", "BIGINT", _WHAT_CAME, "fen", "it does not say"),
        C("fees_fen", "BIGINT", _WHAT_CAME, "fen", "it does not say"),
        C("recovered_fen", "BIGINT", _WHAT_CAME, "fen", "it does not say"),
        C("outstanding_fen", "BIGINT", "its principal at the end", "fen", "it does not say"),
        C("src_file", "USMALLINT", "number of the file"),
        C("src_row", "BIGINT", "row of the file"),
    ),
    (Rule("loan-id-missing", "loan_id", "loan_id IS NULL OR loan_id = ''", "no loan"),),
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

_SINCE_1970 = "days since 1970-01-01"
STANDING = Contract(
    "standing", "loan", ("loan_id",),
    (
        _LOAN,
        C("rate_ppm", "BIGINT", "nominal a year, as it is agreed by now", "millionths"),
        C("day", "SMALLINT", "day of the month on which instalments fall due"),
        C("fallen", "INTEGER", "instalments that fell due"),
        C("late", "INTEGER", "of them past their grace"),
        C("last", "INTEGER", "day up to which penalty has grown", _SINCE_1970),
        C("grown", "BIGINT", "penalty, in fen x days of the year x 1,000,000"),
        C("penalty_booked", "BIGINT", "of it booked", "fen"),
        C("penalty_paid", "BIGINT", "of it paid or waived", "fen"),
        C("charged", "BIGINT", "fees charged by events", "fen"),
        C("charged_paid", "BIGINT", "of them paid or waived", "fen"),
        C("advance_fen", "BIGINT", "money that waits", "fen"),
        C("outstanding", "BIGINT", "principal", "fen"),
        C("off", "BOOLEAN", "written off"),
        C("off_fen", "BIGINT", "written off", "fen"),
        C("recovered", "BIGINT", "came in after that", "fen"),
        C("paused", "BOOLEAN", "in a pause"),
        C("pauses", "INTEGER", "how many there were"),
        C("restructured", "BIGINT", "day of the last one; 10,000,000: never", _SINCE_1970),
        C("re_aged", "INTEGER", "how often"),
        C("bad_last", "INTEGER", "last day on which it was bad before it was paid or agreed anew; -1: never", _SINCE_1970),
        C("at_least", "TINYINT", "number of the class that it has at least while a restructuring is watched"),
        C("reckoned", "INTEGER", "day to which interest that no instalment has was paid or made principal", _SINCE_1970),
        C("changed", "BOOLEAN", "the instalments are others than at the drawdown, and stand beside"),
        C("paid_fees", "BIGINT", "of the instalments as they stand", "fen"),
        C("paid_interest", "BIGINT", "of the instalments as they stand", "fen"),
        C("paid_principal", "BIGINT", "of the instalments as they stand", "fen"),
        C("anew_on", "DATE", "day on which its past was last told anew: months before it are not to be had from months/", "date"),
        C("told_paid", "BOOLEAN", "a month in which nothing was left of it stands in months/, or ended before"),
    ),
)

MONTHS = Contract(
    "months", "loan and month", ("loan_id", "month"),
    (
        _LOAN,
        C("month", "DATE", "last day of the month", "date"),
        C("status", "VARCHAR", "current, overdue, paid, written_off"),
        C("dpd", "INTEGER", "days past due at the end of the month", "days"),
        C("balance_fen", "BIGINT", "outstanding principal; what was written off, less what came back, where it was", "fen"),
        C("oldest_due_date", "DATE", "of what is unpaid", "date", "nothing is"),
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

BOOK = (REPAYMENTS, FUNDER_STATEMENTS, LOANS, INSTALMENTS, FUNDED_BY, EVENTS, LEDGER, STATE, PANEL, STANDING, MONTHS, EXCEPTIONS)
