"""configs/regulation/ as models, and as the table of what binds this lender on which date.

A cap is looked up by the application's own date. A press report never binds
unless lender.toml adopts it, and what nobody has checked lately says so.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.load import load, read_toml
from qqloan_cli.policy.products import Lender, Licence, Method, Strict, ppm

Underwriting = Literal["price_cap", "amount_max", "term_max", "self_payment_max", "student_ban", "cost_table"]
Contact = Literal[
    "contact_from", "contact_until", "calls_connected_max", "tries_unanswered_max", "third_party_ground", "third_party_failures", "third_party_stop", "third_party_silence",
    "visit_agents_min", "records_keep",
]
Overseen = Literal[
    "late_cost_cap", "cost_shown", "no_prededuct", "minor_ban", "purpose_ban", "consent_before", "consent_scope", "decision_reasons", "review_on_request", "adverse_notice",
    "marketing", "partner_share_min", "partner_concentration_max", "joint_total_max", "region_only", "leverage_max", "borrower_share_max", "enhanced_share_max",
    "retention_min", "retention_shortest",
]
Topic = Literal[Underwriting, Contact, Overseen]
UNDERWRITING, CONTACT, OVERSEEN = get_args(Underwriting), get_args(Contact), get_args(Overseen)
_SHARES = ("price_cap", "late_cost_cap", "partner_share_min", "partner_concentration_max", "joint_total_max", "borrower_share_max", "enhanced_share_max")
Certainty = Literal["H", "M", "L"]
OPEN = datetime.date(9999, 12, 31)
DAY = datetime.timedelta(1)


class Fixing(Strict):
    """Percent a year."""

    from_: Annotated[datetime.date, Field(alias="from")]
    one_year: Annotated[Decimal, Field(gt=0, lt=100)]
    five_years: Annotated[Decimal, Field(gt=0, lt=100)]


class Lpr(Strict):
    document: str
    source: str
    certainty: Certainty
    verified_through: datetime.date
    fixings: Annotated[list[Fixing], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> "Lpr":
        dates = [fixing.from_ for fixing in self.fixings]
        if dates != sorted(set(dates)):
            raise ValueError("fixings are not in rising order of date")
        return self

    def one_year(self, date: datetime.date) -> Decimal | None:
        """Percent in force on ``date``; None before the first fixing."""
        known = [fixing.one_year for fixing in self.fixings if fixing.from_ <= date]
        return known[-1] if known else None


class Regulation(Strict):
    """``value`` by topic: caps on cost a share a year, other shares as shares, amounts yuan, terms and what is kept months, contact_from and
    contact_until hours of the day, counts and multiples; 1 where a ban or a duty stands, of what ``among`` lists where it does.
    ``from``/``to`` are inclusive. ``standard`` is a recommended one, ``self_regulation`` an association's: neither is law."""

    id: str
    topic: Topic
    value: Decimal | None = None
    lpr_multiple: Annotated[int, Field(ge=1)] | None = None
    licence: Annotated[list[Licence | Literal["private"]], Field(min_length=1)]
    product_kind: Literal["consumption", "business"] | None = None
    method: list[Method] | None = None
    among: list[str] = []
    from_: Annotated[datetime.date, Field(alias="from")]
    to: datetime.date = OPEN
    kind: Literal["law", "guidance", "standard", "self_regulation", "report"]
    document: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    certainty: Certainty
    verified_through: datetime.date

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Regulation":
        if (self.value is None) == (self.lpr_multiple is None):
            raise ValueError(f"{self.id}: give value or lpr_multiple, one of them")
        if self.lpr_multiple is not None and self.topic != "price_cap":
            raise ValueError(f"{self.id}: only a price_cap hangs on the LPR")
        if self.topic in CONTACT and (self.value is None or self.value != int(self.value)):
            raise ValueError(f"{self.id}: a whole number is wanted")
        if self.to < self.from_:
            raise ValueError(f"{self.id}: ends before it begins")
        return self

    def binds(self, lender: Lender) -> bool:
        return lender.licence in self.licence and (self.kind != "report" or self.id in lender.adopt_reports)

    def in_force(self, date: datetime.date) -> bool:
        return self.from_ <= date <= self.to


class _File(Strict):
    rule: list[Regulation]


class Rulebook:
    """Every regulation of a configuration, and the LPR table."""

    def __init__(self, rules: list[Regulation], lpr: Lpr) -> None:
        self.rules, self.lpr = rules, lpr

    def binding(self, lender: Lender, topic: Topic, date: datetime.date) -> list[Regulation]:
        return [rule for rule in self.rules if rule.topic == topic and rule.binds(lender) and rule.in_force(date)]

    def periods(self, lender: Lender) -> list[dict]:
        """What binds a decision, as rows: id, topic, product_kind, method (null: all), from_date, to_date, value.

        ``value`` is whole: fen, months, or millionths a year. A cap on the LPR is cut
        into the periods between fixings.
        """
        rows = []
        for rule in self.rules:
            if rule.binds(lender) and rule.topic in UNDERWRITING:
                rows += self.periods_of(rule)
        return rows

    def periods_of(self, rule: Regulation) -> list[dict]:
        """The same of one rule, whether it binds or not."""
        return [
            {"id": rule.id, "topic": rule.topic, "product_kind": rule.product_kind, "method": method, "from_date": start, "to_date": end, "value": value}
            for start, end, value in self._values(rule) for method in rule.method or [None]
        ]

    def _values(self, rule: Regulation) -> list[tuple[datetime.date, datetime.date, int]]:
        if rule.value is not None:
            return [(rule.from_, rule.to, _whole(rule.topic, rule.value))]
        starts = [fixing.from_ for fixing in self.lpr.fixings]
        ends = [start - DAY for start in starts[1:]] + [OPEN]
        found = []
        for start, end, fixing in zip(starts, ends, self.lpr.fixings):
            start, end = max(start, rule.from_), min(end, rule.to)
            if start <= end:
                found.append((start, end, ppm(fixing.one_year / 100 * rule.lpr_multiple)))
        return found

    def warnings(self, lender: Lender, as_of: datetime.date) -> list[dict]:
        """What a run dated ``as_of`` has to say of its law: not verified up to that date, or only reported."""
        found = []
        in_force = [rule for rule in self.rules if rule.topic in UNDERWRITING and lender.licence in rule.licence and rule.in_force(as_of)]
        for rule in in_force:
            if rule.binds(lender) and as_of > rule.verified_through:
                found.append({"ref": "regulation-unverified", "text": f"{rule.id} ({rule.document}) is verified through {rule.verified_through}, the run is dated {as_of}"})
            if not rule.binds(lender):
                found.append({"ref": "regulation-reported", "text": f"{rule.id}: {rule.source} ({rule.document}); it does not limit here, lender.toml may adopt it"})
        if as_of > self.lpr.verified_through and any(rule.binds(lender) and rule.lpr_multiple for rule in in_force):
            found.append({"ref": "lpr-unverified", "text": f"LPR fixings are verified through {self.lpr.verified_through}, the run is dated {as_of}: the last known rate is taken"})
        return found


def _whole(topic: Topic, value: Decimal) -> int:
    if topic in _SHARES:
        return ppm(value)
    return int(value * 100) if topic in ("amount_max", "self_payment_max") else int(value)


def load_regulation(config_dir: Path) -> Rulebook:
    """configs/regulation/*.toml that have [[rule]] entries, and lpr.toml. Raises ConfigError on an id that stands twice."""
    folder = config_dir / "regulation"
    lpr = load(folder / "lpr.toml", Lpr)
    rules: dict[str, Regulation] = {}
    for path in sorted(folder.glob("*.toml")):
        content = read_toml(path)
        if "rule" not in content:  # lpr.toml, and tables that other rooms read
            continue
        for rule in load(path, _File, content).rule:
            if rule.id in rules:
                raise ConfigError("regulation-twice", f"{rule.id} stands twice", str(path), "Keep one, or give the later one another id and the earlier one an end.")
            rules[rule.id] = rule
    return Rulebook(list(rules.values()), lpr)


def load_rule_file(path: Path) -> list[Regulation]:
    """The [[rule]]s of a file of its own, such as one of rules to come. Raises ConfigError."""
    return load(path, _File).rule
