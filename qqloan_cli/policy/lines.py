"""configs/lines.toml: how lines are reviewed in life: validity, rules, steps and their pauses, the behaviour card, the notices."""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from qqloan_cli.contracts.lines import BEHAVIOUR
from qqloan_cli.engine.files import sha256
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.expressions import Expression, compile_rules
from qqloan_cli.policy.line_facts import LINE_FACTS, LINE_KINDS
from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Share, Strict
from qqloan_cli.policy.reasons import Reason, load_reasons
from qqloan_cli.policy.rules import wrong_examples
from qqloan_cli.policy.version import LENGTH

FILE = "lines.toml"
# In order of weight: the first that hits is the night's.
ACTIONS = ("expire", "freeze", "unfreeze", "stop", "cut", "raise", "keep")
ADVERSE = ("expire", "freeze", "stop", "cut")
# What keep says where no rule does: nothing to do, over already, still frozen, too soon after the last change, no room above or below, a
# value is missing, and a limit that what is outstanding has grown over.
KEPT, EXPIRED, FROZEN, TOO_SOON, NO_ROOM, UNKNOWN, HELD = "LN-KEPT", "LN-EXPIRED", "LN-FROZEN", "LN-TOO-SOON", "LN-NO-ROOM", "LN-UNKNOWN", "LN-HELD"
SAID_BY_KEEP = (KEPT, EXPIRED, FROZEN, TOO_SOON, NO_ROOM, UNKNOWN, HELD)
PLACES = ("line", "day", "limit_before", "limit", "available", "reasons")
MOST = 64  # rules: their answers travel as bits
_PLACE = re.compile(r"\{([^{}]*)\}")
Action = Literal["expire", "freeze", "unfreeze", "stop", "cut", "raise"]
Days = Annotated[int, Field(ge=0, le=3660)]
Facts = dict[str, Any]


class Validity(Strict):
    """Months from the day that the book takes a line in; ``product`` says otherwise for one."""

    months: Annotated[int, Field(ge=1, le=360)]
    product: dict[str, Annotated[int, Field(ge=1, le=360)]] = {}

    def of(self, product: str) -> int:
        return self.product.get(product, self.months)


class Raising(Strict):
    """``after_adverse_days``: since the last cut or thaw. A limit ends at the smaller of ``at_most_times`` what was approved and
    ``at_most_share`` of what the waterfall allows."""

    pause_days: Days
    after_adverse_days: Days
    at_most_times: Annotated[float, Field(ge=1, le=100)]
    at_most_share: Share


class Cutting(Strict):
    pause_days: Days


class Late(Strict):
    """An instalment covered up to ``after_days`` late leaves a month clean."""

    after_days: Annotated[int, Field(ge=0, le=30)]


class Rule(Strict):
    """``step``: the share of the limit by which a raise or a cut moves it. Examples are facts; those left out are missing."""

    code: Annotated[str, Field(pattern=r"^LN-[A-Z0-9]+(-[A-Z0-9]+)*$")]
    action: Action
    when: str
    step: Share | None = None
    from_: Annotated[datetime.date, Field(alias="from")]
    to: datetime.date | None = None
    owner: Annotated[str, Field(min_length=1)]
    why: Annotated[str, Field(min_length=1)]
    edge: str | None = None
    examples_hit: Annotated[list[Facts], Field(min_length=1)]
    examples_miss: Annotated[list[Facts], Field(min_length=1)]
    examples_unknown: list[Facts] = []

    @model_validator(mode="after")
    def _is_whole(self) -> "Rule":
        if (self.step is not None) != (self.action in ("raise", "cut")):
            raise ValueError(f"{self.code}: a step belongs to a raise or a cut, and to nothing else")
        if self.to is not None and self.to < self.from_:
            raise ValueError(f"{self.code} ends before it begins")
        return self

    def in_force(self, day: datetime.date) -> bool:
        return self.from_ <= day and (self.to is None or day <= self.to)


class Feature(Strict):
    """What the behaviour score looks at. ``direction``: 1 where more of it is riskier, -1 where less is, 0 where it may go either way."""

    direction: Literal[-1, 0, 1]
    reason: Annotated[str, Field(pattern=r"^M-LINE-[A-Z0-9-]+$")]


class CardFeature(Strict):
    """``points`` by bin: below the first split, ..., from the last on, missing. ``rows``: of the fitting's, by bin."""

    feature: str
    splits: list[float]
    points: list[int]
    rows: list[Annotated[int, Field(ge=0)]]

    @model_validator(mode="after")
    def _fits(self) -> "CardFeature":
        if self.splits != sorted(set(self.splits)) or not len(self.points) == len(self.rows) == len(self.splits) + 2:
            raise ValueError(f"{self.feature}: splits rise, and there are two more points and rows than splits")
        return self


class Card(Strict):
    """A points card: ``base_score`` points at ``base_odds`` good to one bad, ``points_to_double`` more double those odds. ``fitted_on`` and
    ``figures`` say on what, and what it is worth there."""

    base_score: float
    base_odds: Annotated[float, Field(gt=0)]
    points_to_double: Annotated[float, Field(gt=0)]
    constant: int
    most_reasons: Annotated[int, Field(ge=1, le=10)]
    reason_at_least_points: Annotated[float, Field(ge=0)]
    fitted_on: Annotated[str, Field(min_length=1)]
    figures: Annotated[str, Field(min_length=1)]
    feature: Annotated[list[CardFeature], Field(min_length=1)]


class Notice(Strict):
    """What the borrower is told; of an adverse action also what he or she may do."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]
    may_do_en: str | None = None
    may_do_zh: str | None = None

    def text(self, lang: str) -> str:
        parts = (self.zh, self.may_do_zh) if lang == "zh" else (self.en, self.may_do_en)
        return ("" if lang == "zh" else " ").join(part for part in parts if part)


class Lines(Strict):
    validity: Validity
    late: Late
    raising: Raising
    cutting: Cutting
    stopped_by: list[Literal["expire", "freeze", "stop"]]
    rule: Annotated[list[Rule], Field(min_length=1, max_length=MOST)]
    feature: Annotated[dict[str, Feature], Field(min_length=1)]
    card: Card
    notice: dict[str, Notice]

    @model_validator(mode="after")
    def _agrees(self) -> "Lines":
        if "stop" not in self.stopped_by:
            raise ValueError("stopped_by lacks stop: that is what it is for")
        codes = [rule.code for rule in self.rule]
        twice = sorted({code for code in codes if codes.count(code) > 1} | set(codes) & set(SAID_BY_KEEP))
        if twice:
            raise ValueError(f"{twice[0]} stands twice, or is what keep says")
        unknown = sorted(set(self.feature) - set(BEHAVIOUR))
        if unknown:
            raise ValueError(f"{unknown[0]} is no column of the contract line_months")
        for of in self.card.feature:
            if of.feature not in self.feature:
                raise ValueError(f"the card looks at {of.feature}, which is no feature")
            direction, known = self.feature[of.feature].direction, of.points[:-1]
            if direction and known != sorted(known, reverse=direction > 0):
                raise ValueError(f"the card's points of {of.feature} go against its direction")
        if set(self.notice) != set(ACTIONS):
            raise ValueError(f"notice has {', '.join(ACTIONS)}, each once")
        for action, notice in self.notice.items():
            if (action in ADVERSE) != bool(notice.may_do_en and notice.may_do_zh):
                raise ValueError(f"notice.{action}: what the borrower may do is said of what is adverse, in both languages, and of nothing else")
            stray = [name for lang in ("en", "zh") for name in _PLACE.findall(notice.text(lang)) if name not in PLACES]
            if stray:
                raise ValueError(f"notice.{action}: {{{stray[0]}}} is no place; there are {', '.join(PLACES)}")
        return self


class LineRules:
    """The rules in force on a day, in order of weight: by action, each in the order of the file."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = sorted(rules, key=lambda rule: ACTIONS.index(rule.action))
        self.compiled: list[Expression] = compile_rules({f"lines.toml, {rule.code}": rule.when for rule in self.rules}, LINE_KINDS)

    @property
    def select(self) -> str:
        """SQL: line_id, ``hits`` and ``unknowns`` (bit n for rule n), one row for each of ``line_facts``."""
        def bits(of: str) -> str:
            return " | ".join(f"(CASE WHEN {of.format(rule.sql)} THEN {1 << n}::UBIGINT ELSE 0 END)" for n, rule in enumerate(self.compiled)) or "0::UBIGINT"

        return f"SELECT line_id, {bits('{}')} AS hits, {bits('({}) IS NULL')} AS unknowns FROM line_facts"

    def table(self):
        """The rules as rows: bit, rank (weight), code, action, step_ppm."""
        import pyarrow as pa

        return pa.table({
            "bit": pa.array([1 << n for n in range(len(self.rules))], pa.uint64()), "rank": pa.array(range(len(self.rules)), pa.int32()),
            "code": pa.array([rule.code for rule in self.rules], pa.string()), "action": pa.array([rule.action for rule in self.rules], pa.string()),
            "step_ppm": pa.array([None if rule.step is None else int(rule.step * 1_000_000) for rule in self.rules], pa.int64()),
        })

    def answers(self, rows: list[Facts]) -> list[dict[str, bool | None]]:
        """What every rule says of each row of facts: by code true, false or None for unknown."""
        from qqloan_cli.engine.session import connect

        con = connect(1)
        try:
            con.register("_facts", _facts_table(rows))
            asked = ", ".join(f'({compiled.sql}) AS "{rule.code}"' for rule, compiled in zip(self.rules, self.compiled))
            return con.sql(f"SELECT {asked} FROM (SELECT {_cast()} FROM _facts) ORDER BY place").to_arrow_table().to_pylist()
        finally:
            con.close()

    def check_examples(self) -> list[str]:
        """One line for each example that does not do what it is there for."""
        return wrong_examples(self.rules, self.answers)


def _facts_table(rows: list[Facts]):
    import pyarrow as pa

    unknown = sorted({name for row in rows for name in row} - set(LINE_KINDS))
    if unknown:
        raise ConfigError("fact-unknown", f"{unknown[0]} is no fact", "lines.toml, examples", "The README names them.")
    kinds = {"text": pa.string(), "truth": pa.bool_(), "number": pa.float64()}
    try:
        return pa.table({"place": pa.array(range(len(rows)), pa.int64()), **{
            fact.name: pa.array([_number(row.get(fact.name)) if fact.kind == "number" else row.get(fact.name) for row in rows], kinds[fact.kind]) for fact in LINE_FACTS}})
    except (pa.ArrowException, TypeError, ValueError):
        raise ConfigError("example-wrong", "a value is not of its fact's kind", "lines.toml, examples", "Text in quotes, numbers without.") from None


def _number(value) -> float | None:
    return None if value is None else float(value)


def _cast() -> str:
    return ", ".join(["place", *(f"CAST({fact.name} AS {fact.type}) AS {fact.name}" for fact in LINE_FACTS)])


class Policy:
    """lines.toml with the texts of its reasons."""

    def __init__(self, lines: Lines, reasons: dict[str, Reason], version: str) -> None:
        self.lines, self.reasons, self.version = lines, reasons, version

    def rules(self, day: datetime.date) -> LineRules:
        """Those in force on a day; days on which the same are share them."""
        return self._of(tuple(rule.code for rule in self.lines.rule if rule.in_force(day)))

    @functools.cache
    def _of(self, codes: tuple[str, ...]) -> LineRules:
        return LineRules([rule for rule in self.lines.rule if rule.code in codes])

    @functools.cached_property
    def by_score(self) -> list[str]:
        """Codes of rules that ask for the behaviour score: its reasons stand beside theirs."""
        rules = LineRules(self.lines.rule)
        return [rule.code for rule, compiled in zip(rules.rules, rules.compiled) if {"behaviour_pd", "behaviour_score"} & set(compiled.facts)]


def load_lines(config_dir: Path) -> Lines:
    return load(config_dir / FILE, Lines)


def load_line_policy(config_dir: Path) -> Policy:
    """Raises ConfigError also at a rule that cannot be compiled, and at a code that has no text."""
    path, texts = config_dir / FILE, config_dir / "reasons" / FILE
    lines, reasons = load_lines(config_dir), load_reasons(config_dir)
    LineRules(lines.rule)
    for code in (*(rule.code for rule in lines.rule), *SAID_BY_KEEP, *(feature.reason for feature in lines.feature.values())):
        if code not in reasons:
            raise ConfigError("reason-missing", f"{code} has no text", str(texts), "Write it in both languages.")
    for rule in lines.rule:
        if (rule.action in ADVERSE) != (reasons[rule.code].effect == "decline"):
            raise ConfigError("reason-effect-differs", f"{rule.code} may {rule.action}, its reason says {reasons[rule.code].effect}", str(path), "An adverse one says decline, any other note.")
    version = hashlib.sha256("\n".join(sha256(file) for file in (path, texts)).encode()).hexdigest()[:LENGTH]
    return Policy(lines, reasons, version)
