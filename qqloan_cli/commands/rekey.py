"""qqloan rekey: an earlier run as history for runs under a new key."""

from __future__ import annotations

from qqloan_cli.commands.options import Out, RunArgument, Workers, as_workers


def rekey(run: RunArgument, out: Out, workers: Workers = None) -> int:
    """Hashes an earlier run's numbers anew under the key that QQLOAN_KEY_FILE names now, for --history: so the key can be changed without
    losing duplicates, velocity and exposure."""
    from qqloan_cli.links.rekey import rekey as make
    from qqloan_cli.reports import console

    said = console.current()
    old, new, applications = make(run, out, as_workers(workers), said)
    said.close()
    said.say(f"{out}: {applications:,} applications, hashed under key {new} where they were under {old}; it is a history, not a run to look into")
    said.next_step(f"qqloan run INPUT --out RUN --as-of DATE --history {out}")
    return 0
