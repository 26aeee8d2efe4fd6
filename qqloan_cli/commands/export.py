"""qqloan export: decisions for those who work in a spreadsheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qqloan_cli.commands.options import DryRun, RunArgument
from qqloan_cli.errors import UsageError


def export(
    run: RunArgument,
    to: Annotated[Path, typer.Option("--to", help="The file, by its ending: .xlsx, .csv, .jsonl, .json or .parquet.", show_default=False)],
    table: Annotated[str, typer.Option("--table", help="Another table of the run than decisions.")] = "decisions",
    yes: Annotated[bool, typer.Option("--yes", help="Overwrite the file.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Decisions, or any table of a run, as one file. Text stays text: no cell runs as a formula."""
    from qqloan_cli.engine.query import ask
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import console, formats

    if to.exists() and not yes:
        raise UsageError("file-exists", "something stands under this name", str(to), "Choose another --to, or say --yes.")
    answer = ask(Run.open(run), f'SELECT * FROM "{table.replace(chr(34), "")}"')
    if dry_run:
        console.current().say(f"would write {answer.num_rows:,} rows of {table} to {to}")
        return 0
    formats.write(answer, to)
    console.current().say(f"{answer.num_rows:,} rows of {table} in {to}")
    return 0
