"""qqloan servicing: a book of loans after the money left. Runs are opened into it, files of events posted, days closed, states asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, DryRun, RunArgument, Source, Workers, as_date, as_workers

BookOption = Annotated[Path, typer.Option("--book", help="A book's folder.", show_default=False)]

Received = Annotated[Optional[str], typer.Option("--received", metavar="DATE", help="The business day on which it came (default: the first that is not closed).", show_default=False)]


def open(run: RunArgument, book: BookOption, dry_run: DryRun = False) -> int:
    """Take a run's funded tranches into a book as loans, and its approved applications as lines; the book is begun where there is none."""
    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import console
    from qqloan_cli.servicing.open import open_run

    said, taken = console.current(), Run.open(run)
    if dry_run:
        said.say(f"would open {taken.run_id} into {book}")
        return 0
    with only_writer(book, said):
        told = open_run(taken, book)
    said.say(f"{told['loans']:,} loans and {told['lines']:,} lines of {told['run_id']}, {told['principal_fen'] / 100:,.2f} yuan, are in {book} from {told['opened_on']}")
    said.next_step(f"qqloan servicing post FILE --book {book}")
    return 0


def post(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files of repayments and other events.", show_default=False)],
    book: BookOption,
    received: Received = None,
    source: Source = None,
    config: Config = None,
    dry_run: DryRun = False,
) -> int:
    """Take in what happened to loans: repayments, reversals, fees, waivers, pauses, restructurings, write-offs. The same event twice is one."""
    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.post import post as put

    said = console.current()
    day = as_date(received, "--received") if received else None
    with only_writer(book, said):
        told = put(Book.open(book), files, day, config_dir(config), source, dry_run)
    said.say(
        f"{told['rows']:,} rows: {told['posted']:,} {'would be ' if dry_run else ''}posted as of {told['received_on']}, {told['repeated']:,} known before, {told['refused']:,} refused; "
        f"{told['unmatched']:,} have no loan; {told['money_fen'] / 100:,.2f} yuan of money"
    )
    if told["refused"] and not dry_run:
        said.note("rows-refused", f"{told['refused']:,} rows were refused; {book}/quarantine/{told['number']:05d}.parquet says which and why.")
    return 0


def close(
    book: BookOption,
    to: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day to be closed; those before it that are open are closed with it.", show_default=False)],
    workers: Workers = None,
    dry_run: DryRun = False,
) -> int:
    """Close business days: what fell due, what it was paid with, what penalty grew, into the ledger. Three missed nights are three nights."""
    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.reports import console
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.close import close as shut

    said, opened = console.current(), Book.open(book)
    if dry_run:
        said.say(f"would close {opened.today} to {as_date(to, '--to')}")
        return 0
    with only_writer(book, said):
        told = shut(Book.open(book), as_date(to, "--to"), as_workers(workers))
    said.say(f"{told['from']} to {told['to']}: {told['entries']:,} entries over {told['loans']:,} loans")
    if told["exceptions"]:
        said.note("set-aside", f"{told['exceptions']:,} events or loans were set aside; {book}/exceptions.parquet says which and why.")
    said.next_step(f"qqloan servicing state --book {book} --at {told['to']} --out state.parquet")
    return 0


def state(
    book: BookOption,
    at: Annotated[str, typer.Option("--at", metavar="DATE", help="The day that is asked for.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="A Parquet file, one row a loan.", show_default=False)],
    known_at: Annotated[Optional[str], typer.Option("--known-at", metavar="DATE", help="As it was known at the end of this day (default: now).", show_default=False)] = None,
    workers: Workers = None,
) -> int:
    """Every loan as it stands at the end of a day, and beside it what was said on the day itself."""
    import os

    from qqloan_cli.reports import console
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.state import write_state

    known = as_date(known_at, "--known-at") if known_at else None
    rows = write_state(Book.open(book), as_date(at, "--at"), known, Path(os.path.abspath(out)), as_workers(workers))
    console.current().say(f"{rows:,} loans at {at} in {out}")
    return 0


def panel(
    book: BookOption,
    to: Annotated[str, typer.Option("--to", metavar="DATE", help="Months that end by then.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="A Parquet file, a row a loan and month.", show_default=False)],
    since: Annotated[Optional[str], typer.Option("--from", metavar="DATE", help="Months that end from then on (default: all).", show_default=False)] = None,
    workers: Workers = None,
) -> int:
    """Every loan at the end of every month, as it is known now: what portfolio measures are taken of."""
    import datetime
    import os

    from qqloan_cli.reports import console
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.panel import write_panel

    opened = Book.open(book)
    first = as_date(since, "--from") if since else datetime.date.fromisoformat(opened.document["opened_on"])
    rows = write_panel(opened, first, as_date(to, "--to"), Path(os.path.abspath(out)), as_workers(workers))
    said = console.current()
    said.say(f"{rows:,} loans and months in {out}")
    said.next_step(f"qqloan servicing measure {out} --measure rolls")
    return 0


def measure(
    files: Annotated[list[Path], typer.Argument(metavar="PANEL", help="A panel of ours, or any Parquet or CSV with loan_id, month, dpd and, where known, balance_fen and drawn_on.", show_default=False)],
    measure: Annotated[str, typer.Option("--measure", "-m", help="ageing, rolls, transitions, vintages, early or cures.")] = "ageing",
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
) -> int:
    """Ageing, roll rates, a year's moves between buckets, vintages, early defaults and cures of a portfolio."""
    from qqloan_cli.reports import formats
    from qqloan_cli.servicing.measures import measure as taken

    formats.known(format, formats.FORMATS)
    formats.emit(taken(files, measure), format, measure.capitalize())
    return 0


def portfolio(
    book: BookOption,
    at: Annotated[str, typer.Option("--at", metavar="DATE", help="The day that is asked for.", show_default=False)],
    view: Annotated[Optional[str], typer.Option("--view", help="classes, stages, concentration or yields (default: all, as table or json).", show_default=False)] = None,
    format: Annotated[str, typer.Option("--format", help="table or json; of one view also jsonl, csv, parquet.")] = "table",
    workers: Workers = None,
) -> int:
    """A book as it stands: the five classes and their provisions, stages and expected loss, concentration, and what each month yielded."""
    from qqloan_cli.errors import UsageError
    from qqloan_cli.reports import formats
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.portfolio import VIEWS
    from qqloan_cli.servicing.portfolio import portfolio as standing

    formats.known(format, formats.FORMATS if view else ("table", "json"))
    if view is not None and view not in VIEWS:
        raise UsageError("view-unknown", f"there is no view {view}", "--view", f"There are: {', '.join(VIEWS)}.")
    found = standing(Book.open(book), as_date(at, "--at"), as_workers(workers))
    if view:
        formats.emit(found[view], format, view.capitalize())
    elif format == "json":
        formats.document({"at": at, **{name: table.to_pylist() for name, table in found.items()}})
    else:
        for name, table in found.items():
            formats.emit(table, format, name.capitalize())
    return 0


def claims(
    book: BookOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="A CSV file of events, to be posted.", show_default=False)],
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
    workers: Workers = None,
) -> int:
    """Loans so late, at the last close, that a guarantor is to pay their funders, or they are to be bought back: a file to be posted."""
    import os

    from qqloan_cli.reports import console, formats
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.claims import write_claims

    formats.known(format, formats.FORMATS)
    formats.emit(write_claims(Book.open(book), Path(os.path.abspath(out)), as_workers(workers)), format, "Claims")
    console.current().next_step(f"qqloan servicing post {out} --book {book}")
    return 0


def settle(
    book: BookOption,
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="First day of the period.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="DATE", help="Its last day.", show_default=False)],
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
) -> int:
    """What each source of funds is to have of what was booked in a period, to the fen; statements of periods add up."""
    from qqloan_cli.reports import formats
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.settle import settle as settled

    formats.known(format, formats.FORMATS)
    formats.emit(settled(Book.open(book), as_date(since, "--from"), as_date(to, "--to")), format, f"Settlement of {since} to {to}")
    return 0


def reconcile(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="What a payment channel or a funder says came in.", show_default=False)],
    book: BookOption,
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="First day of the period.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="DATE", help="Its last day.", show_default=False)],
    funder: Annotated[Optional[str], typer.Option("--funder", help="The source whose statement it is, loan by loan; without it the files are a payment channel's events.", show_default=False)] = None,
    source: Source = None,
    config: Config = None,
    fail_on_breaks: Annotated[bool, typer.Option("--fail-on", help="Exit 1 where there is a difference.")] = False,
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
) -> int:
    """The book's money against a channel's events or a funder's statement: every difference, its age, and why where the book knows it."""
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.reconcile import reconcile as held_against
    from qqloan_cli.servicing.reconcile_funder import reconcile_funder

    formats.known(format, formats.FORMATS)
    period = as_date(since, "--from"), as_date(to, "--to")
    if funder:
        told, rows = reconcile_funder(Book.open(book), files, funder, *period, config_dir(config), source)
    else:
        told, rows = held_against(Book.open(book), files, *period, config_dir(config), source)
    formats.emit(rows, format, "Differences")
    console.current().say(f"{told['breaks']:,} differences; the book has {told['difference_fen'] / 100:+,.2f} yuan more than the file; {told['file_rows_refused']:,} rows of the file could not be read")
    return 1 if fail_on_breaks and told["breaks"] else 0


app = group("servicing", "A book of loans after the money left: runs opened into it, events posted, days closed, states on any date.", open, post, close, state, panel, measure, portfolio, claims, settle, reconcile)
