"""qqloan archive: seals a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import DryRun, RunArgument


def archive(
    run: RunArgument,
    to: Annotated[Path, typer.Option("--to", metavar="ARCHIVE", help="The archive's folder; made where there is none.", show_default=False)],
    sign: Annotated[Optional[Path], typer.Option("--sign", metavar="KEY", help="Sign the entry with this Ed25519 private key (PEM).", show_default=False)] = None,
    encrypt_to: Annotated[Optional[str], typer.Option("--encrypt-to", metavar="AGE-KEY", help="Encrypt the inputs for this age public key (age1..., or a file with one).", show_default=False, envvar="QQLOAN_AGE_RECIPIENT")] = None,
    head: Annotated[bool, typer.Option("--head", help="Print the new head's digest alone, to be noted elsewhere.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Inputs, configuration, model and every table of a run into a store that names each file by its content, chained to what was sealed before."""
    from qqloan_cli.archive.seal import seal
    from qqloan_cli.archive.statement import run_id
    from qqloan_cli.engine.run import Run
    from qqloan_cli.reports import console

    said = console.current()
    if dry_run:
        said.say(f"would seal {run_id(Run.open(run))} into {to}")
        return 0
    sealed = seal(run, to, sign, said, encrypt_to)
    if head:
        print(sealed.entry.digest)
    if sealed.already:
        said.say(f"{sealed.entry.name} was sealed already, as entry {sealed.entry.sequence}")
    else:
        said.say(f"{sealed.entry.name} sealed as entry {sealed.entry.sequence}: {sealed.files:,} files, {sealed.new_objects:,} of them new ({sealed.new_bytes / 1e6:,.1f} MB); head {sealed.entry.digest}")
    said.next_step(f"qqloan audit {to}, or qqloan replay {to} {sealed.entry.name}")
    return 0
