"""SQL as DuckDB's own parser reads it, for what people write in configuration: looked at as a tree, written anew from it.

``read`` makes of an expression a ``Node``, of ``kind``

    column      name, and table where one stands before it
    number, text, truth, null      name is what was written
    and, or, not, negative, coalesce, case (when, then, ..., else), in (what, of these), between (what, low, high)
    compare     name is = <> < <= > >=              is         name is NULL, NOT NULL, TRUE, NOT TRUE, FALSE, NOT FALSE
    arithmetic  name is + - * /                     cast       TRY_CAST; name is the type
    call        name is a function's                other      name says what it is: nothing that this module can write
    unreadable  name is what the parser says

Comments and the text itself stay behind: what is written from a node has its names quoted and each part in parentheses.
"""

from __future__ import annotations

import json
from typing import Iterable, Iterator, NamedTuple, Sequence

from qqloan_cli.engine.session import aside, literal, quoted

_COMPARE = {
    "COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<", "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">", "COMPARE_GREATERTHANOREQUALTO": ">=",
}
_DISTINCT = {"COMPARE_NOT_DISTINCT_FROM": "", "COMPARE_DISTINCT_FROM": "NOT "}  # of a truth cast to BOOLEAN: how the parser has IS TRUE
_OPERATORS = {"OPERATOR_NOT": "not", "COMPARE_IN": "in", "OPERATOR_COALESCE": "coalesce"}
_NULLS = {"OPERATOR_IS_NULL": "NULL", "OPERATOR_IS_NOT_NULL": "NOT NULL"}
_TYPES = {"BIGINT", "BOOLEAN", "DOUBLE", "FLOAT", "INTEGER", "SMALLINT", "VARCHAR"}
_LITERALS = {"INTEGER": "number", "NUMERIC": "number", "STRING": "text", "BOOLEAN": "truth"}


class Node(NamedTuple):
    kind: str
    name: str = ""
    parts: tuple["Node", ...] = ()
    table: str = ""

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def sql(self) -> str:
        """The node as DuckDB's SQL. ValueError at one that cannot be written."""
        return _written(self)


def serialised(texts: Sequence[str]) -> list[dict]:
    """Each text as ``json_serialize_sql`` has it: ``statements``, or ``error`` and ``error_message``; too deep a one is an error."""
    con = aside()
    try:
        said = con.execute("SELECT list_transform($1::VARCHAR[], lambda text: json_serialize_sql(text)::VARCHAR)", [list(texts)]).fetchall()[0][0]
    finally:
        con.close()
    return [_loaded(text) for text in said]


def read(texts: Sequence[str]) -> list[Node]:
    """Each text as one expression."""
    bare, *trees = serialised(["SELECT 0", *(f"SELECT {text}" for text in texts)])
    around = _around(bare["statements"][0])
    return [_expression(tree, around) for tree in trees]


def branches(tree) -> Iterator[dict]:
    """Every object in a serialised tree, each before those within it."""
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from branches(part)


def queries_within(nodes: Iterable[dict]) -> set[str]:
    """The names, in small letters, that a query gives to queries of its own (WITH)."""
    return {node["key"].lower() for node in nodes if set(node) == {"key", "value"}} | {node["cte_name"].lower() for node in nodes if node.get("cte_name")}


def chosen(node: dict) -> list[str]:
    """What a serialised query calls its columns: ``*`` for a star, empty for an expression without a name."""
    while "select_list" not in node:  # UNION and its like: as the first of them has it
        node = node["children"][0] if node.get("children") else node["left"]
    return ["*" if part["class"] == "STAR" else part["alias"] or (part.get("column_names") or [""])[-1] for part in node["select_list"]]


def _loaded(text: str) -> dict:
    try:
        return json.loads(text)
    except RecursionError:
        return {"error": True, "error_message": "too deep"}


def _around(statement: dict) -> dict:
    """A SELECT without what it selects, and without where in the text its parts stand."""
    node = {key: value for key, value in statement["node"].items() if key not in ("select_list", "from_table")}
    return node | {"from": statement["node"].get("from_table", {}).get("type"), "named": statement["named_param_map"]}


def _expression(tree: dict, around: dict) -> Node:
    if tree.get("error"):
        return Node("unreadable", str(tree.get("error_message", "")).splitlines()[0])
    if len(tree["statements"]) != 1:
        return Node("unreadable", "more than one statement")
    statement = tree["statements"][0]
    chosen = statement["node"].get("select_list", [])
    if len(chosen) != 1 or chosen[0].get("alias"):
        return Node("unreadable", "more than one expression")
    if _around(statement) != around | {"named": statement["named_param_map"]}:  # a parameter is a node of its own
        return Node("other", "more than an expression")
    try:
        return _node(chosen[0])
    except RecursionError:
        return Node("unreadable", "too deep")


def _node(tree: dict) -> Node:
    kind, what = tree["type"], tree["class"]
    if what == "COLUMN_REF" and len(tree["column_names"]) <= 2:
        *table, name = tree["column_names"]
        return Node("column", name, table=table[0] if table else "")
    if what == "CONSTANT":
        written = tree["literal"]
        if written["kind"] == "NULL_LITERAL":
            return Node("null")
        if written["kind"] in _LITERALS:
            return Node(_LITERALS[written["kind"]], written["text"])
        return Node("other", f"a literal of {written['kind'].lower()}")
    if what == "CONJUNCTION":
        return Node(kind.removeprefix("CONJUNCTION_").lower(), parts=_nodes(tree["children"]))
    if kind in _COMPARE:
        return Node("compare", _COMPARE[kind], _nodes((tree["left"], tree["right"])))
    if kind in _DISTINCT and _is_truth(tree):
        return Node("is", _DISTINCT[kind] + tree["right"]["literal"]["text"].upper(), (_node(tree["left"]["child"]),))
    if kind == "COMPARE_BETWEEN":
        return Node("between", parts=_nodes((tree["input"], tree["lower"], tree["upper"])))
    if kind in _OPERATORS:
        return Node(_OPERATORS[kind], parts=_nodes(tree["children"]))
    if kind in _NULLS:
        return Node("is", _NULLS[kind], _nodes(tree["children"]))
    if what == "CASE":
        pairs = (part for check in tree["case_checks"] for part in (check["when_expr"], check["then_expr"]))
        return Node("case", parts=_nodes((*pairs, tree["else_expr"])))
    if what == "CAST" and tree.get("try_cast") and tree["type_expr"].get("type_name") in _TYPES:
        return Node("cast", tree["type_expr"]["type_name"], (_node(tree["child"]),))
    if what == "FUNCTION" and _is_plain(tree):
        name, parts = tree["function_name"].lower(), _nodes(part["expression"] for part in tree["arguments"])
        if name in ("+", "-", "*", "/"):
            return Node("arithmetic" if len(parts) == 2 else "negative" if name == "-" else "other", name, parts)
        return Node("call", name, parts)
    return Node("other", kind.lower().replace("_", " "))


def _nodes(trees) -> tuple[Node, ...]:
    return tuple(_node(tree) for tree in trees)


def _is_truth(tree: dict) -> bool:
    left, right = tree["left"], tree["right"]
    cast = left["class"] == "CAST" and not left.get("try_cast") and left["type_expr"].get("type_name") == "BOOLEAN"
    return cast and right["class"] == "CONSTANT" and right["literal"]["kind"] == "BOOLEAN"


def _is_plain(tree: dict) -> bool:
    """A call by the function's name alone: no schema, no DISTINCT, FILTER or ORDER BY, no argument by its name."""
    return not (
        len(tree["qualified_name"]["path"]) > 1 or tree.get("distinct") or tree.get("filter") or tree["order_bys"]["orders"]
        or tree.get("export_state") or any(part.get("name") for part in tree["arguments"])
    )


def _written(node: Node) -> str:
    parts = [_written(part) for part in node.parts]
    match node.kind:
        case "column":
            return f"{quoted(node.table)}.{quoted(node.name)}" if node.table else quoted(node.name)
        case "number":
            return node.name
        case "text":
            return literal(node.name)
        case "truth":
            return node.name.upper()
        case "null":
            return "NULL"
        case "and" | "or":
            return f"({f' {node.kind.upper()} '.join(parts)})"
        case "not":
            return f"(NOT {parts[0]})"
        case "negative":
            return f"(- {parts[0]})"
        case "compare" | "arithmetic":
            return f"({parts[0]} {node.name} {parts[1]})"
        case "between":
            return f"({parts[0]} BETWEEN {parts[1]} AND {parts[2]})"
        case "in":
            return f"({parts[0]} IN ({', '.join(parts[1:])}))"
        case "is":
            return f"({parts[0]} IS {node.name})"
        case "coalesce":
            return f"COALESCE({', '.join(parts)})"
        case "case":
            checks = " ".join(f"WHEN {when} THEN {then}" for when, then in zip(parts[:-1:2], parts[1:-1:2]))
            return f"(CASE {checks} ELSE {parts[-1]} END)"
        case "cast":
            return f"TRY_CAST({parts[0]} AS {node.name})"
        case "call":
            return f"{quoted(node.name)}({', '.join(parts)})"
    raise ValueError(f"{node.kind} {node.name} cannot be written")
