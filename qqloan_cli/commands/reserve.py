"""qqloan reserve: the risk reserve pool of a book, projected by Monte Carlo over its own roll rates, and its liquidity ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config, Workers, as_date, as_workers


def reserve(
    book: Annotated[Optional[Path], typer.Option("--book", help="A book's folder.", show_default=False)] = None,
    at: Annotated[Optional[str], typer.Option("--at", metavar="DATE", help="The day from which it is projected (default: the last that is closed).", show_default=False)] = None,
    panel: Annotated[Optional[list[Path]], typer.Option("--panel", help="A panel that is written already (qqloan servicing panel), or any lender's, also without --book; repeatable.", show_default=False)] = None,
    view: Annotated[str, typer.Option("--view", help="summary, months, pool (its history) or ladder.")] = "summary",
    scenario: Annotated[Optional[list[str]], typer.Option("--scenario", "-s", help="A scenario of reserve.toml; repeatable (default: all).", show_default=False)] = None,
    paths: Annotated[int, typer.Option("--paths", min=1, max=1_000_000, help="Ways that the book may go, for each scenario.")] = 10_000,
    months: Annotated[int, typer.Option("--months", min=1, max=120, help="Months looked ahead.")] = 12,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same figures.")] = 1,
    target: Annotated[float, typer.Option("--target", min=0, max=1, help="How probable it is to be that the pool lasts, for the contribution that is needed.")] = 0.99,
    config: Config = None,
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
    workers: Workers = None,
) -> int:
    """The risk reserve pool: its history, losses to come with their quantiles, coverage, chance of exhaustion, the contribution it takes, and the liquidity ladder."""
    from qqloan_cli.errors import UsageError
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.reserve.project import VIEWS, Asked, project

    formats.known(format, formats.FORMATS)
    if view not in VIEWS:
        raise UsageError("view-unknown", f"there is no view {view}", "--view", f"There are: {', '.join(VIEWS)}.")
    if book is None and not panel:
        raise UsageError("reserve-of-what", "neither a book nor a panel is named", "--book", "qqloan reserve --book BOOK, or --panel PANEL.")
    day = as_date(at, "--at") if at else None
    opened, policy = Book.open(book) if book else None, config_dir(config)
    if view == "pool":
        formats.emit(_history(opened, day, policy), format, "Pool")
        return 0
    found = project(Asked(policy, opened, panel or [], day, scenario or [], months, paths, seed, target, as_workers(workers)), view == "ladder")
    for ref, text in found.notes:
        console.current().note(ref, text)
    table = found.view(view)
    if view == "summary" and format == "table":
        names = [name for name in table.column_names if name != "scenario"]
        told = {row["scenario"]: row for row in table.to_pylist()}
        formats.draw(["", *told], [[name, *("-" if row[name] is None else str(row[name]) for row in told.values())] for name in names], "Reserve", [False, *(True for _ in told)])
    else:
        formats.emit(table, format, view.capitalize())
    return 0


def _history(book, day, policy: Path):
    from qqloan_cli.engine.session import connect
    from qqloan_cli.errors import UsageError
    from qqloan_cli.servicing.reserve.pool import history

    day = day or (book.closed_to if book else None)
    if day is None:
        raise UsageError("pool-without-book", "a pool's history is of a book with a closed day", "--book", "qqloan servicing close --book BOOK --to DATE closes one.")
    con = connect(2)
    try:
        return history(con, book, day, policy)
    finally:
        con.close()
