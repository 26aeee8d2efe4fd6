"""The nightly report as one document: what matters first, then every figure with its rows and the SQL that gave it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa

from qqloan_cli.oversight import figures
from qqloan_cli.oversight.sight import Sight

_PATHS = 2_000  # of the reserve's outlook: its standard errors are shown, and a night is short
_OUTLOOK = (
    "scenario", "loans", "outstanding_fen", "covered_fen", "pool_fen", "compensation_fen", "recovered_fen", "contribution_fen", "expected_loss_fen", "expected_loss_se_fen",
    "loss_p95_fen", "loss_p99_fen", "coverage_of_expected", "coverage_of_p99", "exhaustion", "exhaustion_se", "target", "top_up_needed_fen",
)


def nightly(sight: Sight, config: Path, workers: int = 1) -> dict:
    """``as_of``, ``runs``, ``book``, ``figures`` (name, section, rows, sql, beneath) and ``left_out`` (name, why). ``config``: the folder that
    limits and rules are read from."""
    if sight.book is not None:
        sight.work_out("state", "panel")
        _reserve(sight, config, workers)
    taken, left_out = [], []
    for name, section in figures.FIGURES.items():
        lacks = figures.lacking(sight, name)
        if lacks:
            left_out.append({"name": name, "section": section, "lacks": lacks})
            continue
        taken.append({"name": name, "section": section, "rows": figures.take(sight, name).to_pylist(), "sql": figures.sql(name), "beneath": figures.beneath(sight, name)})
    return {
        "as_of": max([*sight.dates[:1], *([sight.at] if sight.at else [])], default=None),
        "runs": [{"run_id": run.run_id, "as_of": run.as_of} for run in sight.runs if run.as_of == sight.dates[0]],
        "before": sight.dates[1] if len(sight.dates) > 1 else None,
        "book": None if sight.book is None else {"name": sight.book.root.name, "closed_to": sight.at},
        "figures": taken, "left_out": left_out,
    }


def _reserve(sight: Sight, config: Path, workers: int) -> None:
    """The pool's months up to the day, and a year ahead by scenario."""
    from qqloan_cli.engine.session import connect
    from qqloan_cli.errors import QqloanError
    from qqloan_cli.servicing.reserve.pool import history
    from qqloan_cli.servicing.reserve.project import Asked, project

    con = connect(1)
    try:
        sight.register("reserve_months", history(con, sight.book, sight.at, config))
    finally:
        con.close()
    try:
        found = project(Asked(config, sight.book, sight.panel_files, sight.at, [], paths=_PATHS, workers=workers), False).view("summary")
    except QqloanError as error:  # a book that is too young to be projected
        sight.register("reserve_outlook", pa.table({"scenario": pa.array([], pa.string())}))
        sight.notes.append({"ref": error.ref, "text": error.what})
        return
    sight.register("reserve_outlook", found.select([name for name in _OUTLOOK if name in found.column_names]))
