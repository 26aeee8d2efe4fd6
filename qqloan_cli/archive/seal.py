"""Sealing: a run's files into the store, each content once, and a manifest that names them and the manifest before."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.archive import secrecy
from qqloan_cli.archive.layout import FORMAT, Archive, Entry, adding, bring, brought_by
from qqloan_cli.archive.signing import sign
from qqloan_cli.archive.statement import of_tables, statement
from qqloan_cli.engine.files import digest_folder, only_writer, sha256, write_json
from qqloan_cli.engine.run import Run
from qqloan_cli.errors import IntegrityError, UsageError

HISTORY = ("run.json", "decisions.parquet", "cash_calendar.parquet", "keys")  # what later runs read of an earlier one


class Sealed(NamedTuple):
    entry: Entry
    files: int
    new_objects: int
    new_bytes: int
    already: bool


def seal(root: Path, archive: Path, private_key: Path | None, events, encrypt_to: str | None = None) -> Sealed:
    """``encrypt_to``: the age public key for what holds people's names and numbers. Raises IntegrityError where the run is not what its own digests say, UsageError where it is not whole."""
    to = secrecy.recipient(encrypt_to) if encrypt_to else None
    with only_writer(root, events), adding(archive, events) as (store, begun, sequence):
        run = Run.open(root)
        if not run.document.get("digests"):
            raise UsageError("run-not-sealed", "the run has no digests of what it made", str(root), "Finish it with qqloan run.")
        if digest_folder(run.config_dir) != run.document["config_digest"]:
            raise IntegrityError("run-altered", "the configuration is not what the run was made under", str(run.config_dir), "Run it again under this configuration.")
        before = list(store.entries())
        here = [entry for entry in before if entry.kind == "run" and entry.name == run.run_id]
        if here:
            return Sealed(here[0], len(here[0].files), 0, 0, True)
        brought = brought_by(before)
        files = _files(run)
        with ThreadPoolExecutor(3) as pool:  # rows are added up while files are read: one takes the processor, the other the disk
            tables = pool.submit(of_tables, run)
            stored = dict(zip(files, pool.map(lambda item: bring(item[1], begun / "objects", brought, to if item[0].startswith(secrecy.PERSONAL) else None), files.items())))
        digests = {name: digest for name, (digest, _) in stored.items()}
        encrypted = {digest: made for entry in before for digest, made in entry.chain.get("encrypted", {}).items() if digest in digests.values()}
        encrypted |= {digest: {"format": secrecy.FORMAT, "stored_sha256": name} for digest, name in stored.values() if name != digest and digest not in brought}
        clear = [name for name, digest in digests.items() if to is not None and name.startswith(secrecy.PERSONAL) and digest in brought and digest not in encrypted]
        if clear:
            events.note("in-the-clear-before", f"{len(clear)} files of inputs were archived earlier without encryption, and stay so")
        for name, digest in run.document["digests"].items():
            if digests.get(name) != digest:
                raise IntegrityError("run-altered", f"{name} is {'missing' if name not in digests else 'not what the run made'}", str(root), "Run it again from its inputs.")
        objects = {digest: brought.get(digest, sequence) for digest in digests.values()}
        new = list((begun / "objects").iterdir())
        manifest = begun / "manifest.json"
        write_json(manifest, statement(run, digests, objects, sequence, before[-1].digest if before else None, sha256(FORMAT), tables.result(), encrypted))
        os.chmod(manifest, 0o444)
        if private_key is not None:
            sign(manifest, private_key)
        size = sum(path.stat().st_size for path in new)
    return Sealed(Archive(archive).entry(sequence), len(files), len(new), size, False)


def _files(run: Run) -> dict[str, Path]:
    """Every file of the run by its name in the manifest, and what it read of earlier runs, under ``history/``."""
    found = {path.relative_to(run.root).as_posix(): path for path in sorted(run.root.rglob("*")) if path.is_file() and not any(part.startswith(".") for part in path.relative_to(run.root).parts)}
    for number, folder in enumerate(run.document.get("history") or ()):
        for part in HISTORY:
            there = Path(folder) / part
            for path in sorted(there.glob("*.parquet")) if there.is_dir() else [there] if there.is_file() else []:
                found[f"history/{number}/{path.relative_to(folder).as_posix()}"] = path
    return found
