"""The settings of a loan's contract: what each is for, what it is where it is left out, what it can be. contract.py has their types."""

from __future__ import annotations

from typing import NamedTuple

ROUNDING = ("half_up", "half_even", "up", "down")


class Setting(NamedTuple):
    """``default``: None where there is none. ``many``: may be given several times."""

    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    many: bool = False


SETTINGS = {
    "id": Setting("The loan's name in what is put out.", ""),
    "principal": Setting("What is lent, yuan."),
    "annual_rate": Setting("A year, as a decimal: 0.12."),
    "instalments": Setting("How many."),
    "start": Setting("Day of drawdown: interest runs from it."),
    "method": Setting(
        "interest_only: principal with the last; bullet: everything with the last; flat: interest on the first principal; sum_of_digits: rule of 78.",
        "equal_instalment", ("equal_instalment", "equal_principal", "interest_only", "bullet", "flat", "sum_of_digits")),
    "every": Setting("From one instalment to the next: 1 month, 3 months, 2 weeks, 10 days, 1 year.", "1 month"),
    "first_due": Setting("First due date; later ones keep its day of the month. Left out: one period after the start."),
    "due_day": Setting("Fixed day of the month; 31 is the month's end."),
    "business_days": Setting("Where a payment goes whose due date is a day off.", "none", ("none", "following", "preceding", "modified_following")),
    "interest_to": Setting("Whether interest runs to the due date or to the day it was moved to.", "due_date", ("due_date", "adjusted_date")),
    "day_count": Setting("30/360: a whole month is a twelfth of the year.", "30/360", ("30/360", "30E/360", "30U/360", "act/365", "act/360", "act/364", "act/act")),
    "broken_period": Setting("A part of a month under 30/360: by days of 30, or by its days over the month's.", "30/360", ("30/360", "actual")),
    "broken_interest": Setting("Parts of a period that a drawdown or a new rate cuts: rounded as a sum, or each.", "sum", ("sum", "rounded")),
    "rate_kind": Setting("nominal: a period bears its share; effective: compounds to annual_rate in a year.", "nominal", ("nominal", "effective")),
    "level_from": Setting("What the level instalment is worked out from.", "dates", ("dates", "equal_periods", "first_period")),
    "payment": Setting("The instalment, where the contract fixes it."),
    "payment_rounding": Setting("Of the level instalment, or of the equal part of principal.", "half_up", (*ROUNDING, "none")),
    "payment_unit": Setting("Yuan: 1.00 for instalments of whole yuan.", "0.01"),
    "interest_rounding": Setting("Of each period's interest.", "half_up", ROUNDING),
    "interest_unit": Setting("Yuan.", "0.01"),
    "remainder": Setting("What rounding leaves: into the last instalment; the level moved where that brings the last nearer; parts of a fen carried on.",
                         "last", ("last", "level", "carry")),
    "balance": Setting("Whether interest is on the balance as printed, or carried on unrounded.", "rounded", ("rounded", "exact")),
    "time_count": Setting("How the dated cost measures time: act/365; EU 2008/48 and UK CONC by whole periods; us_months: Regulation Z, a nominal figure.",
                          "act/365", ("act/365", "eu_weeks", "eu_months", "eu_years", "uk_weeks", "uk_months", "us_months")),
    "principal_free": Setting("First instalments of interest alone (grace).", "0"),
    "drawdowns": Setting("Later parts of the principal, DATE:AMOUNT; what is left is drawn at the start.", many=True),
    "rate_changes": Setting("DATE:RATE; the level is worked out anew.", many=True),
    "charges": Setting("NAME:AMOUNT or NAME:RATE%, then :drawdown, :first, :every or :last, then :contingent where it is.", many=True),
}
