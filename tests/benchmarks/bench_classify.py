"""Statement lines classified: the chain's way against pandas with the same regular expressions, in one process. A JSON line.

    python tests/benchmarks/bench_classify.py [BANK_STATEMENTS.parquet]

Without a file: 200,000 lines made here, of 60 kinds of memo and 8,000 counterparties. Seconds are the best of three, one thread.
"""

from __future__ import annotations

import datetime
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.policy.home import shipped
from qqloan_cli.policy.income import NO_RULE, classification, load_income

RULES = load_income(shipped("configs")).rule


def made_here(folder: Path, lines: int = 200_000) -> Path:
    rng = np.random.default_rng(7)
    kinds = [text for rule in RULES for text in rule.hits] + ["转账", "转帐备注", "日常", "午餐", "SUNDRY", "周末"]
    payers = [f"某{number}贸易有限公司" for number in range(6000)] + [f"张{number}" for number in range(1990)] + ["美团", "支付宝", "某某银行", "超市"] * 3
    path = folder / "bank_statements.parquet"
    pq.write_table(pa.table({
        "amount_fen": rng.integers(-900_000, 900_000, lines),
        "memo": pa.array([kinds[i] for i in rng.integers(0, len(kinds), lines)]),
        "counterparty": pa.array([payers[i] for i in rng.integers(0, len(payers), lines)]),
    }), path)
    return path


def chain(path: Path) -> np.ndarray:
    """The number of each line's rule, as the income stage finds it: distinct texts first."""
    con = connect()
    con.execute(f"CREATE TEMP TABLE lines AS SELECT row_number() OVER () AS n, amount_fen, memo, counterparty FROM read_parquet({literal(str(path))})")
    for field in ("memo", "counterparty"):
        con.execute(f"CREATE TEMP TABLE {field}_rules AS {classification(RULES, field, f'SELECT DISTINCT {field} FROM lines WHERE {field} IS NOT NULL')}")
    found = con.execute("""
        SELECT CASE WHEN amount_fen > 0 THEN least(m.rule_in, c.rule_in) ELSE least(m.rule_out, c.rule_out) END AS rule_no
        FROM lines l LEFT JOIN memo_rules m USING (memo) LEFT JOIN counterparty_rules c USING (counterparty) ORDER BY n
    """).fetchnumpy()["rule_no"]
    con.close()
    return np.ma.filled(found, NO_RULE)


def with_pandas(path: Path) -> np.ndarray:
    import pandas as pd

    lines = pd.read_parquet(path, columns=["amount_fen", "memo", "counterparty"])
    found = np.full(len(lines), NO_RULE)
    incoming = (lines["amount_fen"] > 0).to_numpy()
    for number, rule in reversed(list(enumerate(RULES))):
        hit = np.zeros(len(lines), bool)
        for field in ("memo", "counterparty"):
            if rule.looks_at(field):
                hit |= lines[field].str.contains(rule.expression, case=False, regex=True, na=False).to_numpy(bool)
        if rule.sign != "any":
            hit &= incoming == (rule.sign == "in")
        found[hit] = number
    return found


def best_of_three(function, path: Path) -> tuple[float, np.ndarray]:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        result = function(path)
        best = min(best, time.perf_counter() - started)
    return best, result


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else made_here(Path(scratch))
        ours, mine = best_of_three(chain, path)
        theirs, peer = best_of_three(with_pandas, path)
    print(json.dumps({
        "bench": "classify", "date": datetime.date.today().isoformat(), "lines": len(mine), "rules": len(RULES), "agree": float((mine == peer).mean()),
        "seconds": round(ours, 3), "rows_per_second": round(len(mine) / ours), "pandas_seconds": round(theirs, 3), "times_pandas": round(theirs / ours, 1),
    }))


if __name__ == "__main__":
    main()
