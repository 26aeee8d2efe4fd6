"""qqloan offers: what a cut or declined applicant could have instead."""

from __future__ import annotations

from qqloan_cli.commands.options import DryRun, Format, RunArgument, Workers, Yes


def offers(run: RunArgument, workers: Workers = None, yes: Yes = False, format: Format = "table", dry_run: DryRun = False) -> int:
    """The nearest loans that would be approved as they stand, for everybody who was cut or declined: amount, term and price."""
    from qqloan_cli.commands.step import step

    return step(run, "offers", workers, yes, format, dry_run, following=None)
