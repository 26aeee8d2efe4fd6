"""qqloan watch: an inbox, as files arrive in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config, Draft, MaxQuarantine, Policies, Sign, Source, Workers, as_date, as_share, as_workers
from qqloan_cli.errors import UsageError

InboxArgument = Annotated[Path, typer.Argument(metavar="INBOX", help="The folder that a lender drops into.", show_default=False)]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where each batch's run goes.", show_default=False)]
To = Annotated[Path, typer.Option("--to", metavar="ARCHIVE", help="The archive that every run is sealed into.", show_default=False)]
State = Annotated[Optional[Path], typer.Option("--state", metavar="DIR", help="Where batches are worked on, kept and set aside, with the journal (default: INBOX.watch beside the inbox).", show_default=False)]
AsOf = Annotated[Optional[str], typer.Option("--as-of", metavar="DATE", help="The day of batches whose name says none: a date, or today.", show_default=False)]
Book = Annotated[Optional[Path], typer.Option("--book", help="Open every run into this book.", show_default=False)]
Pages = Annotated[Optional[Path], typer.Option("--report", metavar="DIR", help="Leave the nightly report here, a page a batch.", show_default=False)]
History = Annotated[int, typer.Option("--history", metavar="N", min=0, help="Decide each batch beside the last N runs: duplicates, velocity, exposure, cash.")]
Earlier = Annotated[int, typer.Option("--earlier", metavar="N", min=0, help="Hold each run against the last N runs.")]
Settle = Annotated[float, typer.Option("--settle", metavar="SECONDS", min=0, help="Without a marker: complete when nothing changed for so long.")]
MarkerOnly = Annotated[bool, typer.Option("--marker-only", help="Complete when a marker says so, and by nothing else.")]
Marker = Annotated[Optional[list[str]], typer.Option("--marker", metavar="NAME", help="A file that says that its folder is complete; repeatable (default: _READY, _SUCCESS, _DONE, _COMPLETE, .ready, .done).", show_default=False)]
Again = Annotated[bool, typer.Option("--again", help="Decide the same files again on another day.")]
Discard = Annotated[bool, typer.Option("--discard", help="Remove a batch's files when it is archived, instead of keeping them.")]
EncryptTo = Annotated[Optional[str], typer.Option("--encrypt-to", metavar="AGE-KEY", help="Encrypt the archived inputs for this age public key.", show_default=False, envvar="QQLOAN_AGE_RECIPIENT")]
Sinks = Annotated[Optional[list[str]], typer.Option("--sink", metavar="NAME", help="Tell this sink of monitor.toml alone; repeatable.", show_default=False)]
Journal = Annotated[Optional[Path], typer.Option("--journal", metavar="FILE", help="What sinks were told, shared with qqloan monitor (default: told.jsonl in the state).", show_default=False)]
Every = Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.1, help="How often the inbox is looked at.")]


def watch(
    inbox: InboxArgument,
    runs: Runs,
    to: To,
    state: State = None,
    as_of: AsOf = None,
    book: Book = None,
    report: Pages = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is there, and end.")] = False,
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
    fail_on: Annotated[Optional[str], typer.Option("--fail-on", metavar="WHAT", help="With --once: refused, to exit with 1 where a batch was set aside.", show_default=False)] = None,
    source: Source = None,
    config: Config = None,
    policies: Policies = None,
    draft: Draft = False,
    max_quarantine: MaxQuarantine = None,
    sign: Sign = None,
    encrypt_to: EncryptTo = None,
    workers: Workers = None,
) -> int:
    """Take up what a lender drops when it is complete: run it, archive it, open it into a book, monitor it; and then the next.

    A batch is a folder or a file, dated by its name (2026-11-24, applicants_20261124.csv). It is complete when a marker file says so, in it or
    beside it (2026-11-24.done), or when nothing in it has changed for --settle seconds. It may be stopped at any moment: the next start goes on.
    What cannot be decided is set aside in STATE/refused with reason.json; move it back into the inbox to try again.
    """
    from qqloan_cli.errors import Findings
    from qqloan_cli.oversight.inbox.watch import watching
    from qqloan_cli.reports import console

    said = console.current()
    if fail_on not in (None, "refused"):
        raise UsageError("fail-on-unknown", f"--fail-on {fail_on} is not known", hint="Use refused.")
    kept = state_of(inbox, state)
    asked = asked_for(
        inbox, kept, runs, to, as_of=as_of, book=book, report=report, marker=marker, history=history, earlier=earlier, again=again, discard=discard, sink=sink, journal=journal,
        source=source, config=config, policies=policies, draft=draft, max_quarantine=max_quarantine, sign=sign, encrypt_to=encrypt_to, workers=workers,
    )
    with watching(inbox, kept, asked, None if marker_only else settle, said) as watch:
        if not once:
            said.say(f"{inbox} is watched; what becomes of each batch is in {kept}/journal.jsonl")
            watch.forever(every)
        ended = watch.once(every)
    said.say(f"{len(ended.done)} batches done, {len(ended.refused)} set aside, {len(ended.held)} held, {len(ended.waiting)} not complete")
    for error in ended.held.values():
        raise error
    if ended.refused and fail_on:
        raise Findings("batches-refused", f"{len(ended.refused)} batches were set aside, the first: {ended.refused[0]}", str(kept / "refused"), "reason.json says why; mend it and move it back into the inbox.")
    return 0


def state_of(inbox: Path, named: Path | None) -> Path:
    return named or inbox.absolute().with_name(inbox.absolute().name + ".watch")


def asked_for(
    inbox: Path, state: Path, runs: Path, to: Path, *, as_of: str | None, book: Path | None, report: Path | None, marker: list[str] | None, history: int, earlier: int, again: bool, discard: bool,
    sink: list[str] | None, journal: Path | None, source: str | None, config: Path | None, policies: Path | None, draft: bool, max_quarantine: str | None, sign: Path | None,
    encrypt_to: str | None, workers: int | None,
):
    """What is to be done with each batch; what cannot be right is said before the first is touched."""
    from datetime import date

    from qqloan_cli.oversight.inbox.batch import Asked
    from qqloan_cli.oversight.inbox.drops import MARKERS
    from qqloan_cli.oversight.inbox.steps import Wanted
    from qqloan_cli.policy.home import config_dir

    day = None if as_of in (None, "today") else as_date(as_of)
    home = config_dir(config)
    for path, option in ((sign, "--sign"), (policies, "--policies")):
        if path is not None and not path.exists():
            raise UsageError("file-not-found", "no such file or folder", f"{option} {path}", "Check the path.")
    for name in marker or []:
        if not name or "/" in name:
            raise UsageError("marker-wrong", f"{name!r} is not a file's name", "--marker", "As _READY.")
    wanted = Wanted(
        runs.absolute(), to.absolute(), (journal or state / "told.jsonl").absolute(), book.absolute() if book else None, source, home if config else None, policies, draft, as_share(max_quarantine), as_workers(workers),
        history, earlier, sign, encrypt_to, sink or [], report.absolute() if report else None, page,
    )
    return Asked(wanted, None if as_of is None else date.today if day is None else lambda: day, as_of or "", tuple(marker) if marker else MARKERS, again, discard)


def page(runs: list[Path], book: Path | None, config: Path, to: Path) -> None:
    """The nightly report of these runs, the first one's."""
    from qqloan_cli.engine.files import write_text
    from qqloan_cli.oversight.nightly import nightly
    from qqloan_cli.oversight.sight import Sight
    from qqloan_cli.reports import nightly_page

    with Sight.of(runs, book, threads=2) as sight:
        write_text(to, nightly_page.html(nightly(sight, config), "zh" if os.environ.get("QQLOAN_LANG") == "zh" else "en"))
