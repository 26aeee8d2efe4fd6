"""Each rule held against what is in sight: passed, failed, not applicable, or not known and why, with the rows that break it.

A topic has a query beside this file, which looks at the rows that its rules are about and says which break them. What a query needs and is
not there (a book, a figure of the lender's, letters) leaves its rules unknown; nothing is passed that was not looked at. A rule that
nobody has verified up to the last day that it was asked of (a contract's own, or that of the book) is unknown whatever was found; a press
report is told and binds nobody.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.errors import UsageError
from qqloan_cli.oversight.compliance import made
from qqloan_cli.oversight.sight import OF_BOOK, OF_STATE, Sight
from qqloan_cli.policy.funding import Funding, load_funding
from qqloan_cli.policy.products import Lender, Product, load_lender, load_products
from qqloan_cli.policy.reasons import load_reasons
from qqloan_cli.policy.regulation import CONTACT, OPEN, Regulation, Rulebook, load_regulation
from qqloan_cli.policy.retention import load_retention

_HERE = Path(__file__).parent
_BOOK = "no book is in sight (--book)"
# topic: tables that must be in sight, or why it is not known; figures of the lender's that must be given
_NEEDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "late_cost_cap": (("book",), ()), "cost_table": (("cost_table",), ()), "partner_concentration_max": (("book",), ("net_tier1_fen",)), "joint_total_max": (("book",), ("total_loans_fen",)),
    "leverage_max": (("book",), ("net_assets_fen",)), "borrower_share_max": (("book",), ("net_assets_fen",)), "enhanced_share_max": (("book",), ("total_loans_fen",)), "region_only": ((), ("area",)),
    "review_on_request": (("letters",), ()), "adverse_notice": (("book", "letters"), ()), "marketing": (("marketing",), ()), "self_payment_max": (("disburse_plan",), ()), "no_prededuct": (("disburse_plan",), ()),
}
_WANTING = {
    "book": _BOOK, "cost_table": "no table of costs is in sight: qqloan offers RUN makes it", "letters": "no letters are in sight: qqloan notice writes them, --notices names them",
    "marketing": "no marketing records are given", "disburse_plan": "nothing is planned yet: qqloan disburse-plan RUN",
    "net_tier1_fen": "net tier-1 capital is not given (funding.toml, [concentration])", "total_loans_fen": "the lender's loans in all are not given (lender.toml, [figures] total_loans)",
    "net_assets_fen": "net assets are not given (lender.toml, [figures] net_assets)", "area": "where the lender may lend is not given (lender.toml, [figures] area)",
}
_FILES = {"retention_min": "retention", "retention_shortest": "retention", **{topic: "contacts" for topic in CONTACT}}


class Checked(NamedTuple):
    """``rules``: contract ``compliance``; ``rows``: contract ``offending``, by rule that any row breaks."""

    rules: pa.Table
    rows: dict[str, pa.Table]


class Law(NamedTuple):
    """What rules are read from: a configuration."""

    rulebook: Rulebook
    lender: Lender
    products: dict[str, Product]
    funding: Funding
    config: Path

    @classmethod
    def of(cls, config: Path) -> "Law":
        return cls(load_regulation(config), load_lender(config), load_products(config), load_funding(config), config)


def compliance(sight: Sight, law: Law, day: datetime.date, only: list[str] | None = None, letters: pa.Table | None = None, since: datetime.date | None = None) -> Checked:
    """``day``: the date of the check, which says what is verified and in force. ``only``: numbers of rules. ``letters``: those that were
    written (letters.py). ``since``: of the book's contracts only those first drawn from that day on are looked at. Raises UsageError at a
    rule that is not known."""
    known = {rule.id: rule for rule in law.rulebook.rules}
    for name in only or []:
        if name not in known:
            raise UsageError("regulation-rule-unknown", f"there is no rule {name[:60]!r}", "--rule", f"There are: {', '.join(sorted(known))}.")
    rules = [known[name] for name in sorted(only or known)]
    if any(rule.topic in CONTACT for rule in rules):
        _breaches(sight, law, day)
    made.work_out(sight, since)
    figures = bind(sight, law, day, rules, letters, since)
    told, rows = [], {}
    for rule in rules:
        row, offending = _one(sight, law, rule, day, figures)
        told.append(row)
        if offending is not None and len(offending):
            rows[rule.id] = offending
    return Checked(_as(sight, "compliance", told), rows)


def bind(sight: Sight, law: Law, day: datetime.date, rules: list[Regulation], letters: pa.Table | None = None, since: datetime.date | None = None) -> dict[str, bool]:
    """Puts ``made`` and the small tables that the queries join in sight; says which figures of the lender's are given."""
    lender, figures, concentration = law.lender, law.lender.figures, law.funding.concentration
    own = {
        "legal_is_effective": lender.legal_cost[lender.licence] == "effective", "net_tier1_fen": concentration.net_tier1_capital * 100 if concentration else None,
        "total_loans_fen": figures.total_loans * 100 if figures and figures.total_loans else concentration.total_loans * 100 if concentration and lender.licence in concentration.licences else None,
        "net_assets_fen": figures.net_assets * 100 if figures and figures.net_assets else None,
    }
    sight.register("own", pa.table({"legal_is_effective": [own["legal_is_effective"]], **{name: pa.array([own[name]], pa.int64()) for name in ("net_tier1_fen", "total_loans_fen", "net_assets_fen")}}))
    area = (figures.area if figures else None) or []
    sight.register("area", pa.table({"prefix": pa.array(area, pa.string())}))
    kinds = {name: product.kind for config in _configs(sight) for name, product in load_products(config).items()} | {name: product.kind for name, product in law.products.items()}
    sight.register("products", pa.table({"product": pa.array(list(kinds), pa.string()), "kind": pa.array(list(kinds.values()), pa.string())}))
    sources = law.funding.sources
    sight.register("sources", pa.table({
        "source": pa.array(list(sources), pa.string()), "kind": pa.array([source.kind for source in sources.values()], pa.string()),
        "partner_group": pa.array([source.partner_group or name if source.kind == "institution" else None for name, source in sources.items()], pa.string()),
    }))
    sight.register("enhanced", pa.table({"product": pa.array(sorted({product for guarantor in law.funding.guarantors.values() for product in guarantor.products}), pa.string())}))
    sight.register("banned", pa.table({"rule": pa.array([rule.id for rule in rules for _ in rule.among], pa.string()), "purpose": pa.array([purpose for rule in rules for purpose in rule.among], pa.string())}))
    texts = load_reasons(law.config)
    sight.register("reason_texts", pa.table({"code": pa.array([code for code, reason in texts.items() if reason.text("en") and reason.text("zh")], pa.string())}))
    keep = load_retention(law.config).keep
    sight.register("kept", pa.table({"kind": pa.array(list(keep), pa.string()), "months": pa.array([one.months for one in keep.values()], pa.int32())}))
    sight.register("days_of_check", pa.table({"day": pa.array([day], pa.date32()), "since": pa.array([since or datetime.date(1970, 1, 1)], pa.date32())}))
    if letters is not None:
        sight.register("letters", letters)
    periods = [{"rule": row.pop("id"), **row} for rule in rules for row in law.rulebook.periods_of(rule)]
    sight.register("rules", pa.Table.from_pylist(periods, schema=pa.schema([
        ("rule", pa.string()), ("topic", pa.string()), ("product_kind", pa.string()), ("method", pa.string()), ("from_date", pa.date32()), ("to_date", pa.date32()), ("value", pa.int64())])))
    if sight.book is None:
        for table in (*OF_BOOK, OF_STATE[0]):
            sight.register(table, sight.con.sql(CONTRACTS[table].empty()).to_arrow_table())
    if not sight.has("made"):
        sight.see("made", (_HERE / "made.sql").read_text(encoding="utf-8"))
    return {"area": bool(area), **{name: own[name] is not None for name in ("net_tier1_fen", "total_loans_fen", "net_assets_fen")}}


def _configs(sight: Sight) -> list[Path]:
    """Of every run, and of every run that was opened into the book: what was sold then."""
    return [config for config in [*(sight.book.configs if sight.book else []), *(run.config_dir for run in sight.runs)] if (config / "products.toml").is_file()]


def file_of(topic: str) -> str:
    """Where the query of a topic is."""
    return f"{_FILES.get(topic, topic)}.sql"


def query(topic: str) -> str:
    """The SELECT of a topic: every row that its rules are about, and whether it breaks them."""
    return (_HERE / file_of(topic)).read_text(encoding="utf-8")


def _one(sight: Sight, law: Law, rule: Regulation, day: datetime.date, figures: dict[str, bool]) -> tuple[dict, pa.Table | None]:
    row = {
        "rule_id": rule.id, "topic": rule.topic, "kind": rule.kind, "document": rule.document, "says": rule.source, "certainty": rule.certainty, "from_date": rule.from_,
        "to_date": None if rule.to == OPEN else rule.to, "verified_through": rule.verified_through, "note": None, "looked_at": None, "offending": None, "amount_fen": None,
    }
    if law.lender.licence not in rule.licence:
        return {**row, "status": "not_applicable", "note": f"binds {', '.join(rule.licence)}; this lender is a {law.lender.licence}"}, None
    if rule.from_ > day:
        return {**row, "status": "not_applicable", "note": f"in force from {rule.from_}; qqloan compliance impact --rule {rule.id} says what it would do"}, None
    wanting = _wanting(sight, rule, figures)
    if wanting:
        return {**row, "status": "unknown", "note": wanting}, None
    told = sight.ask(f"SELECT count(*) AS looked_at, count(*) FILTER (WHERE breaks) AS offending, CAST(sum(amount_fen) FILTER (WHERE breaks) AS BIGINT) AS amount_fen, max(on_date) AS latest FROM ({query(rule.topic)}) WHERE rule = getvariable('rule_id')", rule_id=rule.id).to_pylist()[0]
    latest = told.pop("latest") or day
    row |= told
    offending = None
    if told["offending"]:
        offending = sight.ask(f"SELECT rule AS rule_id, made_in, subject, on_date, found, allowed, amount_fen FROM ({query(rule.topic)}) WHERE rule = getvariable('rule_id') AND breaks ORDER BY made_in, subject, on_date", rule_id=rule.id)
    if rule.topic in CONTACT:
        row["looked_at"] = None  # contacts, not breaches, were looked at: qqloan collections check counts them
    return {**row, **_status(law, rule, latest, row)}, offending


def _wanting(sight: Sight, rule: Regulation, figures: dict[str, bool]) -> str | None:
    tables, own = _NEEDS.get(rule.topic, ((), ()))
    for table in ("book",) if rule.topic in CONTACT else tables:
        there = sight.book is not None if table == "book" else sight.has(table)
        if not there:
            return _WANTING[table]
    return next((_WANTING[name] for name in own if not figures[name]), None)


def _status(law: Law, rule: Regulation, latest: datetime.date, row: dict) -> dict:
    """``latest``: the last day whose law was asked for."""
    found = "failed" if row["offending"] else "passed"
    if rule.topic not in CONTACT and not row["looked_at"]:
        return {"status": "not_applicable", "note": "nothing in sight is of its time and kind"}
    if rule.kind == "report" and not rule.binds(law.lender):
        return {"status": "not_applicable", "note": f"a press report, which binds nobody unless lender.toml adopts it: {row['offending']:,} would break it"}
    if rule.kind in ("standard", "self_regulation", "guidance"):
        row["note"] = f"{rule.kind.replace('_', '-')}, not law"
    if latest > rule.verified_through:
        return {"status": "unknown", "note": f"{found} by what was known on {rule.verified_through}; it was not verified up to {latest}"}
    if rule.lpr_multiple and latest > law.rulebook.lpr.verified_through:
        return {"status": "unknown", "note": f"{found} by the LPR as of {law.rulebook.lpr.verified_through}; later fixings are not verified"}
    return {"status": found, "note": row["note"]}


def _breaches(sight: Sight, law: Law, day: datetime.date) -> None:
    """Contacts of the book's last year that broke a rule."""
    if sight.book is None or sight.has("breaches"):
        return
    from qqloan_cli.servicing.collect.check import check

    last = min(day, sight.at)
    sight.register("breaches", check(sight.book, last - datetime.timedelta(365), last, law.config)[0])


def _as(sight: Sight, contract: str, rows: list[dict]) -> pa.Table:
    schema = sight.con.sql(CONTRACTS[contract].empty()).to_arrow_table().schema
    return pa.Table.from_pylist(rows, schema=schema)
