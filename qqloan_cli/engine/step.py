"""One step on a run that stands: done beside it, and put in its place when it is whole. A step that fails leaves the run as it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable, NamedTuple

from qqloan_cli.engine import secret
from qqloan_cli.engine.build import finish
from qqloan_cli.engine.events import Events
from qqloan_cli.engine.files import only_writer, remove
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import ConfigError, UsageError


class Would(NamedTuple):
    """What a step would do: the tables it writes, and those of later stages that go."""

    writes: list[str]
    removes: list[str]


def would_take(root: Path, command: str, before: list[Stage], mine: list[Stage], after: Iterable[Stage]) -> Would:
    run = Run.open(root)
    stale = _stale(run, command, before, after)
    return Would([table for stage in mine for table in stage.writes], [table for stage in stale for table in stage.writes])


def take(root: Path, command: str, before: list[Stage], mine: list[Stage], after: Iterable[Stage], workers: int, events: Events, yes: bool = False) -> Run:
    """Does ``mine`` again or for the first time. What later stages made from the old tables is removed with ``yes``, and only then."""
    with only_writer(root, events):
        run = Run.open(root)
        taken = set(run.document.get("taken", ()))
        if any(taken.intersection(stage.writes) for stage in mine):
            raise UsageError("step-taken-over", f"the run took what {command} makes from {run.document['carries']['run_id']}, as it was sealed", str(run.root), "Only limit and what follows can be made again here.")
        stale = _stale(run, command, [stage for stage in before if not taken.intersection(stage.writes)], after)
        if stale and not yes:
            raise UsageError("later-stages-stand", f"{', '.join(stage.name for stage in stale)} were made from what {command} would replace", str(root), "Say --yes to remove them.")
        run.stage_beside()
        try:
            walk(run, mine, workers, events)
        except BaseException:
            remove(run.beside)
            raise
        for table in (table for stage in stale for table in stage.writes):
            _drop(run, table)
        for stage in stale:
            run.document["stages"].pop(stage.name, None)
            run.document["timings"].pop(stage.name, None)
        run.put_in_place()
        finish(run)
        return run


def _stale(run: Run, command: str, before: list[Stage], after: Iterable[Stage]) -> list[Stage]:
    """Later stages that stand. Refuses a step whose time has not come, or one with another key than the run was begun with."""
    missing = [stage.name for stage in before if stage.name not in run.document["stages"]]
    if missing:
        raise UsageError("step-too-early", f"{command} needs {missing[0]} first", str(run.root), "qqloan --help lists the steps in order.")
    if run.document["key_id"] != secret.fingerprint(secret.load()):
        raise ConfigError("key-differs", "the run was begun with another key", "QQLOAN_KEY_FILE", "Name the key file that it was begun with.")
    return [stage for stage in after if stage.name in run.document["stages"]]


def _drop(run: Run, table: str) -> None:
    path = run.file(table) if run.is_shared(table) else run.folder(table)
    if path.is_dir():
        remove(path)
    elif path.exists():
        os.unlink(path)
