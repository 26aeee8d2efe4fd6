"""qqloan report: what a risk team reads every morning, as a page, on the terminal or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, Workers, as_date, as_workers
from qqloan_cli.errors import UsageError

BookOption = Annotated[Optional[Path], typer.Option("--book", help="A book's folder: loans, their ageing, the reserve.", show_default=False)]
At = Annotated[Optional[str], typer.Option("--at", metavar="DATE", help="The book's day (default: the last that is closed).", show_default=False)]


def nightly(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs; those of the latest date are reported on, the others are what they are held against.", show_default=False)],
    book: BookOption = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Write the report as one HTML file.", show_default=False)] = None,
    at: At = None,
    outcomes: Annotated[Optional[Path], typer.Option("--outcomes", metavar="FILE", help="What became of the runs' applications, as qqloan monitor takes it.", show_default=False)] = None,
    archive: Annotated[Optional[Path], typer.Option("--archive", help="Where the runs are sealed: people's decisions on referred applications.", show_default=False)] = None,
    notices: Annotated[Optional[list[Path]], typer.Option("--notices", metavar="DIR", help="Letters that were written (qqloan notice --as parquet); repeatable.", show_default=False)] = None,
    lang: Annotated[str, typer.Option("--lang", help="en or zh.", envvar="QQLOAN_LANG")] = "en",
    config: Config = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    workers: Workers = None,
) -> int:
    """The nightly risk report: what changed, what is amber or red, what to do; then every figure, with the SQL that gave it."""
    from qqloan_cli.engine.files import write_text
    from qqloan_cli.oversight.nightly import Beside
    from qqloan_cli.oversight.nightly import nightly as looked_at
    from qqloan_cli.oversight.sight import Sight
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats, nightly_page

    if lang not in ("en", "zh"):
        raise UsageError("lang-unknown", f"--lang {lang} is not known", hint="Use en or zh.")
    formats.known(format)
    day = as_date(at, "--at") if at else None
    with Sight.of(runs, book, day, as_workers(workers), threads=2) as sight:
        found = looked_at(sight, config_dir(config), Beside(outcomes, archive, notices or []))
    for note in found["notes"]:
        console.current().note(note["ref"], note["text"])
    if out is not None:
        write_text(out, nightly_page.html(found, lang))
    if format == "json":
        formats.document(found)
    else:
        nightly_page.show(found, lang)
    if out is not None:
        console.current().say(f"{out} has the whole report")
    return 0


def figure(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A figure of the nightly report, e.g. vintages.", show_default=False)],
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="As of nightly.", show_default=False)],
    book: BookOption = None,
    at: At = None,
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
    workers: Workers = None,
) -> int:
    """One figure of the nightly report, by its name."""
    from qqloan_cli.oversight import figures
    from qqloan_cli.oversight.sight import Sight
    from qqloan_cli.reports import formats

    formats.known(format, formats.FORMATS)
    figures.sql(name)
    day = as_date(at, "--at") if at else None
    with Sight.of(runs, book, day, as_workers(workers), threads=2) as sight:
        figures.prepare(sight, name)
        formats.emit(figures.take(sight, name), format, name.replace("_", " ").capitalize())
    return 0


app = group("report", "Reports for the risk team: the whole night, or one figure of it.", nightly, figure)
