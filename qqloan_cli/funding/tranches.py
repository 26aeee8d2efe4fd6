"""When a product's money leaves: its tranches as dated shares. Every loan of a batch is paid from the same as-of date."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Mapping

import numpy as np

from qqloan_cli.errors import ConfigError
from qqloan_cli.loans.calendar import Calendar

PPM = 1_000_000


@dataclass(frozen=True)
class Tranche:
    share_ppm: int
    pay_date: datetime.date
    condition: str | None


def tranche_plans(products: Mapping[str, Mapping], as_of: datetime.date) -> tuple[dict[str, list[Tranche]], list[dict]]:
    """By product, from configs/products.toml's ``tranches``; and warnings where a date rests on an unannounced calendar.

    The first money leaves on the first working day after ``as_of``; later
    tranches so many days after that, or on the first working day from then.
    """
    given = {name: product.get("tranches") or [{"share": 1.0, "after_days": 0}] for name, product in products.items()}
    days = max((tranche["after_days"] for tranches in given.values() for tranche in tranches), default=0)
    calendar = Calendar.around(as_of, days + 1)
    first = calendar.working_days_after(as_of, 1)
    plans, dates = {}, []
    for name, tranches in sorted(given.items()):
        shares = [int(Decimal(str(tranche["share"])) * PPM) for tranche in tranches]
        if sum(shares) != PPM or min(shares) <= 0:
            raise ConfigError("tranches-not-whole", f"the tranches of {name} add up to {sum(shares) / PPM:.6f}", "products.toml", "Their shares must be above 0 and add up to 1.")
        after = [int(tranche["after_days"]) for tranche in tranches]
        if after[0] != 0 or sorted(set(after)) != after:
            raise ConfigError("tranches-out-of-order", f"the tranches of {name} do not begin at 0 days, or two fall on one day", "products.toml", "Give after_days in growing order from 0.")
        paid = calendar.next_working_day(first + np.array(after))
        dates.extend(paid)
        plans[name] = [Tranche(share, day.item(), tranche.get("condition")) for share, day, tranche in zip(shares, paid, tranches)]
    warning = calendar.warning(np.array(dates), "payment dates") if dates else None
    return plans, [warning] if warning else []


def warn(document: dict, warnings: list[dict]) -> None:
    """Adds to a run's warnings what they do not say yet."""
    for warning in warnings:
        if warning not in document["warnings"]:
            document["warnings"].append(warning)
