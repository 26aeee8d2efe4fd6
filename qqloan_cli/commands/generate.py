"""qqloan generate: a lender that does not exist, and what its borrowers did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qqloan_cli.app import group
from qqloan_cli.commands.options import DryRun, RunArgument, Workers, as_date, as_workers
from qqloan_cli.errors import UsageError

FORMATS = ("csv", "parquet")
MOST = 100_000_000  # phones and cards are different up to here


def lender(
    applicants: Annotated[int, typer.Option("--applicants", "-n", min=1, max=MOST, help="Applications to make.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder that is new or empty, made whole or not at all.", show_default=False)],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes, whatever the workers.")] = 1,
    format: Annotated[str, typer.Option("--format", help="csv (a file an input) or parquet (a folder an input).")] = "csv",
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="Applications are of this day and the two before it.")] = "2026-11-24",
    workers: Workers = None,
    dry_run: DryRun = False,
) -> int:
    """A coherent synthetic lender of any size: its files, and in truth/ what is really so, to measure by."""
    import os
    import resource
    import shutil
    import time

    from qqloan_cli.engine.files import only_writer
    from qqloan_cli.engine.walk import memory_mb
    from qqloan_cli.generate import lender as makes
    from qqloan_cli.reports import console

    date = as_date(as_of)
    if format not in FORMATS:
        raise UsageError("format-unknown", f"{format!r} is not a format", "--format", "Use csv or parquet.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("out-not-empty", "something stands under this name", str(out), "Choose another --out.")
    said = console.current()
    if dry_run:
        for name, (per_applicant, csv_bytes, parquet_bytes) in makes.SIZES.items():
            rows = int(applicants * per_applicant)
            said.say(f"{name:<17} about {rows:>13,} rows {rows * (csv_bytes if format == 'csv' else parquet_bytes) / 1e6:>9,.1f} MB")
        return 0
    started = time.perf_counter()
    out = Path(os.path.abspath(out))
    beside = out.with_name(f".{out.name}.building")
    with only_writer(out, said):
        shutil.rmtree(beside, ignore_errors=True)  # left by one that was killed
        beside.mkdir()
        said.started("generate", applicants)
        try:
            order = makes.Order(applicants, seed, makes.days(date), format, beside)
            rows = makes.generate(order, as_workers(workers), lambda count: said.advanced("generate", count))
            os.rename(beside, out)  # an empty folder of that name gives way
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    most = max(memory_mb(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)  # the largest of the workers
    said.finished("generate", applicants, sum(rows[name] for name in makes.INPUTS), time.perf_counter() - started, most)
    for name in makes.INPUTS:
        said.say(f"  {name:<17} {rows[name]:>13,} rows")
    said.next_step(f"qqloan run {out} --out runs/{out.name} --as-of {date}")
    return 0


def repayments(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="A CSV file; the truth goes beside it, to NAME.truth.csv.", show_default=False)],
    months: Annotated[int, typer.Option("--months", min=1, max=360, help="Instalments of so many months are paid, or not.")] = 12,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 1,
) -> int:
    """What the borrowers of a run did with their instalments: paid, late, short, twice, reversed, unmatched, or not at all."""
    import os

    from qqloan_cli.engine.run import Run
    from qqloan_cli.generate.repayments import truth_of, write
    from qqloan_cli.reports import console

    out = Path(os.path.abspath(out))
    rows = write(Run.open(run), months, seed, out)
    said = console.current()
    said.say(f"{sum(rows.values()):,} events in {out}: {', '.join(f'{number:,} {kind}' for kind, number in rows.items())}; the truth in {truth_of(out)}")
    said.next_step(f"qqloan servicing post {out} --book BOOK")
    return 0


app = group("generate", "A coherent synthetic lender of any size, with the truth beside it; and what the borrowers of a run did.", lender, repayments, otherwise="lender")
