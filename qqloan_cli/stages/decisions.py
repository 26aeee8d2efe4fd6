"""Decisions: one row per application, in one file, and the calendar of cash. What came in goes out: nothing is lost between the first
stage and here."""

from __future__ import annotations

import shutil

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import literal
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.errors import InternalError

AT_ONCE = 250_000  # applications


def settings(run: Run) -> dict:
    import numpy as np
    import pyarrow as pa

    from qqloan_cli.loans.calendar import Calendar
    from qqloan_cli.policy.funding import load_funding
    from qqloan_cli.policy.products import load_products

    sources = sorted(load_funding(run.config_dir).sources.items())
    products = load_products(run.config_dir)
    days = {name: product.decide_by_working_days for name, product in sorted(products.items())}
    calendar = Calendar.around(run.as_of, 2 * max(days.values()))
    by = calendar.working_days_after(run.as_of, np.array([*days.values(), max(days.values())]))
    warning = calendar.warning(by, "decision dates")
    run.warn([warning] if warning else [])
    return {
        # The last is for a product that the configuration does not know: it gets the longest.
        "daily": pa.table({
            "source": pa.array([name for name, _ in sources], pa.string()),
            "daily_cash_fen": pa.array([None if source.daily_cash is None else source.daily_cash * 100 for _, source in sources], pa.int64()),
        }),
        "decide_by_product": pa.table({"product": pa.array([*days, None], pa.string()), "decide_by": by}),
    }


def listed(run: Run, con) -> dict:
    from qqloan_cli.funding.earlier import spent

    return {"applications": run.rows(con, "applicants"), "spent": spent(run, con)}


def compute(task: Task) -> None:
    """All at once where that is little, and else bucket by bucket, because the joins of everybody would not fit."""
    task.script(STAGE.sql_file.with_name("decisions_cash.sql"))
    applications = task.values["applications"]
    limits = task.con.sql('SELECT count(*) FROM "limit"').fetchall()[0][0]
    if applications <= AT_ONCE:
        task.script(STAGE.sql_file)
        decided = "decided"
    else:
        decided = f"read_parquet([{', '.join(_parts(task))}])"
    task.con.execute(f"CREATE OR REPLACE TEMP VIEW decisions AS FROM {decided}")
    made = task.con.sql("SELECT count(*) FROM decisions").fetchall()[0][0]
    if not made == limits == applications:
        raise InternalError(
            "decisions-lost", f"{applications:,} applications came in, {limits:,} have a limit row, {made:,} a decision", "decisions", "Please report it.",
        )


def _parts(task: Task) -> list[str]:
    """Each bucket's decisions, which wait in the scratch folder to be put in order."""
    folder = task.run.scratch / "decided"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    parts = [literal(str(folder / f"{bucket:05}.parquet")) for bucket in range(task.run.buckets)]
    for bucket, part in enumerate(parts):
        for table in ("limit", "funding", "score"):
            task.run.bind(task.con, table, bucket)
        task.script(STAGE.sql_file)
        task.con.execute(f"COPY decided TO {part} (FORMAT parquet, COMPRESSION uncompressed)")
    return parts


STAGE = Stage(
    name="decisions", kind="gather", reads=("limit", "funding", "score", "disburse_plan"), writes=("decisions", "cash_calendar"),
    module=__name__, settings=settings, listed=listed, compute=compute,
)
