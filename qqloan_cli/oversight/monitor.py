"""What stands out on the latest date, held against the model, the earlier runs and the limits of monitor.toml."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from qqloan_cli.oversight.sight import Sight
from qqloan_cli.policy.monitor import Monitoring


class Looked(NamedTuple):
    """Tables of the contracts ``measures`` and ``alerts``; the worst alert first is not promised, alert_id orders them."""

    measures: pa.Table
    alerts: pa.Table


def look(sight: Sight, policy: Monitoring, outcomes: Path | None = None, archive: Path | None = None) -> Looked:
    """Runs of age 0 are looked at, the earlier ones are what they are held against. ``outcomes``: application_id or applicant_id, bad and
    perhaps observed_at. ``archive``: where people's decisions (qqloan review) are chained to the runs."""
    raise NotImplementedError
