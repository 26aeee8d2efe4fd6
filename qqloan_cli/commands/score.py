"""qqloan score: one step of the chain; or a flat table by a model that was trained on one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config, DryRun, Format, Workers, Yes
from qqloan_cli.errors import UsageError


def score(
    run: Annotated[Optional[Path], typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)] = None,
    table: Annotated[Optional[Path], typer.Option("--table", help="A flat CSV or Parquet file instead of a run.", show_default=False)] = None,
    model: Annotated[Optional[Path], typer.Option("--model", help="The model's folder, with --table.", show_default=False)] = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Where the scores go, with --table (Parquet).", show_default=False)] = None,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="With --table: a column that the model looks at and the table lacks counts as missing.")] = False,
    config: Config = None,
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
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.scale import load_scale
    from qqloan_cli.reports import console, drift
    from qqloan_cli.scoring.flat import score_table

    said, scale = console.current(), load_scale(config_dir(config))
    scored = score_table(table, model, out, scale, allow_missing)
    for name in scored.absent:
        said.note("feature-absent", f"the table has no column for {name}: it counts as missing in every row")
    for ref, text in drift.lines(drift.of_table(scored.score_bins, scale)):
        said.note(ref, text)
    said.say(f"{scored.rows:,} rows scored into {out}")
    return 0
