"""qqloan credit: one step of the chain."""

from __future__ import annotations

from qqloan_cli.commands.options import DryRun, Format, RunArgument, Workers, Yes


def credit(run: RunArgument, workers: Workers = None, yes: Yes = False, format: Format = "table", dry_run: DryRun = False) -> int:
    """Tradelines and inquiries into credit history in the trade's terms."""
    from qqloan_cli.commands.step import step

    return step(run, "credit", workers, yes, format, dry_run, following="social")
