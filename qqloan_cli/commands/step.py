"""What the commands of single steps have in common."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.commands.options import as_workers
from qqloan_cli.reports import console


def step(root: Path, command: str, workers: int | None, yes: bool, format: str, dry_run: bool, following: str | None) -> int:
    """Takes ``command``'s stages on the run at ``root`` and says what came out."""
    from qqloan_cli import chain
    from qqloan_cli.engine.step import take, would_take
    from qqloan_cli.reports import summary

    said = console.current()
    before, mine, after = chain.around(command)
    if dry_run:
        would = would_take(root, command, before, mine, after)
        said.say(f"would write {', '.join(would.writes)}" + (f" and remove {', '.join(would.removes)}" if would.removes else ""))
        return 0
    made = take(root, command, before, mine, after, as_workers(workers), said, yes)
    said.close()
    summary.show_step(made, [stage.name for stage in mine], format)
    said.next_step(f"qqloan {following} {root}" if following else f"qqloan explain {root} APPLICATION_ID")
    return 0
