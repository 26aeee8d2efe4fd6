"""Alerts to whom they concern, once: a file, stdout, e-mail, a webhook; and a journal that remembers what was sent to whom."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa


class Told(NamedTuple):
    """What a delivery came to: ``sent`` and ``failed`` have a row a sink: sink, alerts, resolved, reminders, error."""

    sent: list[dict]
    failed: list[dict]


def deliver(alerts: pa.Table, as_of: datetime.date, sinks: list, journal: Path) -> Told:
    raise NotImplementedError
