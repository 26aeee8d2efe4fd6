"""qqloan limit: one step of the chain."""

from __future__ import annotations

from qqloan_cli.commands.options import DryRun, Format, RunArgument, Workers, Yes


def limit(run: RunArgument, workers: Workers = None, yes: Yes = False, format: Format = "table", dry_run: DryRun = False) -> int:
    """Rules, waterfall and price: decision, amount and the cap that bound it."""
    from qqloan_cli.commands.step import step

    return step(run, "limit", workers, yes, format, dry_run, following="disburse-plan")
