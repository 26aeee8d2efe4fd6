"""What a rule may say: comparisons, AND, OR, NOT, arithmetic, BETWEEN, IN, IS NULL, literals, and facts by name. Nothing else.

An expression is read by DuckDB's own parser, held against a list of what is
allowed, typed, and written anew from its tree: no text of a rule reaches the
engine. A missing value makes it unknown (NULL), as SQL's three-valued logic has it.
"""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple

from qqloan_cli.engine.parse import Node, read
from qqloan_cli.errors import ConfigError

NUMBER, TEXT, TRUTH = "number", "text", "truth"
_LONGEST = 2_000


class Expression(NamedTuple):
    """A rule's question: SQL that is true, false or NULL, and the facts that it names, in order of name."""

    sql: str
    facts: tuple[str, ...]


def compile_rules(rules: Mapping[str, str], facts: Mapping[str, str]) -> list[Expression]:
    """Each of the rules, by where it stands. ``facts``: name to number, text or truth. Raises ConfigError."""
    for where, text in rules.items():
        if len(text) > _LONGEST:
            raise ConfigError("rule-too-long", f"an expression has more than {_LONGEST:,} characters", where, "Split the rule.")
    return [_compiled(node, facts, where) for where, node in zip(rules, read(list(rules.values())))]


def _compiled(node: Node, facts: Mapping[str, str], where: str) -> Expression:
    if node.kind == "unreadable":
        raise ConfigError("rule-unreadable", f"the expression cannot be read: {node.name[:120]}", where, "Write it like: worst_dpd_24m >= 90 AND open_accounts > 0")
    if _type(node, facts, where) != TRUTH:
        raise ConfigError("rule-not-a-question", "a rule must be true or false", where, "Compare the value with something.")
    return Expression(node.sql, tuple(sorted({part.name for part in node.walk() if part.kind == "column"})))


def _type(node: Node, facts: Mapping[str, str], where: str) -> str:
    """The type of a node; ConfigError for what is not allowed or does not fit."""
    parts = node.parts
    match node.kind:
        case "number" | "text" | "truth":
            return node.kind
        case "column":
            return _fact(node, facts, where)
        case "and" | "or" | "not":
            _want(TRUTH, parts, facts, where)
            return TRUTH
        case "is":
            kind = _type(parts[0], facts, where)
            if not node.name.endswith("NULL") and kind != TRUTH:
                raise _unlike(kind, TRUTH, where)
            return TRUTH
        case "compare":
            if node.name in ("=", "<>"):
                _alike(parts, facts, where)
            else:
                _want(NUMBER, parts, facts, where)
            return TRUTH
        case "between":
            _want(NUMBER, parts, facts, where)
            return TRUTH
        case "in":
            if any(part.kind not in ("number", "text", "truth") for part in parts[1:]):
                raise _refused("IN with anything but literals", where)
            _alike(parts, facts, where)
            return TRUTH
        case "arithmetic" | "negative":
            _want(NUMBER, parts, facts, where)
            return NUMBER
        case "call":
            raise _refused(f"the function {node.name}", where)
    raise _refused(node.name or node.kind, where)


def _fact(node: Node, facts: Mapping[str, str], where: str) -> str:
    if node.table:
        raise _refused("a name with a dot", where)
    if node.name not in facts:
        import difflib

        near = difflib.get_close_matches(node.name, facts, 3)
        raise ConfigError("fact-unknown", f"{node.name} is no fact", where, f"Near: {', '.join(near)}." if near else "qqloan rule --facts lists them.")
    return facts[node.name]


def _want(kind: str, nodes: Iterable[Node], facts: Mapping[str, str], where: str) -> None:
    for node in nodes:
        found = _type(node, facts, where)
        if found != kind:
            raise _unlike(found, kind, where)


def _alike(nodes: Iterable[Node], facts: Mapping[str, str], where: str) -> None:
    first, *others = [_type(node, facts, where) for node in nodes]
    for kind in others:
        if kind != first:
            raise _unlike(kind, first, where)


def _refused(what: str, where: str) -> ConfigError:
    return ConfigError("rule-not-allowed", f"{what} is not allowed in a rule", where, "Allowed: comparisons, AND, OR, NOT, + - * /, BETWEEN, IN, IS NULL, literals, facts.")


def _unlike(found: str, wanted: str, where: str) -> ConfigError:
    return ConfigError("rule-types-differ", f"a {found} stands where a {wanted} is wanted", where, "Text in quotes, numbers without.")
