"""qqloan export: decisions for those who work in a spreadsheet, a scorecard for those who have another engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import DryRun
from qqloan_cli.errors import UsageError


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="A run's folder, or a model's that has a scorecard.", show_default=False)],
    to: Annotated[Optional[Path], typer.Option("--to", help="The file, by its ending: .xlsx, .csv, .jsonl, .json or .parquet; .sql of a model.", show_default=False)] = None,
    table: Annotated[str, typer.Option("--table", help="Another table of the run than decisions.")] = "decisions",
    format: Annotated[Optional[str], typer.Option("--format", help="sql: of a model, to stdout where there is no --to.", show_default=False)] = None,
    scorer: Annotated[str, typer.Option("--scorer", help="Of a model: challenger (its scorecard) or champion (its tables).")] = "challenger",
    key: Annotated[str, typer.Option("--key", help="With --scorer champion: the column that tells rows apart.")] = "application_id",
    yes: Annotated[bool, typer.Option("--yes", help="Overwrite the file.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Decisions, or any table of a run, as one file; text stays text: no cell runs as a formula. A model's scorecard or tables as one SELECT."""
    from qqloan_cli.engine.query import ask
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import console, formats

    sql = format == "sql" or (to is not None and to.suffix == ".sql")
    if format not in (None, "sql") or scorer not in ("champion", "challenger"):
        raise UsageError("option-unknown", f"--format {format} or --scorer {scorer} is not known", hint="--format sql; --scorer champion or challenger.")
    if to is None and not sql:
        raise UsageError("export-where", "the file is not named", "--to", "Name it by its ending: .xlsx, .csv, .jsonl, .json or .parquet.")
    if to is not None and to.exists() and not yes:
        raise UsageError("file-exists", "something stands under this name", str(to), "Choose another --to, or say --yes.")
    if sql:
        return _sql(run, to, scorer, key, dry_run)
    answer = ask(Run.open(run), f'SELECT * FROM "{table.replace(chr(34), "")}"')
    if dry_run:
        console.current().say(f"would write {answer.num_rows:,} rows of {table} to {to}")
        return 0
    formats.write(answer, to)
    console.current().say(f"{answer.num_rows:,} rows of {table} in {to}")
    return 0


def _sql(model: Path, to: Path | None, scorer: str, key: str, dry_run: bool) -> int:
    """A model's scorecard, or its tables, as one SELECT."""
    from qqloan_cli.engine.files import write_text
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.scale import load_scale
    from qqloan_cli.reports import console
    from qqloan_cli.scoring.model import Scorer
    from qqloan_cli.scoring.tables_sql import champion_sql

    loaded = Scorer.load(model, load_scale(config_dir(None)))
    if scorer == "champion":
        content, what = champion_sql(loaded, key), f"the champion's tables of {len(loaded.features.names)} features"
    elif loaded.scorecard is None:
        raise UsageError("scorecard-missing", "the model has no scorecard beside it", str(model), "Train it with --challenger; --scorer champion exports the tables.")
    else:
        content, what = loaded.scorecard.card.sql(), f"a scorecard of {len(loaded.scorecard.card.names)} features"
    if to is None:
        print(content, end="")
    elif not dry_run:
        write_text(to, content)
    if to is not None:
        console.current().say(f"{'would write' if dry_run else 'wrote'} {what} to {to}")
    return 0
