"""qqloan run: the whole chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import AsOf, Config, Draft, DryRun, Inputs, MaxQuarantine, Out, Policies, Source, Workers, as_date, as_share, as_workers


def run(
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
    engine: Annotated[str, typer.Option("--engine", help="local or spark.")] = "local",
    master: Annotated[str, typer.Option("--master", help="Spark's master, with --engine spark.")] = "local[2]",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was killed.")] = False,
    format: Annotated[str, typer.Option("--format", help="The summary as table or json.")] = "table",
    dry_run: DryRun = False,
) -> int:
    """The whole chain: a lender's files to decisions, limits and a funded disbursement plan.

    RUN is made whole or not at all. The same inputs, configuration, model and
    --as-of give the same bytes, whatever the workers or the engine.
    """
    from qqloan_cli.making import begin, foreseen
    from qqloan_cli.reports import console

    said = console.current()
    if resume and (out / "run.json").exists():
        said.say(f"{out} is whole already: nothing to resume")
        return 0
    spark = {"local": None, "spark": master}.get(engine, "?")
    if spark == "?":
        from qqloan_cli.errors import UsageError

        raise UsageError("engine-unknown", f"--engine {engine} is not known", hint="Use local or spark.")
    share, asked = as_share(max_quarantine), {"source": source, "config": config, "policies": policies, "draft": draft, "history": history or []}
    if dry_run:
        said.say(foreseen(inputs, out, as_date(as_of), **asked))
        return 0
    made = begin(inputs, out, as_date(as_of), **asked, events=said, max_quarantine=share, workers=as_workers(workers), resume=resume, spark=spark)
    from qqloan_cli.reports import summary

    said.close()
    summary.show(made, format)
    said.next_step(f"qqloan explain {out} APPLICATION_ID, or qqloan sql {out} \"select decision, count(*) from decisions group by all\"")
    return 0
