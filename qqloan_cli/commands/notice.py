"""qqloan notice: letters to applicants, and to borrowers before adverse data is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config, DryRun, Workers, Yes, as_date, as_workers
from qqloan_cli.errors import UsageError

_AS = ("md", "pdf", "parquet")


def notice(
    run: Annotated[Optional[list[Path]], typer.Argument(metavar="RUN", help="A run's folder; with --book, whose applicants' names go in (--with-names).", show_default=False)] = None,
    to: Annotated[Optional[Path], typer.Option("--to", metavar="DIR", help="A new folder: a file a letter, or the table of them.", show_default=False)] = None,
    as_: Annotated[str, typer.Option("--as", help="md or pdf: a file a letter; parquet: a table, a row a letter.")] = "md",
    application: Annotated[Optional[str], typer.Option("--application", metavar="ID", help="One letter alone, of this application (of a book: this loan); without --to it is shown.", show_default=False)] = None,
    kind: Annotated[Optional[list[str]], typer.Option("--kind", help="approval, partial, decline or referral; several times for several (default: all).", show_default=False)] = None,
    lang: Annotated[Optional[list[str]], typer.Option("--lang", help="en or zh; several times for both (default: both).", show_default=False)] = None,
    book: Annotated[Optional[Path], typer.Option("--book", help="Of a book of loans: notices before what is overdue is reported to the credit bureau.", show_default=False)] = None,
    at: Annotated[Optional[str], typer.Option("--at", metavar="DATE", help="Of a book: overdue at the end of this day (default: the last that is closed).", show_default=False)] = None,
    since: Annotated[Optional[str], typer.Option("--since", metavar="DATE", help="Of a book: only what has been overdue from this day on, for whom no notice has gone out yet.", show_default=False)] = None,
    with_names: Annotated[bool, typer.Option("--with-names", help="Name and masked identity number, where the run's inputs still have them; nobody but the owner may read the files then.")] = False,
    config: Config = None,
    workers: Workers = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    format: Annotated[str, typer.Option("--format", help="What was written, as table or json.")] = "table",
) -> int:
    """Letters: approvals with their cost table, partial approvals, declines with reasons and rights, referrals; before adverse data is reported."""
    import tempfile

    from qqloan_cli.policy.notices import LANGS, OF_RUN
    from qqloan_cli.reports import console, formats

    formats.known(format)
    kinds, langs = _of("--kind", kind, OF_RUN), _of("--lang", lang, LANGS)
    if as_ not in _AS:
        raise UsageError("format-unknown", f"--as {as_} is not known", hint=f"Use {', '.join(_AS)}.")
    if book is None and (at or since) or book is not None and kind:
        raise UsageError("notice-options-wrong", "--at and --since belong to --book, and --kind to a run", hint="Name RUN, or --book BOOK --at DATE.")
    if book is None and len(run or []) != 1:
        raise UsageError("notice-of-what", "name one run, or a book", hint="qqloan notice RUN --to DIR, or qqloan notice --book BOOK --at DATE --to DIR")
    if to is not None and to.exists() and not yes and not dry_run:
        raise UsageError("file-exists", "something stands under this name", str(to), "Choose another --to, or say --yes.")
    said = console.current()
    with tempfile.TemporaryDirectory(prefix="qqloan-letters-") as scratch:
        parts = Path(scratch) / "parts"
        if book is None:
            made, letters_config = _of_run(run[0], config, parts, kinds, langs, application, with_names, as_workers(workers))
        else:
            made, letters_config = _of_book(book, at, since, config, parts, langs, application, (run or []) if with_names else None, as_workers(workers))
        for ref, text in made.notes:
            said.note(ref, text)
        total = sum(made.counts.values())
        if application is not None and not total:
            said.note("no-letter", f"there is no letter of kind {' or '.join(kinds)} for this application: its decision is another")
        if with_names and made.named < total:
            said.note("names-missing", f"{total - made.named:,} letters have no name: the inputs do not have it")
        if to is None and application is not None:
            _show(parts)
            return 0
        if to is not None and not dry_run:
            _put(parts, to, as_, letters_config, with_names, as_workers(workers))
            if with_names:
                said.note("personal-data", f"{to} holds names: nobody but its owner may read it. Remove it when it was used.")
    if format == "json":
        formats.document({"letters": total, "to": str(to) if to else None, "as": as_, "by_kind": [{"kind": k, "lang": lg, "letters": n} for (k, lg), n in made.counts.items()]})
    else:
        formats.draw(["kind", "language", "letters"], [[k, lg, f"{n:,}"] for (k, lg), n in made.counts.items()], numeric=[False, False, True])
    said.say(f"{total:,} letters {'would be written' if to is None or dry_run else f'in {to}'}")
    if to is None:
        said.next_step(f"qqloan notice {run[0] if book is None else f'--book {book}'} --to letters --as pdf")
    return 0


def _of_run(root: Path, config, parts: Path, kinds, langs, application, with_names: bool, workers: int):
    from qqloan_cli.engine.run import Run
    from qqloan_cli.oversight.letters import run_config
    from qqloan_cli.oversight.notices import write_letters
    from qqloan_cli.policy.home import config_dir

    run = Run.open(root)
    words = run_config(run, config_dir(config) if config else None, config_dir(None))
    return write_letters(run, words, parts, kinds, langs, application, with_names, workers), words


def _of_book(book: Path, at, since, config, parts: Path, langs, loan, runs, workers: int):
    from qqloan_cli.engine.run import Run
    from qqloan_cli.oversight.adverse import write_adverse
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.servicing.book import Book

    if runs is not None and not runs:
        raise UsageError("names-of-whom", "a book has no names", "--with-names", "Name the runs whose applicants they are: qqloan notice RUN... --book BOOK --with-names")
    opened, words = Book.open(book), config_dir(config)
    day = as_date(at, "--at") if at else opened.closed_to
    if day is None:
        raise UsageError("book-not-closed", "no day of this book is closed, so nothing can be said of it", str(book), f"qqloan servicing close --book {book} --to DATE closes one.")
    first = as_date(since, "--since") if since else None
    return write_adverse(opened, day, first, words, parts, langs, loan, [Run.open(root) for root in runs or []], workers), words


def _put(parts: Path, to: Path, as_: str, config: Path, private: bool, workers: int) -> None:
    import os
    import shutil

    from qqloan_cli.engine.files import remove
    from qqloan_cli.policy.notices import load_letters
    from qqloan_cli.reports.letters import write_files

    files = sorted(parts.glob("*.parquet"))
    if as_ != "parquet":
        settings = load_letters(config).settings
        font = config / "notices" / settings.pdf.font if settings.pdf.font else None
        write_files(files, to, as_, workers, private, font, f"{settings.lender.name_zh} {settings.lender.name_en}")
        return
    beside = to.with_name(f".{to.name}.building")
    remove(beside)
    beside.mkdir(parents=True, mode=0o700 if private else 0o777)
    for path in files:
        shutil.move(path, beside / path.name)
        if private:
            os.chmod(beside / path.name, 0o600)
    remove(to)
    os.replace(beside, to)


def _show(parts: Path) -> None:
    import pyarrow.parquet as pq

    texts = [text for path in sorted(parts.glob("*.parquet")) for text in pq.read_table(path, columns=["text"]).column("text").to_pylist()]
    print("\n---\n\n".join(texts), end="")


def _of(option: str, chosen: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """What was chosen, in the order of ``known``; all where nothing was."""
    wrong = [name for name in chosen or [] if name not in known]
    if wrong:
        raise UsageError("notice-choice-unknown", f"there is no {wrong[0][:40]!r}", option, f"There are: {', '.join(known)}.")
    return tuple(name for name in known if not chosen or name in chosen)
