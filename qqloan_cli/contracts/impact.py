"""What a coming rule would do to runs and a book as they stand (qqloan compliance impact)."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column as C
from qqloan_cli.contracts.model import Contract

_RULE = C("rule", "VARCHAR", "the rule, by its id")
_SCOPE = C("scope", "VARCHAR", "approvals: of the runs; contracts: of the book, an application's tranches together")
_OVER = (
    C("over", "BIGINT", "of them cost more than the rule would allow, or would break it otherwise"),
    C("over_amount_fen", "BIGINT", "their amounts", "fen"),
    C("over_share", "DOUBLE", "their share of the amount", "share"),
)
_YEAR = "in the first twelve months of those over the cap"
_OTHER = "a rule about something else than price"
_LOST = "no longer worth lending: a margin below zero that was not before, or over the cap even at the lowest rate (price.toml, cut.floor)"

IMPACT = Contract(
    "impact", "rule, scope and group", ("rule", "scope", "what", "whose"),
    (
        _RULE,
        _SCOPE,
        C("what", "VARCHAR", "what they are grouped by: all, product, grade, term"),
        C("whose", "VARCHAR", "which product, grade or term in months; all of them"),
        C("looked_at", "BIGINT", "approvals or contracts that the rule is about"),
        C("amount_fen", "BIGINT", "their amounts as approved, or as drawn", "fen"),
        C("outstanding_fen", "BIGINT", "principal that is still owed", "fen", "approvals, or a rule about something else than price"),
        *_OVER,
        C("over_outstanding_fen", "BIGINT", "principal that those over the cap still owe", "fen", "approvals"),
        C("cost_mean", "DOUBLE", "all-in annual cost of those over the cap, by amount", "share a year", "none is"),
        C("rate_before", "DOUBLE", "their annual rate, by amount", "share a year", "none is"),
        C("rate_after", "DOUBLE", "the rate that would bring them under the cap", "share a year", "none is"),
        C("interest_before_fen", "BIGINT", f"interest {_YEAR}", "fen"),
        C("interest_after_fen", "BIGINT", "the same at the rate they would be cut to", "fen"),
        C("forgone_fen", "BIGINT", "the difference", "fen"),
        C("margin_before", "DOUBLE", f"interest less cost of funds and expected loss, of what is owed on average {_YEAR}; fees and the cost of running it are not in it", "share a year", "none is, or their funds or losses are not known"),
        C("margin_after", "DOUBLE", "the same at the rate they would be cut to", "share a year", "as margin_before"),
        C("margin_before_fen", "BIGINT", "the margin in money, of those whose funds and losses are known", "fen"),
        C("margin_after_fen", "BIGINT", "the same at the rate they would be cut to", "fen"),
        C("lost", "BIGINT", _LOST),
        C("lost_amount_fen", "BIGINT", "their amounts", "fen"),
        C("below_before", "BIGINT", "of those over the cap: the margin was below zero already"),
    ),
)

IMPACT_MONTHS = Contract(
    "impact_months", "rule, scope and month", ("rule", "scope", "month"),
    (
        _RULE,
        _SCOPE,
        C("month", "DATE", "first day of the month of application, or of the first drawdown", "date", "not known"),
        C("looked_at", "BIGINT", "approvals or contracts that the rule is about"),
        C("amount_fen", "BIGINT", "their amounts", "fen"),
        *_OVER,
        C("cap", "DOUBLE", "the highest cap that they were held against", "share a year", _OTHER),
        C("forgone_fen", "BIGINT", f"interest forgone {_YEAR}", "fen"),
    ),
)

IMPACT_CONTRACTS = Contract(
    "impact_contracts", "rule and approval or contract over its cap", ("rule", "scope", "run_id", "application_id"),
    (
        _RULE,
        _SCOPE,
        C("run_id", "VARCHAR", "the run that decided it"),
        C("application_id", "VARCHAR", "the application; of a rule about persons or partners its subject"),
        C("written_on", "DATE", "day of application, or of the first drawdown", "date", "not known"),
        C("product", "VARCHAR", "product", null="no application"),
        C("grade", "VARCHAR", "A to G, - where it is not known", null="no application"),
        C("term_months", "INTEGER", "term", "months", "no application"),
        C("amount_fen", "BIGINT", "approved, or drawn", "fen"),
        C("outstanding_fen", "BIGINT", "principal that is still owed", "fen", "an approval"),
        C("found", "DOUBLE", "what is: of a cap on cost the all-in annual cost (the licence's legal figure, worked out anew), else as the rule's topic has it", null="nothing, where something is wanted"),
        C("allowed", "DOUBLE", "what the rule would allow", null="nothing is said"),
        C("annual_rate", "DECIMAL(9,6)", "nominal, as it stands", "share a year", _OTHER),
        C("annual_rate_after", "DECIMAL(9,6)", "what the limit stage's steps would cut it to under the cap", "share a year", _OTHER),
        C("interest_before_fen", "BIGINT", "interest in its first twelve months", "fen", _OTHER),
        C("interest_after_fen", "BIGINT", "the same at the rate it would be cut to", "fen", _OTHER),
        C("cost_of_funds", "DECIMAL(9,6)", "of its sources by share; the run's mean where it waits for funds", "share a year", "no funds of its run are known, or a rule about something else"),
        C("expected_loss", "DECIMAL(9,6)", "pd times the loss given default (funding.toml)", "share a year", "no pd, or a rule about something else"),
        C("margin_before", "DECIMAL(9,6)", "annual rate less cost of funds and expected loss", "share a year", "one of them is not known"),
        C("margin_after", "DECIMAL(9,6)", "the same at the rate it would be cut to", "share a year", "one of them is not known"),
        C("outcome", "VARCHAR", "cut; lost: the margin falls below zero; below_before: it was there already; over_at_floor: no rate brings it under the cap; breaks: a rule about something else"),
    ),
)

IMPACTS = (IMPACT, IMPACT_MONTHS, IMPACT_CONTRACTS)
