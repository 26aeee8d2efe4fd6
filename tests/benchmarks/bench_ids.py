"""ID, card and employer checks beside python-stdnum, on the same numbers in the same run; the answers are compared too.

    python tests/benchmarks/bench_ids.py [ROWS]

Ours is what verify does: its own SQL, on one thread. The peer checks the same three numbers of each applicant, one after another.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa
from stdnum import luhn
from stdnum.cn import ric, uscc

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import connect

PACKAGE = Path(str(resources.files("qqloan_cli")))
REGIONS = ("110105", "440104", "310101", "330103", "510104")


def people(rows: int, seed: int = 5) -> pa.Table:
    """IDs, cards and codes: nine in ten right, the rest with one character changed."""
    random = np.random.default_rng(seed)
    weights = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
    birth = np.datetime64("1984-01-01") + random.integers(0, 8_000, rows)
    body = [REGIONS[r] + str(d).replace("-", "") + f"{o:03d}" for r, d, o in zip(random.integers(0, len(REGIONS), rows), birth, random.integers(0, 1000, rows))]
    digits = np.array([list(b) for b in body], dtype="U1").astype(int)
    check = np.array(list("10X98765432"))[(digits * weights).sum(axis=1) % 11]
    ids = [b + c for b, c in zip(body, check)]
    cards = [_with_luhn(f"62{n:016d}") for n in random.integers(0, 10**15, rows)]
    codes = [_with_uscc(f"91{r}{n:09d}") for r, n in zip(np.array(REGIONS)[random.integers(0, 5, rows)], random.integers(0, 10**9, rows))]
    for column in (ids, cards, codes):
        for place in np.flatnonzero(random.random(rows) < 0.1):
            text = column[place]
            column[place] = text[:9] + str((int(text[9]) + 1) % 10) + text[10:]
    return pa.table({"id_number": ids, "bank_card": cards, "employer_uscc": codes})


def _with_luhn(body: str) -> str:
    return body + luhn.calc_check_digit(body)


def _with_uscc(body: str) -> str:
    return body + uscc.calc_check_digit(body)


def ours(given: pa.Table) -> tuple[float, list[tuple]]:
    con = connect(1, 6_000)
    con.register("given", given)
    known = {"application_id": "CAST(row_number() OVER () AS VARCHAR)", "applicant_id": "''", "applied_at": "TIMESTAMP '2026-11-24'",
             **{name: name for name in given.column_names}}
    columns = ", ".join(f"CAST({known.get(c.name, 'NULL')} AS {c.type}) AS {c.name}" for c in CONTRACTS["applicants"].columns)
    con.execute(f"CREATE TABLE applicants AS SELECT {columns} FROM given")
    con.execute((PACKAGE / "links" / "numbers.sql").read_text())
    parsed, employers = con.extract_statements((PACKAGE / "stages" / "verify.sql").read_text())[:2]
    started = time.perf_counter()
    con.execute(parsed)
    con.execute(employers)
    con.execute("CREATE TEMP TABLE cards AS SELECT application_id, luhn(CAST(card AS UBIGINT)) % 10 = 0 AS right FROM parsed")
    seconds = time.perf_counter() - started
    answers = con.sql("""
        SELECT digit_agrees AND id_birth IS NOT NULL AS id, c.right AS card, e.valid AS code
        FROM parsed JOIN cards c USING (application_id) JOIN applicants a USING (application_id)
        LEFT JOIN employers e ON e.given = a.employer_uscc
        ORDER BY CAST(application_id AS INTEGER)""").to_arrow_table()
    return seconds, [tuple(row.values()) for row in answers.to_pylist()]


def _id_is_right(number: str) -> bool:
    """stdnum's check digit and birth date, without its region rule, which refuses people older than their district's code."""
    try:
        ric.get_birth_date(number)
        return ric.calc_check_digit(number) == number[-1]
    except Exception:
        return False


def peer(given: pa.Table) -> tuple[float, list[tuple]]:
    columns = [given.column(name).to_pylist() for name in given.column_names]
    started = time.perf_counter()
    answers = [(_id_is_right(i), luhn.is_valid(c), uscc.is_valid(u)) for i, c, u in zip(*columns)]
    return time.perf_counter() - started, answers


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    given = people(rows)
    (ours_s, ours_said), (peer_s, peer_said) = ours(given), peer(given)
    agree = sum(a == b for a, b in zip(ours_said, peer_said))
    print(json.dumps({
        "bench": "ids", "date": datetime.date.today().isoformat(), "rows": rows, "ours_s_per_million": round(ours_s / rows * 1e6, 2),
        "stdnum_s_per_million": round(peer_s / rows * 1e6, 2), "ratio": round(peer_s / ours_s, 1), "agree": agree,
    }))
    if agree != rows:
        raise SystemExit(f"{rows - agree} answers differ")


if __name__ == "__main__":
    main()
