"""qqloan replay: a sealed run, or one application of it, worked out again."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Workers, as_workers
from qqloan_cli.errors import UsageError


def replay(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="An archive's folder.", show_default=False)],
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A run of it, as qqloan audit lists them.", show_default=False)],
    application: Annotated[Optional[str], typer.Option("--application", metavar="ID", help="One application alone: seconds, whatever the size of the run.", show_default=False)] = None,
    workers: Workers = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """Works a sealed run out again from its inputs, configuration and model, and says where it differs; exit 4 where it does."""
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.reports import console, replayed

    if format not in ("table", "json"):
        raise UsageError("format-unknown", f"--format {format} is not known", hint="Use table or json.")
    store, said = Archive.open(archive), console.current()
    entry = store.find(run_id)
    with tempfile.TemporaryDirectory(prefix="qqloan-replay-") as scratch:
        if application is not None:
            from qqloan_cli.archive.one import replay_one
            from qqloan_cli.engine.events import SILENT

            found = replay_one(store, entry, application, Path(scratch), SILENT)
            document = {"run_id": entry.run_id, "application_id": application, "decision": found.decision, "tables": found.tables}
        else:
            from qqloan_cli.archive.replay import replay as whole

            found = whole(store, entry, Path(scratch), as_workers(workers), said)
            document = {"run_id": entry.run_id, "files": found.files, "identical_files": found.identical, "otherwise_written": found.otherwise_written}
    said.close()
    document |= {
        "identical": not found.parted, "first_parted": found.parted[0].table if found.parted else None,
        "parted": [{**d._asdict(), "examples": [cell._asdict() for cell in d.examples]} for d in found.parted],
        "other_versions": {name: {"then": then, "now": now} for name, (then, now) in found.other_versions.items()},
    }
    if format == "json":
        from qqloan_cli.reports import formats

        print(json.dumps(formats.plain({"schema_version": console.SCHEMA_VERSION, **document}), ensure_ascii=False, indent=1))
    else:
        replayed.show(document)
    return 4 if found.parted else 0
