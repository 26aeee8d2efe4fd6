"""The steps of a batch. Each is called in a process of its own, which begins clean, may fork workers, and gives all its memory back; each may
be done again after it was killed at any moment: what it leaves is named by its content, or stands whole under its name or not at all.
"""

from __future__ import annotations

import datetime
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from qqloan_cli.engine.events import Events
from qqloan_cli.errors import InputError, UsageError


@dataclass(frozen=True)
class Wanted:
    """What is to be done with every batch. ``history``: how many earlier runs each is decided beside; ``earlier``: how many the monitor holds
    it against. ``sinks``: names in monitor.toml, or none for those that are on. ``report``: called with the runs, the latest first, the book or None, the configuration folder and a
    path, it leaves a page there; ``pages`` is the folder for it."""

    runs: Path
    archive: Path
    alerts: Path
    book: Path | None = None
    source: str | None = None
    config: Path | None = None
    policies: Path | None = None
    draft: bool = False
    max_quarantine: float | None = None
    workers: int = 1
    history: int = 0
    earlier: int = 30
    sign: Path | None = None
    encrypt_to: str | None = None
    sinks: list[str] = field(default_factory=list)
    pages: Path | None = None
    report: Callable[[list[Path], Path | None, Path, Path], None] | None = None


class Notes:
    """Of what a chain says while it works, what is worth a line in a log."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def started(self, stage: str, total: int) -> None:
        pass

    def advanced(self, stage: str, rows: int) -> None:
        pass

    def finished(self, stage: str, rows_in: int, rows_out: int, seconds: float, memory_mb: int) -> None:
        pass

    def note(self, ref: str, text: str) -> None:
        self._events.note(ref, text)

    def close(self) -> None:
        self._events.close()


def run(wanted: Wanted, batch: str, files: Path, as_of: datetime.date, digests: frozenset[str], events: Events) -> dict:
    """The chain, as ``qqloan run`` takes it. ``digests``: of the batch's files, that what was read is held against."""
    from qqloan_cli.engine.files import remove
    from qqloan_cli.engine.run import Run
    from qqloan_cli.making import begin

    out, started = wanted.runs / batch, time.perf_counter()
    if out.exists():
        made = Run.open(out)
        if made.as_of != as_of or not _read_of(made, digests):
            raise UsageError("run-of-another", "a run of other files stands where this batch's is to be", str(out), "Move it elsewhere and put the batch into the inbox again.")
    else:
        asked = {
            "source": wanted.source, "config": wanted.config, "history": [path for path, _ in earlier(wanted.runs, as_of, batch, wanted.history)],
            "max_quarantine": wanted.max_quarantine, "workers": wanted.workers, "policies": wanted.policies, "draft": wanted.draft, "events": Notes(events),
        }
        try:
            made = begin([files], out, as_of, resume=True, **asked)
        except UsageError as error:
            if error.ref != "resume-differs":  # begun under another configuration or version, or beside other runs
                raise
            made = begin([files], out, as_of, resume=False, **asked)
        if not _read_of(made, digests):
            remove(out)
            raise InputError("batch-changed", "a file of the batch was still being written while it was read", batch, "Drop it again when it is whole; a marker file says so.")
    counts = made.document["counts"].get("applicants", {})
    return {
        "run": batch, "run_id": made.run_id, "applications": counts.get("accepted", 0), "refused_rows": sum(count["refused"] for count in made.document["counts"].values()),
        "decisions": _decisions(made), "seconds": round(time.perf_counter() - started, 2),
    }


def _read_of(run, digests: frozenset[str]) -> bool:
    return {given["sha256"] for given in run.document["inputs"]} <= digests


def _decisions(run) -> dict[str, int]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found = pc.value_counts(pq.read_table(run.file("decisions"), columns=["decision"]).column("decision")).to_pylist()
    return {row["values"]: row["counts"] for row in sorted(found, key=lambda row: row["values"])}


def earlier(runs: Path, as_of: datetime.date, but: str, most: int) -> list[tuple[Path, str]]:
    """(folder, run_id) of the last whole runs up to a date, the latest last, each content once."""
    from qqloan_cli.engine.run import Run

    found: dict[str, tuple] = {}
    for path in sorted(runs.glob("*/run.json")) if most else []:
        if not path.parent.name.startswith(".") and path.parent.name != but:
            other = Run.open(path.parent)
            if other.as_of <= as_of and other.document.get("digests"):
                found.setdefault(other.run_id, (other.as_of, path.parent.name, path.parent, other.run_id))
    return [(path, run_id) for *_, path, run_id in sorted(found.values())[-most:]]


def seal(wanted: Wanted, batch: str, events: Events) -> dict:
    from qqloan_cli.archive.seal import seal as put

    sealed = put(wanted.runs / batch, wanted.archive, wanted.sign, Notes(events), wanted.encrypt_to)
    return {"entry": sealed.entry.sequence, "manifest_sha256": sealed.entry.digest}


def open_into_book(wanted: Wanted, batch: str, events: Events) -> dict:
    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.engine.run import Run
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.open import open_run

    made = Run.open(wanted.runs / batch)
    with only_writer(wanted.book, Notes(events)):
        try:
            told = open_run(made, wanted.book)
        except UsageError as error:
            if error.ref != "run-in-book":  # by us, who were killed before it was said
                raise
            told = next(opened for opened in Book.open(wanted.book).document["opens"] if opened["run_id"] == made.run_id)
    return {"loans": told["loans"], "opened_on": told["opened_on"]}


def monitor(wanted: Wanted, batch: str, events: Events) -> dict:
    """The run held against those before it, and whoever is to know told. A sink that cannot be reached is said and tried again with the next
    batch; it holds up nothing."""
    from qqloan_cli.engine.run import Run

    made = Run.open(wanted.runs / batch)
    beside = [path for path, run_id in earlier(wanted.runs, made.as_of, batch, wanted.earlier) if run_id != made.run_id]
    looked, told = looked_at(wanted, [*beside, made.root], events)
    by_sink, severities = Counter(message["sink"] for message in told.sent), looked.alerts.column("severity").to_pylist()
    return {
        "alerts": {name: severities.count(name) for name in ("red", "amber")}, "sent": dict(sorted(by_sink.items())), "not_sent": [failed["sink"] for failed in told.failed],
    }


def looked_at(wanted: Wanted, runs: list[Path], events: Events) -> tuple:
    """(Looked, Told) of these runs and the book."""
    from qqloan_cli.engine.run import Run
    from qqloan_cli.oversight.monitor import look
    from qqloan_cli.oversight.sight import Sight
    from qqloan_cli.oversight.sinks import deliver
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.monitor import load_monitoring

    policy = load_monitoring(config_dir(wanted.config))
    with Sight([Run.open(path) for path in runs], closed(wanted.book), workers=wanted.workers) as sight:
        looked = look(sight, policy, archive=wanted.archive if (wanted.archive / "chain").is_dir() else None)
        day = max([*sight.dates[:1], *([sight.at] if sight.at else [])])
    told = deliver(looked.alerts, day, policy.sinks(wanted.sinks), wanted.alerts, policy.remind_after_days, looked.undecided)
    if told.late:
        events.note("alerts-late", f"alerts were told as of {told.late}, past {day}: nobody is told of these")
    for failed in told.failed:
        events.note("alert-waits", f"{failed['sink']} could not be told: {failed['why']}; it is tried again with the next batch")
    return looked, told


def report(wanted: Wanted, batch: str, events: Events) -> dict:
    from qqloan_cli.engine.run import Run
    from qqloan_cli.policy.home import config_dir

    made = Run.open(wanted.runs / batch)
    runs = [made.root, *(path for path, run_id in reversed(earlier(wanted.runs, made.as_of, batch, wanted.earlier)) if run_id != made.run_id)]
    book = closed(wanted.book)
    page = wanted.pages / f"{batch}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    wanted.report(runs, book.root if book else None, config_dir(wanted.config), page)
    return {"page": page.name}


def closed(book: Path | None):
    """The book where a day of it is closed: before, nothing can be said of it."""
    from qqloan_cli.servicing.book import Book

    if book is None or not (book / "book.json").is_file():
        return None
    found = Book.open(book)
    return found if found.closed_to else None
