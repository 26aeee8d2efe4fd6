"""qqloan errors: what can go wrong, and the exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

EXIT_CODES = (
    (0, "done"), (1, "done, with findings that were asked to fail on"), (2, "wrong usage or configuration"), (3, "bad input"),
    (4, "integrity: a seal, a digest or a replay does not agree"), (70, "internal error"), (75, "locked, or an alert not delivered: try again"),
    (130, "interrupted (SIGINT)"), (143, "terminated (SIGTERM)"),
)


def errors(format: Annotated[str, typer.Option("--format", help="table, json, jsonl or csv.")] = "table") -> int:
    """Every error's reference with its exit code, read from the code that raises it."""
    import pyarrow as pa

    from qqloan_cli.reports import catalogue, formats

    if format == "table":
        formats.draw(["exit code", "meaning"], [[str(code), text] for code, text in EXIT_CODES])
    found = catalogue.errors()
    formats.emit(pa.table({"exit_code": [e[0] for e in found], "reference": [e[1] for e in found], "what": [e[2] for e in found]}), format)
    return 0
