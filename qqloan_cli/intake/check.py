"""What a mapping would make of a lender's files, without a run: the same reading, mending and refusing as intake, counted and thrown away."""

from __future__ import annotations

import tempfile
from pathlib import Path

from qqloan_cli.engine.session import connect
from qqloan_cli.errors import InputError
from qqloan_cli.intake import mapping as mappings
from qqloan_cli.intake import refuse, write
from qqloan_cli.intake.files import File, find
from qqloan_cli.intake.groups import careful_group, own_groups
from qqloan_cli.intake.mapped import LeftOut, run_mapping
from qqloan_cli.intake.mend import make_ready
from qqloan_cli.intake.recognise import Plan, recognise
from qqloan_cli.intake.relations import Group

_THREADS, _MEMORY_MB, _NAMED = 2, 1500, 5
_OWN = "own"  # files with our own names and columns need no mapping


def check(paths: list[Path], config: Path, source: str | None = None) -> dict:
    """Counts by input, reasons with row numbers, money by currency: what ``qqloan source check`` says, without ``schema_version``.

    ``rows`` are data rows, accepted and refused; rows that the mapping says are no data (``left_out``) and lines that are
    none (``skipped``: totals, notes) stand apart. ``in_fen`` and ``out_fen`` are of the currency in ``currency``, both
    positive. No value of a row is in it. Raises what intake raises.
    """
    plan = recognise(find(paths), config, source)
    with tempfile.TemporaryDirectory(prefix="qqloan-check-") as scratch:
        groups, left_out = _read(plan, Path(scratch))
        counted = _count(plan, groups, Path(scratch))
    for name, left in left_out.items():
        counted["inputs"][name]["left_out"] += left.rows
        if left.rows:
            counted["reasons"].append(_reason(name, "left_out", "where", "the mapping's where says these are no data", "", left.rows, left.first))
    counted["reasons"] += _skipped(plan.files)
    counts = counted["inputs"].values()
    main = _main(counted["money"])
    used = [*(mapping for mapping, _ in plan.mapped)]
    return {
        "source": "+".join(mapping.name for mapping in used) or _OWN,
        "title": "; ".join(mapping.title for mapping in used) or "files with our own names and columns",
        "input": "+".join(counted["inputs"]),
        **{key: sum(count[key] for count in counts) for key in ("rows", "accepted", "refused", "left_out")},
        "skipped": sum(len(rows) for file in plan.files for rows in file.skipped.values()),
        "in_fen": main["in_fen"], "out_fen": main["out_fen"], "currency": main["currency"],
        **counted,
        "files": [file.name for file in plan.files],
        "not_used": [file.name for file in plan.ignored],
    }


def catalogue(config: Path) -> list[dict]:
    """Every mapping of a configuration: name, title, how its files are told, what it brings. ConfigError where one cannot be right."""
    return [
        {
            "source": mapping.name, "title": mapping.title, "inputs": list(mapping.inputs),
            "files": [kind.pattern or f"by {len(kind.header)} columns" for kind in mapping.files],
        }
        for mapping in (mappings.by_name(config, name) for name in mappings.names(config))
    ]


def _read(plan: Plan, scratch: Path) -> tuple[list[Group], dict[str, LeftOut]]:
    groups: list[Group] = []
    left_out: dict[str, LeftOut] = {}
    con = connect(_THREADS, _MEMORY_MB, scratch)
    try:
        for name, reads in plan.own.items():
            groups += own_groups(con, name, reads, scratch)
    finally:
        con.close()
    for mapping, tables in plan.mapped:
        outcome = run_mapping(mapping, tables, scratch, _THREADS, _MEMORY_MB)
        groups += outcome.groups.values()
        for name, left in outcome.left_out.items():
            known = left_out.setdefault(name, LeftOut())
            known.rows += left.rows
            known.first = (known.first + left.first)[:_NAMED]
    return groups, left_out


def _count(plan: Plan, groups: list[Group], scratch: Path) -> dict:
    counts: dict[str, dict[str, int]] = {}
    reasons: list[dict] = []
    money: dict[str | None, dict] = {}
    days: list[str] = []
    con = connect(_THREADS, _MEMORY_MB, scratch)
    try:
        make_ready(con)
        for name in plan.inputs():
            mine = [group for group in groups if group.input == name]
            mine = judge(con, name, mine, scratch)
            counts[name] = _counted(con, name, plan, mine)
            reasons += _why(con, name)
            if name == "bank_statements":
                days += _add_money(con, money)
    finally:
        con.close()
    ordered = sorted(money.values(), key=lambda m: (-m["lines"], m["currency"] or ""))
    return {"inputs": counts, "reasons": reasons, "money": ordered, "from": min(days, default=None), "to": max(days, default=None)}


def judge(con, name: str, groups: list[Group], scratch: Path) -> list[Group]:
    """The table ``checked``; again with the careful way for CSV in which DuckDB met a line that is not regular."""
    import duckdb

    query = "\nUNION ALL BY NAME\n".join
    try:
        con.execute(f"CREATE OR REPLACE TEMP TABLE checked AS {query(f'SELECT * FROM ({group.checked(None)})' for group in groups)}")
    except duckdb.Error as error:
        if not any(group.reads for group in groups):
            files = ", ".join(file.name for group in groups for file in group.files[:3])
            raise InputError("file-unreadable", f"{name} cannot be read ({type(error).__name__})", files, "The file is damaged inside: export it again.") from None
        return judge(con, name, [careful_group(name, group.reads[0], scratch) if group.reads else group for group in groups], scratch)
    return groups


def _counted(con, name: str, plan: Plan, groups: list[Group]) -> dict[str, int]:
    """Fills intake's table ``refused`` and counts. Blank rows, totals and headers said again are in no count."""
    refuse.begin(con)
    [(good, bad)] = con.execute("SELECT count(*) FILTER (NOT _bad), count(*) FILTER (_bad) FROM checked").fetchall()
    if bad:
        for group in groups:
            refuse.explain(con, group, None)
    if name == "applicants":
        good -= write.find_doubles(con, "(SELECT * FROM checked WHERE NOT _bad)")
        refuse.add_doubles(con, plan.files)
    for group in groups:
        refuse.add_broken(con, group)
    refused = refuse.rows(con)
    return {"rows": good + refused, "accepted": good, "refused": refused, "left_out": 0}


def _why(con, name: str) -> list[dict]:
    found = con.execute(f"""
        SELECT rule, regexp_replace(reason, '^line [0-9]+: ', '') AS said, file, count(*), list("row" ORDER BY "row")[:{_NAMED}]
        FROM refused GROUP BY ALL ORDER BY count(*) DESC, rule, said, file
    """).fetchall()
    return [_reason(name, "refused", rule, said, file, rows, list(first)) for rule, said, file, rows, first in found]


def _skipped(files: list[File]) -> list[dict]:
    said = {"total-row": "a total", "repeated-header": "the header again", "skip_rows": "the mapping's skip_rows says these are no data"}
    return [
        _reason("", "skipped", rule, said.get(rule, rule), file.name, len(rows), sorted(rows)[:_NAMED])
        for file in files for rule, rows in sorted(file.skipped.items())
    ]


def _reason(input: str, kind: str, rule: str, reason: str, file: str, rows: int, first: list[int]) -> dict:
    return {"input": input, "kind": kind, "rule": rule, "reason": reason, "file": file, "rows": rows, "first": first}


def _add_money(con, money: dict[str | None, dict]) -> list[str]:
    """Adds the accepted lines by currency; the first and last day of booking."""
    for currency, lines, into, out in con.execute("""
        SELECT currency, count(*), coalesce(CAST(sum(amount_fen) FILTER (amount_fen > 0) AS BIGINT), 0),
          coalesce(CAST(-sum(amount_fen) FILTER (amount_fen < 0) AS BIGINT), 0)
        FROM checked WHERE NOT _bad GROUP BY currency
    """).fetchall():
        known = money.setdefault(currency, {"currency": currency, "lines": 0, "in_fen": 0, "out_fen": 0})
        known["lines"] += lines
        known["in_fen"] += into
        known["out_fen"] += out
    [(first, last)] = con.execute("SELECT min(booked_at), max(booked_at) FROM checked WHERE NOT _bad").fetchall()
    return [day.date().isoformat() for day in (first, last) if day is not None]


def _main(money: list[dict]) -> dict:
    """The currency whose sums stand at the top: yuan where there is any, else the one with the most lines. Currencies are never added up."""
    none = {"currency": None, "in_fen": 0, "out_fen": 0}
    return next((m for m in money if m["currency"] == "CNY"), next((m for m in money if m["currency"] is None), money[0] if money else none))
