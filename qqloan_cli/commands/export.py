"""qqloan export: decisions for those who work in a spreadsheet, a scorecard for those who have another engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qqloan_cli.commands.options import DryRun
from qqloan_cli.errors import UsageError


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="A run's folder, or a model's that has a scorecard.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="The file, by its ending: .xlsx, .csv, .jsonl, .json or .parquet; .sql of a model.", show_default=False)],
    table: Annotated[str, typer.Option("--table", help="Another table of the run than decisions.")] = "decisions",
    yes: Annotated[bool, typer.Option("--yes", help="Overwrite the file.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Decisions, or any table of a run, as one file; text stays text: no cell runs as a formula. A model's scorecard as one SELECT."""
    from qqloan_cli.engine.query import ask
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import console, formats

    if to.exists() and not yes:
        raise UsageError("file-exists", "something stands under this name", str(to), "Choose another --to, or say --yes.")
    if to.suffix == ".sql":
        return _scorecard(run, to, dry_run)
    answer = ask(Run.open(run), f'SELECT * FROM "{table.replace(chr(34), "")}"')
    if dry_run:
        console.current().say(f"would write {answer.num_rows:,} rows of {table} to {to}")
        return 0
    formats.write(answer, to)
    console.current().say(f"{answer.num_rows:,} rows of {table} in {to}")
    return 0


def _scorecard(model: Path, to: Path, dry_run: bool) -> int:
    from qqloan_cli.engine.files import write_text
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.scale import load_scale
    from qqloan_cli.reports import console
    from qqloan_cli.scoring.model import Scorer

    card = Scorer.load(model, load_scale(config_dir(None))).scorecard
    if card is None:
        raise UsageError("scorecard-missing", "the model has no scorecard beside it", str(model), "Train it with --challenger.")
    if not dry_run:
        write_text(to, card.sql())
    console.current().say(f"{'would write' if dry_run else 'wrote'} a scorecard of {len(card.names)} features to {to}")
    return 0
