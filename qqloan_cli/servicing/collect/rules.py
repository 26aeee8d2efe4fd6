"""Whom, when and how often: the contact rules of a licence by date, the holds of collections.toml, and the tables in which SQL has both."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from qqloan_cli.contracts.collections import CHANNELS
from qqloan_cli.policy.collections import Collections, load_collections
from qqloan_cli.policy.products import load_lender
from qqloan_cli.policy.regulation import CONTACT, Regulation, load_regulation

_HERE = Path(__file__).parent
_WORDS = {"standard": "a recommended standard", "self_regulation": "an association's guideline", "guidance": "guidance"}


@dataclass(frozen=True)
class Conduct:
    """``rules``: those that bear on this lender's contacts, of any date."""

    policy: Collections
    rules: list[Regulation]

    @classmethod
    def of(cls, config_dir: Path) -> "Conduct":
        lender = load_lender(config_dir)
        return cls(load_collections(config_dir), [rule for rule in load_regulation(config_dir).rules if rule.topic in CONTACT and rule.binds(lender)])

    def on(self, day: datetime.date) -> list[Regulation]:
        return [rule for rule in self.rules if rule.in_force(day)]

    def observes(self, rule: Regulation) -> bool:
        return rule.kind in self.policy.conduct.observe

    def hours(self, day: datetime.date) -> tuple[int, int]:
        """Minutes of the day from which, and before which, one may, where nothing else was agreed."""
        held = [rule for rule in self.on(day) if self.observes(rule)]
        first = [60 * int(rule.value) for rule in held if rule.topic == "contact_from"]
        last = [60 * int(rule.value) for rule in held if rule.topic == "contact_until"]
        return max(first, default=0), min(last, default=24 * 60)

    def most(self, topic: str, day: datetime.date) -> int | None:
        """The least of the limits that the lender holds itself to; None where there is none."""
        return min((int(rule.value) for rule in self.on(day) if rule.topic == topic and self.observes(rule)), default=None)

    def keep_months(self, day: datetime.date) -> tuple[int, str]:
        """How long records are kept, and by which rule: the longest of the licence's and the lender's own."""
        own = (self.policy.records.keep_months, "own.records")
        return max([own, *((int(rule.value), rule.id) for rule in self.on(day) if rule.topic == "records_keep")], key=lambda one: (one[0], one[1] != own[1]))

    def notes(self, first: datetime.date, last: datetime.date) -> list[tuple[str, str]]:
        """What is to be said of the rules of these days: (reference, text)."""
        in_force = [rule for rule in self.rules if rule.from_ <= last and rule.to >= first and rule.topic != "records_keep"]
        found = [("contact-rules-none", f"no rule on contacts is known for {first}: nothing but collections.toml limits them")] if not in_force else []
        for document in dict.fromkeys(rule.document for rule in in_force if rule.kind != "law"):
            rules = [rule for rule in in_force if rule.document == document]
            held = "it is held to" if self.observes(rules[0]) else "collections.toml does not hold to it: nothing is withheld for it"
            found.append(("rule-not-law", f"{', '.join(rule.id for rule in rules)} ({document}): {_WORDS[rules[0].kind]}, not law; {held}"))
        late = [rule for rule in in_force if last > rule.verified_through]
        if late:
            found.append(("regulation-unverified", f"{', '.join(rule.id for rule in late)}: verified through {min(rule.verified_through for rule in late)}, asked for {last}"))
        return found

    def bind(self, con) -> None:
        """The tables that holds.sql and judge.sql want of configuration, and their variables."""
        rules, holds = self.rules, self.policy.hold
        con.register("contact_rules_given", pa.table({
            "rule": pa.array([rule.id for rule in rules], pa.string()), "topic": pa.array([rule.topic for rule in rules], pa.string()),
            "value": pa.array([int(rule.value) for rule in rules], pa.int32()), "from_date": pa.array([rule.from_ for rule in rules], pa.date32()),
            "to_date": pa.array([rule.to for rule in rules], pa.date32()), "force": pa.array([rule.kind for rule in rules], pa.string()),
            "certainty": pa.array([rule.certainty for rule in rules], pa.string()), "observed": pa.array([self.observes(rule) for rule in rules], pa.bool_()),
            "verified_through": pa.array([rule.verified_through for rule in rules], pa.date32()), "document": pa.array([rule.document for rule in rules], pa.string()),
        }))
        con.register("hold_kinds", pa.table({
            "hold": pa.array(list(holds), pa.string()), "days": pa.array([hold.days for hold in holds.values()], pa.int32()),
            "ends_with_promise": pa.array([hold.ends == "promise_date" for hold in holds.values()], pa.bool_())}))
        _pairs(con, "opens_hold", ("hold", "outcome", "party"), [(name, outcome, party) for name, hold in holds.items() for outcome in hold.opened_by for party in hold.told_by])
        _pairs(con, "hold_stops", ("hold", "channel", "party"), [(name, channel, party) for name, hold in holds.items() for channel in hold.channels for party in hold.parties])
        _pairs(con, "by_the_clock", ("channel",), [(channel,) for channel in CHANNELS if channel in self.policy.conduct.hours_channels])
        con.execute("CREATE OR REPLACE TEMP TABLE contact_rules AS SELECT * FROM contact_rules_given")
        con.execute("SET VARIABLE own_slots = $1::INTEGER", [self.policy.slots.own])
        con.execute("SET VARIABLE unreachable_after = $1::INTEGER", [self.policy.conduct.unreachable_after])
        con.execute("SET VARIABLE promise_grace = $1::INTEGER", [self.policy.promises.grace_days])


def _pairs(con, name: str, columns: tuple[str, ...], rows: list[tuple]) -> None:
    con.register(name, pa.table({column: pa.array([row[place] for row in rows], pa.string()) for place, column in enumerate(columns)}))


def run(con, *names: str) -> None:
    """SQL files of this folder, one after another."""
    for name in names:
        con.execute((_HERE / f"{name}.sql").read_text(encoding="utf-8"))
