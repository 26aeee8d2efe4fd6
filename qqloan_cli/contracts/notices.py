"""Letters to applicants and borrowers (qqloan notice), as a table: a row a letter."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column as C
from qqloan_cli.contracts.model import Contract

NOTICES = Contract(
    "notices", "letter", ("application_id", "loan_id", "kind", "lang"),
    (
        C("application_id", "VARCHAR", "the application that it is about, or that the loan came of"),
        C("loan_id", "VARCHAR", "the loan that it is about", null="about an application"),
        C("applicant_id", "VARCHAR", "to whom it goes, the lender's own pseudonym"),
        C("kind", "VARCHAR", "approval, partial, decline, referral, adverse"),
        C("lang", "VARCHAR", "en or zh"),
        C("dated", "DATE", "the letter's date", "date"),
        C("text", "VARCHAR", "the letter, in Markdown; no name and no number of a person unless they were asked for"),
    ),
)
