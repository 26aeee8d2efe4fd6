"""qqloan sql: questions over a run."""

from __future__ import annotations

from typing import Annotated

import typer

from qqloan_cli.commands.options import RunArgument


def sql(
    run: RunArgument,
    question: Annotated[str, typer.Argument(metavar="SELECT", help="One SELECT over the run's tables.", show_default=False)],
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
) -> int:
    """Query a run's tables, read-only: no other file is within reach, and no personal column.

    Tables are named as their contracts: decisions, quarantine, verify, income,
    income_lines, credit, social, score, limit, limit_steps, funding,
    disburse_plan, schedule, and the inputs without what is personal in them.
    """
    from qqloan_cli.engine.query import ask
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import formats

    formats.emit(ask(Run.open(run), question), format)
    return 0
