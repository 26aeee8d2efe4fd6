"""How ``run`` and ``intake`` begin: the request, the lock, the folder, the lender's files."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

from qqloan_cli.errors import UsageError
from qqloan_cli.reports import console


def as_share(text: str | None) -> float | None:
    """2% or 0.02 as a share."""
    if text is None:
        return None
    try:
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError("share-wrong", f"{text!r} is not a share", "--max-quarantine", "Write it as 2% or 0.02.")
    return share


def begin(
    inputs: list[Path], out: Path, as_of: datetime.date, *, source: str | None, config: Path | None, history: list[Path],
    max_quarantine: str | None, workers: int, resume: bool, dry_run: bool, whole: bool, spark: str | None = None,
):
    """Makes a run of ``inputs``, to its end where ``whole``; None after a dry run."""
    from qqloan_cli import chain
    from qqloan_cli.engine.build import building, request
    from qqloan_cli.engine.walk import memory_mb, walk
    from qqloan_cli.intake.read import take_in
    from qqloan_cli.policy.home import config_dir

    said = console.current()
    home = config_dir(config)
    share = as_share(max_quarantine)
    asked = request(inputs, as_of, home, source, history)
    if dry_run:
        size = sum(size for _, size, _ in asked["inputs"])
        said.say(f"would read {len(asked['inputs'])} files ({size / 1e6:,.1f} MB) with {home} as of {as_of} into {out}")
        return None
    with building(out, asked, home, said, resume) as made:
        loading = chain.Loading(made) if whole and "intake" not in made.document["stages"] else None
        if "intake" not in made.document["stages"]:
            started = time.perf_counter()
            take_in(made, inputs, source=source, max_quarantine=share, workers=workers, events=said, reading=loading.start if loading else None)
            counts = made.document["counts"]
            rows_in, kept = sum(c["in"] for c in counts.values()), {name: c["accepted"] for name, c in counts.items()}
            seconds = time.perf_counter() - started
            made.document["stages"]["intake"] = {"rows_in": rows_in, "rows_out": kept}
            made.document["timings"]["intake"] = {"seconds": round(seconds, 3), "memory_mb": memory_mb()}
            made.save()
            said.finished("intake", rows_in, sum(kept.values()), seconds, memory_mb())
        if whole:
            walk(made, chain.stages(), workers, said, spark, loading.settings() if loading else None)
    return made
