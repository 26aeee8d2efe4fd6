"""configs/rules.toml: declines and referrals as data, joined with their reasons and compiled into one SELECT over the facts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.expressions import compile_rules
from qqloan_cli.policy.facts import FACTS, KINDS, Fact
from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Strict
from qqloan_cli.policy.reasons import Reason, load_reasons

EFFECTS = ("decline", "refer", "note")
MOST = 64  # rules: their answers travel as bits
Facts = dict[str, Any]


class Rule(Strict):
    """``unknown``: what a missing value does. ``explained_by``: the stage whose own reasons stand beside this one's.

    ``examples_hit``, ``examples_miss`` and ``examples_unknown`` are facts; those left out are missing.
    """

    code: Annotated[str, Field(pattern=r"^R-[A-Z0-9]+(-[A-Z0-9]+)*$")]
    effect: Literal["decline", "refer", "note"]
    when: str
    unknown: Literal["pass", "refer", "decline"]
    unknown_reason: str | None = None
    refer_to: str | None = None
    explained_by: Literal["verify", "income", "score"] | None = None
    why: Annotated[str, Field(min_length=1)]
    edge: str | None = None
    examples_hit: Annotated[list[Facts], Field(min_length=1)]
    examples_miss: Annotated[list[Facts], Field(min_length=1)]
    examples_unknown: list[Facts] = []

    @model_validator(mode="after")
    def _is_whole(self) -> "Rule":
        if (self.effect == "refer" or self.unknown == "refer") and not self.refer_to:
            raise ValueError(f"{self.code} can refer, so it must say refer_to whom")
        if (self.unknown == "pass") != (self.unknown_reason is None):
            raise ValueError(f"{self.code}: unknown_reason goes with an unknown that does something, and only with that")
        return self


class _File(Strict):
    rule: Annotated[list[Rule], Field(min_length=1, max_length=MOST)]


class Rules:
    """The rules in order of weight: declines before referrals before notes, each in the order of the file."""

    def __init__(self, rules: list[Rule], reasons: dict[str, Reason]) -> None:
        self.rules = sorted(rules, key=lambda rule: EFFECTS.index(rule.effect))
        self.reasons = reasons
        compiled = compile_rules({f"rules.toml, {rule.code}": rule.when for rule in self.rules}, KINDS)
        self.expressions = [expression.sql for expression in compiled]
        self.facts = {rule.code: expression.facts for rule, expression in zip(self.rules, compiled)}

    def __iter__(self):
        return iter(self.rules)

    @property
    def select(self) -> str:
        """SQL: place, ``hits`` and ``unknowns`` (bit n for rule n), one row for each of ``facts``."""
        hits = " | ".join(f"(CASE WHEN {sql} THEN {1 << n}::UBIGINT ELSE 0 END)" for n, sql in enumerate(self.expressions))
        unknowns = " | ".join(f"(CASE WHEN ({sql}) IS NULL THEN {1 << n}::UBIGINT ELSE 0 END)" for n, sql in enumerate(self.expressions))
        return f"SELECT place, {hits} AS hits, {unknowns} AS unknowns FROM facts"

    def table(self):
        """The rules as rows: bit, rank (weight), code, effect, unknown, unknown_reason, refer_to, explained_by."""
        import pyarrow as pa

        text, rows = pa.string(), self.rules
        return pa.table({
            "bit": pa.array([1 << n for n in range(len(rows))], pa.uint64()),
            "rank": pa.array(range(len(rows)), pa.int32()),
            "code": pa.array([rule.code for rule in rows], text),
            "effect": pa.array([rule.effect for rule in rows], text),
            "unknown": pa.array([rule.unknown for rule in rows], text),
            "unknown_reason": pa.array([rule.unknown_reason for rule in rows], text),
            "refer_to": pa.array([rule.refer_to for rule in rows], text),
            "explained_by": pa.array([rule.explained_by for rule in rows], text),
        })

    def answers(self, rows: list[Facts]) -> list[dict[str, bool | None]]:
        """What every rule says of each row of facts: by code true, false or None for unknown."""
        from qqloan_cli.engine.session import connect

        con = connect(1)
        try:
            con.register("_facts", facts_table(rows))
            con.execute("CREATE TEMP TABLE facts AS SELECT * FROM _facts")
            asked = ", ".join(f'({sql}) AS "{rule.code}"' for rule, sql in zip(self.rules, self.expressions))
            return con.sql(f"SELECT {asked} FROM facts ORDER BY place").to_arrow_table().to_pylist()
        finally:
            con.close()

    def check_examples(self) -> list[str]:
        """One line for each example that does not do what it is there for."""
        return wrong_examples(self.rules, self.answers)


def wrong_examples(rules: list, answers: Callable[[list[Facts]], list[dict[str, bool | None]]]) -> list[str]:
    """One line for each example of rules (code, examples_hit, examples_miss, examples_unknown) that does not do what it is there for."""
    cases = [(rule, wanted, facts) for rule in rules for wanted, listed in (
        (True, rule.examples_hit), (False, rule.examples_miss), (None, rule.examples_unknown)) for facts in listed]
    words = {True: "hits", False: "misses", None: "leaves open"}
    return [
        f"{rule.code} {words[answer[rule.code]]} {facts}, which stands as one that it {words[wanted]}"
        for (rule, wanted, facts), answer in zip(cases, answers([facts for _, _, facts in cases])) if answer[rule.code] is not wanted
    ]


def facts_table(rows: list[Facts]):
    """Rows of facts with every column; ``place`` numbers them. ConfigError for a name that is no fact."""
    import pyarrow as pa

    unknown = sorted({name for row in rows for name in row} - set(KINDS))
    if unknown:
        raise ConfigError("fact-unknown", f"{unknown[0]} is no fact", "rules.toml, examples", "qqloan rule --facts lists them.")
    columns = {"place": pa.array(range(len(rows)), pa.int64())}
    for fact in FACTS:
        columns[fact.name] = _column(fact, [row.get(fact.name) for row in rows])
    return pa.table(columns)


def _column(fact: Fact, values: list):
    import pyarrow as pa

    type = {"VARCHAR": pa.string(), "BOOLEAN": pa.bool_(), "INTEGER": pa.int32(), "DOUBLE": pa.float64()}.get(fact.type, pa.decimal128(20, 2))
    try:
        if pa.types.is_decimal(type):
            values = [None if value is None else Decimal(str(value)).quantize(Decimal("0.01")) for value in values]
        elif pa.types.is_floating(type):
            values = [None if value is None else float(value) for value in values]
        return pa.array(values, type)
    except (pa.ArrowException, ArithmeticError, ValueError, TypeError):
        raise ConfigError("example-wrong", f"a value of {fact.name} is no {fact.kind}", "rules.toml, examples", "Write it as the fact's type.") from None


_SOCIAL = {fact.name for fact in FACTS if fact.source == "social"}
_TWINS = {"pd": "pd_without_social", "grade": "grade_without_social"}  # social evidence is in the first, not in the second


def _not_by_social_evidence(rule: Rule, facts: tuple[str, ...], path: Path) -> None:
    """Social evidence alone never declines (个人信息保护法 §24): a decline asks nothing of it, and a score only beside its twin."""
    if "decline" not in (rule.effect, rule.unknown):
        return
    asked = set(facts)
    alone = sorted(asked & _SOCIAL) + sorted(name for name, twin in _TWINS.items() if name in asked and twin not in asked)
    if alone:
        raise ConfigError("social-declines", f"{rule.code} declines by {alone[0]}, which rests on social evidence", str(path), "Let it refer, or ask for pd_without_social or grade_without_social as well.")


def load_rules(config_dir: Path) -> Rules:
    """The rules with their reasons. Every code they can give has its text, and no code stands twice."""
    path = config_dir / "rules.toml"
    rules, reasons = load(path, _File).rule, load_reasons(config_dir)
    seen: set[str] = set()
    for rule in rules:
        if rule.code in seen:
            raise ConfigError("rule-twice", f"{rule.code} stands twice", str(path), "Give one of them another code.")
        seen.add(rule.code)
        for code in (rule.code, rule.unknown_reason):
            if code is not None and code not in reasons:
                raise ConfigError("reason-missing", f"{code} has no text", str(config_dir / "reasons" / "rules.toml"), "Write it in both languages.")
        if EFFECTS.index(reasons[rule.code].effect) > EFFECTS.index(rule.effect):
            raise ConfigError("reason-effect-differs", f"{rule.code} may {rule.effect}, its reason says {reasons[rule.code].effect}", str(path), "Make them agree.")
    compiled = Rules(rules, reasons)
    for rule in rules:
        _not_by_social_evidence(rule, compiled.facts[rule.code], path)
    return compiled
