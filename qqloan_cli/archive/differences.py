"""What differs between two makings of a table: which rows, in which column, from what to what."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import literal, quoted

EXAMPLES = 20


class Cell(NamedTuple):
    key: str
    column: str
    before: str | None
    after: str | None


class Difference(NamedTuple):
    """``rows`` that differ or stand on one side only; ``columns``: how many rows differ in each; ``examples`` of cells."""

    table: str
    rows: int
    only_before: int
    only_after: int
    columns: dict[str, int]
    examples: list[Cell]


def filed(table: str, paths: list[Path]) -> str:
    """SQL for the rows of a table's files."""
    return f"SELECT * FROM read_parquet([{', '.join(literal(str(path)) for path in paths)}], union_by_name = true)" if paths else CONTRACTS[table].empty()


def differences(con, table: str, before: str, after: str, where: str = "true", examples: int = EXAMPLES) -> Difference:
    """Of two queries. Rows are told apart by the contract's key; ``where`` is SQL over it. No personal column is looked at."""
    contract = CONTRACTS[table]
    key, columns = contract.key, [c.name for c in contract.columns if c.name not in contract.key and not c.personal]
    sides = (before, after)
    if where != "true" and _alike(con, [f"SELECT {', '.join(quoted(c) for c in (*key, *columns))} FROM ({source}) WHERE {where} ORDER BY ALL" for source in sides]):
        return Difference(table, 0, 0, 0, {}, [])
    for side, source in zip(("before", "after"), sides):
        con.execute(f'CREATE OR REPLACE TEMP TABLE "{side}" AS SELECT * FROM ({source}) WHERE {where}')
    on = " AND ".join(f'b."{k}" IS NOT DISTINCT FROM a."{k}"' for k in key)
    there = f'b."{key[0]}"', f'a."{key[0]}"'
    differs = " OR ".join(f'b."{c}" IS DISTINCT FROM a."{c}"' for c in columns) or "false"
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE apart AS
        SELECT {', '.join(f'COALESCE(b."{k}", a."{k}") AS "key_{k}"' for k in key)}, {there[0]} IS NULL AS only_after, {there[1]} IS NULL AS only_before,
          {', '.join(f'b."{c}" AS "before_{c}", a."{c}" AS "after_{c}"' for c in columns) or '1 AS nothing'}
        FROM "before" b FULL JOIN "after" a ON {on}
        WHERE {there[0]} IS NULL OR {there[1]} IS NULL OR {differs}
    """)
    rows, only_after, only_before = con.sql("SELECT count(*), count(*) FILTER (WHERE only_after), count(*) FILTER (WHERE only_before) FROM apart").fetchall()[0]
    if not rows:
        return Difference(table, 0, 0, 0, {}, [])
    both, counts, cells = "NOT only_after AND NOT only_before", {}, []
    named = " || ' ' || ".join(f'CAST("key_{k}" AS VARCHAR)' for k in key)
    for c in columns:
        apart = f'{both} AND "before_{c}" IS DISTINCT FROM "after_{c}"'
        count = con.sql(f"SELECT count(*) FROM apart WHERE {apart}").fetchall()[0][0]
        if count:
            counts[c] = count
            cells += [Cell(k, c, old, new) for k, old, new in con.sql(
                f'SELECT {named}, CAST("before_{c}" AS VARCHAR), CAST("after_{c}" AS VARCHAR) FROM apart WHERE {apart} ORDER BY ALL LIMIT {examples}').fetchall()]
    cells.sort(key=lambda cell: cell.key)
    return Difference(table, rows, only_before, only_after, counts, cells[:examples])


def _alike(con, questions: list[str]) -> bool:
    """Whether both have the same few rows: what is the same need not be told apart cell by cell. Rows that cannot be put side by side are not."""
    one, other = (con.execute(question).fetchall() for question in questions)
    return one == other
