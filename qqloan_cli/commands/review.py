"""qqloan review: people's decisions on referred applications, chained to the sealed run."""

from __future__ import annotations

import contextlib
import datetime
import tempfile
from pathlib import Path
from typing import Annotated, List, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import ArchiveArgument, AsOf, Sign, Workers, as_date, as_workers
from qqloan_cli.errors import UsageError

RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="A run of it, as qqloan audit lists them.", show_default=False)]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides.", show_default=False)]
Format = Annotated[str, typer.Option("--format", help="table or json.")]


@contextlib.contextmanager
def _opened(archive: Path, run_id: str):
    """(archive, entry, the review policy that the run was sealed with, scratch)."""
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.policy.review import load_review

    store = Archive.open(archive)
    entry = store.find(run_id)
    with tempfile.TemporaryDirectory(prefix="qqloan-review-") as scratch:
        if "config/review.toml" not in entry.files:
            raise UsageError("review-without-policy", "the run was sealed without review.toml", entry.name, "Archive a run whose configuration has one.")
        store.fetch(entry, "config/review.toml", Path(scratch) / "review.toml")
        yield store, entry, load_review(Path(scratch)), Path(scratch)


def list(archive: ArchiveArgument, run_id: RunId, every: Annotated[bool, typer.Option("--all", help="Those that are decided too.")] = False, format: Format = "table") -> int:
    """Who waits for a person, for a second one, and with --all who has been decided."""
    from qqloan_cli.archive.review import cases
    from qqloan_cli.reports import formats
    from qqloan_cli.reports import review as report

    formats.known(format)
    with _opened(archive, run_id) as (store, entry, policy, scratch):
        found = [case._asdict() for case in cases(store, entry, policy, scratch) if every or case.state != "decided"]
    if format == "json":
        formats.document({"run_id": entry.name, "cases": found})
    else:
        report.show_cases(found, entry.name)
    return 0


def show(archive: ArchiveArgument, run_id: RunId, application: Annotated[str, typer.Argument(metavar="APPLICATION", show_default=False)], lang: Annotated[str, typer.Option("--lang", help="en or zh.", envvar="QQLOAN_LANG")] = "en") -> int:
    """The case as qqloan explain shows it, and what has been said of it since."""
    from qqloan_cli.archive.review import cases
    from qqloan_cli.commands.explain import explain
    from qqloan_cli.reports import review as report

    explain(archive, application, None, False, run_id, lang, "table")
    with _opened(archive, run_id) as (store, entry, policy, scratch):
        for case in cases(store, entry, policy, scratch):
            if case.application_id == application:
                report.show_said(case._asdict())
    return 0


def decide(
    archive: ArchiveArgument,
    run_id: RunId,
    application: Annotated[str, typer.Argument(metavar="APPLICATION", show_default=False)],
    decision: Annotated[str, typer.Option("--decision", help="approve or decline.", show_default=False)],
    by: By,
    reason: Annotated[str, typer.Option("--reason", metavar="CODE", help="A reason of configs/review.toml.", show_default=False)],
    text: Annotated[str, typer.Option("--text", help="Why, in words.", show_default=False)],
    amount: Annotated[Optional[int], typer.Option("--amount", metavar="YUAN", min=1, help="With --decision approve.", show_default=False)] = None,
    income: Annotated[Optional[int], typer.Option("--income", metavar="YUAN", min=1, help="Monthly income that was shown to you, with --decision approve.", show_default=False)] = None,
    until: Annotated[Optional[str], typer.Option("--until", metavar="DATE", help="When an exception ends.", show_default=False)] = None,
    sign: Sign = None,
) -> int:
    """Appends what a person decided. Above an amount in configuration a second person must say the same before it counts."""
    from qqloan_cli.archive.review import decide as append
    from qqloan_cli.reports import console

    if decision not in ("approve", "decline"):
        raise UsageError("review-decision", f"{decision!r} is not known", "--decision", "Use approve or decline.")
    with _opened(archive, run_id) as (_, entry, policy, scratch):
        case = append(archive, entry, policy, scratch, application, decision, amount, income, by, reason, text, as_date(until) if until else None, datetime.datetime.now(), sign)
    console.current().say(_stands(case))
    return 0


def _stands(case) -> str:
    amount = f" of {case.amount_fen / 100:,.2f} yuan" if case.amount_fen else ""
    return f"{case.application_id}: {case.decision}{amount}" + (", waits for a second person" if case.state == "second" else "")


def session(archive: ArchiveArgument, run_id: RunId, by: By, lang: Annotated[str, typer.Option("--lang", help="en or zh.", envvar="QQLOAN_LANG")] = "en", sign: Sign = None) -> int:
    """Case after case from the queue: shows it, asks, and appends the answer at once, so that nothing answered is lost whenever it ends."""
    from qqloan_cli.archive.review import cases
    from qqloan_cli.archive.review import decide as append
    from qqloan_cli.reports import console

    said, passed = console.current(), set()
    with _opened(archive, run_id) as (store, entry, policy, scratch):
        while True:
            waiting = [case for case in cases(store, entry, policy, scratch) if case.application_id not in passed and (case.state == "open" or case.state == "second" and all(event["by"] != by for event in case.said))]
            if not waiting:
                said.say("nobody waits for you")
                return 0
            case = waiting[0]
            passed.add(case.application_id)
            show(archive, run_id, case.application_id, lang)
            answer = _ask(f"{len(waiting)} wait. {case.application_id}: (a)pprove, (d)ecline, (s)kip, (q)uit? ")
            if answer in ("q", ""):
                return 0
            if answer not in ("a", "d"):
                continue
            try:
                amount = int(_ask("Amount in yuan? ")) if answer == "a" else None
                shown = _ask("Monthly income that was shown, in yuan (empty: none)? ") if answer == "a" else ""
                income = int(shown) if shown else None
                reason = _ask(f"Reason ({', '.join(policy.reasons)})? ")
                until = _ask("Ends on (date)? ") if reason in policy.reasons and policy.reasons[reason].exception and answer == "a" else ""
                text = _ask("Why, in words? ")
                done = append(archive, entry, policy, scratch, case.application_id, "approve" if answer == "a" else "decline", amount, income, by, reason, text,
                              datetime.date.fromisoformat(until) if until else None, datetime.datetime.now(), sign)
                said.say(_stands(done))
            except (ValueError, UsageError) as error:
                said.say(f"not taken: {error}")
                passed.discard(case.application_id)


def _ask(question: str) -> str:
    """A line of standard input; empty where it has ended."""
    import sys

    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def report(archive: ArchiveArgument, run_id: RunId, outcomes: Annotated[Path, typer.Option("--outcomes", metavar="FILE", help="application_id, bad.", show_default=False)], format: Format = "table") -> int:
    """How people's decisions turned out, by side: approved and declined, exceptions apart, beside what the chain approved by itself."""
    from qqloan_cli.archive.review import cases
    from qqloan_cli.archive.turned_out import turned_out
    from qqloan_cli.reports import formats
    from qqloan_cli.reports import review as drawn

    formats.known(format)
    with _opened(archive, run_id) as (store, entry, policy, scratch):
        rows = turned_out(cases(store, entry, policy, scratch), policy, scratch / "decisions.parquet", outcomes)
    if format == "json":
        formats.document({"run_id": entry.name, "sides": rows})
    else:
        drawn.show_sides(rows, entry.name)
    return 0


def carry(
    archive: ArchiveArgument,
    run_id: RunId,
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="The run to make.", show_default=False)],
    as_of: AsOf,
    history: Annotated[Optional[List[Path]], typer.Option("--history", help="An earlier run: for the cash that it plans to spend. May be repeated.", show_default=False)] = None,
    workers: Workers = None,
    format: Annotated[str, typer.Option("--format", help="The summary as table or json.")] = "table",
) -> int:
    """Carries out what people decided: a run of the applications that they answered, with limit, price, funding and schedules."""
    from qqloan_cli.archive.carry import carry as carried
    from qqloan_cli.reports import console, formats, summary

    formats.known(format)
    said = console.current()
    with _opened(archive, run_id) as (store, entry, policy, scratch):
        made = carried(store, entry, policy, out, as_date(as_of), history or [], scratch, as_workers(workers), said)
    said.close()
    summary.show(made, format)
    said.next_step(f"qqloan archive {out} --to {archive}, so that no answer is carried out twice")
    return 0


app = group("review", "People's decisions on referred applications, chained to the sealed run.", list, show, decide, session, carry, report)
