"""What the commands of single steps have in common."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.commands.options import as_workers
from qqloan_cli.reports import console


def step(root: Path, command: str, workers: int | None, yes: bool, following: str | None) -> int:
    """Takes ``command``'s stages on the run at ``root`` and says what came out."""
    from qqloan_cli import chain
    from qqloan_cli.engine.step import take
    from qqloan_cli.reports import summary

    said = console.current()
    before, mine, after = chain.around(command)
    made = take(root, command, before, mine, after, as_workers(workers), said, yes)
    said.close()
    summary.show_step(made, [stage.name for stage in mine])
    said.next_step(f"qqloan {following} {root}" if following else f"qqloan explain {root} APPLICATION_ID")
    return 0
