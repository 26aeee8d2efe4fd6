"""credit: tradelines and inquiries, read as a credit officer reads a report."""

from __future__ import annotations

import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage
from qqloan_cli.policy.credit import load_credit


def settings(run: Run) -> dict[str, object]:
    policy = load_credit(run.config_dir)
    short, middle, long = policy.inquiry_days
    return {
        "credit_settings": pa.table({name: pa.array([value], pa.int32()) for name, value in (
            ("thin_months", policy.thin_months), ("thin_reported", policy.thin_reported),
            ("short_days", short), ("middle_days", middle), ("long_days", long),
        )}),
        "grid_codes": pa.Table.from_pylist([code.model_dump(exclude={"means"}) for code in policy.code]),
        "credit_kinds": pa.table({
            "kind": list(policy.kind),
            "secured": [kind.secured for kind in policy.kind.values()],
            "revolving": [kind.revolving for kind in policy.kind.values()],
            "payment_ppm": pa.array([kind.payment_ppm for kind in policy.kind.values()], pa.int64()),
            "unknown_permille": pa.array([round(kind.unknown_balance * 1000) for kind in policy.kind.values()], pa.int64()),
        }),
        "soft_inquiries": pa.table({"reason": pa.array(policy.soft_inquiries, pa.string())}),
    }


STAGE = Stage(
    name="credit", kind="map", reads=("applicants", "credit_accounts", "credit_inquiries"), writes=("credit",),
    module=__name__, settings=settings,
)
