"""The champion as one SELECT that every engine speaks: bins by CASE, tables by VALUES, and sums of whole billionths of a log odds, so that
the order of adding changes nothing."""

from __future__ import annotations

import numpy as np

from qqloan_cli.engine.session import quoted
from qqloan_cli.errors import UsageError
from qqloan_cli.scoring.model import Scorer
from qqloan_cli.scoring.scorecard import spelled
from qqloan_cli.scoring.tables import Tables

PER_LOG_ODDS = 1_000_000_000


def champion_sql(scorer: Scorer, key: str, table: str = "applicants") -> str:
    """``key`` names a column of ``table`` that tells rows apart. The answer has it and ``margin_e9``: the margin before calibration, times a
    thousand million. Raises UsageError where the model is no set of tables."""
    tables, names = scorer.tables, scorer.features.names
    if not isinstance(tables, Tables):
        raise UsageError("model-too-deep", "trees that look at more than two columns do not add up to tables", hint="Train with --depth 2 for a model that leaves as SQL.")
    used = sorted({i for i, t in enumerate(tables.single) if t.any()} | {i for pair in tables.pairs for i in pair[:2]})
    cases = ",\n".join(f"    {_bin(names[i], tables.cuts[i])} AS b{i}" for i in used)
    singles = [(i, b, whole) for i in used for b, value in enumerate(tables.single[i]) if (whole := _whole(value))]
    pairs = []
    for i, j, half in tables.pairs:
        full = 2 * half.reshape(-1, tables.stride)
        pairs += [(i, j, b, c, whole) for b in range(len(tables.cuts[i]) + 2) for c in range(len(tables.cuts[j]) + 2) if (whole := _whole(full[b, c]))]
    long = "\n    UNION ALL ".join(f"SELECT k, {i} AS f, b{i} AS b FROM binned" for i in used)
    return (
        f"-- The model {scorer.version}: margin (log odds of going bad before calibration) times {PER_LOG_ODDS:,}.\n"
        f"WITH binned AS (\n  SELECT t.{quoted(key)} AS k,\n{cases}\n  FROM {table} AS t\n),\n"
        f"placed AS (\n    {long}\n),\n"
        f"single(f, b, v) AS (VALUES {_rows(singles, 3)}),\n"
        f"pair(f, g, b, c, v) AS (VALUES {_rows(pairs, 5)}),\n"
        "parts AS (\n  SELECT p.k, s.v FROM placed AS p JOIN single AS s ON s.f = p.f AND s.b = p.b\n"
        "  UNION ALL\n  SELECT p.k, m.v FROM placed AS p JOIN placed AS q ON q.k = p.k JOIN pair AS m ON m.f = p.f AND m.g = q.f AND m.b = p.b AND m.c = q.b\n)\n"
        f"SELECT r.k AS {quoted(key)}, {_whole(tables.constant)} + COALESCE(SUM(s.v), 0) AS margin_e9\n"
        "FROM binned AS r LEFT JOIN parts AS s ON s.k = r.k\nGROUP BY r.k\nORDER BY r.k;\n"
    )


def _whole(value: float) -> int:
    return int(np.rint(value * PER_LOG_ODDS))


def _rows(rows: list[tuple], width: int) -> str:
    return ", ".join(f"({', '.join(map(str, row))})" for row in rows or [(-1,) * (width - 1) + (0,)])


def _bin(name: str, cuts: np.ndarray) -> str:
    column = f"t.{quoted(name)}"
    whens = "".join(f" WHEN {column} < {spelled(cut)} THEN {at}" for at, cut in enumerate(cuts))
    return f"CASE WHEN {column} IS NULL THEN {len(cuts) + 1}{whens} ELSE {len(cuts)} END"
