"""qqloan compliance: every rule of the regulation held against runs and a book, with the rows that break it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, Workers, as_date, as_workers
from qqloan_cli.errors import UsageError

Runs = Annotated[Optional[list[Path]], typer.Argument(metavar="[RUN...]", help="Runs whose decisions are looked at.", show_default=False)]
BookOption = Annotated[Optional[Path], typer.Option("--book", help="A book's folder: its loans are looked at too.", show_default=False)]
At = Annotated[Optional[str], typer.Option("--at", metavar="DATE", help="The day of the check (default: the latest of the runs' dates and the book's last closed day).", show_default=False)]


def check(
    runs: Runs = None,
    book: BookOption = None,
    at: At = None,
    rule: Annotated[Optional[list[str]], typer.Option("--rule", help="Only this rule; repeatable.", show_default=False)] = None,
    rows: Annotated[Optional[Path], typer.Option("--rows", metavar="DIR", help="Write every offending row there, a Parquet file a rule.", show_default=False)] = None,
    notices: Annotated[Optional[Path], typer.Option("--notices", metavar="FILE", help="Letters that were written (qqloan notice --out FILE.parquet).", show_default=False)] = None,
    fail_on: Annotated[Optional[str], typer.Option("--fail-on", help="Exit 1 where a rule is failed, or unknown as well: failed or unknown.", show_default=False)] = None,
    config: Config = None,
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
    workers: Workers = None,
) -> int:
    """Each rule with its document, how sure it is, and whether what stands keeps it: passed, failed, not applicable, or unknown and why."""
    from qqloan_cli.oversight.compliance.check import Law, compliance
    from qqloan_cli.oversight.compliance.letters import written
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import compliance as report
    from qqloan_cli.reports import formats

    formats.known(format, formats.FORMATS)
    if fail_on not in (None, "failed", "unknown"):
        raise UsageError("fail-on-unknown", f"--fail-on {fail_on} is not known", hint="Use failed or unknown.")
    letters = written(notices) if notices else None
    with _sight(runs or [], book, at, as_workers(workers)) as (sight, day):
        found = compliance(sight, Law.of(config_dir(config)), day, rule, letters)
    if rows is not None:
        rows.mkdir(parents=True, exist_ok=True)
        for name, table in found.rows.items():
            formats.write(table, rows / f"{name}.parquet")
    if format == "table":
        report.show(found.rules, found.rows, str(day))
    else:
        formats.emit(found.rules, format)
    statuses = set(found.rules.column("status").to_pylist())
    return 1 if fail_on and statuses & ({"failed"} if fail_on == "failed" else {"failed", "unknown"}) else 0


def _sight(runs: list[Path], book: Path | None, at: str | None, workers: int):
    """What is looked at, and the day of the check."""
    import contextlib

    from qqloan_cli.engine.run import Run
    from qqloan_cli.oversight.sight import Sight
    from qqloan_cli.servicing.book import Book

    if not runs and book is None:
        raise UsageError("compliance-of-what", "neither a run nor a book is named", hint="qqloan compliance RUN --book BOOK")
    day = as_date(at, "--at") if at else None

    @contextlib.contextmanager
    def opened():
        opened_book = Book.open(book) if book else None
        closed = opened_book.closed_to if opened_book else None
        with Sight([Run.open(run) for run in runs], opened_book, min(day, closed) if day and closed else None, workers, threads=2) as sight:
            yield sight, day or max([*sight.dates[:1], *([sight.at] if sight.at else [])])

    return opened()


app = group("compliance", "Every rule of the regulation held against runs and a book.", check, otherwise="check")
