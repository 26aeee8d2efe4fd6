"""qqloan policy: a policy is released, not edited: proposed, signed by others, in force from a date, and rolled back the same way."""

from __future__ import annotations

import contextlib
import datetime
import json
import tempfile
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, Sign, Workers, as_date, as_workers
from qqloan_cli.errors import Findings, UsageError

Book = Annotated[Path, typer.Argument(metavar="BOOK", help="A book of policies: an archive's folder, its own or that of the runs.", show_default=False)]
Number = Annotated[int, typer.Argument(metavar="N", help="The number of a policy, as qqloan policy list says it.", show_default=False)]
Effective = Annotated[str, typer.Option("--effective", metavar="DATE", help="In force from this date on, by --as-of.", show_default=False)]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who proposes it: they cannot approve it.", show_default=False)]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, in words.", show_default=False)]
Key = Annotated[Path, typer.Option("--sign", metavar="KEY", help="Your Ed25519 private key (PEM).", show_default=False)]
Format = Annotated[str, typer.Option("--format", help="table or json.")]
Lang = Annotated[str, typer.Option("--lang", help="en or zh.", envvar="QQLOAN_LANG")]


def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key is, or is to be.", show_default=False)],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Whose it is.", show_default=False)],
) -> int:
    """Prints the line that names an approver in approvers.toml; makes the private key where there is none."""
    from qqloan_cli.archive.signing import make_private, public_of, read_private

    if not file.exists():
        make_private(file)
    print(f'{json.dumps(name, ensure_ascii=False)} = "{public_of(read_private(file))}"')
    return 0


def propose(config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A configuration's folder, with its model.", show_default=False)],
            to: Annotated[Path, typer.Option("--to", metavar="BOOK", help="The book; made where there is none.", show_default=False)],
            effective: Effective, by: By, why: Why, sign: Sign = None, lang: Lang = "en", format: Format = "table") -> int:
    """Adds a configuration to the book and says in words what it changes. It is in force once enough approvers have signed."""
    from qqloan_cli.archive.releases import propose as add
    from qqloan_cli.policy.home import config_dir

    _known(format, lang)
    with tempfile.TemporaryDirectory(prefix="qqloan-policy-") as scratch:
        return _told(add(to, config_dir(config), Path(scratch), as_date(effective, "--effective"), by, why, datetime.datetime.now(), sign), lang, format)


def approve(book: Book, number: Number, sign: Key, format: Format = "table") -> int:
    """Signs a proposed policy. Approvers are those whom the policy before it names in approvers.toml."""
    from qqloan_cli.archive.releases import approve as add

    _known(format)
    return _stands(add(book, number, sign, datetime.datetime.now()), format)


def withdraw(book: Book, number: Number, sign: Key, why: Why, format: Format = "table") -> int:
    """Takes back what is not in force yet."""
    from qqloan_cli.archive.releases import withdraw as add

    _known(format)
    return _stands(add(book, number, sign, why, datetime.datetime.now()), format)


def rollback(book: Book, number: Number, effective: Effective, by: By, why: Why, sign: Sign = None, lang: Lang = "en", format: Format = "table") -> int:
    """Proposes an earlier release again, as it was; it takes the same signatures."""
    from qqloan_cli.archive.releases import propose as add

    _known(format, lang)
    with _laid_out(book, number) as (release, folder), tempfile.TemporaryDirectory(prefix="qqloan-policy-") as scratch:
        if release.state != "released":
            raise UsageError("rollback-never-released", f"it is {release.state}", f"release {number}", "Only what was released can be gone back to.")
        return _told(add(book, folder, Path(scratch), as_date(effective, "--effective"), by, why, datetime.datetime.now(), sign, number), lang, format)


def list(book: Book, as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="Which is in force on this date (default: today).", show_default=False)] = "", format: Format = "table") -> int:
    """Every policy of the book: its number, version, date, state, and who signed it."""
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.archive.releases import in_force, releases
    from qqloan_cli.reports import formats, releases as report

    formats.known(format)
    date = as_date(as_of) if as_of else datetime.date.today()
    found, now = releases(Archive.open(book)), in_force(Archive.open(book), date)
    if format == "json":
        formats.document({"as_of": date.isoformat(), "in_force": now.number if now else None, "policies": [report.document(release) for release in found]})
    else:
        report.show_all(found, now, date)
    return 0


def show(book: Book, number: Number, lang: Lang = "en", format: Format = "table") -> int:
    """One policy: what it changes, in words, who proposed and who signed it."""
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.archive.releases import numbered

    _known(format, lang)
    return _told(numbered(Archive.open(book), number), lang, format)


def diff(before: Annotated[str, typer.Argument(metavar="BEFORE", help="A configuration's folder, or BOOK:N.", show_default=False)],
         after: Annotated[str, typer.Argument(metavar="AFTER", help="The same.", show_default=False)], lang: Lang = "en", format: Format = "table") -> int:
    """What differs between two configurations, setting by setting, in words. What it would do to a book: qqloan replay --policy."""
    from qqloan_cli.policy.changes import changes
    from qqloan_cli.reports import formats, releases as report

    _known(format, lang)
    with folder_of(before) as one, folder_of(after) as other:
        found = [change._asdict() for change in changes(one, other)]
    if format == "json":
        formats.document({"differences": report.worded(found, lang)})
    else:
        report.show_differences(found, lang)
    return 0


def export(book: Book, number: Number, to: Annotated[Path, typer.Option("--to", metavar="CONFIG", help="The folder to make.", show_default=False)]) -> int:
    """Lays a policy out as a configuration's folder, to look at or to go on from."""
    from qqloan_cli.reports import console

    if to.exists():
        raise UsageError("folder-exists", "something stands under this name", str(to), "Choose another --to.")
    with _laid_out(book, number) as (release, folder):
        import shutil

        shutil.copytree(folder, to)
    console.current().say(f"{to} is policy {release.says['version']}, release {number}")
    return 0


def test(
    config: Config = None,
    cases: Annotated[Optional[Path], typer.Option("--cases", metavar="FILE", help="The cases (default: cases.toml of the configuration).", show_default=False)] = None,
    inputs: Annotated[Optional[Path], typer.Option("--inputs", metavar="FOLDER", help="The lender's files that the cases are of (default: what the file names).", show_default=False)] = None,
    archive: Annotated[Optional[Path], typer.Option("--archive", metavar="ARCHIVE", help="Ask the rules of a sealed book instead, decided anew under this policy.", show_default=False)] = None,
    run_id: Annotated[Optional[str], typer.Option("--run-id", metavar="RUN_ID", help="Which run of the archive.", show_default=False)] = None,
    workers: Workers = None,
    format: Format = "table",
) -> int:
    """Decides every case and holds it to what it expects; exit 1 where one is decided otherwise. Names the rules that no case, or every
    case, hits, and those that others shadow or overlap."""
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import console, formats, releases as report

    formats.known(format)
    home, said = config_dir(config), console.current()
    if (archive is None) != (run_id is None):
        raise UsageError("run-unnamed", "a sealed book is named by its archive and its run", "--archive, --run-id", "Name both, or neither.")
    with tempfile.TemporaryDirectory(prefix="qqloan-policy-") as scratch:
        if archive is not None:
            found, rules = [], _rules_on(archive, run_id, home, Path(scratch), as_workers(workers))
        else:
            found, rules = _decided(home, cases or home / "cases.toml", inputs, Path(scratch), as_workers(workers))
    said.close()
    wrong = [outcome for outcome in found if outcome.wrong]
    if format == "json":
        formats.document({"cases": [{**outcome._asdict(), "ok": not outcome.wrong} for outcome in found], "rules": rules.to_pylist()})
    else:
        report.show_cases(found)
        report.show_usage(rules.to_pylist(), "case" if archive is None else "application")
    if wrong:
        raise Findings("cases-failed", f"{len(wrong)} of {len(found)} cases are decided otherwise, the first: {wrong[0].name}", str(cases or home / "cases.toml"), "The list says what was expected and what came.")
    said.say(f"{len(found)} cases, all as expected" if archive is None else f"{len(rules)} rules asked of {run_id}")
    return 0


def _decided(home: Path, path: Path, inputs: Path | None, scratch: Path, workers: int):
    """(outcomes, what the rules did): the chain up to the evidence, and then every case at once."""
    from qqloan_cli import chain
    from qqloan_cli.asking.cases import decide
    from qqloan_cli.engine.events import SILENT
    from qqloan_cli.engine.walk import walk
    from qqloan_cli.making import begin
    from qqloan_cli.policy.cases import load_cases
    from qqloan_cli.policy.rules import load_rules
    from qqloan_cli.policy.usage import usage_in
    from qqloan_cli.reports import console

    asked = load_cases(path)
    files = inputs or path.parent / asked.inputs
    if not files.exists():
        raise UsageError("cases-without-inputs", "the lender's files that the cases are of are not there", str(files), "Name them with --inputs.")
    run = begin([files], scratch / "run", asked.as_of, events=console.current(), config=home, workers=workers, whole=False)
    walk(run, chain.named({"keys", "links", "verify", "income", "credit", "social"}), workers, SILENT)
    outcomes = decide(run, asked.case)
    return outcomes, usage_in([(outcome.rules_hit, outcome.rules_unknown) for outcome in outcomes], load_rules(home))


def _rules_on(archive: Path, run_id: str, home: Path, scratch: Path, workers: int):
    """What the rules of ``home`` would have done in a sealed book."""
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.archive.redecide import redecide
    from qqloan_cli.engine.run import Run
    from qqloan_cli.policy.usage import usage
    from qqloan_cli.reports import console

    store = Archive.open(archive)
    redecide(store, store.find(run_id), scratch, home, None, workers, console.current())
    return usage(Run.open(scratch / "run"))


@contextlib.contextmanager
def _laid_out(book: Path, number: int):
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.archive.releases import laid_out, numbered

    store = Archive.open(book)
    with tempfile.TemporaryDirectory(prefix="qqloan-policy-") as scratch:
        release = numbered(store, number)
        yield release, laid_out(store, release, Path(scratch) / "config")


@contextlib.contextmanager
def folder_of(named: str):
    """The folder of a configuration that is named by its own path or as BOOK:N."""
    from qqloan_cli.policy.home import config_dir

    book, sign, number = named.rpartition(":")
    if sign and number.isdigit() and not Path(named).exists():
        with _laid_out(Path(book), int(number)) as (_, folder):
            yield folder
    else:
        yield config_dir(Path(named))


def _known(format: str, lang: str = "en") -> None:
    """Refuses what cannot be shown before anything is added to the book."""
    from qqloan_cli.reports import formats

    formats.known(format)
    if lang not in ("en", "zh"):
        raise UsageError("lang-unknown", f"--lang {lang} is not known", hint="Use en or zh.")


def _told(release, lang: str, format: str) -> int:
    from qqloan_cli.reports import formats, releases as report

    if format == "json":
        document = report.document(release)
        formats.document({**document, "differences": report.worded(document["differences"], lang)})
    else:
        report.show_differences(release.says["differences"], lang, None if release.says["replaces"] else "The first of its book.")
        _stands(release, format)
    return 0


def _stands(release, format: str) -> int:
    from qqloan_cli.reports import console, formats, releases as report

    if format == "json":
        formats.document(report.document(release))
    else:
        console.current().say(report.stands(release))
    return 0


app = group("policy", "Policies: proposed, signed, in force from a date, tested, rolled back.", key, propose, approve, withdraw, rollback, list, show, diff, export, test)
