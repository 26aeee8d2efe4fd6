"""qqloan collections: who is to be contacted about what is late, in which order, by what, and whether one may; and what was done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, DryRun, Format, Source, Workers, Yes, as_date, as_workers
from qqloan_cli.commands.servicing import BookOption, Received

_Format = Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")]
_Since = Annotated[str, typer.Option("--from", metavar="DATE", help="First day of the period.", show_default=False)]
_To = Annotated[str, typer.Option("--to", metavar="DATE", help="Its last day.", show_default=False)]


def record(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files of contacts, holds and their release.", show_default=False)],
    book: BookOption,
    received: Received = None,
    source: Source = None,
    config: Config = None,
    dry_run: DryRun = False,
) -> int:
    """Take in what was done: calls, AI voice, messages, letters, visits; and holds with their release. The same contact twice is one."""
    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.collect.record import record as put

    said = console.current()
    day = as_date(received, "--received") if received else None
    with only_writer(book, said):
        told = put(Book.open(book), files, day, config_dir(config), source, dry_run)
    said.say(
        f"{told['rows']:,} rows: {told['recorded']:,} {'would be ' if dry_run else ''}recorded as of {told['received_on']}, {told['repeated']:,} known before, {told['refused']:,} refused; "
        f"{told['contacts']:,} contacts ({told['connected']:,} connected), {told['holds']:,} holds, {told['releases']:,} releases"
    )
    if told["at_midnight"]:
        said.note("no-time-of-day", f"{told['at_midnight']:,} contacts begin at 00:00 sharp, which breaks the hours: does the file have times of day?")
    if told["refused"] and not dry_run:
        said.note("rows-refused", f"{told['refused']:,} rows were refused; {book}/quarantine/contacts-{told['number']:05d}.parquet says which and why.")
    return 0


def queue(
    book: BookOption,
    at: Annotated[str, typer.Option("--at", metavar="DATE", help="The day of the contacts; it or the day before it is closed.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="A Parquet file, one row a borrower who is late.", show_default=False)],
    from_time: Annotated[Optional[str], typer.Option("--from-time", metavar="HH:MM", help="During the day: contacts made before it count (default: the day has not begun).", show_default=False)] = None,
    capacity: Annotated[Optional[int], typer.Option("--capacity", min=0, metavar="N", help="So many borrowers can be called by people: those from whom the most is expected.", show_default=False)] = None,
    panel: Annotated[Optional[Path], typer.Option("--panel", metavar="PANEL", help="This book's panel, as servicing panel wrote it: the chances are taken of it (default: made here).", show_default=False)] = None,
    config: Config = None,
    workers: Workers = None,
    format: Format = "table",
) -> int:
    """The queue of a day: late borrowers in order, balance at risk, expected recovery, strategy, what may be done by each channel and why not."""
    import os

    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.collect.queue import write_queue

    formats.known(format)
    said = console.current()
    told = write_queue(Book.open(book), as_date(at, "--at"), _minute(from_time), capacity, config_dir(config), Path(os.path.abspath(out)), as_workers(workers), panel)
    for ref, text in told.pop("notes"):
        said.note(ref, text)
    if format == "json":
        formats.document({**told, "by_stage": told["by_stage"].to_pylist(), "chances": told["chances"].to_pylist()})
    else:
        formats.emit(told["by_stage"], format, f"Queue of {at}")
        formats.emit(told["chances"], format, "Chances that what is late is paid within a month")
    said.say(f"{told['borrowers']:,} late borrowers as of the end of {told['state_on']} in {out}")
    said.next_step(f"qqloan collections export --queue {out} --channel call --out call.csv")
    return 0


def export(
    queue: Annotated[Path, typer.Option("--queue", metavar="FILE", help="What qqloan collections queue wrote.", show_default=False)],
    channel: Annotated[str, typer.Option("--channel", help="call, ai_call, sms, app, letter or visit.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The list, by its ending: .csv, .jsonl, .json, .xlsx or .parquet.", show_default=False)],
    with_phones: Annotated[Optional[list[Path]], typer.Option("--with-phones", metavar="RUN", help="Join the phones of a run's applicants; nobody but the owner may read the file then.", show_default=False)] = None,
    yes: Yes = False,
    config: Config = None,
    format: Format = "table",
) -> int:
    """A channel's list for the dialler or the printer: whom, which numbers, hours, tries and calls left, script. No number of a person unless asked for."""
    from qqloan_cli.engine.run import Run
    from qqloan_cli.errors import UsageError
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats
    from qqloan_cli.servicing.collect.export import contact_list

    formats.known(format)
    if out.exists() and not yes:
        raise UsageError("file-exists", "something stands under this name", str(out), "Choose another --out, or say --yes.")
    said = console.current()
    rows, told = contact_list(queue, channel, config_dir(config), [Run.open(run) for run in with_phones or []])
    if with_phones:
        _only_for_its_owner(out)
    formats.write(rows, out)
    if with_phones:
        said.note("personal-data", f"{out} holds phone numbers: nobody but its owner may read it (mode 0600). Remove it when it was used.")
    if format == "json":
        formats.document({"channel": channel, **told})
    else:
        withheld = [[f"withheld: {reason}", str(count)] for reason, count in told["withheld"].items()]
        formats.draw(["what", "borrowers"], [["listed", str(told["listed"])], *withheld, ["queue", str(told["queue"])]], numeric=[False, True])
    said.say(f"{told['listed']:,} of {told['queue']:,} borrowers, {told['rows']:,} rows, in {out}")
    return 0


def check(
    book: BookOption,
    since: _Since,
    to: _To,
    config: Config = None,
    fail_on_breach: Annotated[bool, typer.Option("--fail-on", help="Exit 1 where a contact broke a rule.")] = False,
    format: _Format = "table",
) -> int:
    """Which contacts of a period broke which rule, and how sure the rule is; gaps in the numbering; records that need not be kept any more."""
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.collect.check import check as held_against

    formats.known(format, formats.FORMATS)
    said = console.current()
    rows, told = held_against(Book.open(book), as_date(since, "--from"), as_date(to, "--to"), config_dir(config))
    for ref, text in told["notes"]:
        said.note(ref, text)
    formats.emit(rows, format, f"Breaches of {since} to {to}")
    said.say(f"{told['contacts']:,} contacts: {told['breaches']:,} breaches by {told['contacts_with_breach']:,} of them; {told['may_be_erased']:,} records need not be kept any more")
    return 1 if fail_on_breach and told["breaches"] else 0


def compare(
    book: BookOption,
    since: _Since,
    to: _To,
    view: Annotated[Optional[str], typer.Option("--view", help="arms, differences or balance (default: all, as table or json).", show_default=False)] = None,
    config: Config = None,
    workers: Workers = None,
    format: Annotated[str, typer.Option("--format", help="table or json; of one view also jsonl, csv, parquet.")] = "table",
) -> int:
    """Champion against challenger on the book's own history: contacts, promises, cures, money and cost by stage, and how sure the differences are."""
    from qqloan_cli.errors import UsageError
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.collect.compare import VIEWS
    from qqloan_cli.servicing.collect.compare import compare as held_against

    formats.known(format, formats.FORMATS if view else ("table", "json"))
    if view is not None and view not in VIEWS:
        raise UsageError("view-unknown", f"there is no view {view}", "--view", f"There are: {', '.join(VIEWS)}.")
    found, notes = held_against(Book.open(book), as_date(since, "--from"), as_date(to, "--to"), config_dir(config), as_workers(workers))
    for ref, text in notes:
        console.current().note(ref, text)
    if view:
        formats.emit(found[view], format, view.capitalize())
    elif format == "json":
        formats.document({"from": since, "to": to, **{name: table.to_pylist() for name, table in found.items()}})
    else:
        for name, table in found.items():
            formats.emit(table, format, name.capitalize())
    return 0


def _minute(text: str | None) -> int | None:
    """Of the day."""
    import re

    from qqloan_cli.errors import UsageError

    if text is None:
        return None
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise UsageError("time-wrong", f"{text!r} is not a time of day", "--from-time", "Write it as 14:30.")
    return 60 * int(text[:2]) + int(text[3:])


def _only_for_its_owner(out: Path) -> None:
    """An empty file for the list to be written into, which nobody but the owner may ever read."""
    import os

    beside = out.with_name(f".{out.name}.tmp")
    beside.unlink(missing_ok=True)
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


app = group("collections", "Who is to be contacted about what is late, in which order, by what, and whether one may; and what was done.", record, queue, export, check, compare)
