"""qqloan verify: one step of the chain."""

from __future__ import annotations

from qqloan_cli.commands.options import DryRun, Format, RunArgument, Workers, Yes


def verify(run: RunArgument, workers: Workers = None, yes: Yes = False, format: Format = "table", dry_run: DryRun = False) -> int:
    """Identity, phone, card, employer, consent, duplicates, velocity, blocklists: pass, refer or fail, with reasons."""
    from qqloan_cli.commands.step import step

    return step(run, "verify", workers, yes, format, dry_run, following="ingest-income")
