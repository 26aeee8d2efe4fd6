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
    notices: Annotated[Optional[list[Path]], typer.Option("--notices", metavar="DIR", help="Letters that were written (qqloan notice --as parquet); repeatable.", show_default=False)] = None,
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


def impact(
    runs: Runs = None,
    rule: Annotated[str, typer.Option("--rule", metavar="FILE|ID", help="A TOML file of rules to come, or the id of one in configs/regulation/.", show_default=False)] = "",
    book: BookOption = None,
    at: Annotated[Optional[str], typer.Option("--at", metavar="DATE", help="The day whose LPR a cap hangs on, and on which the book is seen (default: the latest in sight).", show_default=False)] = None,
    own_dates: Annotated[bool, typer.Option("--own-dates", help="Hold each contract against the cap that its own day's LPR would have set.")] = False,
    lpr: Annotated[Optional[float], typer.Option("--lpr", metavar="PERCENT", min=0.01, max=50, help="Take this one-year LPR, e.g. 2.8.", show_default=False)] = None,
    redecide: Annotated[Optional[Path], typer.Option("--redecide", metavar="ARCHIVE", help="Decide the runs anew too, as they are sealed there, with the rule in force: exact, funding and all.", show_default=False)] = None,
    view: Annotated[str, typer.Option("--view", help="groups, months or contracts: for jsonl, csv and parquet.")] = "groups",
    rows: Annotated[Optional[Path], typer.Option("--rows", metavar="FILE", help="Write everything that would break it there: .parquet, .csv, .xlsx, .jsonl.", show_default=False)] = None,
    config: Config = None,
    lang: Annotated[str, typer.Option("--lang", help="en or zh.", envvar="QQLOAN_LANG")] = "en",
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
    workers: Workers = None,
) -> int:
    """What a coming rule would do to approvals and to the book as they stand: how much would break it, what prices would be cut to, the
    interest forgone, the margin left, and who would no longer be worth lending to."""
    from decimal import Decimal

    from qqloan_cli.oversight.compliance.impact import VIEWS, impact as looked_at
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats
    from qqloan_cli.reports import impact as report

    formats.known(format, formats.FORMATS)
    if lang not in ("en", "zh"):
        raise UsageError("lang-unknown", f"--lang {lang} is not known", hint="Use en or zh.")
    if view not in VIEWS:
        raise UsageError("view-unknown", f"there is no view {view}", "--view", f"There are: {', '.join(VIEWS)}.")
    if not rule:
        raise UsageError("impact-of-what", "no rule is named", "--rule", "qqloan compliance impact RUN --rule FILE.toml, or an id such as rate.micro4lpr.")
    said, policy, anew = console.current(), config_dir(config), None
    with _sight(runs or [], book, at, as_workers(workers)) as (sight, day):
        found = looked_at(sight, rule, policy, day, own_dates, None if lpr is None else Decimal(str(lpr)))
        if redecide is not None:
            anew = _anew(redecide, sight.runs, rule, policy, found.rules, as_workers(workers))
    for ref, text in found.notes:
        said.note(ref, text)
    said.close()
    if rows is not None:
        formats.write(found.views["contracts"], rows)
    if format == "table":
        report.show(found, lang)
        if anew:
            from qqloan_cli.reports import swapped

            swapped.show(anew)
    elif format == "json":
        formats.document({"day": found.day, "rules": found.rules, **{name: table.to_pylist() for name, table in found.views.items() if name != "contracts" or view == name}, **({"redecided": anew} if anew else {})})
    else:
        formats.emit(found.views[view], format)
    return 0


def _anew(archive: Path, runs: list, rule: str, policy: Path, told: list[dict], workers: int) -> list[dict]:
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.oversight.compliance.impact import coming
    from qqloan_cli.oversight.compliance.impact_anew import anew
    from qqloan_cli.reports import console

    return anew(Archive.open(archive), runs, coming(rule, policy), {one["id"]: None if one["cap"] is None else round(one["cap"] * 1e6) for one in told}, workers, console.current())


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


app = group("compliance", "Every rule of the regulation held against runs and a book; what a coming one would do.", check, impact, otherwise="check")
