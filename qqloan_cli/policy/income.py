"""configs/income.toml: what a statement line is, and how lines become one conservative figure a month."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qqloan_cli.engine.session import aside, duckdb_error, literal
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.load import load

CLASSES = (
    "salary", "bonus", "fund", "pension", "benefit", "business", "interest", "transfer_in", "transfer_out", "own_transfer",
    "loan_proceeds", "loan_repayment", "card_repayment", "refund", "expense_claim", "business_cost", "cash", "investment", "gambling", "rent",
    "consumption", "other",
)
NO_RULE = 32_767  # the number of a line that no rule hits: after every rule
Share = Field(ge=0, le=1)


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class LineRule(_Strict):
    """One class of lines: ``words`` or a ``pattern`` found in the memo, the counterparty or both, of money in, out or any."""

    code: str = Field(pattern=r"^[A-Z0-9]+(-[A-Z0-9]+)*$")
    class_: str = Field(alias="class")
    sign: Literal["in", "out", "any"]
    on: Literal["memo", "counterparty", "both"] = "both"
    words: tuple[str, ...] = ()
    pattern: str | None = None
    hits: tuple[str, ...] = Field(min_length=1)
    misses: str

    @field_validator("class_")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in CLASSES:
            raise ValueError(f"no such class; there are {', '.join(CLASSES)}")
        return value

    @model_validator(mode="after")
    def _one_of(self) -> "LineRule":
        if bool(self.words) == bool(self.pattern):
            raise ValueError("give words or a pattern, one of them")
        return self

    @property
    def expression(self) -> str:
        """An RE2 pattern. A Latin word is found as a whole word, a Chinese one anywhere: Chinese has no blanks."""
        if self.pattern:
            return self.pattern
        return "|".join(
            (r"\b" if re.match(r"[A-Za-z0-9]", word) else "") + re.escape(word) + (r"\b" if re.search(r"[A-Za-z0-9]$", word) else "")
            for word in self.words
        )

    def takes(self, direction: str) -> bool:
        return self.sign in (direction, "any")

    def looks_at(self, field: str) -> bool:
        return self.on in (field, "both")


class Steady(_Strict):
    """The amount reached in ``reached`` of the ``last`` whole months and the running one, of which ``share`` counts.

    ``still_there``: and no more than what ``Present`` allows.
    """

    last: int = Field(ge=1, le=36)
    reached: int = Field(ge=1)
    share: float = Share
    still_there: bool = False

    @model_validator(mode="after")
    def _possible(self) -> "Steady":
        if self.reached > self.last + 1:
            raise ValueError("reached is more than there are months")
        return self


class Present(_Strict):
    """``up_to`` times the amount that ``reached`` of the ``last`` whole months and the running one still reach."""

    last: int = Field(ge=1, le=12)
    reached: int = Field(ge=1)
    up_to: float = Field(ge=1, le=2)


class Takings(_Strict):
    """The mean of the ``last`` whole months, none counted above ``mean_up_to`` times the amount reached in ``reached`` of them.

    The margin is what shown costs leave, with ``counts.business`` weighing as ``usual_margin_months`` months of them.
    """

    last: int = Field(ge=1, le=36)
    reached: int = Field(ge=1)
    mean_up_to: float = Field(ge=1, le=2)
    usual_margin_months: int = Field(ge=1)
    margin_most: float = Share

    @model_validator(mode="after")
    def _possible(self) -> "Takings":
        if self.reached > self.last:
            raise ValueError("reached is more than there are months")
        return self


class Counts(_Strict):
    salary: float = Share
    recurring: float = Share
    pension: float = Share
    benefit: float = Share
    business: float = Share
    bonus: float = Share


class Recurring(_Strict):
    months: int = Field(ge=2)
    amount_within: float = Share
    unnamed_amount_within: float = Share
    days_within: int = Field(ge=0, le=15)
    person: str


class OwnTransfers(_Strict):
    days_apart: int = Field(ge=0, le=10)


class Circular(_Strict):
    returned_share: float = Share
    months: int = Field(ge=1)


class Combine(_Strict):
    agree_within: float = Share
    inflated_over: float = Field(gt=1)
    payroll_alone: float = Share
    payroll_unseen: float = Share
    fund_alone: float = Share
    fund_lag: float = Share
    stated_verified: float = Share
    unseen_after_months: int = Field(ge=1)


class Confidence(_Strict):
    high_months: int
    medium_months: int


class Signs(_Strict):
    employer_changed_months: int = Field(ge=1)
    recent_rise: float = Field(gt=1)
    round_fen: int = Field(gt=0)
    round_share: float = Share
    round_lines: int = Field(ge=1)
    gambling_share: float = Share
    balance_rounding_fen: int = Field(ge=0)
    balance_breaks: int = Field(ge=1)


class IncomePolicy(_Strict):
    window_months: int = Field(ge=1, le=36)
    steady: tuple[Steady, ...] = Field(min_length=1)
    present: Present
    takings: Takings
    counts: Counts
    recurring: Recurring
    own_transfers: OwnTransfers
    circular: Circular
    combine: Combine
    confidence: Confidence
    signs: Signs
    rule: tuple[LineRule, ...]

    @model_validator(mode="after")
    def _whole(self) -> "IncomePolicy":
        codes = [rule.code for rule in self.rule]
        if len(set(codes)) != len(codes):
            raise ValueError("a rule's code is used twice")
        if any(window.last > self.window_months for window in (*self.steady, self.present, self.takings)):
            raise ValueError("a steady window is longer than window_months")
        return self

    def counted(self, class_: str) -> float:
        """Share of a class's lines that is regular income; bonus is spread apart."""
        return 0.0 if class_ == "bonus" else getattr(self.counts, class_, 0.0)


def load_income(config_dir: Path) -> IncomePolicy:
    path = config_dir / "income.toml"
    policy = load(path, IncomePolicy)
    _try_patterns(policy, path)
    return policy


def _try_patterns(policy: IncomePolicy, path: Path) -> None:
    """A pattern that RE2 cannot read is the configuration's fault, and said before any data is read."""
    with contextlib.closing(aside()) as con:
        for name, pattern in [(rule.code, rule.expression) for rule in policy.rule] + [("recurring.person", policy.recurring.person)]:
            try:
                con.execute(f"SELECT regexp_matches('', {literal(pattern)})")
            except duckdb_error() as error:
                raise ConfigError("income-pattern-invalid", f"{name}: {str(error).splitlines()[0]}", str(path), "Patterns are RE2 regular expressions.") from None


def classification(rules: tuple[LineRule, ...], field: str, texts: str) -> str:
    """SQL that tells of each of ``texts``, a query of one column ``field``, which rule is the first to hit it: ``rule_in`` for money in and
    ``rule_out`` for money out, ``NO_RULE`` where none does. Every text is looked at once with all the patterns together, and rule by
    rule only where that found something.
    """
    looking = [(number, rule) for number, rule in enumerate(rules) if rule.looks_at(field)]
    union = "|".join(f"(?:{rule.expression})" for _, rule in looking)
    found = f"regexp_matches({field}, {literal(union)}, 'i')" if looking else "false"

    def first(direction: str) -> str:
        hits = "".join(f" WHEN regexp_matches({field}, {literal(rule.expression)}, 'i') THEN {number}" for number, rule in looking if rule.takes(direction))
        return f"CAST(CASE WHEN NOT found THEN {NO_RULE}{hits} ELSE {NO_RULE} END AS SMALLINT) AS rule_{direction}"

    return f"""
        WITH looked_at AS MATERIALIZED (SELECT {field}, {found} AS found FROM ({texts}))
        SELECT {field}, {first('in')}, {first('out')} FROM looked_at
    """
