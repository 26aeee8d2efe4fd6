"""What a check of the rules leaves (qqloan compliance): a row a rule, and the rows that break it."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column as C
from qqloan_cli.contracts.model import Contract

STATUSES = ("failed", "unknown", "passed", "not_applicable")

COMPLIANCE = Contract(
    "compliance", "rule of configs/regulation/", ("rule_id",),
    (
        C("rule_id", "VARCHAR", "the rule's number here"),
        C("topic", "VARCHAR", "what it is about"),
        C("status", "VARCHAR", "failed, passed, unknown (why: note), not_applicable"),
        C("note", "VARCHAR", "why it is unknown or not applicable, or what else is to be said", null="nothing"),
        C("looked_at", "BIGINT", "rows that it was held against", null="it was not held against any"),
        C("offending", "BIGINT", "of them those that break it", null="it was not held against any"),
        C("amount_fen", "BIGINT", "money in those", "fen", "none, or not about money"),
        C("kind", "VARCHAR", "law, guidance, standard (recommended), self_regulation, report (of the press)"),
        C("document", "VARCHAR", "where it stands"),
        C("says", "VARCHAR", "what it says, as we have it"),
        C("certainty", "VARCHAR", "how sure that is: H, M, L"),
        C("from_date", "DATE", "in force from", "date"),
        C("to_date", "DATE", "and until", "date", "no end is known"),
        C("verified_through", "DATE", "the day up to which somebody looked", "date"),
    ),
)

OFFENDING = Contract(
    "offending", "rule and row that breaks it", ("rule_id", "made_in", "subject"),
    (
        C("rule_id", "VARCHAR", "the rule"),
        C("made_in", "VARCHAR", "the run, or book, or configuration"),
        C("subject", "VARCHAR", "the application, loan, person, partner or kind of data"),
        C("on_date", "DATE", "the day whose rules count", "date", "not known"),
        C("found", "DOUBLE", "what is: a share a year, yuan, months, a count, by the rule's topic", null="nothing, where something is wanted"),
        C("allowed", "DOUBLE", "what may be", null="nothing is said"),
        C("amount_fen", "BIGINT", "money in it", "fen", "not about money"),
    ),
)

COMPLIANCE_TABLES = (COMPLIANCE, OFFENDING)
