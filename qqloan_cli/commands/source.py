"""qqloan source: what a mapping would make of a lender's files, a first mapping for files that none knows, the list of them; and what each
source of data is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, List, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, RunArgument, Source, Workers, as_workers

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="A lender's file, or all of them: files, folders, globs.", show_default=False)]
Format = Annotated[str, typer.Option("--format", help="table or json.")]


def check(files: Files, source: Source = None, config: Config = None, format: Format = "table") -> int:
    """Read a lender's files through their mapping and say what would come in: rows, refusals and why, money in and out. Writes nothing."""
    from qqloan_cli.intake.check import check as look
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats, sources

    formats.known(format)
    found = look(files, config_dir(config), source)
    sources.show_check(found, format)
    others = "" if "applicants" in found["inputs"] else "APPLICANTS "
    console.current().next_step(f"qqloan run {others}{' '.join(map(str, files))} --out RUN --as-of DATE")
    return 0


def draft(file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that no mapping knows.", show_default=False)]) -> int:
    """Write a first mapping for a file, to be read and mended: redirect it to configs/sources/NAME.toml."""
    from qqloan_cli.intake.draft import draft as write
    from qqloan_cli.reports import console

    print(write(file), end="")
    console.current().next_step(f"save it as configs/sources/NAME.toml, then qqloan source check {file} --source NAME")
    return 0


def list(config: Config = None, format: Format = "table") -> int:
    """Every mapping: its files, how they are recognised, what they bring."""
    from qqloan_cli.intake.check import catalogue
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import formats, sources

    formats.known(format)
    sources.show_list(catalogue(config_dir(config)), format)
    return 0


def worth(
    run: RunArgument,
    source: Annotated[Optional[List[str]], typer.Option("--source", metavar="NAME", help="Of configs/worth.toml; several times for several (default: every one, and all together).", show_default=False)] = None,
    outcomes: Annotated[Optional[Path], typer.Option("--outcomes", metavar="FILE", help="application_id, bad: how well pd ranks with each source and without.", show_default=False)] = None,
    sample: Annotated[Optional[int], typer.Option("--sample", metavar="N", help="So many applicants of the run, by a hash: figures get intervals.", show_default=False)] = None,
    changes: Annotated[Optional[Path], typer.Option("--changes", metavar="FILE", help="Write what each source moved, application by application: .parquet, .csv, .jsonl, .json or .xlsx.", show_default=False)] = None,
    config: Config = None,
    workers: Workers = None,
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
) -> int:
    """What each source of data is worth: its cost, and the decisions, loss and margin that it moves, measured by leaving it out."""
    from qqloan_cli.engine.run import Run
    from qqloan_cli.oversight.worth import worth as measured
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats, worth as report

    formats.known(format, formats.FORMATS)
    said = console.current()
    found = measured(Run.open(run), config_dir(config), source or [], outcomes, sample, as_workers(workers), said)
    said.close()
    for ref, text in found.notes:
        said.note(ref, text)
    if changes:
        formats.write(found.changes, changes)
    report.show(found.table, found.told, format)
    return 0


app = group("source", "Mappings of a lender's files, and what each source of data is worth.", check, draft, list, worth)
