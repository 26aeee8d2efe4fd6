"""qqloan social: one step of the chain."""

from __future__ import annotations

from qqloan_cli.commands.options import DryRun, Format, RunArgument, Workers, Yes


def social(run: RunArgument, workers: Workers = None, yes: Yes = False, format: Format = "table", dry_run: DryRun = False) -> int:
    """Activity, holdings and graph into a social score. It informs; alone it never declines."""
    from qqloan_cli.commands.step import step

    return step(run, "social", workers, yes, format, dry_run, following="score")
