"""What a coming rule would do to runs and a book as they stand: how much would break it; of a cap on the all-in annual cost also what the
price would be cut to, the interest forgone, and who would no longer be worth lending to.

Everything is looked at as if the rule were in force: approvals and contracts as written are a picture of what is written next.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.errors import UsageError
from qqloan_cli.loans.pricing import NO_CAP
from qqloan_cli.loans.schedule import METHODS
from qqloan_cli.oversight.compliance import made
from qqloan_cli.oversight.compliance.check import Law, compliance, query
from qqloan_cli.oversight.compliance.impact_price import COLUMNS, Origin, reprice
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.policy.products import Lender, ppm
from qqloan_cli.policy.regulation import CONTACT, OPEN, Lpr, Regulation, Rulebook, load_regulation, load_rule_file

_NOT_OF_CONTRACTS = (*CONTACT, "retention_min", "retention_shortest")
VIEWS = {"groups": "impact", "months": "impact_months", "contracts": "impact_contracts"}
_HERE = Path(__file__).parent
_PRICED = pa.schema([
    *((name, pa.string()) for name in ("rule", "scope", "run_id", "application_id")), ("written_on", pa.date32()), ("product", pa.string()), ("grade", pa.string()), ("term_months", pa.int32()),
    ("found", pa.float64()), ("allowed", pa.float64()), ("is_over", pa.bool_()), ("outcome", pa.string()),
    *((name, pa.int64()) for name in ("amount_fen", "outstanding_fen", "rate_ppm", "rate_after_ppm", "cost_ppm", "cap_ppm", "cost_of_funds_ppm", "expected_loss_ppm", "margin_before_ppm",
                                      "margin_after_ppm", "interest_before_fen", "interest_after_fen", "balance_fen")),
])
_NUMBERS = ("amount_fen", "rate_ppm", "term_months", "monthly_fee_fen", "upfront_fee_fen")


class Cap(NamedTuple):
    """``from_days`` (days since 1970, rising) and ``ppm``: the cap from each on; NO_CAP before the first."""

    from_days: np.ndarray
    ppm: np.ndarray

    def on(self, days: np.ndarray) -> np.ndarray:
        at = np.searchsorted(self.from_days, days, side="right") - 1
        return np.where(at >= 0, self.ppm[at], NO_CAP)


class Impact(NamedTuple):
    """``rules``: what was looked at, as rows: id, topic, value, lpr_multiple, cap and lpr (on the day; None where each contract's own counts), from,
    to, licence, kind, document, source, certainty, verified_through. ``views``: a table for each of VIEWS. ``notes``: (reference, text)."""

    day: datetime.date
    rules: list[dict]
    views: dict[str, pa.Table]
    notes: list[tuple[str, str]]


def coming(named: str, config: Path) -> list[Regulation]:
    """The rules of a file, or the one of the configuration with this id. Raises UsageError where it is no cap on the cost."""
    path = Path(named)
    if path.suffix == ".toml" or path.is_file():
        found = load_rule_file(path)
    else:
        found = [rule for rule in load_regulation(config).rules if rule.id == named]
        if not found:
            raise UsageError("regulation-rule-unknown", f"there is no rule {named[:60]!r}, and no such file", "--rule", "Name a TOML file with [[rule]], or an id of configs/regulation/, e.g. rate.micro4lpr.")
    twice = sorted({rule.id for rule in found if [other.id for other in found].count(rule.id) > 1})
    if twice:
        raise UsageError("impact-rule-twice", f"{twice[0]} stands twice", named, "Give every rule of the file an id of its own.")
    for rule in found:
        if rule.topic in _NOT_OF_CONTRACTS:
            raise UsageError("impact-topic", f"{rule.id} is about {rule.topic}, not about what is lent", named, "Put it into a configuration's regulation/, and qqloan compliance --config checks it.")
    return found


def impact(sight: Sight, named: str, config: Path, day: datetime.date | None = None, own_dates: bool = False, lpr: Decimal | None = None) -> Impact:
    """``day``: whose LPR a cap hangs on (default: the latest in sight); with ``own_dates`` each contract's own; ``lpr``: this one, percent,
    for all of them."""
    law, rules = Law.of(config), coming(named, config)
    day = day or max([*sight.dates[:1], *([sight.at] if sight.at else [])])
    caps = {rule.id: _cap(rule, law.rulebook.lpr, day, own_dates, lpr) for rule in rules if rule.topic == "price_cap"}
    effective = law.lender.legal_cost[law.lender.licence] == "effective"
    parts, notes = [], []
    if caps:
        contracts, origins = _looked_at(sight, law)
        parts = [_priced(contracts, origins, rule, caps[rule.id], effective) for rule in rules if rule.id in caps]
        notes = _of_contracts(contracts)
    for rule in rules:
        if rule.id not in caps:
            held, note = _held(sight, law, rule, day)
            parts.append(held)
            notes += note
    sight.register("priced", pa.concat_tables([_PRICED.empty_table(), *parts], promote_options="permissive"))
    views = {}
    for view, table in VIEWS.items():
        found = sight.ask((_HERE / f"impact_{view}.sql").read_text(encoding="utf-8"))
        sight.con.register("_found", found)
        views[view] = sight.con.sql(CONTRACTS[table].select("_found", order=view == "contracts")).to_arrow_table()
        sight.con.unregister("_found")
    told = [_told(rule, caps.get(rule.id), law.rulebook.lpr, day, own_dates, lpr) for rule in rules]
    said = [note for rule in rules for note in _notes(rule, law.lender, law.rulebook.lpr, day, lpr)]
    return Impact(day, told, views, [*said, *notes, *((note["ref"], note["text"]) for note in sight.notes)])


def on_the_day(rule: Regulation, lpr: Lpr, day: datetime.date, said: Decimal | None = None) -> int:
    """The cap in millionths. Raises UsageError before the first LPR."""
    if rule.value is not None:
        return ppm(rule.value)
    percent = said if said is not None else lpr.one_year(day)
    if percent is None:
        raise UsageError("lpr-before-first", f"{rule.id} hangs on the LPR, and none is known on {day}", "--at", "Name a later day, or a rate with --lpr.")
    return ppm(percent / 100 * rule.lpr_multiple)


def _cap(rule: Regulation, lpr: Lpr, day: datetime.date, own_dates: bool, said: Decimal | None) -> Cap:
    if own_dates and rule.lpr_multiple is not None and said is None:
        starts = [fixing.from_ for fixing in lpr.fixings]
        return Cap(np.array(starts, "datetime64[D]").astype(np.int64), np.array([on_the_day(rule, lpr, start) for start in starts], np.int64))
    return Cap(np.array([np.iinfo(np.int64).min]), np.array([on_the_day(rule, lpr, day, said)]))


def _held(sight: Sight, law: Law, rule: Regulation, day: datetime.date) -> tuple[pa.Table, list[tuple[str, str]]]:
    """What the check of the rule's topic finds where the rule is in force for this lender on every day; nothing, and why, where it cannot look."""
    as_if = rule.model_copy(update={"from_": datetime.date(1900, 1, 1), "to": OPEN, "licence": [law.lender.licence], "kind": "law", "verified_through": OPEN})
    [found] = compliance(sight, law._replace(rulebook=Rulebook([as_if], law.rulebook.lpr)), day, [rule.id]).rules.to_pylist()
    if found["looked_at"] is None or not found["looked_at"]:
        return _PRICED.empty_table(), [("impact-not-known", f"{rule.id}: {found['note']}")]
    sight.register("held", sight.ask(f"FROM ({query(rule.topic)})"))
    rows = sight.ask((_HERE / "impact_held.sql").read_text(encoding="utf-8"))
    outcome = pc.if_else(rows.column("is_over"), "breaks", "untouched")
    return pa.table({"rule": pa.array([rule.id] * len(rows), pa.string()), **{name: rows.column(name) for name in rows.column_names}, "outcome": outcome}), []


def _looked_at(sight: Sight, law: Law) -> tuple[pa.Table, dict[str, Origin]]:
    """Every approval and contract in sight, and what each run's were decided under."""
    whence = {run.run_id: (run.config_dir, run.as_of) for run in sight.runs}
    if sight.book is not None:
        whence = {opened["run_id"]: (folder, datetime.date.fromisoformat(opened["as_of"])) for opened, folder in zip(sight.book.document["opens"], sight.book.configs)} | whence
    origins = {run_id: Origin.of(*where) for run_id, where in whence.items()}
    rows = [{"run_id": run_id, "source": source, "cost_ppm": cost} for run_id, origin in origins.items() for source, cost in origin.costs.items()]
    sight.work_out("state")
    made.work_out(sight)
    sight.register("source_costs", pa.Table.from_pylist(rows, pa.schema([("run_id", pa.string()), ("source", pa.string()), ("cost_ppm", pa.int64())])))
    lgd = ppm(law.funding.priority.loss_given_default)
    asked = ["approvals", *(["book"] if sight.book is not None else [])]
    found = [sight.ask((_HERE / f"impact_{scope}.sql").read_text(encoding="utf-8"), lgd_ppm=lgd) for scope in asked]
    return pa.concat_tables(found, promote_options="permissive").combine_chunks(), origins


class _Coded(NamedTuple):
    """A column of few texts as ``names`` and the place of each row's among them."""

    names: list[str]
    codes: np.ndarray

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "_Coded":
        coded = pa.concat_arrays([pa.array([], pa.string()), *(chunk.cast(pa.string()) for chunk in column.chunks)]).dictionary_encode()
        return cls(coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64))


def _priced(contracts: pa.Table, origins: dict[str, Origin], rule: Regulation, cap: Cap, effective: bool) -> pa.Table:
    """The contracts that the rule is about, with what it would do to each: the columns that impact_*.sql read."""
    run, product, method = (_Coded.of(contracts.column(name)) for name in ("run_id", "product", "method"))
    concerned = np.ones(len(contracts), bool)
    if rule.product_kind is not None:
        is_kind = np.array([[name in origins[run_id].products and origins[run_id].products[name].kind == rule.product_kind for name in product.names] for run_id in run.names], bool)
        concerned &= is_kind.reshape(len(run.names), len(product.names))[run.codes, product.codes]
    if rule.method is not None:
        concerned &= np.array([name in rule.method for name in method.names], bool)[method.codes]
    cap_ppm = cap.on(contracts.column("written_on").cast(pa.int32()).to_numpy().astype(np.int64))
    rows = np.flatnonzero(concerned & (cap_ppm != NO_CAP))
    some, column = contracts.take(pa.array(rows)), {"method": np.array([METHODS.index(name) for name in method.names], np.int64)[method.codes[rows]]}
    column |= {name: some.column(name).to_numpy().astype(np.int64) for name in _NUMBERS}
    cost = some.column("made_effective" if effective else "made_nominal").to_numpy().astype(np.float64)
    cap_ppm = cap_ppm[rows]
    whole = {name: np.zeros(len(some), type) for name, type in COLUMNS.items()}
    for code, run_id in enumerate(run.names):
        of_run = np.flatnonzero(run.codes[rows] == code)
        plan = origins[run_id].place(product.names)[product.codes[rows][of_run]]
        found = reprice(origins[run_id], {name: values[of_run] for name, values in column.items()}, plan, cost[of_run], cap_ppm[of_run], effective)
        for name, values in found.items():
            whole[name][of_run] = values
    return _columns(rule, some, cap_ppm, whole)


def _columns(rule: Regulation, contracts: pa.Table, cap_ppm: np.ndarray, found: dict[str, np.ndarray]) -> pa.Table:
    funds, loss = (contracts.column(name).to_numpy().astype(np.float64) for name in ("cost_of_funds_ppm", "expected_loss_ppm"))
    unknown = np.isnan(funds) | np.isnan(loss)
    taken = np.nan_to_num(funds).astype(np.int64) + np.nan_to_num(loss).astype(np.int64)
    before, after = contracts.column("rate_ppm").to_numpy().astype(np.int64) - taken, found["rate_after"] - taken
    outcome = np.select(
        [~found["is_over"], found["at_floor"], ~unknown & (before < 0), ~unknown & (after < 0)], ["untouched", "over_at_floor", "below_before", "lost"], "cut")
    kept = ("scope", "run_id", "application_id", "written_on", "product", "grade", "term_months", "amount_fen", "outstanding_fen", "rate_ppm", "cost_of_funds_ppm", "expected_loss_ppm")
    return pa.table({
        "rule": pa.array([rule.id] * len(contracts), pa.string()), **{name: contracts.column(name) for name in kept},
        "found": found["cost"] / 1e6, "allowed": cap_ppm / 1e6, "cap_ppm": cap_ppm, "cost_ppm": found["cost"], "is_over": found["is_over"], "rate_after_ppm": found["rate_after"],
        "interest_before_fen": found["interest_before"], "interest_after_fen": found["interest_after"], "balance_fen": found["balance"],
        "margin_before_ppm": pa.array(before, mask=unknown), "margin_after_ppm": pa.array(after, mask=unknown), "outcome": pa.array(outcome.tolist(), pa.string()),
    })


def _told(rule: Regulation, cap: Cap | None, lpr: Lpr, day: datetime.date, own_dates: bool, said: Decimal | None) -> dict:
    hangs, one = rule.lpr_multiple is not None, said is not None or not own_dates
    return {
        "id": rule.id, "topic": rule.topic, "value": None if rule.value is None else float(rule.value), "lpr_multiple": rule.lpr_multiple,
        "cap": None if cap is None or hangs and not one else float(cap.ppm[0]) / 1e6,
        "lpr": float(said if said is not None else lpr.one_year(day)) if hangs and one else None, "from": rule.from_, "to": None if rule.to == OPEN else rule.to, "licence": list(rule.licence),
        "kind": rule.kind, "document": rule.document, "source": rule.source, "certainty": rule.certainty, "verified_through": rule.verified_through,
    }


def _notes(rule: Regulation, lender: Lender, lpr: Lpr, day: datetime.date, said: Decimal | None) -> list[tuple[str, str]]:
    found = []
    if lender.licence not in rule.licence:
        found.append(("impact-other-licence", f"{rule.id} is for {', '.join(rule.licence)}, this lender is {lender.licence}: looked at as if it were bound"))
    if rule.kind == "report":
        found.append(("regulation-reported", f"{rule.id}: {rule.source} ({rule.document}); a report, not law"))
    if day > rule.verified_through:
        found.append(("regulation-unverified", f"{rule.id} ({rule.document}) is verified through {rule.verified_through}, looked at on {day}"))
    if rule.lpr_multiple is not None and said is None and day > lpr.verified_through:
        found.append(("lpr-unverified", f"LPR fixings are verified through {lpr.verified_through}, looked at on {day}: the last known rate is taken; --lpr takes another"))
    return found


def _of_contracts(contracts: pa.Table) -> list[tuple[str, str]]:
    unknown = pc.sum(pc.or_(pc.is_null(contracts.column("cost_of_funds_ppm")), pc.is_null(contracts.column("expected_loss_ppm")))).as_py()
    return [("impact-margin-unknown", f"funds or losses of {unknown:,} of {len(contracts):,} are not known: they have no margin")] if unknown else []
