"""The command table, the options common to all, and the way from an error to an exit code.

Help and completion read this table alone; a command's module is imported when
it is called, and the heavy packages inside the function it calls.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
from typing import Annotated, Callable, NamedTuple

import typer
from typer.core import TyperGroup

from qqloan_cli import process
from qqloan_cli.errors import QqloanError, UsageError


class Entry(NamedTuple):
    name: str
    target: str  # module:function, or module:app for a group of commands
    help: str
    panel: str


UNDERWRITE, SERVICE, OVERSEE, PROVE, LOOK, BUILD, SET_UP = "Underwrite", "Service", "Oversee", "Prove", "Look", "Models", "Set up"

COMMANDS = (
    Entry("run", "run:run", "The whole chain: a lender's files to decisions and a funded plan.", UNDERWRITE),
    Entry("intake", "intake:intake", "Read, map, check and bucket a lender's files: the start of a run.", UNDERWRITE),
    Entry("link", "link:link", "Shared keys, velocity and graph measures of everybody in a run.", UNDERWRITE),
    Entry("verify", "verify:verify", "Identity, consent, duplicates, blocklists.", UNDERWRITE),
    Entry("ingest-income", "ingest_income:ingest_income", "Pay, provident fund and statements into a stable monthly income.", UNDERWRITE),
    Entry("credit", "credit:credit", "Tradelines and inquiries into credit history.", UNDERWRITE),
    Entry("social", "social:social", "Activity and graph into a social score. It informs; it never declines.", UNDERWRITE),
    Entry("score", "score:score", "Probability of default, score, grade and reasons.", UNDERWRITE),
    Entry("limit", "limit:limit", "Rules, limit, price: the decision.", UNDERWRITE),
    Entry("disburse-plan", "disburse_plan:disburse_plan", "Funding, tranches and repayment schedules.", UNDERWRITE),
    Entry("offers", "offers:offers", "What those who were cut or declined could have instead.", UNDERWRITE),
    Entry("notice", "notice:notice", "Letters to applicants: approval, decline, referral; before adverse data is reported.", UNDERWRITE),
    Entry("servicing", "servicing:app", "A book of loans: runs opened, events posted, days closed, the state on any date.", SERVICE),
    Entry("reserve", "reserve:reserve", "The risk reserve pool: its history, its losses to come by Monte Carlo, its liquidity ladder.", SERVICE),
    Entry("review-lines", "review_lines:app", "Credit lines in life: raised, cut, frozen, thawed, ended, every night.", SERVICE),
    Entry("collections", "collections:app", "Who is to be contacted, in which order, by what, and whether one may.", SERVICE),
    Entry("report", "report:app", "The nightly risk report: what changed, what is amber or red, what to do.", OVERSEE),
    Entry("compliance", "compliance:app", "Every rule of the regulation held against runs and a book, with the rows that break it.", OVERSEE),
    Entry("archive", "archive:app", "Seal a run: inputs, configuration, model and every table, chained; holds and retention.", PROVE),
    Entry("audit", "audit:audit", "Verify an archive: every link, every file.", PROVE),
    Entry("replay", "replay:replay", "Work a sealed run, or one application, out again and compare.", PROVE),
    Entry("review", "review:app", "People's decisions on referred applications, chained to the run.", PROVE),
    Entry("erase", "erase:erase", "Take one person's raw data out of an archive.", PROVE),
    Entry("rekey", "rekey:rekey", "An earlier run's hashes under a new key, for --history.", PROVE),
    Entry("policy", "policy:app", "Policies: proposed, signed, in force from a date, tested, rolled back.", PROVE),
    Entry("explain", "explain:explain", "One application's way through the house.", LOOK),
    Entry("sql", "sql:sql", "Query a run's tables, read-only.", LOOK),
    Entry("export", "export:export", "Decisions as a workbook, CSV or JSON Lines.", LOOK),
    Entry("monitor", "monitor:monitor", "Drift, rates, losses to come, feeds and the book in amber and red; alerts to whom they concern.", LOOK),
    Entry("watch", "watch:watch", "An inbox: what a lender drops is run, archived and monitored as it arrives.", OVERSEE),
    Entry("night", "night:night", "A lender's night, once: inbox, events, close, report, alerts.", OVERSEE),
    Entry("schedule", "schedule:schedule", "The night as crontab lines or systemd units.", OVERSEE),
    Entry("rule", "rule:rule", "A policy rule or reason code, in full.", LOOK),
    Entry("loan", "loan:app", "Work out any loan from its contract: schedule, cost.", LOOK),
    Entry("features", "features:features", "What the scorer looks at.", LOOK),
    Entry("train", "train:train", "Train and calibrate a model.", BUILD),
    Entry("validate", "validate:validate", "What a model is worth on rows that it was not trained on.", BUILD),
    Entry("generate", "generate:app", "A coherent synthetic lender of any size, and what its borrowers did.", BUILD),
    Entry("init", "init:init", "Write configuration and a sample to start from.", SET_UP),
    Entry("source", "source:app", "Mappings of a lender's files, and what each source of data is worth.", SET_UP),
    Entry("config", "config:app", "Settings with their origin, dates and law.", SET_UP),
    Entry("errors", "errors:errors", "Every error and exit code.", SET_UP),
)


def _set_common(log_format: str, quiet: bool, debug: bool) -> None:
    from qqloan_cli.reports import console

    if log_format not in ("text", "jsonl"):
        raise UsageError("log-format-unknown", f"--log-format {log_format} is not known", hint="Use text or jsonl.")
    console.configure(log_format=log_format, quiet=quiet, debug=debug)


LogFormat = Annotated[str, typer.Option("--log-format", help="Messages on stderr: text or jsonl.", envvar="QQLOAN_LOG_FORMAT", rich_help_panel="Common")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No messages but errors.", rich_help_panel="Common")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, without values.", rich_help_panel="Common")]


def with_common_options(function: Callable) -> Callable:
    """``function`` with --log-format, --quiet and --debug added to its options."""
    plain = inspect.signature(function, eval_str=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    common = [
        inspect.Parameter("log_format", keyword, default="text", annotation=LogFormat),
        inspect.Parameter("quiet", keyword, default=False, annotation=Quiet),
        inspect.Parameter("debug", keyword, default=False, annotation=Debug),
    ]

    @functools.wraps(function)
    def wrapped(*args, log_format: str, quiet: bool, debug: bool, **options):
        _set_common(log_format, quiet, debug)
        return function(*args, **options)

    own = [p.replace(kind=keyword) for p in plain.parameters.values()]
    wrapped.__signature__ = plain.replace(parameters=own + common)
    wrapped.__annotations__ = {p.name: p.annotation for p in own + common}
    return wrapped


def group(name: str, help: str, *functions: Callable, otherwise: str | None = None) -> typer.Typer:
    """A command of commands, such as ``qqloan source check``; every one has the common options. ``otherwise``: the one that is meant where
    none is named."""

    class Group(TyperGroup):
        def parse_args(self, ctx, args):
            named = not args or args[0] in self.commands or args[0] == "--help"
            return super().parse_args(ctx, args if named or otherwise is None else [otherwise, *args])

    app = typer.Typer(name=name, cls=Group, help=help, no_args_is_help=True, add_completion=False)
    for function in functions:
        app.command(function.__name__.replace("_", "-"))(with_common_options(function))
    return app


def _load(entry: Entry):
    module, attribute = entry.target.split(":")
    target = getattr(importlib.import_module(f"qqloan_cli.commands.{module}"), attribute)
    if isinstance(target, typer.Typer):
        loaded = typer.main.get_command(target)
    else:
        single = typer.Typer(add_completion=False)
        single.command(entry.name)(with_common_options(target))
        loaded = typer.main.get_command(single)
    loaded.name = entry.name
    loaded.rich_help_panel = entry.panel
    return loaded


class Listed:
    """What help and completion need of a command that has not been imported."""

    hidden = False
    deprecated = False

    def __init__(self, entry: Entry) -> None:
        self.name, self.help, self.short_help, self.rich_help_panel = entry.name, entry.help, entry.help, entry.panel

    def get_short_help_str(self, limit: int = 45) -> str:
        return self.help


class LazyCommands(TyperGroup):
    """Reads the table for lists, and imports a command when it is called."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.commands = {entry.name: Listed(entry) for entry in COMMANDS}

    def resolve_command(self, ctx, args):
        entry = next((e for e in COMMANDS if args and e.name == args[0]), None)
        if entry is None:
            return super().resolve_command(ctx, args)
        return entry.name, _load(entry), args[1:]


app = typer.Typer(
    name="qqloan", cls=LazyCommands, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Underwriting for high-amount consumer loans, from the shell.",
    epilog="Start: qqloan init here && cd here && qqloan run sample_data --out runs/first",
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from qqloan_cli import __version__

        typer.echo(f"qqloan {__version__}")
        raise typer.Exit()


def _try_help(error) -> str:
    context = getattr(error, "ctx", None)
    return f"Try: {context.command_path if context else 'qqloan'} --help"


def main(argv: list[str] | None = None) -> None:
    """The command line: parses, calls, and turns what happened into an exit code."""
    process.heed_signals()
    process.prepare()
    from qqloan_cli.reports import console

    try:
        command = typer.main.get_command(app)
        code = command.main(args=argv, prog_name="qqloan", standalone_mode=False)
        code = code if isinstance(code, int) else 0
        sys.stdout.flush()
    except QqloanError as error:
        console.error(error)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        console.error(QqloanError("run-interrupted", "interrupted", hint="What was finished is kept; qqloan run --resume goes on."))
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # the last line of defence: no traceback with people in it
        if hasattr(error, "format_message"):  # typer's own: a wrong option
            wrong = UsageError("command-line-wrong", error.format_message().rstrip("."), hint=_try_help(error))
            console.error(wrong)
            code = wrong.exit_code
        else:
            code = console.unexpected(error)
    sys.exit(code)


def entry() -> None:
    """``qqloan``: ``main``, and the process ends with it."""
    try:
        main()
    except SystemExit as ended:
        process.leave(ended.code)
