"""qqloan link: one step of the chain."""

from __future__ import annotations

from qqloan_cli.commands.options import DryRun, Format, RunArgument, Workers, Yes


def link(run: RunArgument, workers: Workers = None, yes: Yes = False, format: Format = "table", dry_run: DryRun = False) -> int:
    """Shared keys, velocity and graph measures of everybody in the run: keys and numbers only."""
    from qqloan_cli.commands.step import step

    return step(run, "link", workers, yes, format, dry_run, following="verify")
