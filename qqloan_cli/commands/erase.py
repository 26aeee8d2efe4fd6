"""qqloan erase: takes one person's raw data out of an archive."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from qqloan_cli.commands.options import Sign


def erase(
    applicant: Annotated[str, typer.Argument(metavar="APPLICANT", help="An applicant_id.", show_default=False)],
    archive: Annotated[Path, typer.Option("--from", metavar="ARCHIVE", help="The archive's folder.", show_default=False)],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who erases.", show_default=False)],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="On what ground, in words.", show_default=False)],
    sign: Sign = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """Puts every sealed input that holds the person's rows again without them, and chains that it was done. Decisions, counts and the
    chain stay as they were. Runs and files that lie elsewhere are not touched."""
    from qqloan_cli.archive.erase import erase as take
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.reports import console, formats

    formats.known(format)
    with tempfile.TemporaryDirectory(prefix="qqloan-erase-") as scratch:
        found = take(Archive.open(archive).root, applicant, Path(scratch), by, why, datetime.datetime.now(), sign)
    if format == "json":
        formats.document({"entry": found.entry.sequence, "runs": found.runs, "rows": found.rows, "files": found.files})
    else:
        formats.draw(["input", "rows erased"], [[table, f"{rows:,}"] for table, rows in found.rows.items()], f"Entry {found.entry.sequence}, {len(found.runs)} runs", [False, True])
    console.current().say(f"{sum(found.rows.values()):,} rows erased from {len(found.runs)} runs, chained as entry {found.entry.sequence}; runs and files outside {archive} are not touched")
    return 0
