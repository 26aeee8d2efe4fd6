"""A lender's night: what came in is decided, what happened to loans posted, the day closed, and whoever is to know told.

A step that fails leaves out what must not be done without it, and no more: a day is not closed before its runs and events are in the book, for
its loans would be late that are not; but what stands is looked at and reported on whatever happened.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.engine.workers import Apart
from qqloan_cli.errors import QqloanError, UndeliveredError, unexpected
from qqloan_cli.oversight.inbox.batch import Asked
from qqloan_cli.oversight.inbox.steps import Notes, Wanted, closed, earlier, looked_at
from qqloan_cli.oversight.inbox.watch import watching


class Failed(NamedTuple):
    step: str
    error: QqloanError


class Told(NamedTuple):
    """``refused``: batches that were set aside tonight. ``worst``: green, amber or red; None where nothing was looked at. ``page``: the report."""

    failed: list[Failed]
    refused: list[str]
    worst: str | None
    page: Path | None


def night(inbox: Path | None, state: Path | None, asked: Asked, settle: float | None, every: float, events_in: list[Path], day: datetime.date, said) -> Told:
    """``day``: the last day to be closed. ``events_in``: files of repayments and other events. Raises nothing that a step ended in."""
    wanted, failed, refused = asked.wanted, [], []
    if inbox is not None:
        try:
            with watching(inbox, state, asked, settle, said) as watch:
                ended = watch.once(every)
            refused = ended.refused
            failed += [Failed("inbox", error) for error in ended.held.values()]
        except (QqloanError, OSError) as error:
            failed.append(Failed("inbox", error if isinstance(error, QqloanError) else unexpected(error)))
    book = wanted.book
    if book is not None and (book / "book.json").is_file():
        if events_in and not failed:
            _step("post", failed, said, post, wanted, events_in, Notes(said))
        if not failed:
            _step("close", failed, said, close, wanted, day, Notes(said))
    worst = page = None
    if any(wanted.runs.glob("*/run.json")) or (book is not None and (book / "book.json").is_file()):
        if wanted.report is not None and wanted.pages is not None:
            page = _step("report", failed, said, report, wanted, day)
        told = _step("monitor", failed, said, monitor, wanted, Notes(said))
        if told is not None:
            worst, waits = told
            failed += [Failed("monitor", UndeliveredError("alert-undelivered", f"{waits[0]['sink']} could not be told: {waits[0]['why']}", f"{waits[0]['waiting']} waiting", "It is tried again the next time; run this again once that is mended."))] if waits else []
    return Told(failed, refused, worst, page)


def _step(name: str, failed: list[Failed], said, function, *arguments):
    try:
        with Apart(function, *arguments, alone=False) as there:
            told = there.result()
    except (QqloanError, OSError) as error:
        error = error if isinstance(error, QqloanError) else unexpected(error)
        failed.append(Failed(name, error))
        said.note(f"night-{name}-failed", str(error))
        return None
    result, text = told
    said.note(f"night-{name}", text)
    return result


def post(wanted: Wanted, files: list[Path], notes) -> tuple[None, str]:
    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.post import post as put

    with only_writer(wanted.book, notes):
        told = put(Book.open(wanted.book), files, None, config_dir(wanted.config), None)
    return None, f"{told['posted']:,} events posted as of {told['received_on']}, {told['repeated']:,} known before, {told['refused']:,} refused, {told['unmatched']:,} without a loan"


def close(wanted: Wanted, day: datetime.date, notes) -> tuple[None, str]:
    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.close import close as shut

    with only_writer(wanted.book, notes):
        book = Book.open(wanted.book)
        if day < book.today:
            return None, f"{day} is closed already" if book.closed_to else f"the book begins on {book.today}: nothing to close"
        told = shut(book, day, wanted.workers)
    return None, f"{told['from']} to {told['to']} closed: {told['entries']:,} entries over {told['loans']:,} loans, {told['exceptions']:,} set aside"


def monitor(wanted: Wanted, notes) -> tuple[tuple[str, list[dict]], str]:
    looked, told = looked_at(wanted, _runs(wanted), notes)
    severities = looked.alerts.column("severity").to_pylist()
    return (looked.worst, told.failed), f"{severities.count('red')} red and {severities.count('amber')} amber alerts; {len(told.sent)} messages sent"


def report(wanted: Wanted, day: datetime.date) -> tuple[Path, str]:
    from qqloan_cli.policy.home import config_dir

    book, page = closed(wanted.book), wanted.pages / f"night-{day}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    wanted.report(list(reversed(_runs(wanted))), book.root if book else None, config_dir(wanted.config), page)
    return page, f"{page.name} has the report"


def _runs(wanted: Wanted) -> list[Path]:
    """The last night's and those that it is held against."""
    return [path for path, _ in earlier(wanted.runs, datetime.date.max, "", wanted.earlier + 1)]
