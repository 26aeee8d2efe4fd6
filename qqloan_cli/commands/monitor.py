"""qqloan monitor: what stands out on the latest date, and who is told of it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config, DryRun, Workers, as_date, as_workers
from qqloan_cli.errors import UsageError

VIEWS = ("alerts", "measures")
SEVERITIES = ("amber", "red")


def monitor(
    runs: Annotated[Optional[list[Path]], typer.Argument(metavar="RUN", help="Runs, or folders of runs: those of the latest date are looked at, the earlier ones are what they are held against.", show_default=False)] = None,
    book: Annotated[Optional[Path], typer.Option("--book", help="The book of the loans: lateness, ledger, early and matured outcomes.", show_default=False)] = None,
    at: Annotated[Optional[str], typer.Option("--at", metavar="DATE", help="The day on which the book is seen (default: the last that is closed).", show_default=False)] = None,
    outcomes: Annotated[Optional[Path], typer.Option("--outcomes", metavar="FILE", help="What became of the runs' applications: application_id or applicant_id, bad, perhaps observed_at.", show_default=False)] = None,
    archive: Annotated[Optional[Path], typer.Option("--archive", help="Where the runs are sealed: people's decisions on referred applications.", show_default=False)] = None,
    journal: Annotated[Optional[Path], typer.Option("--journal", metavar="FILE", help="Tell the sinks of monitor.toml that are on, and remember here what they were told.", show_default=False)] = None,
    sink: Annotated[Optional[list[str]], typer.Option("--sink", metavar="NAME", help="Tell this sink alone; repeatable.", show_default=False)] = None,
    fail_on: Annotated[Optional[str], typer.Option("--fail-on", metavar="SEVERITY", help="amber or red: exit with 1 where something is that bad.", show_default=False)] = None,
    view: Annotated[str, typer.Option("--view", help="alerts or measures.")] = "alerts",
    lang: Annotated[str, typer.Option("--lang", help="en or zh, of the table.", envvar="QQLOAN_LANG")] = "en",
    config: Config = None,
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
    workers: Workers = None,
    dry_run: DryRun = False,
) -> int:
    """Drift against the model and the earlier runs, calibration, losses to come, rates, feeds, the book: in amber and red, and told to sinks.

    Series are tested by e-processes, which may be looked at every night: over the whole series a false alarm has at most the chance that
    monitor.toml allows (amber 5 %, red 1 %, all tests together), where testing each night at 5 % is sure of one within months.
    """
    from qqloan_cli.errors import Findings, UndeliveredError
    from qqloan_cli.oversight.monitor import look
    from qqloan_cli.oversight.sight import Sight
    from qqloan_cli.oversight.sinks import deliver, preview
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.monitor import load_monitoring
    from qqloan_cli.reports import console, formats
    from qqloan_cli.reports import monitor as report
    from qqloan_cli.servicing.book import Book

    said = console.current()
    formats.known(format, formats.FORMATS)
    if view not in VIEWS:
        raise UsageError("view-unknown", f"there is no view {view}", "--view", f"There are: {', '.join(VIEWS)}.")
    if lang not in ("en", "zh"):
        raise UsageError("lang-unknown", f"--lang {lang} is not known", hint="Use en or zh.")
    if outcomes is not None and not runs:
        raise UsageError("outcomes-without-runs", "outcomes are held against the runs that decided", "--outcomes", "Name those runs; of a book alone outcomes are seen by themselves.")
    if fail_on is not None and fail_on not in SEVERITIES:
        raise UsageError("severity-unknown", f"there is no severity {fail_on}", "--fail-on", "Use amber or red.")
    if not runs and book is None:
        raise UsageError("monitor-what", "neither a run nor a book is named", "RUN", "qqloan monitor RUN... [--book BOOK]")
    if sink and journal is None and not dry_run:
        raise UsageError("monitor-without-journal", "a sink is told only once, which has to be remembered", "--journal", "Name a file that is kept from night to night.")
    policy = load_monitoring(config_dir(config))
    sinks = policy.sinks(sink) if journal is not None or sink else []
    with Sight(_runs(runs or []), Book.open(book) if book else None, as_date(at, "--at") if at else None, workers=as_workers(workers)) as sight:
        looked = look(sight, policy, outcomes, archive)
        day = sight.dates[0] if sight.runs else sight.at
    if format == "table":
        report.show(looked.measures, looked.alerts, view, lang)
    else:
        formats.emit(getattr(looked, view), format)
    if dry_run:
        for message in preview(looked.alerts, day, sinks, journal, policy.remind_after_days, looked.undecided):
            said.note("would-tell", f"{message['sink']} of {message['alert_id']} ({message['event']})")
    failed = _tell(deliver(looked.alerts, day, sinks, journal, policy.remind_after_days, looked.undecided), day, said) if journal is not None and not dry_run else []
    if failed:
        raise UndeliveredError("alert-undelivered", f"{failed[0]['sink']} could not be told: {failed[0]['why']}", f"{failed[0]['waiting']} waiting", "It is tried again the next time; run this again once that is mended.")
    bad = [severity for severity in looked.alerts.column("severity").to_pylist() if fail_on and SEVERITIES.index(severity) >= SEVERITIES.index(fail_on)]
    if bad:
        raise Findings("alerts-raised", f"{bad.count('red')} red and {bad.count('amber')} amber alerts, as of {day}", "--fail-on " + fail_on, "The table says what to do.")
    return 0


def _runs(named: list[Path]) -> list:
    """The runs that are named, and those in folders that are named; each once."""
    from qqloan_cli.engine.run import Run

    found: dict[Path, None] = {}
    for path in named:
        inside = [] if (path / "run.json").is_file() or not path.is_dir() else sorted(place.parent for place in path.glob("*/run.json") if not place.parent.name.startswith("."))
        for root in inside or [path]:
            found[root.resolve()] = None
    return [Run.open(root) for root in found]


def _tell(told, day: datetime.date, said) -> list[dict]:
    if told.late:
        said.note("alerts-late", f"the journal is at {told.late}, past {day}: nobody is told")
    for message in told.sent:
        said.note("alert-told", f"{message['sink']} of {message['alert_id']} ({message['event']})")
    for failure in told.failed:
        said.note("alert-waits", f"{failure['sink']} could not be told: {failure['why']}; {failure['waiting']} waiting")
    return told.failed
