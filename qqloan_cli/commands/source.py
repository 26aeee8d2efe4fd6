"""qqloan source: what a mapping would make of a lender's files, a first mapping for files that none knows, and the list of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, Source

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


app = group("source", "Check or draft a mapping of a lender's files.", check, draft, list)
