"""qqloan init: something to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qqloan_cli.commands.options import DryRun
from qqloan_cli.errors import UsageError


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.", show_default=False)],
    dry_run: DryRun = False,
) -> int:
    """Write configuration, a sample and a notebook to start from: DIR/configs, DIR/sample_data and DIR/example.ipynb."""
    import shutil

    from qqloan_cli.policy.home import shipped
    from qqloan_cli.reports import console

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("init-not-empty", "the folder is not empty", str(folder), "Name a new one.")
    said = console.current()
    for name in ("configs", "sample_data"):
        if not dry_run:
            shutil.copytree(shipped(name), folder / name)
        said.say(f"{folder / name}: {sum(1 for p in shipped(name).rglob('*') if p.is_file())} files")
    example = Path(__file__).parent.parent / "notebook" / "example.ipynb"
    if not dry_run:
        shutil.copyfile(example, folder / example.name)
    said.say(f"{folder / example.name}: the run, looked at from a notebook")
    said.next_step(f"cd {folder} && qqloan run sample_data --out runs/first --as-of 2026-11-24")
    return 0
