"""qqloan archive: seals a run; holds and retention of what was sealed."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import ArchiveArgument, Config, DryRun, RunArgument, Sign, as_date

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it.", show_default=False)]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, in words.", show_default=False)]
Format = Annotated[str, typer.Option("--format", help="table or json.")]


def seal(
    run: RunArgument,
    to: Annotated[Path, typer.Option("--to", metavar="ARCHIVE", help="The archive's folder; made where there is none.", show_default=False)],
    sign: Sign = None,
    encrypt_to: Annotated[Optional[str], typer.Option("--encrypt-to", metavar="AGE-KEY", help="Encrypt the inputs for this age public key (age1..., or a file with one).", show_default=False, envvar="QQLOAN_AGE_RECIPIENT")] = None,
    head: Annotated[bool, typer.Option("--head", help="Print the new head's digest alone, to be noted elsewhere.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Inputs, configuration, model and every table of a run into a store that names each file by its content, chained to what was sealed
    before. qqloan archive RUN --to ARCHIVE is the same."""
    from qqloan_cli.archive.seal import seal as put
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import console

    said = console.current()
    if dry_run:
        said.say(f"would seal {Run.open(run).run_id} into {to}")
        return 0
    sealed = put(run, to, sign, said, encrypt_to)
    if head:
        print(sealed.entry.digest)
    if sealed.already:
        said.say(f"{sealed.entry.name} was sealed already, as entry {sealed.entry.sequence}")
    else:
        said.say(f"{sealed.entry.name} sealed as entry {sealed.entry.sequence}: {sealed.files:,} files, {sealed.new_objects:,} of them new ({sealed.new_bytes / 1e6:,.1f} MB); head {sealed.entry.digest}")
    said.next_step(f"qqloan audit {to}, or qqloan replay {to} {sealed.entry.name}")
    return 0


def prune(
    archive: ArchiveArgument,
    by: By,
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="What is past its time on this date (default: today).", show_default=False)] = "",
    config: Config = None,
    sign: Sign = None,
    dry_run: DryRun = False,
    format: Format = "table",
) -> int:
    """Removes what was kept as long as retention.toml says, kind by kind, but for what a legal hold keeps, and chains that it was done."""
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.archive.prune import due
    from qqloan_cli.archive.prune import prune as take
    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.policy.retention import load_retention
    from qqloan_cli.reports import console, formats

    formats.known(format)
    store, keep, today = Archive.open(archive), load_retention(config_dir(config)), as_date(as_of) if as_of else datetime.date.today()
    with tempfile.TemporaryDirectory(prefix="qqloan-prune-") as scratch:
        if dry_run:
            found = due(store, keep, today, Path(scratch))
        else:
            _, _, found = take(store.root, keep, today, Path(scratch), by, datetime.datetime.now(), sign)
    kinds = sorted(set(found.files.values()))
    people = len(set().union(*found.people.values())) if found.people else 0
    if format == "json":
        formats.document({
            "as_of": today.isoformat(), "done": not dry_run, "files": {kind: sum(k == kind for k in found.files.values()) for kind in kinds},
            "people": {run: len(of) for run, of in sorted(found.people.items())}, "held": sorted(found.held),
        })
    elif kinds:
        formats.draw(["kind", "files", "basis"], [[kind, f"{sum(k == kind for k in found.files.values()):,}", keep.keep[kind].basis] for kind in kinds], f"Past its time on {today}", [False, True, False])
    said = console.current()
    would = "would remove" if dry_run else "removed"
    said.say(f"{would} {len(found.files):,} files, and the raw rows of {people:,} people who were never approved" + (f"; {len(found.held)} runs are under a legal hold" if found.held else ""))
    return 0


def hold(
    archive: ArchiveArgument,
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A run of it, as qqloan audit lists them.", show_default=False)],
    by: By,
    why: Why,
    applicant: Annotated[Optional[str], typer.Option("--applicant", metavar="ID", help="Hold what there is of this person, in every run, and not the run.", show_default=False)] = None,
    sign: Sign = None,
) -> int:
    """A legal hold: nothing that it is about is erased or pruned while it stands."""
    from qqloan_cli.archive.holds import hold as put
    from qqloan_cli.reports import console

    entry = put(archive, run_id, applicant, by, why, datetime.datetime.now(), sign)
    console.current().say(f"legal hold {entry.sequence} on {'applicant ' + applicant if applicant else 'run ' + entry.name}")
    return 0


def release(archive: ArchiveArgument, number: Annotated[int, typer.Argument(metavar="N", help="A legal hold, as qqloan archive holds lists them.", show_default=False)], by: By, why: Why, sign: Sign = None) -> int:
    """Ends a legal hold."""
    from qqloan_cli.archive.holds import release as put
    from qqloan_cli.reports import console

    put(archive, number, by, why, datetime.datetime.now(), sign)
    console.current().say(f"legal hold {number} is ended")
    return 0


def holds(archive: ArchiveArgument, format: Format = "table") -> int:
    """The legal holds that stand."""
    from qqloan_cli.archive.holds import held
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.reports import formats

    formats.known(format)
    found = [{"number": entry.sequence, "run_id": entry.name, **{name: entry.event[name] for name in ("applicant_id", "by", "why", "at")}} for entry in held(Archive.open(archive)).entries]
    if format == "json":
        formats.document({"holds": found})
    else:
        formats.draw(["hold", "on", "by", "since", "why"], [
            [str(one["number"]), f"applicant {one['applicant_id']}" if one["applicant_id"] else f"run {one['run_id']}", one["by"], one["at"], one["why"]] for one in found
        ], "Legal holds", [True] + [False] * 4)
    return 0


app = group("archive", "Seal a run: inputs, configuration, model and every table, chained; holds and retention of what was sealed.", seal, prune, hold, release, holds, otherwise="seal")
