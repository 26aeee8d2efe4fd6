"""What happens to a sealed run: an entry of the chain like any other, whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

from qqloan_cli.archive.layout import EVENT, FORMAT, STATEMENT, Archive, Entry, adding
from qqloan_cli.archive.signing import sign
from qqloan_cli.engine.files import sha256, write_json


def append(root: Path, about: Entry, event: dict, private_key: Path | None, check=None) -> Entry:
    """Chains ``event`` about the run ``about``. ``check(archive)`` is called under the lock, and raises where the event may not be."""
    with adding(root) as (archive, begun, sequence):
        if check is not None:
            check(archive)
        manifest = begun / "manifest.json"
        write_json(manifest, {
            "_type": STATEMENT, "subject": [{"name": about.run_id, "digest": {"sha256": about.digest}}], "predicateType": EVENT,
            "predicate": {
                "event": {**event, "run_id": about.run_id},
                "qqloan_chain": {"sequence": sequence, "previous": archive.entry(sequence - 1).digest, "format_sha256": sha256(FORMAT), "objects": {}},
            },
        })
        os.chmod(manifest, 0o444)
        if private_key is not None:
            sign(manifest, private_key)
    return Archive(root).entry(sequence)
