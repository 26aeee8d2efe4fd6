"""How ``run`` and ``intake`` begin: the request, the lock, the folder, the lender's files."""

from __future__ import annotations

import contextlib
import datetime
import os
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
    policies: Path | None = None, draft: bool = False,
):
    """Makes a run of ``inputs``, to its end where ``whole``; None after a dry run."""
    from qqloan_cli.engine.build import request

    said = console.current()
    share = as_share(max_quarantine)
    with _policy(policies, config, as_of, draft) as (home, stands):
        asked = {**request(inputs, as_of, home, source, history), "policy": stands}
        if dry_run:
            size = sum(size for _, size, _ in asked["inputs"])
            said.say(f"would read {len(asked['inputs'])} files ({size / 1e6:,.1f} MB) with {home} as of {as_of} into {out}")
            return None
        return _made(asked, home, inputs, out, source, share, workers, resume, whole, spark)


@contextlib.contextmanager
def _policy(policies: Path | None, config: Path | None, as_of: datetime.date, draft: bool):
    """(configuration folder, what run.json says of how it stands)."""
    from qqloan_cli.policy.home import config_dir

    if policies is None:
        yield config_dir(config), {"state": "draft" if draft else "unmanaged"}
        return
    from qqloan_cli.archive.standing import standing

    named = config or (Path(os.environ["QQLOAN_CONFIG"]) if os.environ.get("QQLOAN_CONFIG") else None)
    with standing(policies, config_dir(named) if named else None, as_of, draft) as found:
        yield found


def _made(asked: dict, home: Path, inputs: list[Path], out: Path, source: str | None, share: float | None, workers: int, resume: bool, whole: bool, spark: str | None):
    from qqloan_cli import chain
    from qqloan_cli.engine.build import building

    with building(out, asked, home, console.current(), resume) as made:
        settings = {}
        if "intake" not in made.document["stages"]:
            settings = _intake(made, inputs, source, share, workers, whole, spark)
        if whole:
            from qqloan_cli.engine.walk import walk

            walk(made, chain.stages(), workers, console.current(), spark, settings)
    return made


def _intake(made, inputs: list[Path], source: str | None, share: float | None, workers: int, whole: bool, spark: str | None) -> dict:
    """Reads the files into the run, beside what the stages need being loaded, and gives the stages' settings back where the chain goes on."""
    import duckdb  # noqa: F401  both processes need these: the reader is forked with them
    import pyarrow.parquet  # noqa: F401

    from qqloan_cli import chain
    from qqloan_cli.engine.workers import Apart
    from qqloan_cli.intake import read  # noqa: F401

    said, arguments = console.current(), (made, inputs, source, share, workers, spark)
    if spark:  # its driver is this process
        settings, document = {}, _read(*arguments)
    else:
        with Apart(_read, *arguments) as reader:
            settings = chain.settings(made) if whole else {}
            import rich.console, rich.table  # noqa: E401, F401  what the end is drawn with
            document = reader.result()
    of_settings, made.document = made.document["warnings"], document
    made.warn(of_settings)
    made.save()
    told = {name: document["timings"]["intake"][name] for name in ("seconds", "memory_mb")}
    said.finished("intake", document["stages"]["intake"]["rows_in"], sum(document["stages"]["intake"]["rows_out"].values()), **told)
    return settings


def _read(made, inputs: list[Path], source: str | None, share: float | None, workers: int, spark: str | None) -> dict:
    """In a process of its own, with which its memory goes. Returns the run's document as it is then."""
    from qqloan_cli.engine.workers import memory_mb
    from qqloan_cli.intake.read import take_in

    started, said = time.perf_counter(), console.current()
    take_in(made, inputs, source=source, max_quarantine=share, workers=workers, events=said, spark=spark)
    counts = made.document["counts"]
    made.document["stages"]["intake"] = {"rows_in": sum(c["in"] for c in counts.values()), "rows_out": {name: c["accepted"] for name, c in counts.items()}}
    made.document["timings"]["intake"] = {"seconds": round(time.perf_counter() - started, 3), "memory_mb": memory_mb()}
    said.close()
    return made.document
