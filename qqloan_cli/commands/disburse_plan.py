"""qqloan disburse-plan: one step of the chain."""

from __future__ import annotations

from qqloan_cli.commands.options import DryRun, Format, RunArgument, Workers, Yes


def disburse_plan(run: RunArgument, workers: Workers = None, yes: Yes = False, format: Format = "table", dry_run: DryRun = False) -> int:
    """Funding by linear programme, tranches and schedules exact to the fen, and one row a decision."""
    from qqloan_cli.commands.step import step
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import summary

    done = step(run, "disburse-plan", workers, yes, format, dry_run, following=None)
    if format == "table" and not dry_run:
        summary.show_funding(Run.open(run))
    return done
