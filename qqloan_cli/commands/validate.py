"""qqloan validate: what a model is worth on rows that it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config
from qqloan_cli.errors import UsageError


def validate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model's folder.", show_default=False)],
    on: Annotated[Optional[Path], typer.Option("--on", metavar="RUN", help="A run whose applications have outcomes by now.", show_default=False)] = None,
    outcomes: Annotated[Optional[Path], typer.Option("--outcomes", metavar="FILE", help="Their outcomes: application_id, bad.", show_default=False)] = None,
    table: Annotated[Optional[Path], typer.Option("--table", metavar="FILE", help="A flat table instead, CSV or Parquet.", show_default=False)] = None,
    target: Annotated[Optional[str], typer.Option("--target", metavar="COLUMN", help="Its outcome: 0 good, 1 bad, blank not known.", show_default=False)] = None,
    bad: Annotated[Optional[list[str]], typer.Option("--bad", metavar="WORD", help="With --table: a word of the outcome's column that means bad, where it is not 0 and 1; all others mean good.", show_default=False)] = None,
    by: Annotated[Optional[list[str]], typer.Option("--by", metavar="COLUMN", help="A column of the table whose values are groups; several times for several.", show_default=False)] = None,
    gain: Annotated[float, typer.Option("--gain", min=0, help="What a good loan of one yuan earns, for the profit at cut-offs.")] = 0.08,
    loss: Annotated[float, typer.Option("--loss", min=0, help="What a bad loan of one yuan costs.")] = 0.60,
    html: Annotated[Optional[Path], typer.Option("--html", metavar="FILE", help="Write the whole report as one page with charts.", show_default=False)] = None,
    config: Config = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """Discrimination, calibration, gains, strategy curve, segments, vintages, stability and fairness, with intervals."""
    from qqloan_cli.engine.files import write_text
    from qqloan_cli.engine.run import Run
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.scale import load_scale
    from qqloan_cli.reports import console, formats, validation, validation_page
    from qqloan_cli.scoring import sample
    from qqloan_cli.scoring.model import Scorer
    from qqloan_cli.scoring.validate import validate as look

    if (on is None) == (table is None):
        raise UsageError("validate-on-what", "validate takes --on RUN with --outcomes, or --table with --target", hint="qqloan validate MODEL --on RUN --outcomes FILE")
    if (on is not None and outcomes is None) or (table is not None and target is None):
        raise UsageError("validate-needs-outcomes", "the outcomes are not named", "--outcomes" if on is not None else "--target", "A model can only be held against what happened.")
    formats.known(format)
    scorer = Scorer.load(model, load_scale(config_dir(config)))
    rows = sample.of_run(Run.open(on), outcomes, scorer.features) if on is not None else sample.of_table(table, target, scorer.features, by or [], tuple(bad or ()))
    found = look(scorer, rows, gain, loss)
    if html is not None:
        write_text(html, validation_page.html(found))
        console.current().say(f"{html} has the charts")
    if format == "json":
        formats.document(found)
    else:
        validation.show(found)
    return 0
