"""Every table that passes between rooms: its columns and the rules its rows keep.

``model.py`` says what a contract is, ``inputs.py`` what a lender brings,
``stages.py`` what each stage leaves, ``book.py`` what a book of loans holds, ``lines.py`` its credit lines,
``collections.py`` what collections keep, ``compliance.py`` what a check of the rules leaves, ``notices.py`` letters, ``oversight.py`` what a risk team is told. Contracts make the casts, the empty
tables, the Parquet metadata, the quarantine's reasons and the documentation.
"""

from qqloan_cli.contracts.book import BOOK
from qqloan_cli.contracts.collections import COLLECTIONS
from qqloan_cli.contracts.compliance import COMPLIANCE_TABLES
from qqloan_cli.contracts.impact import IMPACTS
from qqloan_cli.contracts.inputs import INPUTS, REVIEWS
from qqloan_cli.contracts.lines import LINES_IN_LIFE
from qqloan_cli.contracts.model import Column, Contract, Rule
from qqloan_cli.contracts.notices import NOTICES
from qqloan_cli.contracts.oversight import OVERSIGHT
from qqloan_cli.contracts.stages import OUTPUTS

CONTRACTS: dict[str, Contract] = {
    contract.name: contract for contract in (*INPUTS, REVIEWS, *OUTPUTS, *BOOK, *LINES_IN_LIFE, *COLLECTIONS, *COMPLIANCE_TABLES, *IMPACTS, NOTICES, *OVERSIGHT)
}

__all__ = ["CONTRACTS", "INPUTS", "OUTPUTS", "REVIEWS", "Column", "Contract", "Rule"]
