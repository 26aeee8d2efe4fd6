"""qqloan intake: the start of a run, for those who take the chain step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import AsOf, Config, Draft, DryRun, Inputs, Out, Policies, Source, Workers, as_date, as_workers


def intake(
    inputs: Inputs,
    out: Out,
    as_of: AsOf,
    source: Source = None,
    config: Config = None,
    policies: Policies = None,
    draft: Draft = False,
    history: Annotated[Optional[list[Path]], typer.Option("--history", help="An earlier run: for duplicates, velocity and exposure. May be repeated.", show_default=False)] = None,
    max_quarantine: Annotated[Optional[str], typer.Option("--max-quarantine", metavar="SHARE", help="More refused rows than this (2% or 0.02) of any input stop the run.", show_default=False)] = None,
    workers: Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an intake that was killed.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Read, map, check, quarantine and bucket a lender's files: a run with its inputs and nothing else yet."""
    from qqloan_cli.commands.begin import begin
    from qqloan_cli.reports import console, summary

    said = console.current()
    made = begin(
        inputs, out, as_date(as_of), source=source, config=config, policies=policies, draft=draft, history=history or [], max_quarantine=max_quarantine,
        workers=as_workers(workers), resume=resume, dry_run=dry_run, whole=False,
    )
    if made is not None:
        said.close()
        summary.show_intake(made)
        said.next_step(f"qqloan link {out}")
    return 0
