"""qqloan intake: the start of a run, for those who take the chain step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import AsOf, Config, Draft, DryRun, Inputs, MaxQuarantine, Out, Policies, Source, Workers, as_date, as_share, as_workers


def intake(
    inputs: Inputs,
    out: Out,
    as_of: AsOf,
    source: Source = None,
    config: Config = None,
    policies: Policies = None,
    draft: Draft = False,
    history: Annotated[Optional[list[Path]], typer.Option("--history", help="An earlier run: for duplicates, velocity, exposure and the cash that it plans to spend. May be repeated.", show_default=False)] = None,
    max_quarantine: MaxQuarantine = None,
    workers: Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an intake that was killed.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Read, map, check, quarantine and bucket a lender's files: a run with its inputs and nothing else yet."""
    from qqloan_cli.making import begin, foreseen
    from qqloan_cli.reports import console, summary

    said = console.current()
    share, asked = as_share(max_quarantine), {"source": source, "config": config, "policies": policies, "draft": draft, "history": history or []}
    if dry_run:
        said.say(foreseen(inputs, out, as_date(as_of), **asked))
        return 0
    made = begin(inputs, out, as_date(as_of), **asked, events=said, max_quarantine=share, workers=as_workers(workers), resume=resume, whole=False)
    said.close()
    summary.show_intake(made)
    said.next_step(f"qqloan link {out}")
    return 0
