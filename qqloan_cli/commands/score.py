"""qqloan score: one step of the chain; or a flat table by a model that was trained on one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import DryRun, Format, Workers, Yes
from qqloan_cli.errors import UsageError


def score(
    run: Annotated[Optional[Path], typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)] = None,
    table: Annotated[Optional[Path], typer.Option("--table", help="A flat CSV or Parquet file instead of a run.", show_default=False)] = None,
    model: Annotated[Optional[Path], typer.Option("--model", help="The model's folder, with --table.", show_default=False)] = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Where the scores go, with --table (Parquet).", show_default=False)] = None,
    workers: Workers = None,
    yes: Yes = False,
    format: Format = "table",
    dry_run: DryRun = False,
) -> int:
    """Calibrated probability of default, score, grade and reason codes, with and without the social evidence."""
    if (run is None) == (table is None):
        raise UsageError("score-what", "score takes a RUN, or --table with --model and --out", hint="qqloan score RUN")
    if run is not None:
        from qqloan_cli.commands.step import step

        return step(run, "score", workers, yes, format, dry_run, following="limit")
    if model is None or out is None:
        raise UsageError("score-table-needs", "--table needs --model and --out", hint="qqloan score --table FILE --model MODEL --out FILE.parquet")
    from qqloan_cli.reports import console
    from qqloan_cli.scoring.flat import score_table

    rows = score_table(table, model, out)
    console.current().say(f"{rows:,} rows scored into {out}" if isinstance(rows, int) else f"scored into {out}")
    return 0
