"""What a rule may say: comparisons, AND, OR, NOT, arithmetic, BETWEEN, IN, IS NULL, literals, and facts by name. Nothing else.

An expression is read by a parser, held against a list of what is allowed,
typed, and written anew from its tree: no text of a rule reaches the engine.
A missing value makes it unknown (NULL), as SQL's three-valued logic has it.
"""

from __future__ import annotations

from typing import Mapping

import sqlglot
from sqlglot import exp

from qqloan_cli.errors import ConfigError

NUMBER, TEXT, TRUTH = "number", "text", "truth"
_ORDER = (exp.LT, exp.LTE, exp.GT, exp.GTE)
_EQUAL = (exp.EQ, exp.NEQ)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)
_LONGEST = 2_000


def compile_rule(text: str, facts: Mapping[str, str], where: str) -> str:
    """``text`` as SQL that is true, false or NULL. ``facts``: name to number, text or truth. Raises ConfigError."""
    tree = _read(text, where)
    if _type(tree, facts, where) != TRUTH:
        raise ConfigError("rule-not-a-question", "a rule must be true or false", where, "Compare the value with something.")
    return tree.sql(dialect="duckdb")


def facts_of(text: str, where: str = "") -> list[str]:
    """The facts that an expression names, in order of name."""
    return sorted({column.name for column in _read(text, where).find_all(exp.Column)})


def _read(text: str, where: str) -> exp.Expression:
    if len(text) > _LONGEST:
        raise ConfigError("rule-too-long", f"an expression has more than {_LONGEST:,} characters", where, "Split the rule.")
    try:
        trees = sqlglot.parse(text, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        first = str(error).splitlines()[0]
        raise ConfigError("rule-unreadable", f"the expression cannot be read: {first[:120]}", where, "Write it like: worst_dpd_24m >= 90 AND open_accounts > 0") from None
    if len(trees) != 1 or trees[0] is None:
        raise ConfigError("rule-unreadable", "one expression is wanted", where, "Join conditions by AND and OR.")
    return trees[0]


def _type(node: exp.Expression, facts: Mapping[str, str], where: str) -> str:
    """The type of a node; ConfigError for what is not allowed or does not fit."""
    if node.comments:
        raise _refused("a comment", where)
    if isinstance(node, exp.Paren):
        return _type(node.this, facts, where)
    if isinstance(node, exp.Literal):
        return TEXT if node.is_string else NUMBER
    if isinstance(node, exp.Boolean):
        return TRUTH
    if isinstance(node, exp.Column):
        return _fact(node, facts, where)
    if isinstance(node, (exp.And, exp.Or)):
        _want(TRUTH, (node.left, node.right), facts, where)
        return TRUTH
    if isinstance(node, exp.Not):
        _want(TRUTH, (node.this,), facts, where)
        return TRUTH
    if isinstance(node, exp.Is):
        if not isinstance(node.expression, (exp.Null, exp.Boolean)):
            raise _refused("IS with anything but NULL, TRUE or FALSE", where)
        kind = _type(node.this, facts, where)
        if isinstance(node.expression, exp.Boolean) and kind != TRUTH:
            raise _unlike(kind, TRUTH, where)
        return TRUTH
    if isinstance(node, _ORDER):
        _want(NUMBER, (node.left, node.right), facts, where)
        return TRUTH
    if isinstance(node, _EQUAL):
        _alike((node.left, node.right), facts, where)
        return TRUTH
    if isinstance(node, exp.Between) and not node.args.get("symmetric"):
        _want(NUMBER, (node.this, node.args["low"], node.args["high"]), facts, where)
        return TRUTH
    if isinstance(node, exp.In) and node.expressions and not any(node.args.get(key) for key in ("query", "unnest", "field", "is_global")):
        if not all(isinstance(part, exp.Literal) for part in node.expressions):
            raise _refused("IN with anything but literals", where)
        _alike((node.this, *node.expressions), facts, where)
        return TRUTH
    if isinstance(node, exp.Neg):
        _want(NUMBER, (node.this,), facts, where)
        return NUMBER
    if isinstance(node, _ARITHMETIC):
        _want(NUMBER, (node.left, node.right), facts, where)
        return NUMBER
    raise _refused(type(node).__name__, where)


def _fact(node: exp.Column, facts: Mapping[str, str], where: str) -> str:
    if node.table or not isinstance(node.this, exp.Identifier):
        raise _refused("a name with a dot, or a star", where)
    if node.name not in facts:
        import difflib

        near = difflib.get_close_matches(node.name, facts, 3)
        raise ConfigError("fact-unknown", f"{node.name} is no fact", where, f"Near: {', '.join(near)}." if near else "qqloan rule --facts lists them.")
    return facts[node.name]


def _want(kind: str, nodes, facts: Mapping[str, str], where: str) -> None:
    for node in nodes:
        found = _type(node, facts, where)
        if found != kind:
            raise _unlike(found, kind, where)


def _alike(nodes, facts: Mapping[str, str], where: str) -> None:
    kinds = [_type(node, facts, where) for node in nodes]
    for kind in kinds[1:]:
        if kind != kinds[0]:
            raise _unlike(kind, kinds[0], where)


def _refused(what: str, where: str) -> ConfigError:
    return ConfigError("rule-not-allowed", f"{what} is not allowed in a rule", where, "Allowed: comparisons, AND, OR, NOT, + - * /, BETWEEN, IN, IS NULL, literals, facts.")


def _unlike(found: str, wanted: str, where: str) -> ConfigError:
    return ConfigError("rule-types-differ", f"a {found} stands where a {wanted} is wanted", where, "Text in quotes, numbers without.")
