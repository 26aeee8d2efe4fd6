"""A run's hashes under another key: what later runs read of it as history, made anew from its raw numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

from qqloan_cli.engine import secret
from qqloan_cli.engine.events import Events
from qqloan_cli.engine.files import only_writer, remove, write_json
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import UsageError
from qqloan_cli.links import keys


def rekey(root: Path, out: Path, workers: int, events: Events) -> tuple[str, str, int]:
    """Makes ``out``, a history under the key that is named now: keys, decisions, run.json. Gives the fingerprints of both keys and the
    number of applications. Raises UsageError where the run has no raw numbers left, or has that key already."""
    run = Run.open(root)
    old, new = run.document["key_id"], secret.fingerprint(secret.load())
    if old == new:
        raise UsageError("key-the-same", "the run was made with this key already", str(root), "Name the new key in QQLOAN_KEY_FILE.")
    if not run.whole("applicants"):
        raise UsageError("run-without-inputs", "the run has no raw numbers to hash anew", str(root), "Take it from its archive.")
    hidden = out.with_name(f".{out.name}.building")
    with only_writer(out, events):
        if out.exists():
            raise UsageError("run-exists", "something stands under this name", str(out), "Choose another --out, or remove it.")
        remove(hidden)
        hidden.mkdir(parents=True)
        for table in keys.STAGE.reads:
            for path in run.whole(table):
                to = hidden / path.relative_to(run.root)
                to.parent.mkdir(parents=True, exist_ok=True)
                to.symlink_to(path.resolve())
        document = {name: run.document[name] for name in ("schema_version", "as_of", "buckets", "code", "libraries")}
        document |= {"key_id": new, "rekeyed_from": old, "inputs": [], "counts": {}, "config_digest": run.document["config_digest"], "stages": {}, "warnings": [], "digests": {}, "timings": {}}
        again = Run(hidden, document)
        again.save()
        walk(again, [keys.STAGE], workers, events)
        for table in ("decisions", "cash_calendar"):
            for path in run.whole(table):
                shutil.copyfile(path, again.file(table))
        for part in ("inputs", ".scratch"):
            remove(hidden / part)
        (hidden / ".journal").unlink(missing_ok=True)
        write_json(hidden / "run.json", again.document)
        hidden.replace(out)
    return old, new, sum(again.document["stages"]["keys"]["rows_out"].values())
