"""A lender's files into a run: the request, the lock, the folder, intake, and the chain. What ``run``, ``intake`` and ``watch`` share."""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from pathlib import Path

from qqloan_cli.engine.events import Events


def begin(
    inputs: list[Path], out: Path, as_of: datetime.date, *, events: Events, source: str | None = None, config: Path | None = None, history: list[Path] = (),
    max_quarantine: float | None = None, workers: int = 1, resume: bool = False, whole: bool = True, spark: str | None = None,
    policies: Path | None = None, draft: bool = False,
):
    """Makes a run of ``inputs``, to its end where ``whole``. ``max_quarantine``: the share of refused rows that stops it."""
    with _asked(inputs, as_of, source, config, history, policies, draft) as (home, asked):
        return _made(asked, home, inputs, out, source, max_quarantine, workers, resume, whole, spark, events)


def foreseen(inputs: list[Path], out: Path, as_of: datetime.date, *, source: str | None, config: Path | None, history: list[Path], policies: Path | None, draft: bool) -> str:
    """What ``begin`` would do, in words; what is wrong with the request is raised."""
    with _asked(inputs, as_of, source, config, history, policies, draft) as (home, asked):
        size = sum(size for _, size, _ in asked["inputs"])
        return f"would read {len(asked['inputs'])} files ({size / 1e6:,.1f} MB) with {home} as of {as_of} into {out}"


@contextlib.contextmanager
def _asked(inputs: list[Path], as_of: datetime.date, source: str | None, config: Path | None, history: list[Path], policies: Path | None, draft: bool):
    """(configuration folder, the request)."""
    from qqloan_cli.engine.build import request

    with _policy(policies, config, as_of, draft) as (home, stands):
        yield home, {**request(inputs, as_of, home, source, list(history)), "policy": stands}


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


def _made(asked: dict, home: Path, inputs: list[Path], out: Path, source: str | None, share: float | None, workers: int, resume: bool, whole: bool, spark: str | None, events: Events):
    from qqloan_cli import chain
    from qqloan_cli.engine.build import building

    with building(out, asked, home, events, resume) as made:
        settings = {}
        if "intake" not in made.document["stages"]:
            settings = _intake(made, inputs, source, share, workers, whole, spark, events)
        if whole:
            from qqloan_cli.engine.walk import walk

            walk(made, chain.stages(), workers, events, spark, settings)
    return made


def _intake(made, inputs: list[Path], source: str | None, share: float | None, workers: int, whole: bool, spark: str | None, events: Events) -> dict:
    """Reads the files into the run, beside what the stages need being loaded, and gives the stages' settings back where the chain goes on."""
    import duckdb  # noqa: F401  both processes need these: the reader is forked with them
    import pyarrow.parquet  # noqa: F401

    from qqloan_cli import chain
    from qqloan_cli.engine.workers import Apart
    from qqloan_cli.intake import read  # noqa: F401

    arguments = (made, inputs, source, share, workers, spark, events)
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
    events.finished("intake", document["stages"]["intake"]["rows_in"], sum(document["stages"]["intake"]["rows_out"].values()), **told)
    return settings


def _read(made, inputs: list[Path], source: str | None, share: float | None, workers: int, spark: str | None, events: Events) -> dict:
    """In a process of its own, with which its memory goes. Returns the run's document as it is then."""
    from qqloan_cli.engine.workers import memory_mb
    from qqloan_cli.intake.read import take_in

    started = time.perf_counter()
    take_in(made, inputs, source=source, max_quarantine=share, workers=workers, events=events, spark=spark)
    counts = made.document["counts"]
    made.document["stages"]["intake"] = {"rows_in": sum(c["in"] for c in counts.values()), "rows_out": {name: c["accepted"] for name, c in counts.items()}}
    made.document["timings"]["intake"] = {"seconds": round(time.perf_counter() - started, 3), "memory_mb": memory_mb()}
    events.close()
    return made.document
