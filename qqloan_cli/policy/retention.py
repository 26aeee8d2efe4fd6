"""configs/retention.toml: how long each kind of sealed data is kept, and why."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from qqloan_cli.policy.load import load

Kind = Literal["inputs_not_approved", "inputs", "tables", "record"]


class Keep(BaseModel):
    """``months`` from the run's as-of date on; absent: for ever. ``basis`` says the law or the policy, ``certainty`` how sure it is."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    months: Annotated[int, Field(ge=0)] | None = None
    basis: Annotated[str, Field(min_length=1)]
    kind: Literal["law", "guidance", "policy"]
    certainty: Literal["H", "M", "L"]
    verified_through: datetime.date

    def until(self, day: datetime.date) -> datetime.date | None:
        """The last day that something of ``day`` is kept."""
        if self.months is None:
            return None
        place = day.year * 12 + day.month - 1 + self.months
        first = datetime.date(place // 12, place % 12 + 1, 1)
        after = datetime.date((place + 1) // 12, (place + 1) % 12 + 1, 1)
        return min(first + datetime.timedelta(day.day - 1), after - datetime.timedelta(1))


class Retention(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    keep: dict[Kind, Keep]


def load_retention(config_dir: Path) -> Retention:
    return load(config_dir / "retention.toml", Retention)
