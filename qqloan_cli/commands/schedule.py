"""qqloan schedule: the night, and the watch of an inbox, for cron or systemd."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config, MaxQuarantine, Policies, Sign, Source
from qqloan_cli.commands.watch import AsOf, Book, Discard, EncryptTo, History, InboxArgument, Journal, MarkerOnly, Pages, Runs, Settle, Sinks, State, To
from qqloan_cli.errors import UsageError

_OF_A_JOB = ("QQLOAN_KEY_FILE", "QQLOAN_MEMORY_MB", "QQLOAN_WORKERS", "QQLOAN_LANG")  # of the environment that it is printed in; no secrets


def schedule(
    inbox: InboxArgument,
    runs: Runs,
    to: To,
    kind: Annotated[str, typer.Option("--kind", help="crontab or systemd.")] = "systemd",
    out: Annotated[Optional[Path], typer.Option("--out", "-o", metavar="DIR", help="Write the files here (default: print them).", show_default=False)] = None,
    time: Annotated[str, typer.Option("--time", metavar="HH:MM", help="When the night begins.")] = "02:15",
    time_zone: Annotated[Optional[str], typer.Option("--time-zone", metavar="ZONE", help="Of that time, and of yesterday: Asia/Shanghai (default: the machine's).", show_default=False)] = None,
    as_it_happens: Annotated[bool, typer.Option("--as-it-happens", help="Watch the inbox all the time, too; the night then closes, reports and tells.")] = False,
    user: Annotated[Optional[str], typer.Option("--user", help="Who runs it (default: qqloan in units; whose crontab it is).", show_default=False)] = None,
    mail: Annotated[Optional[str], typer.Option("--mail", metavar="ADDRESS", help="Who is told when a job fails.", show_default=False)] = None,
    log: Annotated[Optional[Path], typer.Option("--log", metavar="FILE", help="The log of a crontab's jobs (default: qqloan.log beside the runs).", show_default=False)] = None,
    close: Annotated[str, typer.Option("--close", help="The last day to be closed: today or yesterday.")] = "yesterday",
    fail_on: Annotated[Optional[list[str]], typer.Option("--fail-on", metavar="WHAT", help="refused, amber or red: the night ends in 1, and a person is told. Repeatable (default: refused and red).", show_default=False)] = None,
    state: State = None,
    as_of: AsOf = None,
    book: Book = None,
    events: Annotated[Optional[list[Path]], typer.Option("--events", metavar="FILE", help="As of qqloan night.", show_default=False)] = None,
    report: Pages = None,
    settle: Settle = 30.0,
    marker_only: MarkerOnly = False,
    history: History = 0,
    discard: Discard = False,
    sink: Sinks = None,
    journal: Journal = None,
    source: Source = None,
    config: Config = None,
    policies: Policies = None,
    max_quarantine: MaxQuarantine = None,
    sign: Sign = None,
    encrypt_to: EncryptTo = None,
) -> int:
    """Print the nightly job as crontab lines or systemd units: locked, logged, shut off from what it does not need, telling when it fails.

    It calls qqloan night with the same options, every path absolute. Try that by hand first. Units are to be looked at by systemd-analyze verify.
    """
    from qqloan_cli.commands.watch import asked_for, state_of
    from qqloan_cli.engine.files import write_text
    from qqloan_cli.oversight.schedule import KINDS, Plan, mounts, printed
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.monitor import load_monitoring
    from qqloan_cli.reports import console

    said = console.current()
    if kind not in KINDS:
        raise UsageError("schedule-unknown", f"--kind {kind} is not known", hint="Use crontab or systemd.")
    if close not in ("today", "yesterday"):
        raise UsageError("schedule-of-one-day", "a job of every night closes today or yesterday", "--close")
    unknown = sorted(set(fail_on or []) - {"refused", "amber", "red"})
    if unknown:
        raise UsageError("fail-on-unknown", f"--fail-on {unknown[0]} is not known", hint="Use refused, amber or red.")
    kept = state_of(inbox, state).absolute()
    told = (journal or kept / "told.jsonl").absolute()
    asked_for(  # what a job would refuse at night is refused now
        inbox, kept, runs, to, as_of=as_of, book=book, report=report, marker=None, history=history, earlier=30, again=False, discard=discard, sink=sink, journal=told, source=source,
        config=config, policies=policies, draft=False, max_quarantine=max_quarantine, sign=sign, encrypt_to=encrypt_to, workers=None,
    )
    sinks = load_monitoring(config_dir(config)).sinks(sink)
    for one in sinks:
        if any(str(secret).startswith("env:") for secret in (one.secret, one.password, one.url)):
            said.note("secret-of-a-sink", f"sink {one.name} takes a secret from the environment, which a job does not have: name a file in monitor.toml (file:PATH)")
    named = config or (Path(os.environ["QQLOAN_CONFIG"]) if os.environ.get("QQLOAN_CONFIG") else None)
    inputs = [
        *_option("--state", kept), *_option("--as-of", as_of), *(["--settle", f"{settle:g}"] if settle != 30 else []), *(["--marker-only"] if marker_only else []), *(["--discard"] if discard else []),
        *_option("--history", history or None), *_option("--source", source), *_option("--max-quarantine", max_quarantine), *_option("--sign", sign and sign.absolute()),
        *_option("--encrypt-to", encrypt_to and (os.path.abspath(encrypt_to) if Path(encrypt_to).exists() else encrypt_to)), *_option("--policies", policies and policies.absolute()),
    ]
    both = [
        *_option("--runs", runs.absolute()), *_option("--to", to.absolute()), *_option("--book", book and book.absolute()), *_option("--report", report and report.absolute()),
        *_option("--journal", told), *_option("--config", named and named.absolute()), *(word for name in sink or [] for word in ("--sink", name)), "--log-format", "jsonl",
    ]
    of_night = [*_option("--close", close), *(word for file in events or [] for word in ("--events", os.path.abspath(file))), *(word for what in fail_on or ["refused", "red"] for word in ("--fail-on", what))]
    here = inbox.absolute()
    plan = Plan(
        program=_program(), night=["night", *([] if as_it_happens else [str(here), *inputs]), *both, *of_night], watch=["watch", str(here), *inputs, *both] if as_it_happens else None,
        time=time, zone=time_zone, user=user, mail=mail, log=(log or runs.absolute().with_name("qqloan.log")).absolute(), lock=kept.with_name(f".{kept.name}.night"), workdir=Path.cwd(),
        writes=[(here, kept.parent), *((path,) for path in {runs.absolute(), to.absolute().parent, told.parent, *([book.absolute().parent] if book else []), *([report.absolute()] if report else [])})],
        environment={name: os.path.abspath(value) if name == "QQLOAN_KEY_FILE" else value for name in _OF_A_JOB if (value := os.environ.get(name))},
        talks=any(one.kind in ("smtp", "webhook") for one in sinks),
    )
    files = printed(plan, kind)
    if out is None:
        for name, text in files.items():
            print(f"# ---- {name}\n{text}" if len(files) > 1 else text, end="\n" if len(files) > 1 else "")
    else:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_text(out / name, text)
        said.say(f"{', '.join(files)} in {out}")
    missing = [str(path) for path in (mounts(plan.writes) if kind == "systemd" else [here]) if not path.is_dir()]
    if missing:
        said.note("folders-to-be-made", f"before the first night these are to be there, and the job's: {', '.join(missing)}")
    if kind == "systemd" and out is not None:
        said.next_step(f"systemd-analyze verify {out}/*.service {out}/*.timer")
    return 0


def _option(name: str, value) -> list[str]:
    return [] if value is None else [name, str(value)]


def _program() -> list[str]:
    """As this command was called: the installed script, or the module of a checkout."""
    called = Path(sys.argv[0])
    return [str(called.absolute())] if called.name == "qqloan" else [sys.executable, "-m", "qqloan_cli"]
