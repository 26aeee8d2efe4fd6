"""What a lender brings. Every table also says where each row stood: ``src_file`` (number in run.json) and ``src_row``.

Money arrives in yuan and is kept in fen: a mapping's column ``requested_amount``
becomes ``requested_amount_fen`` here.
"""

from __future__ import annotations

from qqloan_cli.contracts.model import Column, Contract, Rule

C = Column
_WHERE_IT_STOOD = (
    C("src_file", "USMALLINT", "number of the file in run.json's list of inputs"),
    C("src_row", "BIGINT", "row in that file, the first after the header being 1"),
)


def _personal(name: str, type: str, meaning: str, null: str = "not given") -> Column:
    return C(name, type, meaning, null=null, personal=True)


APPLICANTS = Contract(
    "applicants", "application", ("application_id",),
    (
        C("application_id", "VARCHAR", "the lender's key of the application"),
        C("applicant_id", "VARCHAR", "the lender's key of the person; decides the bucket"),
        _personal("name", "VARCHAR", "name"),
        _personal("id_number", "VARCHAR", "resident ID or permit number, half-width, upper case, no blanks"),
        _personal("phone", "VARCHAR", "mobile number, digits only"),
        _personal("bank_card", "VARCHAR", "card number for drawing, digits only"),
        _personal("birth_date", "DATE", "birth date as stated"),
        C("gender", "VARCHAR", "as stated: male or female", null="not given"),
        _personal("employer", "VARCHAR", "employer as stated"),
        C("employer_uscc", "VARCHAR", "employer's unified social credit code", null="not given"),
        C("region", "VARCHAR", "where the applicant lives: six-digit code or the lender's own", null="not given"),
        C("product", "VARCHAR", "product applied for", null="the first of configs/products.toml"),
        C("purpose", "VARCHAR", "stated use of the money", null="not given"),
        C("requested_amount_fen", "BIGINT", "amount asked for", "fen"),
        C("term_months", "INTEGER", "term asked for", "months", "the product's usual term"),
        C("applied_at", "TIMESTAMP", "when the application came in; nothing later is looked at", null="never: the as-of date where the file has none"),
        C("consent_at", "TIMESTAMP", "when consent to process and to query was given", null="no consent on file"),
        C("consent_scope", "VARCHAR", "what consent covers, ';' between: credit, income, social", null="no consent on file"),
        C("consent_withdrawn_at", "TIMESTAMP", "when consent was taken back", null="not withdrawn"),
        _personal("device_id", "VARCHAR", "device applied from"),
        _personal("contact_phone", "VARCHAR", "phone of a contact person"),
        C("student", "BOOLEAN", "a student at university", null="not known"),
        C("stated_monthly_income_fen", "BIGINT", "income a month as the applicant says", "fen", "not stated"),
        C("stated_income_verified", "BOOLEAN", "the lender itself verified that income", null="not known"),
        C("checks_not_applicable", "VARCHAR", "checks that this source's applicants cannot meet, ';' between: id, phone, card, uscc, consent", null="all apply"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("application-id-missing", "application_id", "application_id IS NULL OR application_id = ''", "no application_id"),
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("requested-amount-missing", "requested_amount_fen", "requested_amount_fen IS NULL", "no requested amount"),
        Rule("requested-amount-not-positive", "requested_amount_fen", "requested_amount_fen <= 0", "requested amount is not above zero"),
        Rule("term-out-of-range", "term_months", "term_months NOT BETWEEN 1 AND 360", "term is not between 1 and 360 months"),
        Rule("gender-unknown", "gender", "gender NOT IN ('male', 'female')", "gender is neither male nor female"),
    ),
)

PAYROLL = Contract(
    "payroll", "pay slip", ("applicant_id", "pay_date", "src_file", "src_row"),
    (
        C("applicant_id", "VARCHAR", "the person"),
        C("pay_date", "DATE", "day of pay", "date"),
        C("employer", "VARCHAR", "who paid", null="not given"),
        C("gross_fen", "BIGINT", "pay before tax and insurance", "fen", "only net is known"),
        C("net_fen", "BIGINT", "pay as received", "fen", "only gross is known"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("pay-date-missing", "pay_date", "pay_date IS NULL", "no pay date"),
        Rule("pay-missing", "gross_fen", "gross_fen IS NULL AND net_fen IS NULL", "neither gross nor net pay"),
        Rule("net-above-gross", "net_fen", "net_fen > gross_fen", "net pay is above gross pay"),
    ),
)

PROVIDENT_FUND = Contract(
    "provident_fund", "person and month", ("applicant_id", "month", "src_file", "src_row"),
    (
        C("applicant_id", "VARCHAR", "the person"),
        C("month", "DATE", "first day of the month paid for", "date"),
        C("employer", "VARCHAR", "who paid in", null="not given"),
        C("base_fen", "BIGINT", "contribution base a month", "fen", "to be inferred from the amounts"),
        C("personal_amount_fen", "BIGINT", "employee's share", "fen", "not given"),
        C("employer_amount_fen", "BIGINT", "employer's share", "fen", "not given"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("month-missing", "month", "month IS NULL", "no month"),
        Rule("fund-amount-missing", "base_fen", "base_fen IS NULL AND personal_amount_fen IS NULL AND employer_amount_fen IS NULL", "neither base nor amounts"),
        Rule("fund-amount-negative", "base_fen", "least(base_fen, personal_amount_fen, employer_amount_fen) < 0", "an amount below zero"),
    ),
)

BANK_STATEMENTS = Contract(
    "bank_statements", "transaction", ("applicant_id", "account", "booked_at", "src_file", "src_row"),
    (
        C("applicant_id", "VARCHAR", "the person whose account it is"),
        C("account", "VARCHAR", "account within the person, masked or the lender's key", null="the person's only one"),
        C("booked_at", "TIMESTAMP", "when it was booked"),
        C("amount_fen", "BIGINT", "money in is positive, money out negative", "fen"),
        C("balance_fen", "BIGINT", "balance after it", "fen", "the statement has none"),
        C("currency", "VARCHAR", "ISO 4217", null="the lender's own"),
        C("counterparty", "VARCHAR", "the other side", null="not given"),
        C("memo", "VARCHAR", "what the line says", null="not given"),
        C("line_id", "VARCHAR", "the bank's own number of the line", null="not given"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("booked-at-missing", "booked_at", "booked_at IS NULL", "no booking date"),
        Rule("amount-missing", "amount_fen", "amount_fen IS NULL", "no amount"),
    ),
)

CREDIT_ACCOUNTS = Contract(
    "credit_accounts", "tradeline", ("applicant_id", "opened_at", "src_file", "src_row"),
    (
        C("applicant_id", "VARCHAR", "the person"),
        C("opened_at", "DATE", "day it was opened", "date"),
        C("closed_at", "DATE", "day it was closed", "date", "still open or not given"),
        C("kind", "VARCHAR", "mortgage, car_loan, consumer_loan, microloan, business_loan, credit_card, quasi_card, student_loan, other", null="other"),
        C("lender", "VARCHAR", "who lent", null="not given"),
        C("limit_fen", "BIGINT", "line or original amount", "fen", "not given"),
        C("balance_fen", "BIGINT", "owed", "fen", "not given"),
        C("monthly_payment_fen", "BIGINT", "due each month", "fen", "to be inferred"),
        C("grid_24m", "VARCHAR", "24 repayment codes, oldest first (REGULATION: N 1-7 * # C D Z G B M A /)", null="not given"),
        C("worst_dpd_24m", "INTEGER", "worst days past due in 24 months", "days", "to be read from the grid"),
        C("status", "VARCHAR", "open, closed, overdue, written_off, bad_debt", null="open unless closed_at is set"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("opened-at-missing", "opened_at", "opened_at IS NULL", "no opening date"),
    ),
)

CREDIT_INQUIRIES = Contract(
    "credit_inquiries", "inquiry", ("applicant_id", "inquired_at", "src_file", "src_row"),
    (
        C("applicant_id", "VARCHAR", "the person"),
        C("inquired_at", "DATE", "day of the inquiry", "date"),
        C("reason", "VARCHAR", "loan_approval, card_approval, guarantee_review, merchant_review (hard); post_loan, own (soft)", null="not given: counted hard"),
        C("lender", "VARCHAR", "who asked", null="not given"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("inquired-at-missing", "inquired_at", "inquired_at IS NULL", "no date"),
    ),
)

WEALTH = Contract(
    "wealth", "person and month", ("applicant_id", "month", "src_file", "src_row"),
    (
        C("applicant_id", "VARCHAR", "the person"),
        C("month", "DATE", "first day of the month", "date"),
        C("balance_fen", "BIGINT", "savings and funds held in the ecosystem", "fen"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("month-missing", "month", "month IS NULL", "no month"),
        Rule("balance-missing", "balance_fen", "balance_fen IS NULL", "no balance"),
    ),
)

SOCIAL_ACTIVITY = Contract(
    "social_activity", "person and month", ("applicant_id", "month", "src_file", "src_row"),
    (
        C("applicant_id", "VARCHAR", "the person"),
        C("month", "DATE", "first day of the month", "date"),
        C("active_days", "INTEGER", "days active in the month", "days", "not given"),
        C("contacts", "INTEGER", "contacts held", null="not given"),
        C("payments_count", "INTEGER", "payments made", null="not given"),
        C("payments_amount_fen", "BIGINT", "payments made", "fen", "not given"),
        C("account_age_days", "INTEGER", "age of the account", "days", "not given"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("month-missing", "month", "month IS NULL", "no month"),
        Rule("active-days-out-of-range", "active_days", "active_days NOT BETWEEN 0 AND 31", "active days are not between 0 and 31"),
    ),
)

SOCIAL_EDGES = Contract(
    "social_edges", "ordered pair and kind", ("src", "dst", "kind", "since", "src_file", "src_row"),
    (
        C("src", "VARCHAR", "applicant_id or another node of the graph"),
        C("dst", "VARCHAR", "applicant_id or another node of the graph"),
        C("kind", "VARCHAR", "friend, transfer, contact, shared_device", null="friend"),
        C("since", "DATE", "day from which it is known", "date", "known from the beginning"),
        C("weight", "DOUBLE", "strength; may be negative for a rating", null="1"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("edge-end-missing", "src", "src IS NULL OR dst IS NULL OR src = '' OR dst = ''", "an end is missing"),
    ),
)

OUTCOMES = Contract(
    "outcomes", "past loan", ("applicant_id", "decided_at", "src_file", "src_row"),
    (
        C("applicant_id", "VARCHAR", "the person"),
        C("decided_at", "DATE", "day of the decision", "date"),
        C("observed_at", "DATE", "day by which the outcome was known", "date"),
        C("bad", "BOOLEAN", "went bad", null="not yet known: left out, and counted"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no applicant_id"),
        Rule("observed-at-missing", "observed_at", "observed_at IS NULL", "no observation date"),
    ),
)

BLOCKLIST = Contract(
    "blocklist", "entry", ("kind", "value", "src_file", "src_row"),
    (
        C("kind", "VARCHAR", "id, phone, card, device, contact, applicant"),
        _personal("value", "VARCHAR", "the value itself, or its keyed hash", null="never"),
        C("reason", "VARCHAR", "why", null="not given"),
        C("from_date", "DATE", "in force from", "date", "always"),
        C("to_date", "DATE", "in force to, inclusive", "date", "for ever"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("kind-unknown", "kind", "kind IS NULL OR kind NOT IN ('id', 'phone', 'card', 'device', 'contact', 'applicant')", "kind is not id, phone, card, device, contact or applicant"),
        Rule("value-missing", "value", "value IS NULL OR value = ''", "no value"),
    ),
)

FUNDING_REFUSALS = Contract(
    "funding_refusals", "application and source", ("application_id", "source", "src_file", "src_row"),
    (
        C("application_id", "VARCHAR", "an application of this batch"),
        C("source", "VARCHAR", "the source of funds that looked at it and refused it (configs/funding.toml)"),
        C("refused_at", "DATE", "when", "date", "before the batch"),
        *_WHERE_IT_STOOD,
    ),
    (
        Rule("application-id-missing", "application_id", "application_id IS NULL OR application_id = ''", "no application_id"),
        Rule("source-missing", "source", "source IS NULL OR source = ''", "no source"),
    ),
)

# No lender brings it: qqloan review carry leaves it, of what people have said in the archive's chain.
REVIEWS = Contract(
    "reviews", "referred application that a person answered", ("application_id",),
    (
        C("application_id", "VARCHAR", "the lender's key of the application"),
        C("applicant_id", "VARCHAR", "the lender's key of the person"),
        C("decision", "VARCHAR", "approve or decline"),
        C("amount_fen", "BIGINT", "at most so much", "fen", "declined"),
        C("monthly_income_fen", "BIGINT", "income a month that the person was shown", "fen", "nothing new was shown"),
        C("income_confidence", "VARCHAR", "as how sure that counts: shown_income of configs/review.toml", null="nothing new was shown"),
        C("reason", "VARCHAR", "why: a code of configs/review.toml"),
        C("exception", "BOOLEAN", "an exception to policy: the waterfall's steps that are policy do not bind"),
        C("said_at", "TIMESTAMP", "when the last word was said"),
    ),
)

# In the order that intake reads them: applicants decide which rows of the others belong to the batch.
INPUTS = (
    APPLICANTS, PAYROLL, PROVIDENT_FUND, BANK_STATEMENTS, CREDIT_ACCOUNTS, CREDIT_INQUIRIES,
    WEALTH, SOCIAL_ACTIVITY, SOCIAL_EDGES, OUTCOMES, BLOCKLIST, FUNDING_REFUSALS,
)

# Tables that everybody shares: one file, not one a bucket.
SHARED = ("social_edges", "outcomes", "blocklist", "funding_refusals")
