"""The risk reserve pool of the book in sight: its months up to the day, and a year ahead by scenario."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.session import connect
from qqloan_cli.errors import QqloanError
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.servicing.reserve.pool import history
from qqloan_cli.servicing.reserve.project import Asked, project

_PATHS = 2_000  # its standard errors are shown, and a night is short
_OUTLOOK = (
    "scenario", "loans", "outstanding_fen", "covered_fen", "pool_fen", "compensation_fen", "recovered_fen", "contribution_fen", "expected_loss_fen", "expected_loss_se_fen",
    "loss_p95_fen", "loss_p99_fen", "coverage_of_expected", "coverage_of_p99", "exhaustion", "exhaustion_se", "target", "top_up_needed_fen",
)


def work_out(sight: Sight, config: Path) -> None:
    """Puts ``reserve_months`` and ``reserve_outlook`` in sight. ``config``: a folder with reserve.toml. A book that is too young to be
    projected has no outlook, and a note says why."""
    sight.work_out("panel")
    con = connect(1)
    try:
        sight.register("reserve_months", history(con, sight.book, sight.at, config))
    finally:
        con.close()
    try:
        found = project(Asked(config, sight.book, sight.panel_files, sight.at, [], paths=_PATHS, workers=sight.workers), False).view("summary")
    except QqloanError as error:
        sight.register("reserve_outlook", pa.table({"scenario": pa.array([], pa.string())}))
        sight.notes.append({"ref": error.ref, "text": f"the reserve's outlook is left out: {error.what}"})
        return
    sight.register("reserve_outlook", found.select(_OUTLOOK))
