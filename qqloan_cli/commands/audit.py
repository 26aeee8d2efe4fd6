"""qqloan audit: verifies an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def audit(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="An archive's folder.", show_default=False)],
    public_key: Annotated[Optional[Path], typer.Option("--public-key", metavar="KEY", help="Every entry must be signed by its owner (Ed25519, PEM).", show_default=False)] = None,
    head: Annotated[Optional[str], typer.Option("--head", metavar="DIGEST", help="A head that was noted elsewhere: it must be in the chain.", show_default=False)] = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> int:
    """Every link and every file of an archive in one pass; exit 4 where one was altered, is missing or was added."""
    from qqloan_cli.archive.check import audit as look
    from qqloan_cli.archive.layout import Archive
    from qqloan_cli.reports import console, formats

    formats.known(format)
    found = look(Archive.open(archive), public_key, head)
    runs = [
        {"run_id": e.name, "sequence": e.sequence, "as_of": e.document["predicate"]["buildDefinition"]["externalParameters"]["as_of"], "files": len(e.files),
         "manifest_sha256": e.digest, "signed": found.signed.get(e.sequence, False)}
        for e in found.entries if e.kind == "run"
    ]
    events = [{"kind": e.kind, "sequence": e.sequence, "about": e.name, "manifest_sha256": e.digest, "signed": found.signed.get(e.sequence, False)} for e in found.entries if e.kind != "run"]
    if format == "json":
        formats.document({
            "ok": not found.findings, "head": found.entries[-1].digest if found.entries else None, "runs": runs, "events": events,
            "findings": [finding._asdict() for finding in found.findings], "notes": found.notes, "files": found.files, "bytes": found.bytes,
        })
    else:
        if runs:
            formats.draw(["run", "entry", "as of", "files", "signed", "manifest"], [
                [r["run_id"], str(r["sequence"]), r["as_of"], f"{r['files']:,}", "yes" if r["signed"] else "no", r["manifest_sha256"][:16]] for r in runs
            ], "Sealed runs", [False, True, False, True, False, False])
        if events:
            kinds = sorted({event["kind"] for event in events})
            formats.draw(["what", "entries"], [[kind, f"{sum(event['kind'] == kind for event in events):,}"] for kind in kinds], "What else is chained", [False, True])
        if found.findings:
            formats.draw(["finding", "where", "why"], [list(finding) for finding in found.findings[:50]], f"{len(found.findings):,} findings", [False] * 3)
    said = console.current()
    for note in found.notes:
        said.note("archive-unfinished", note)
    if found.findings:
        first = found.findings[0]
        said.say(f"NOT what was sealed: {len(found.findings):,} findings, the first: {first.where} {first.what}, {first.why}")
        return 4
    said.say(f"{len(found.entries):,} entries, {found.files:,} files, {found.bytes / 1e6:,.1f} MB: all as it was sealed")
    return 0
