"""qqloan review-lines: every night one decision for every credit line in life; and the behaviour score that it looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import Config, DryRun, Workers, Yes, as_date, as_workers
from qqloan_cli.errors import UsageError

BookOption = Annotated[Path, typer.Option("--book", help="A book's folder.", show_default=False)]
Panels = Annotated[list[Path], typer.Argument(metavar="PANEL", help="What qqloan review-lines history wrote, or any Parquet or CSV with line_id or loan_id, month and dpd; status where it is known.", show_default=False)]
Every = Annotated[int, typer.Option("--every", min=1, max=24, help="Months between observations of a line; below 6 their outcomes overlap.")]
Ignore = Annotated[Optional[list[str]], typer.Option("--ignore", help="A feature of lines.toml to leave out; may be repeated.", show_default=False)]


def night(
    book: BookOption,
    at: Annotated[str, typer.Option("--at", metavar="DATE", help="The day, as it was known at its end; it must be closed.", show_default=False)],
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Write the decisions to this file as well: .parquet, .csv, .jsonl, .json or .xlsx.", show_default=False)] = None,
    notices: Annotated[Optional[Path], typer.Option("--notices", help="Write what borrowers are told, in both languages, to this file.", show_default=False)] = None,
    events: Annotated[Optional[Path], typer.Option("--events", help="Write the cancellation of every stopped tranche to this CSV file, for qqloan servicing post.", show_default=False)] = None,
    model: Annotated[Optional[Path], typer.Option("--model", help="A model of review-lines train (default: the points card of lines.toml).", show_default=False)] = None,
    refresh: Annotated[Optional[Path], typer.Option("--refresh", metavar="RUN", help="A later run on the same applicants (without --history: their own lines would count against them), whose pd and waterfall are looked at.", show_default=False)] = None,
    config: Config = None,
    workers: Workers = None,
    format: Annotated[str, typer.Option("--format", help="The summary as table, json, jsonl, csv or parquet.")] = "table",
    dry_run: DryRun = False,
) -> int:
    """Review every line of a book at the end of a day: keep, raise, cut, freeze, unfreeze, expire, or stop the next tranche."""
    import tempfile

    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.engine.run import Run
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.lines import load_line_policy
    from qqloan_cli.policy.products import load_products
    from qqloan_cli.policy.scale import load_scale
    from qqloan_cli.reports import console, formats
    from qqloan_cli.scoring.behaviour import ByCard, ByModel
    from qqloan_cli.servicing.lines import review
    from qqloan_cli.servicing.book import Book

    formats.known(format, formats.FORMATS)
    if events is not None and events.suffix.lower() != ".csv":
        raise UsageError("events-not-csv", "a file of events is CSV", "--events", "Name it FILE.csv.")
    home, day, said = config_dir(config), as_date(at, "--at"), console.current()
    policy = load_line_policy(home)
    score = ByModel(model, load_scale(home)) if model else ByCard(policy.lines.card, policy.lines)
    Book.open(book)
    with only_writer(book, said), tempfile.TemporaryDirectory(prefix="qqloan-lines-") as scratch:
        found = Book.open(book)
        tonight = review.night_of(found, day, policy, load_products(home), score, Run.open(refresh) if refresh else None)
        path = (Path(scratch) / "night.parquet" if dry_run else review.file_of(found, day)).absolute()
        rows = review.review(tonight, path, as_workers(workers))
        formats.emit(review.summary(path), format, f"Lines at {day}")
        if dry_run:
            said.say(f"{rows:,} lines would be reviewed at {day}; nothing is written")
            return 0
        if out is not None:
            import pyarrow.parquet

            formats.write(pyarrow.parquet.read_table(path), out)
        if notices is not None:
            formats.write(review.notices(path, policy), notices)
        stopped = review.stops(path)
        if events is not None:
            formats.write(stopped, events)
    said.say(f"{rows:,} lines reviewed at {day}, by {score.version}: {path.relative_to(found.root.absolute())} in {book}")
    if events is not None and len(stopped):
        said.next_step(f"qqloan servicing post {events} --book {book}")
    return 0


def facts(format: Annotated[str, typer.Option("--format", help="table, json, jsonl or csv.")] = "table") -> int:
    """What a rule of lines.toml may ask for."""
    import pyarrow as pa

    from qqloan_cli.policy.line_facts import LINE_FACTS
    from qqloan_cli.reports import formats

    formats.emit(pa.table({name: [getattr(fact, name) for fact in LINE_FACTS] for name in ("name", "kind", "unit", "meaning", "source")}), format)
    return 0


def history(
    book: BookOption,
    to: Annotated[str, typer.Option("--to", metavar="DATE", help="Months that end by then.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="A Parquet file, a row a line and month.", show_default=False)],
    since: Annotated[Optional[str], typer.Option("--from", metavar="DATE", help="Months that end from then on (default: all).", show_default=False)] = None,
    config: Config = None,
    workers: Workers = None,
) -> int:
    """Every line at the end of every month, as it was known then: what a behaviour score is trained on."""
    import datetime
    import os

    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.lines import load_lines
    from qqloan_cli.reports import console
    from qqloan_cli.servicing.book import Book
    from qqloan_cli.servicing.lines.figures import write_history

    found = Book.open(book)
    first = as_date(since, "--from") if since else datetime.date.fromisoformat(found.document["opened_on"])
    rows = write_history(found, first, as_date(to, "--to"), Path(os.path.abspath(out)), as_workers(workers), load_lines(config_dir(config)).late.after_days)
    said = console.current()
    said.say(f"{rows:,} lines and months in {out}")
    said.next_step(f"qqloan review-lines train {out} --out model")
    return 0


def train(
    panels: Panels,
    out: Annotated[Path, typer.Option("--out", "-o", help="The model's folder, made whole or not at all.", show_default=False)],
    every: Every = 6,
    ignore: Ignore = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Everything random comes from it.")] = 1,
    bags: Annotated[int, typer.Option("--bags", min=1, max=64, help="Ensembles whose mean is the model.")] = 8,
    trees: Annotated[int, typer.Option("--trees", min=1, max=5000, help="Trees in a bag, at most.")] = 1000,
    config: Config = None,
    workers: Workers = None,
    yes: Yes = False,
) -> int:
    """A monotone, calibrated model of 60 days late or worse (M3) within six months, held against the latest observations."""
    from qqloan_cli.reports import console
    from qqloan_cli.scoring.behaviour import out_of_time
    from qqloan_cli.scoring.fit import Recipe
    from qqloan_cli.scoring.model import MODEL
    from qqloan_cli.scoring.train import may_write
    from qqloan_cli.scoring.train import train as make

    may_write(out, yes)
    given, _, _ = _observed(panels, every, ignore, config)
    recipe, said = Recipe(bags=bags, trees=trees), console.current()
    manifest = make(given, out, recipe, seed, as_workers(workers))
    found = manifest["measures"][MODEL]["cross_validated"]
    said.say(f"cross-validated: AUC {found['auc']:.4f} ({found['auc_low']:.4f} to {found['auc_high']:.4f}), KS {found['ks']:.4f}, ECE {found['ece']:.4f}")
    later = out_of_time(given, recipe, _calibration(out), seed, as_workers(workers))
    if later is None:
        said.note("no-later-time", "No figures out of time: observations lie too close together, or the latest have too few outcomes.")
    for row in later or []:
        said.say(f"out of time: {row['measure'].replace('_', ' ')} {row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})")
    said.next_step(f"qqloan review-lines --book BOOK --at DATE --model {out}")
    return 0


def card(
    panels: Panels,
    out: Annotated[Path, typer.Option("--out", "-o", help="A TOML file: the block [card] for lines.toml.", show_default=False)],
    about: Annotated[str, typer.Option("--about", help="What the panel is, in words: it stands in the card.", show_default=False)],
    every: Every = 6,
    ignore: Ignore = None,
    config: Config = None,
) -> int:
    """A points card of the same outcome (needs the extra train), held against the latest month of observation."""
    from qqloan_cli.engine.files import write_text
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.scale import load_scale
    from qqloan_cli.reports import console
    from qqloan_cli.scoring.behaviour import card_toml, fit_card

    given, first, last = _observed(panels, every, ignore, config)
    scale = load_scale(config_dir(config))
    document, figures = fit_card(given, scale)
    fitted_on = f"{len(given.bad):,} observations of {len(set(given.person.tolist())):,} lines, {first} to {last}, {int(given.bad.sum()):,} bad; {about}"
    write_text(out, card_toml(document, figures, fitted_on, scale))
    said = console.current()
    for row in figures:
        said.say(f"out of time: {row['measure'].replace('_', ' ')} {row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})")
    said.say(f"{len(document['features'])} features in {out}")
    return 0


def _observed(panels: list[Path], every: int, ignore: list[str] | None, config: Path | None):
    """Material to learn from, and the first and last month of observation."""
    from qqloan_cli.engine.files import sha256
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.lines import load_lines
    from qqloan_cli.reports import console
    from qqloan_cli.scoring.behaviour import features_of, material, observations, span

    features = features_of(load_lines(config_dir(config)))
    features = features.without(ignore) if ignore else features
    for path in panels:
        if not path.is_file():
            raise UsageError("panel-not-found", "no such file", str(path), "qqloan review-lines history writes one.")
    table = observations(panels, features, every)
    given, said = material(table, features, {"panels": [sha256(path) for path in panels], "every_months": every}), console.current()
    for ref, text in given.notes:
        said.note(ref, text)
    bad = int(given.bad.sum())
    said.say(f"{len(given.bad):,} observations, {bad:,} bad ({bad / max(1, len(given.bad)):.2%}), {len(given.features.names)} features")
    return given, *span(table)


def _calibration(folder: Path) -> dict:
    import json

    from qqloan_cli.scoring.model import MODEL

    return json.loads((folder / "calibration.json").read_text(encoding="utf-8"))[MODEL]


app = group("review-lines", "Credit lines in life: a decision for each, every night; the score that it looks at, and what that is trained on.", night, history, train, card, facts, otherwise="night")
