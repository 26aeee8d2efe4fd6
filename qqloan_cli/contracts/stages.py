"""What each stage leaves. No column here holds a name, a number or an address of a person: keyed hashes only."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column, Contract

C = Column
_APPLICATION = C("application_id", "VARCHAR", "the application")
_APPLICANT = C("applicant_id", "VARCHAR", "the person")

QUARANTINE = Contract(
    "quarantine", "refused row and rule", ("input", "file", "row", "column", "rule"),
    (
        C("input", "VARCHAR", "applicants, payroll, ..."),
        C("file", "VARCHAR", "the file as named on the command line"),
        C("row", "BIGINT", "row in the file, the first after the header being 1"),
        C("column", "VARCHAR", "the column to look at", null="the row as a whole"),
        C("rule", "VARCHAR", "the rule that it broke"),
        C("reason", "VARCHAR", "in words"),
        C("raw_masked", "VARCHAR", "the value with all but its outline masked", null="nothing to show"),
    ),
)

KEYS = Contract(
    "keys", "application", ("application_id",),
    (
        _APPLICATION,
        _APPLICANT,
        C("applied_at", "TIMESTAMP", "when it came in"),
        C("id_hash", "VARCHAR", "keyed hash of the ID number", null="none given"),
        C("phone_hash", "VARCHAR", "keyed hash of the phone", null="none given"),
        C("card_hash", "VARCHAR", "keyed hash of the card", null="none given"),
        C("device_hash", "VARCHAR", "keyed hash of the device", null="none given"),
        C("contact_hash", "VARCHAR", "keyed hash of the contact's phone, comparable with phone_hash", null="none given"),
        C("least_line_hash", "VARCHAR", "keyed hash of a line of the statements that chance picks: the same where two are mostly the same", null="too few lines"),
        C("largest_line_hash", "VARCHAR", "the same of another line", null="too few lines"),
    ),
)

LINKS = Contract(
    "links", "application", ("application_id",),
    (
        _APPLICATION,
        C("id_other_applicants", "INTEGER", "other applicants with the same ID number in earlier applications"),
        C("phone_other_applicants", "INTEGER", "other applicants with the same phone, earlier"),
        C("card_other_applicants", "INTEGER", "other applicants with the same card, earlier"),
        C("device_other_applicants", "INTEGER", "other applicants with the same device, earlier"),
        C("contact_other_applicants", "INTEGER", "other applicants naming the same contact, earlier"),
        C("statement_other_applicants", "INTEGER", "other applicants whose statements are mostly the same, earlier"),
        C("applications_1d", "INTEGER", "earlier applications of this person, by applicant or ID, within 1 day"),
        C("applications_7d", "INTEGER", "within 7 days"),
        C("applications_30d", "INTEGER", "within 30 days"),
        C("applications_90d", "INTEGER", "within 90 days, history included"),
        C("open_application", "BOOLEAN", "an earlier application of this person stands in the same batch"),
        C("declines_90d", "INTEGER", "of those in history, declined within 90 days"),
        C("exposure_fen", "BIGINT", "approved here before and still counted as owed", "fen"),
        C("ring_id", "VARCHAR", "the component tied by shared devices, cards, phones and contacts (its smallest application's hash)", null="tied to nobody"),
        C("ring_size", "INTEGER", "applicants in it, this one included", null="tied to nobody"),
        C("ring_ties", "INTEGER", "shared keys that tie it", null="tied to nobody"),
        C("ring_shape", "VARCHAR", "pair; star: one member or one key ties all; chain; tree; mesh: more ties than it takes", null="tied to nobody"),
        C("degree", "INTEGER", "neighbours in the graph on the application's date", null="not in the graph"),
        C("in_degree", "INTEGER", "who point to this person", null="not in the graph"),
        C("out_degree", "INTEGER", "to whom this person points", null="not in the graph"),
        C("reciprocal", "INTEGER", "neighbours with edges both ways", null="not in the graph"),
        C("month_degree", "INTEGER", "neighbours on the first day of the application's month, as triangles count them", null="not in the graph"),
        C("triangles", "BIGINT", "pairs of neighbours who are neighbours", null="not in the graph"),
        C("core", "INTEGER", "k of the largest k-core that holds this person", null="not in the graph"),
        C("pagerank_ppb", "BIGINT", "PageRank in billionths, fixed point", null="not in the graph"),
        C("component_size", "INTEGER", "nodes of the connected component", null="not in the graph"),
        C("neighbours_known", "INTEGER", "neighbours with an outcome known before the application's date", null="not in the graph"),
        C("neighbours_bad", "INTEGER", "of those, bad", null="not in the graph"),
        C("money_cycle", "BOOLEAN", "transfers that come back to this person over at most three others", null="not in the graph"),
    ),
)

VERIFY = Contract(
    "verify", "application", ("application_id",),
    (
        _APPLICATION,
        _APPLICANT,
        C("verdict", "VARCHAR", "pass, refer or fail"),
        C("reasons", "VARCHAR[]", "reason codes, worst first; V-OK where all passed"),
        C("checks", "STRUCT(\"check\" VARCHAR, outcome VARCHAR, code VARCHAR)[]", "every check that found something: outcome note, refer, fail, or not_applicable"),
        C("passed", "VARCHAR", "the checks that found nothing, in their order, a blank between"),
        C("id_kind", "VARCHAR", "resident, resident_15, hkmotw_permit, foreign_permit, foreign_permit_old", null="none recognised"),
        C("id_region", "VARCHAR", "six-digit region code of the ID", null="none"),
        C("id_region_status", "VARCHAR", "current, retired, unknown", null="not looked at"),
        C("age_years", "SMALLINT", "age on the application's date", "years", "birth date not known"),
        C("phone_kind", "VARCHAR", "mobile, virtual, iot, satellite, unknown", null="none given"),
        C("student", "BOOLEAN", "a student", null="not known"),
        C("region", "VARCHAR", "where the applicant lives", null="not given"),
        C("id_hash", "VARCHAR", "keyed hash", null="none given"),
        C("phone_hash", "VARCHAR", "keyed hash", null="none given"),
        C("card_hash", "VARCHAR", "keyed hash", null="none given"),
        C("device_hash", "VARCHAR", "keyed hash", null="none given"),
    ),
)

INCOME = Contract(
    "income", "application", ("application_id",),
    (
        _APPLICATION,
        _APPLICANT,
        C("monthly_income_fen", "BIGINT", "conservative stable monthly income, after tax", "fen", "no evidence of income"),
        C("income_rule", "VARCHAR", "the rule that won, e.g. lower-of-payroll-and-bank", null="no evidence"),
        C("income_confidence", "VARCHAR", "high, medium, low, none"),
        C("payroll_income_fen", "BIGINT", "net pay a month from pay slips", "fen", "no pay slips"),
        C("payroll_months", "INTEGER", "months with a pay slip in the window", "months"),
        C("payroll_confidence", "VARCHAR", "high, medium, low", null="no such figure"),
        C("fund_income_fen", "BIGINT", "net income a month that the provident-fund base implies", "fen", "no fund record"),
        C("fund_months", "INTEGER", "months with a fund payment in the window", "months"),
        C("fund_confidence", "VARCHAR", "high, medium, low", null="no such figure"),
        C("bank_income_fen", "BIGINT", "regular credits a month from statements", "fen", "no statements or no regular credit"),
        C("bank_months", "INTEGER", "months with a regular credit in the window", "months"),
        C("bank_confidence", "VARCHAR", "high, medium, low", null="no such figure"),
        C("statement_months", "INTEGER", "months that the statements cover", "months"),
        C("stated_income_fen", "BIGINT", "income a month as stated", "fen", "not stated"),
        C("months_covered", "INTEGER", "months in which any source shows income", "months"),
        C("income_cv", "DOUBLE", "coefficient of variation of monthly income", null="fewer than two months"),
        C("income_trend", "DOUBLE", "last three months over the three before, less one", null="fewer than six months"),
        C("income_gap_months", "INTEGER", "months without income between the first with it and the last", "months"),
        C("employers", "INTEGER", "employers seen in the window, in pay slips, else in the fund, else as payers in statements"),
        C("employer_changed_on", "DATE", "first pay of the present employer, where another was before", "date", "no change seen"),
        C("own_transfers_fen", "BIGINT", "moves between own accounts left out, a month", "fen"),
        C("statement_debt_service_fen", "BIGINT", "loan payments a month seen in statements", "fen"),
        C("undeclared_lenders", "INTEGER", "lenders repaid in statements whom the credit report does not have", null="nothing to compare"),
        C("undeclared_debt_service_fen", "BIGINT", "what those are paid a month", "fen", "nothing to compare"),
        C("loan_proceeds_fen", "BIGINT", "money borrowed seen in statements, in the window", "fen"),
        C("gambling_fen", "BIGINT", "money to gambling in the window", "fen"),
        C("lowest_balance_fen", "BIGINT", "lowest balance in the window", "fen", "no balances"),
        C("overdrawn_days", "INTEGER", "lines that left a balance below zero", null="no balances"),
        C("flags", "VARCHAR[]", "signs for a person to look at: I-INFLATED, I-ABOVE-FUND, I-CIRCULAR, I-BALANCE-BREAK, ..."),
        C("reasons", "VARCHAR[]", "reason codes of the evidence, at least one"),
    ),
)

# Which row of which file a line was is not here: that would change with the order of a file. inputs/ has it, under the same
# person, day and amount, and qqloan explain looks it up.
INCOME_LINES = Contract(
    "income_lines", "application, figure and line", ("application_id", "figure", "input", "on_date", "amount_fen", "class", "rule"),
    (
        _APPLICATION,
        C("figure", "VARCHAR", "the figure that it went into: payroll_income, fund_income, bank_income, debt_service, own_transfer, loan_proceeds, gambling"),
        C("input", "VARCHAR", "payroll, provident_fund or bank_statements"),
        C("on_date", "DATE", "when", "date"),
        C("amount_fen", "BIGINT", "what the line says", "fen"),
        C("class", "VARCHAR", "what the line was taken for"),
        C("rule", "VARCHAR", "the classification rule that said so", null="not by a rule"),
    ),
)

CREDIT = Contract(
    "credit", "application", ("application_id",),
    (
        _APPLICATION,
        _APPLICANT,
        C("credit_accounts", "INTEGER", "tradelines known on the date"),
        C("open_accounts", "INTEGER", "of those, open"),
        C("oldest_account_months", "INTEGER", "age of the oldest", "months", "no tradelines"),
        C("worst_dpd_24m", "INTEGER", "worst days past due in 24 months", "days", "no history of payments"),
        C("overdue_months_24m", "INTEGER", "overdue months in all, any account", null="no grid"),
        C("consecutive_overdue_24m", "INTEGER", "longest row of overdue months on one account", null="no grid"),
        C("bad_status", "BOOLEAN", "a tradeline is written off, bad debt or ended abnormally"),
        C("currently_overdue", "BOOLEAN", "a tradeline is overdue now"),
        C("revolving_limit_fen", "BIGINT", "card lines", "fen"),
        C("revolving_balance_fen", "BIGINT", "owed on cards", "fen"),
        C("utilisation", "DOUBLE", "owed over line on cards", null="no card line"),
        C("total_balance_fen", "BIGINT", "owed in all", "fen"),
        C("unsecured_balance_fen", "BIGINT", "owed without mortgage and car loan", "fen"),
        C("account_debt_service_fen", "BIGINT", "due a month on tradelines", "fen"),
        C("lenders_open", "INTEGER", "lenders with an open unsecured loan"),
        C("microloans_open", "INTEGER", "open microloans"),
        C("hard_inquiries_1m", "INTEGER", "hard inquiries within 30 days"),
        C("hard_inquiries_3m", "INTEGER", "within 91 days"),
        C("hard_inquiries_6m", "INTEGER", "within 182 days"),
        C("history", "VARCHAR", "none, thin, or full"),
    ),
)

SOCIAL = Contract(
    "social", "application", ("application_id",),
    (
        _APPLICATION,
        _APPLICANT,
        C("social_score", "INTEGER", "0 to 100", null="too little to say: unknown, not bad"),
        C("social_band", "VARCHAR", "strong, fair, weak, unknown"),
        C("account_age_days", "INTEGER", "age of the account", "days", "no activity known"),
        C("active_days_avg", "DOUBLE", "active days a month over six months", "days", "no activity known"),
        C("activity_months", "INTEGER", "months with a record in the window", "months"),
        C("activity_trend", "DOUBLE", "last three months over the three before, less one", null="too short"),
        C("contacts", "INTEGER", "contacts held last", null="not known"),
        C("payments_avg", "DOUBLE", "payments a month", null="not known"),
        C("payments_amount_avg_fen", "BIGINT", "paid a month", "fen", "not known"),
        C("wealth_avg_fen", "BIGINT", "held, mean of six months", "fen", "nothing known"),
        C("wealth_months", "INTEGER", "months with holdings", "months"),
        C("degree", "INTEGER", "neighbours in the graph", null="not in the graph"),
        C("reciprocity", "DOUBLE", "share of neighbours with edges both ways", null="not in the graph"),
        C("clustering", "DOUBLE", "share of pairs of neighbours who are neighbours", null="fewer than two neighbours"),
        C("core", "INTEGER", "k-core", null="not in the graph"),
        C("pagerank_ppb", "BIGINT", "PageRank in billionths", null="not in the graph"),
        C("neighbour_bad_rate", "DOUBLE", "bad among neighbours, shrunk by evidence", null="not in the graph"),
        C("ring_size", "INTEGER", "applicants tied by shared keys", null="tied to nobody"),
        C("ring_shape", "VARCHAR", "pair, star, chain, tree, mesh", null="tied to nobody"),
        C("ring_alert", "BOOLEAN", "the ties look like a ring: a person looks"),
        C("thin_file", "BOOLEAN", "neither credit history nor income evidence nor activity to speak of"),
        C("reasons", "VARCHAR[]", "reason codes, at least one"),
    ),
)

SCORE = Contract(
    "score", "application", ("application_id",),
    (
        _APPLICATION,
        _APPLICANT,
        C("pd", "DOUBLE", "calibrated probability of default within 12 months"),
        C("score", "INTEGER", "points (configs/scale.toml)"),
        C("grade", "VARCHAR", "A to G"),
        C("pd_without_social", "DOUBLE", "the same, by the model that sees no social evidence"),
        C("score_without_social", "INTEGER", "points"),
        C("grade_without_social", "VARCHAR", "A to G"),
        C("reason_codes", "VARCHAR[]", "what lowered the score most, worst first; at least one"),
        C("reasons", "STRUCT(code VARCHAR, feature VARCHAR, points DOUBLE)[]", "each reason's points"),
        C("scorer", "VARCHAR", "whose pd, score, grade and reasons these are: champion or challenger (configs/scale.toml: decides)"),
        C("champion_pd", "DOUBLE", "by the boosted trees"),
        C("champion_score", "INTEGER", "points"),
        C("challenger_pd", "DOUBLE", "by the points scorecard", null="the model has none beside it"),
        C("challenger_score", "INTEGER", "the card's own points", null="the model has none beside it"),
        C("model_version", "VARCHAR", "the model's digest, 12 characters"),
    ),
)

SCORE_BINS = Contract(
    "score_bins", "feature and bin of a bucket", ("feature", "bin"),
    (
        C("feature", "VARCHAR", "of the model"),
        C("bin", "INTEGER", "of its values, from the lowest; the last is for missing values"),
        C("from_value", "DOUBLE", "the bin's lower edge, in the feature's unit", null="the lowest bin, or the one of missing values"),
        C("missing", "BOOLEAN", "the bin of missing values"),
        C("rows", "BIGINT", "applications of this bucket in it"),
        C("reference_share", "DOUBLE", "share of the training rows in it"),
        C("reference_rows", "BIGINT", "training rows in all"),
    ),
)

LIMIT = Contract(
    "limit", "application", ("application_id",),
    (
        _APPLICATION,
        _APPLICANT,
        C("applied_at", "TIMESTAMP", "when it came in"),
        C("product", "VARCHAR", "product"),
        C("licence", "VARCHAR", "the lender's licence"),
        C("region", "VARCHAR", "where the applicant lives", null="not given"),
        C("purpose", "VARCHAR", "use of the money", null="not given"),
        C("requested_amount_fen", "BIGINT", "asked for", "fen"),
        C("requested_term_months", "INTEGER", "asked for", "months"),
        C("decision", "VARCHAR", "approve, refer, decline"),
        C("reason_codes", "VARCHAR[]", "at least one, in order of weight"),
        C("refer_to", "VARCHAR", "the desk that decides", null="not referred"),
        C("amount_fen", "BIGINT", "approved", "fen", "not approved"),
        C("term_months", "INTEGER", "approved", "months", "not approved"),
        C("method", "VARCHAR", "equal_instalment, equal_principal, interest_only, bullet", null="not approved"),
        C("annual_rate", "DECIMAL(9,6)", "nominal a year", null="not approved"),
        C("monthly_fee_rate", "DECIMAL(9,6)", "fee a month on the original amount, as a share", null="not approved"),
        C("upfront_fee_fen", "BIGINT", "fee with the first instalment", "fen", "not approved"),
        C("all_in_annual_cost", "DECIMAL(9,6)", "the licence's legal figure", null="not approved"),
        C("all_in_nominal", "DECIMAL(9,6)", "twelve times the monthly IRR", null="not approved"),
        C("all_in_effective", "DECIMAL(9,6)", "(1 + monthly IRR)^12 - 1", null="not approved"),
        C("cost_cap", "DECIMAL(9,6)", "cap in force on the date", null="none applies"),
        C("monthly_payment_fen", "BIGINT", "largest instalment", "fen", "not approved"),
        C("max_amount_fen", "BIGINT", "what the waterfall allows, whether asked for or not", "fen", "not computed: declined before"),
        C("binding_cap", "VARCHAR", "the step that bound", null="not computed"),
        C("dti", "DOUBLE", "debt service with this loan over income", null="income unknown"),
        C("grade", "VARCHAR", "grade"),
        C("score", "INTEGER", "points"),
        C("pd", "DOUBLE", "probability of default"),
        C("rules_hit", "VARCHAR[]", "codes of every rule that hit"),
        C("rules_unknown", "VARCHAR[]", "codes of rules that a missing value left open"),
        C("policy_version", "VARCHAR", "digest of the configuration, 12 characters; draft- before it where nobody released it"),
    ),
)

LIMIT_STEPS = Contract(
    "limit_steps", "application and step", ("application_id", "step_no"),
    (
        _APPLICATION,
        C("step_no", "SMALLINT", "order in the waterfall"),
        C("step", "VARCHAR", "requested, product, income_multiple, payment_to_income, debt_to_income, grade, credit_history, social, regulation, exposure"),
        C("cap_fen", "BIGINT", "the step's own cap", "fen", "does not apply"),
        C("running_fen", "BIGINT", "what is left after it", "fen"),
        C("binding", "BOOLEAN", "this step set the amount"),
        # cap = of x times - less; for payment_to_income and debt_to_income that is a month's room, and the cap what it repays.
        C("of_fen", "BIGINT", "the amount that the cap is worked out of: the income that counts, the grade's cap, the law's", "fen", "not worked out"),
        C("times", "DECIMAL(12,6)", "of which the cap takes this share or multiple", "share", "whole"),
        C("less_fen", "BIGINT", "less what is taken already: debts a month, or held here", "fen", "nothing"),
        C("annual_rate", "DECIMAL(9,6)", "at which a month's room is turned into an amount", "annual rate", "no month's room"),
        C("term_months", "INTEGER", "over which it is", "months", "no month's room"),
    ),
)

FUNDING = Contract(
    "funding", "approved application", ("application_id",),
    (
        _APPLICATION,
        C("amount_fen", "BIGINT", "approved", "fen"),
        C("funded_fen", "BIGINT", "funded: all of it, or nothing while it waits", "fen"),
        C("queue_rank", "INTEGER", "place in the queue", null="funded"),
        C("queue_reason", "VARCHAR", "why it waits", null="funded"),
    ),
)

FUNDING_SHARES = Contract(
    "funding_shares", "application and source", ("application_id", "source"),
    (
        _APPLICATION,
        C("source", "VARCHAR", "who funds (configs/funding.toml)"),
        C("amount_fen", "BIGINT", "its share", "fen"),
    ),
)

FUNDING_SOURCES = Contract(
    "funding_sources", "source", ("source",),
    (
        C("source", "VARCHAR", "who funds"),
        C("kind", "VARCHAR", "own or institution"),
        C("capacity_fen", "BIGINT", "offered", "fen"),
        C("used_fen", "BIGINT", "used", "fen"),
        C("loans", "BIGINT", "loans it has a share in"),
        C("shadow_price", "DOUBLE", "what one more yuan of capacity is worth to the objective"),
        C("weighted_cost", "DOUBLE", "cost of funds a year"),
    ),
)

FUNDING_LIMITS = Contract(
    "funding_limits", "limit", ("limit",),
    (
        C("limit", "VARCHAR", "in words: capacity, cash of a day, appetite for a grade, guarantees, concentration"),
        C("kind", "VARCHAR", "capacity, cash, grade, guarantee, concentration"),
        C("source", "VARCHAR", "whose capacity it is", null="not a source's capacity"),
        C("limit_fen", "BIGINT", "allowed", "fen"),
        C("used_fen", "BIGINT", "used by the loans that are funded", "fen"),
        C("left_fen", "BIGINT", "left", "fen"),
        C("shadow_price", "DOUBLE", "what one more yuan of it is worth to the objective"),
    ),
)

FUNDING_PROGRAMME = Contract(
    "funding_programme", "run", ("applications",),
    (
        C("applications", "BIGINT", "approved loans that want funds"),
        C("cohorts", "BIGINT", "groups that nothing tells apart to those who fund them"),
        C("wanted_fen", "BIGINT", "approved", "fen"),
        C("funded_fen", "BIGINT", "funded", "fen"),
        C("queued", "BIGINT", "loans that wait"),
        C("bound_yuan", "DOUBLE", "the objective at the programme's optimum: whole loans cannot beat it", "yuan"),
        C("reached_yuan", "DOUBLE", "the objective as whole loans reach it", "yuan"),
        C("gap", "DOUBLE", "what is lost to whole loans, of the bound", null="nothing to fund"),
        C("notes", "VARCHAR[]", "commitments that cannot be met, and which limits collide with them"),
    ),
)

CASH_CALENDAR = Contract(
    "cash_calendar", "source and day", ("source", "pay_date"),
    (
        C("source", "VARCHAR", "who funds"),
        C("pay_date", "DATE", "a working day on which money leaves", "date"),
        C("tranches", "BIGINT", "tranches that it has a share in"),
        C("out_fen", "BIGINT", "leaves", "fen"),
        C("earlier_fen", "BIGINT", "leaves by what earlier runs (--history) have planned", "fen"),
        C("daily_cash_fen", "BIGINT", "what may leave on one day", "fen", "no such limit"),
        C("left_fen", "BIGINT", "left of that: never below zero", "fen", "no such limit"),
    ),
)

DISBURSE_PLAN = Contract(
    "disburse_plan", "application, tranche and source", ("application_id", "tranche_no", "source"),
    (
        _APPLICATION,
        C("tranche_no", "SMALLINT", "tranche"),
        C("pay_date", "DATE", "a working day", "date"),
        C("source", "VARCHAR", "who funds"),
        C("amount_fen", "BIGINT", "that source's share of that tranche", "fen"),
        C("payee_kind", "VARCHAR", "borrower or merchant (entrusted payment)"),
        C("condition", "VARCHAR", "what must be true before it leaves", null="none"),
    ),
)

SCHEDULE = Contract(
    "schedule", "application, tranche and instalment", ("application_id", "tranche_no", "instalment_no"),
    (
        _APPLICATION,
        C("tranche_no", "SMALLINT", "tranche"),
        C("instalment_no", "SMALLINT", "instalment, from 1"),
        C("due_date", "DATE", "due", "date"),
        C("principal_fen", "BIGINT", "principal", "fen"),
        C("interest_fen", "BIGINT", "interest", "fen"),
        C("fee_fen", "BIGINT", "fees", "fen"),
    ),
)

DECISIONS = Contract(
    "decisions", "application", ("application_id",),
    (
        _APPLICATION,
        _APPLICANT,
        C("decision", "VARCHAR", "approve, refer, decline"),
        C("amount_fen", "BIGINT", "approved", "fen", "not approved"),
        C("term_months", "INTEGER", "approved", "months", "not approved"),
        C("annual_rate", "DOUBLE", "nominal a year", null="not approved"),
        C("all_in_annual_cost", "DOUBLE", "the licence's legal figure", null="not approved"),
        C("grade", "VARCHAR", "A to G"),
        C("score", "INTEGER", "points"),
        C("pd", "DOUBLE", "probability of default"),
        C("binding_cap", "VARCHAR", "the waterfall's step that bound", null="declined before it"),
        C("reason_codes", "VARCHAR[]", "at least one, in order of weight"),
        C("refer_to", "VARCHAR", "the desk that decides", null="not referred"),
        C("decide_by", "DATE", "working days from the as-of date, by product", "date"),
        C("funded_fen", "BIGINT", "funded", "fen", "not approved, or waiting for funds"),
        C("policy_version", "VARCHAR", "digest of the configuration, draft- before it where nobody released it"),
        C("model_version", "VARCHAR", "digest of the model"),
    ),
)

OFFERS = Contract(
    "offers", "application and offer", ("application_id", "offer_no"),
    (
        _APPLICATION,
        C("offer_no", "SMALLINT", "1 is the nearest to what was asked for"),
        C("product", "VARCHAR", "product"),
        C("amount_fen", "BIGINT", "would be approved as it stands", "fen"),
        C("term_months", "INTEGER", "term", "months"),
        C("method", "VARCHAR", "equal_instalment, equal_principal, interest_only, bullet"),
        C("annual_rate", "DECIMAL(9,6)", "nominal a year"),
        C("all_in_annual_cost", "DECIMAL(9,6)", "the licence's legal figure"),
        C("all_in_nominal", "DECIMAL(9,6)", "twelve times the monthly IRR"),
        C("all_in_effective", "DECIMAL(9,6)", "(1 + monthly IRR)^12 - 1"),
        C("cost_cap", "DECIMAL(9,6)", "cap in force on the date", null="none applies"),
        C("monthly_payment_fen", "BIGINT", "largest instalment", "fen"),
        C("less_fen", "BIGINT", "less than asked for by so much", "fen"),
        C("longer_months", "INTEGER", "longer than asked for by so much; shorter below zero", "months"),
    ),
)

COST_TABLE = Contract(
    "cost_table", "application, offer and item", ("application_id", "offer_no", "item_no"),
    (
        _APPLICATION,
        C("offer_no", "SMALLINT", "0: what was approved; from 1: of table offers"),
        C("item_no", "SMALLINT", "in the order of showing"),
        C("item", "VARCHAR", "principal, interest, monthly_fee, upfront_fee, total, late_interest, early_repayment"),
        C("product", "VARCHAR", "product: configs/products.toml says to whom each charge goes"),
        C("standard", "DECIMAL(9,6)", "interest and late_interest: a year on what is owed; monthly_fee: a month on the original amount; upfront_fee and early_repayment: once", null="not by a rate"),
        C("amount_fen", "BIGINT", "in all, if every instalment is paid when it is due", "fen", "only if it happens"),
        C("annualised", "DECIMAL(9,6)", "its part of the all-in annual cost (the licence's legal figure); total: all of it", null="principal, or only if it happens"),
        C("contingent", "BOOLEAN", "charged only if something happens"),
    ),
)

OUTPUTS = (
    QUARANTINE, KEYS, LINKS, VERIFY, INCOME, INCOME_LINES, CREDIT, SOCIAL, SCORE, SCORE_BINS, LIMIT, LIMIT_STEPS,
    FUNDING, FUNDING_SHARES, FUNDING_SOURCES, FUNDING_LIMITS, FUNDING_PROGRAMME, CASH_CALENDAR, DISBURSE_PLAN, SCHEDULE, DECISIONS, OFFERS, COST_TABLE,
)
