"""qqloan replay: a sealed run, or one application of it, worked out again."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Workers, as_workers
from qqloan_cli.errors import UsageError


def replay(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="An archive's folder.", show_default=False)],
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN_ID", help="A run of it, as qqloan audit lists them; with --policy or --model several, for several months.", show_default=False)],
    application: Annotated[Optional[str], typer.Option("--application", metavar="ID", help="One application alone: seconds, whatever the size of the run.", show_default=False)] = None,
    policy: Annotated[Optional[str], typer.Option("--policy", metavar="CONFIG", help="Decide the book anew under this configuration (a folder, or BOOK:N of qqloan policy), and say what changes.", show_default=False)] = None,
    model: Annotated[Optional[Path], typer.Option("--model", metavar="MODEL", help="Decide the book anew by this model, and say what changes.", show_default=False)] = None,
    why: Annotated[bool, typer.Option("--why", help="Of two runs and one --application: what in date, data, model, policy and code made the difference.")] = False,
    workers: Workers = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """Works a sealed run out again from its inputs, configuration and model, and says where it differs; exit 4 where it does.

    With --policy or --model: what the same applications would have got, for as many runs as are named.
    """
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.reports import console, formats, replayed

    formats.known(format)
    store, talk = Archive.open(archive), console.current()
    if policy is not None or model is not None:
        from qqloan_cli.commands.policy import folder_of

        with folder_of(policy) if policy is not None else contextlib.nullcontext() as config:
            return _anew(store, run_ids, config, model, application, as_workers(workers), format)
    if why:
        if len(run_ids) != 2 or application is None:
            raise UsageError("why-needs-two", "--why compares two runs of one application", "RUN_ID", "qqloan replay ARCHIVE RUN_ID RUN_ID --application ID --why")
        return _why(store, run_ids, application, format)
    if len(run_ids) > 1:
        raise UsageError("one-run-only", "several runs are decided anew, not replayed", "RUN_ID", "Replay them one after the other, or name --policy or --model.")
    entry = store.find(run_ids[0])
    with tempfile.TemporaryDirectory(prefix="qqloan-replay-") as scratch:
        if application is not None:
            from qqloan_cli.archive.one import replay_one

            found = replay_one(store, entry, application, Path(scratch))
            said = [event.event for event in store.events(entry.name, "review") if event.event["application_id"] == application]
            document = {"run_id": entry.name, "application_id": application, "decision": found.decision, "tables": found.tables, "reviews": said}
        else:
            from qqloan_cli.archive.replay import replay as whole

            found = whole(store, entry, Path(scratch), as_workers(workers), talk)
            document = {"run_id": entry.name, "files": found.files, "identical_files": found.identical, "otherwise_written": found.otherwise_written, "erased": found.erased}
    talk.close()
    document |= {
        "identical": not found.parted, "first_parted": found.parted[0].table if found.parted else None,
        "parted": [{**d._asdict(), "examples": [cell._asdict() for cell in d.examples]} for d in found.parted],
        "other_versions": {name: {"then": then, "now": now} for name, (then, now) in found.other_versions.items()},
    }
    if format == "json":
        formats.document(document)
    else:
        replayed.show(document)
    return 4 if found.parted else 0


def _anew(store, run_ids: list[str], policy: Path | None, model: Path | None, application: str | None, workers: int, format: str) -> int:
    """Every run in turn, and the sum of them all."""
    from qqloan_cli.archive.redecide import redecide
    from qqloan_cli.reports import console, formats, swapped

    if application is not None:
        raise UsageError("whole-book-only", "--policy and --model decide a whole book", "--application", "qqloan explain RUN APPLICATION --what-if changes one.")
    if model is not None and not (model / "model.json").is_file():
        raise UsageError("folder-wrong", "there is no model.json in it", f"--model {model}", "Name a model's folder.")
    said, found = console.current(), []
    for entry in [store.find(run_id) for run_id in run_ids]:
        with tempfile.TemporaryDirectory(prefix="qqloan-replay-") as scratch:
            anew = redecide(store, entry, Path(scratch), policy, model, workers, said)
        found.append({"run_id": entry.name, "from_stage": anew.from_stage, "swapped": anew.swapped, "sums": anew.sums, "moved": anew.moved})
    said.close()
    if format == "json":
        formats.document({"runs": found, "all": swapped.together(found)})
    else:
        swapped.show(found)
    return 0


def _why(store, run_ids: list[str], application: str, format: str) -> int:
    from qqloan_cli.archive.why import why
    from qqloan_cli.reports import formats, replayed

    first, second = (store.find(run_id) for run_id in run_ids)
    with tempfile.TemporaryDirectory(prefix="qqloan-replay-") as scratch:
        steps = [step._asdict() for step in why(store, first, second, application, Path(scratch))]
    if format == "json":
        formats.document({"application_id": application, "runs": [first.name, second.name], "steps": steps})
    else:
        replayed.show_why(application, steps)
    return 0
