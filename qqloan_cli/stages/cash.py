"""cash: when each source's money leaves, day by day, beside what it lets go."""

from __future__ import annotations

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage
from qqloan_cli.policy.funding import load_funding


def settings(run: Run) -> dict[str, object]:
    import pyarrow as pa

    sources = sorted(load_funding(run.config_dir).sources.items())
    return {"daily": pa.table({
        "source": pa.array([name for name, _ in sources], pa.string()),
        "daily_cash_fen": pa.array([None if source.daily_cash is None else source.daily_cash * 100 for _, source in sources], pa.int64()),
    })}


STAGE = Stage(name="cash", kind="gather", reads=("disburse_plan",), writes=("cash_calendar",), module=__name__, settings=settings)
