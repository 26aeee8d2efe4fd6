"""A sealed run opened for one application: its bucket's tables, its configuration and its reason texts, as they were then."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.archive.layout import Archive, Entry, file_of
from qqloan_cli.archive.one import decision_of
from qqloan_cli.archive.replay import sealed_document
from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.files import write_json
from qqloan_cli.engine.run import Run, bucket_of
from qqloan_cli.engine.session import connect


def opened(archive: Archive, entry: Entry, application_id: str, scratch: Path) -> Run:
    """A run at ``scratch`` that can be looked into for this application, and for no other bucket's."""
    root = scratch / "run"
    document = sealed_document(archive, entry, root)
    con = connect(1)
    try:
        person = decision_of(con, archive, entry, application_id, scratch)["applicant_id"]
    finally:
        con.close()
    bucket = bucket_of(person, document["buckets"])
    tables = {file_of(table, bucket) for table in CONTRACTS}
    for name in entry.files:
        if name.startswith("config/") or name in tables:
            archive.fetch(entry, name, root / name)
    write_json(root / "run.json", document)
    return Run(root, document)
