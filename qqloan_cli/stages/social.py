"""social: activity, payments, holdings and ties into a score of 0 to 100, and ring alerts. It refers at most; it never declines."""

from __future__ import annotations

import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage
from qqloan_cli.policy.social import load_social

_NO_END = 2**62


def settings(run: Run) -> dict:
    policy = load_social(run.config_dir)
    rows = policy.point_rows()
    return {
        "bands": pa.table({
            "measure": pa.array([row[0] for row in rows], pa.string()),
            "from_value": pa.array([row[1] for row in rows], pa.int64()),
            "below": pa.array([_NO_END if row[2] is None else row[2] for row in rows], pa.int64()),
            "points": pa.array([row[3] for row in rows], pa.int32()),
            "most_points": pa.array([row[4] for row in rows], pa.int32()),
        }),
        "rules": pa.Table.from_pylist([{
            "window_months": policy.window.months, "thin_activity_months": policy.window.thin_activity_months, "new_account_days": policy.window.new_account_days,
            "all_points": sum(entry.bands[-1][1] for entry in policy.points.values()), "known_percent": policy.score.known_percent,
            "strong_from": policy.score.strong_from, "fair_from": policy.score.fair_from,
            "prior_percent": policy.neighbours.rate_percent, "prior_weight": policy.neighbours.weight,
            "neighbours_bad_percent": policy.neighbours.bad_from_percent, "neighbours_bad_at_least": policy.neighbours.bad_at_least,
            "ring_size": policy.ring_alert.size, "ring_ties_percent": policy.ring_alert.ties_per_applicant_percent,
            "ring_ties_size": policy.ring_alert.ties_size, "ring_cycle_size": policy.ring_alert.money_cycle_size,
        }]),
    }


STAGE = Stage(
    name="social", kind="map", reads=("applicants", "social_activity", "wealth", "links", "income", "credit"), writes=("social",), module=__name__,
    settings=settings,
)
