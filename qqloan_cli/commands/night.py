"""qqloan night: everything that a lender does between two days, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config, Draft, MaxQuarantine, Policies, Sign, Source, Workers, as_day
from qqloan_cli.commands.watch import Again, AsOf, Book, Discard, Earlier, EncryptTo, Every, History, Journal, Marker, MarkerOnly, Pages, Runs, Settle, Sinks, State, To
from qqloan_cli.errors import UsageError


def night(
    runs: Runs,
    to: To,
    close: Annotated[str, typer.Option("--close", metavar="DATE", help="The last day to be closed: a date, today or yesterday.", show_default=False)],
    inbox: Annotated[Optional[Path], typer.Argument(metavar="[INBOX]", help="The folder that a lender drops into; none where qqloan watch has it.", show_default=False)] = None,
    state: State = None,
    as_of: AsOf = None,
    book: Book = None,
    events: Annotated[Optional[list[Path]], typer.Option("--events", metavar="FILE", help="Files, folders or globs of repayments and other events, posted before the close; what was posted before is known. Repeatable.", show_default=False)] = None,
    report: Pages = None,
    every: Every = 2.0,
    settle: Settle = 30.0,
    marker: Marker = None,
    marker_only: MarkerOnly = False,
    history: History = 0,
    earlier: Earlier = 30,
    again: Again = False,
    discard: Discard = False,
    sink: Sinks = None,
    journal: Journal = None,
    fail_on: Annotated[Optional[list[str]], typer.Option("--fail-on", metavar="WHAT", help="refused, amber or red: exit with 1 where a batch was set aside, or something is that bad. Repeatable.", show_default=False)] = None,
    source: Source = None,
    config: Config = None,
    policies: Policies = None,
    draft: Draft = False,
    max_quarantine: MaxQuarantine = None,
    sign: Sign = None,
    encrypt_to: EncryptTo = None,
    workers: Workers = None,
) -> int:
    """What lies in the inbox, decided, archived and opened into the book; events posted; the day closed; the report; the alerts.

    A step that fails leaves out what must not be done without it: no day is closed whose files could not be taken in. The report and the alerts
    come whatever happened. Done again, after a failure or by mistake, it does what is left. qqloan schedule prints the crontab or units for it.
    """
    from qqloan_cli.commands.watch import asked_for, state_of
    from qqloan_cli.errors import Findings
    from qqloan_cli.oversight.night import night as through
    from qqloan_cli.reports import console

    said = console.current()
    unknown = sorted(set(fail_on or []) - {"refused", "amber", "red"})
    if unknown:
        raise UsageError("fail-on-unknown", f"--fail-on {unknown[0]} is not known", hint="Use refused, amber or red.")
    if inbox is None and state is None and journal is None:
        raise UsageError("night-without-journal", "what sinks were told has to be remembered", "--journal", "Name the file that qqloan watch uses: told.jsonl in its state.")
    kept = state_of(inbox, state) if inbox or state else journal.parent
    asked = asked_for(
        inbox, kept, runs, to, as_of=as_of, book=book, report=report, marker=marker, history=history, earlier=earlier, again=again, discard=discard, sink=sink, journal=journal,
        source=source, config=config, policies=policies, draft=draft, max_quarantine=max_quarantine, sign=sign, encrypt_to=encrypt_to, workers=workers,
    )
    told = through(inbox, kept, asked, None if marker_only else settle, every, events or [], as_day(close, "--close"), said)
    if told.failed:
        raise max((failed.error for failed in told.failed), key=lambda error: error.exit_code != 75)  # what trying again mends comes last
    bad = [what for what in (["refused"] if told.refused else []) + {"red": ["amber", "red"], "amber": ["amber"]}.get(told.worst, []) if what in (fail_on or [])]
    if bad:
        raise Findings("night-with-findings", f"{len(told.refused)} batches were set aside; the worst alert is {told.worst}", " ".join(f"--fail-on {what}" for what in bad), f"See {kept}/refused and the alerts.")
    return 0
