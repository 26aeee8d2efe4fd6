"""qqloan ingest-income: one step of the chain."""

from __future__ import annotations

from qqloan_cli.commands.options import DryRun, Format, RunArgument, Workers, Yes


def ingest_income(run: RunArgument, workers: Workers = None, yes: Yes = False, format: Format = "table", dry_run: DryRun = False) -> int:
    """Pay slips, provident fund and statement lines into one conservative monthly income, each figure traced to its lines."""
    from qqloan_cli.commands.step import step

    return step(run, "ingest-income", workers, yes, format, dry_run, following="credit")
