"""The same rules on the same facts: one SELECT of ours, and zen-engine row by row. One JSON line; the answers must agree.

    python tests/benchmarks/bench_rules.py [APPLICATIONS]

zen-engine has no unknown, so no fact is missing here. Its best way is taken: one decision with all
expressions, or each expression compiled by itself. Seconds are the best of three, one thread.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pyarrow as pa
import zen

from qqloan_cli.engine.parse import Node, read
from qqloan_cli.engine.session import connect
from qqloan_cli.policy.facts import FACTS
from qqloan_cli.policy.home import shipped
from qqloan_cli.policy.rules import Rules, load_rules

WORDS = {"grade": list("ABCDEFG"), "grade_without_social": list("ABCDEFG"), "verdict": ["pass"] * 8 + ["refer", "fail"], "history": ["none", "thin", "full"],
         "income_confidence": ["high", "medium", "low", "none"]}
INFIX = {"=": "==", "<>": "!="}


def in_zen(node: Node) -> str:
    """A rule's expression in zen's language."""
    parts = [in_zen(part) for part in node.parts]
    match node.kind:
        case "and" | "or":
            return f"({f' {node.kind} '.join(parts)})"
        case "compare" | "arithmetic":
            return f"({parts[0]} {INFIX.get(node.name, node.name)} {parts[1]})"
        case "not":
            return f"(not {parts[0]})"
        case "negative":
            return f"(-{parts[0]})"
        case "in":
            return f"({parts[0]} in [{', '.join(parts[1:])}])"
        case "is":
            return f"({parts[0]} == {node.name.lower()})"
        case "text":
            return f"'{node.name}'"
    return node.name


def made_here(count: int) -> pa.Table:
    """Facts of every kind, none missing."""
    rng = np.random.default_rng(5)
    columns = {"place": np.arange(count)}
    for fact in FACTS:
        if fact.kind == "truth":
            columns[fact.name] = rng.random(count) < 0.1
        elif fact.kind == "text":
            words = WORDS.get(fact.name, ["x", "y"])
            columns[fact.name] = pa.array([words[n] for n in rng.integers(0, len(words), count)])
        else:
            high = {"DOUBLE": 1.0, "INTEGER": 100, "DECIMAL(20,2)": 40_000}[fact.type]
            columns[fact.name] = rng.random(count) if fact.type == "DOUBLE" else rng.integers(0, high, count)
    return pa.table(columns)


def best(times: int, function):
    seconds, found = [], None
    for _ in range(times):
        started = time.perf_counter()
        found = function()
        seconds.append(time.perf_counter() - started)
    return min(seconds), found


def with_zen(rules: Rules, rows: list[dict]):
    """(seconds, hits by row): the faster of zen's two ways."""
    texts = [in_zen(node) for node in read(rules.expressions)]
    model = {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in"}, {"id": "out", "type": "outputNode", "name": "out"},
            {"id": "rules", "type": "expressionNode", "name": "rules",
             "content": {"expressions": [{"id": f"r{n}", "key": f"r{n}", "value": text} for n, text in enumerate(texts)]}},
        ],
        "edges": [{"id": "a", "sourceId": "in", "targetId": "rules", "type": "edge"}, {"id": "b", "sourceId": "rules", "targetId": "out", "type": "edge"}],
    }
    decision = zen.ZenEngine().create_decision(json.dumps(model))
    keys = [f"r{n}" for n in range(len(texts))]
    one_decision = best(1, lambda: [[answer["result"][key] for key in keys] for answer in (decision.evaluate(row) for row in rows)])
    compiled = [zen.compile_expression(text) for text in texts]
    one_by_one = best(1, lambda: [[expression.evaluate(row) for expression in compiled] for row in rows])
    return min(one_decision, one_by_one, key=lambda pair: pair[0])


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 16_384
    facts, rules = made_here(count), load_rules(shipped("configs"))
    con = connect(1)
    con.register("_facts", facts)
    con.execute("CREATE TEMP TABLE facts AS SELECT * FROM _facts")
    ours, _ = best(3, lambda: con.execute(f"CREATE OR REPLACE TEMP TABLE ruled AS {rules.select}"))
    hits = [row[0] for row in con.execute("SELECT hits FROM ruled ORDER BY place").fetchall()]
    rows = facts.slice(0, min(count, 2_048)).drop_columns(["place"]).to_pylist()  # its time goes with the rows
    theirs, answers = with_zen(rules, rows)
    said = [sum(1 << n for n, hit in enumerate(answer) if hit) for answer in answers]
    if said != hits[: len(said)]:
        raise SystemExit("the two disagree")
    ours_a_second, theirs_a_second = count / ours, len(rows) / theirs
    print(json.dumps({
        "bench": "rules", "date": time.strftime("%Y-%m-%d"), "applications": count, "rules": len(rules.rules), "seconds": round(ours, 4),
        "applications_a_second": round(ours_a_second), "zen_applications_a_second": round(theirs_a_second), "times_zen": round(ours_a_second / theirs_a_second, 1),
    }))


if __name__ == "__main__":
    main()
