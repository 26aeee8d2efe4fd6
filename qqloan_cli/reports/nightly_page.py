"""The nightly report (oversight/nightly.py) as a page, on the terminal in short, and as JSON."""

from __future__ import annotations

import datetime
from html import escape

from qqloan_cli.reports import formats, page
from qqloan_cli.reports.charts import COUNT, PERCENT, YUAN, Drawer
from qqloan_cli.reports.money import yuan
from qqloan_cli.reports.nightly_words import column, section, title, value
from qqloan_cli.reports.nightly_words import page as said

_SHARES = (
    "share", "rate", "pd", "lgd", "ever_30", "ever_90", "ever_30_of_principal", "all_in_annual_cost", "lowest_cost_cap", "weighted_cost", "share_of_requested", "share_of_balance",
    "share_of_principal", "share_before", "first_payment_default", "early_payment_default", "net_yield", "cpr", "gap", "exhaustion", "exhaustion_se", "target", "expected_bad_rate_of_approved",
)
_BUCKETS = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M6+", "paid", "written_off", "left")
_ORDER = ("now", "changes", "funnel", "risk", "limits", "funding", "book", "reserve", "monitoring", "compliance", "data")
_TILES = ("applications", "approval_rate", "approved_fen", "expected_bad_rate_of_approved", "outstanding", "overdue")


def shown(name: str, content, lang: str) -> str:
    """A cell as text: fen as yuan, shares in percent, words of ours in the language."""
    if content is None:
        return "-"
    if isinstance(content, bool):
        return said("yes" if content else "no", lang)
    if isinstance(content, (datetime.date, datetime.datetime)):
        return content.isoformat()
    if isinstance(content, str):
        return value(content, lang)
    if name.endswith("_fen"):
        return yuan(int(content))
    if name.endswith(_SHARES) and isinstance(content, float):
        return f"{content:.2%}"
    return f"{content:,}" if isinstance(content, int) else f"{content:,.4g}"


def html(found: dict, lang: str) -> str:
    """The page. ``found``: what ``nightly`` gave, with ``alerts``, ``measures`` and ``rules``."""
    drawer, by_section = Drawer(lang), {name: [] for name in _ORDER}
    for taken in found["figures"]:
        by_section[taken["section"]].append(_figure(drawer, _in_words(taken, found["words"], lang), lang))
    if found["measures"]:
        by_section["monitoring"] += _monitoring(drawer, found["measures"], found["queries"], lang)
    if found["rules"]:
        by_section["compliance"] += _rules(found["rules"], found["offending"], found["queries"]["rules"], lang)
    by_section["now"].insert(0, _now(found, lang))
    if found["left_out"]:
        by_section["data"].append(_left_out(found["left_out"], lang))
    sections = []
    for name in _ORDER:
        if by_section[name]:
            inside = "".join(by_section[name])
            sections.append(page.Section(name, section(name, lang), inside if name == "now" else f'<div class="figures">{inside}</div>', said("no_book", lang) if name == "changes" and found["book"] is None else ""))
    return page.page(f"{said('title', lang)} {found['as_of']}", lang, _head(found, lang), sections)


def _head(found: dict, lang: str) -> str:
    parts = [said("runs_of", lang).format(found["runs"][0]["as_of"]) + ": " + ", ".join(run["run_id"] for run in found["runs"])] if found["runs"] else []
    parts.append(said("against", lang).format(found["before"]) if found["before"] else said("no_before", lang))
    if found["book"]:
        parts.append(said("book_on", lang).format(found["book"]["closed_to"]))
    return f'<p class="lead">{page.chip(found["status"], lang)}{escape("; ".join(parts))}</p>'


def _now(found: dict, lang: str) -> str:
    listed = []
    for alert in found["alerts"]:
        listed.append(
            f'<div class="alert {alert["severity"]}"><p>{page.chip(alert["severity"], lang)}<strong>{escape(alert[f"text_{lang}"])}</strong></p>'
            f'<p>{said("do", lang)}: {escape(alert[f"what_to_do_{lang}"])}</p></div>'
        )
    broken = [rule for rule in found["rules"] if rule["status"] == "failed"]
    for rule in broken:
        listed.append(
            f'<div class="alert red"><p>{page.chip("red", lang)}<strong>{escape(rule["rule_id"])}: {escape(said("failed_rules", lang))}</strong></p>'
            f'<p>{escape(rule["document"])}; {escape(column("offending", lang))}: {rule["offending"]:,}</p></div>'
        )
    listed = listed or [f"<p>{page.chip('green', lang)}{said('no_alerts', lang)}</p>"]
    return "".join(listed) + _tiles(found, lang)


def _tiles(found: dict, lang: str) -> str:
    rows = {taken["name"]: {row["measure"]: row for row in taken["rows"]} for taken in found["figures"] if taken["name"] in ("changes", "book_today")}
    tiles = []
    for name in _TILES:
        if row := rows.get("changes", {}).get(name):
            change = "" if row["change"] is None else f"<small>{row['change']:+.2%}</small>"
            tiles.append(f"<div><dt>{escape(value(name, lang))}</dt><dd>{escape(_headline(row, 'today', lang))}{change}</dd></div>")
        elif row := rows.get("book_today", {}).get(name):
            tiles.append(f"<div><dt>{escape(value(name, lang))}</dt><dd>{yuan(row['amount_fen'])}<small>{row['loans']:,} {escape(column('loans', lang))}</small></dd></div>")
    return f'<dl class="numbers">{"".join(tiles)}</dl>' if tiles else ""


def _headline(row: dict, which: str, lang: str) -> str:
    """A headline measure: what it is says how it is shown."""
    content = row[which]
    if content is None:
        return "-"
    if row["is_share"]:
        return f"{content:.2%}"
    return yuan(int(content)) if row["measure"].endswith("_fen") else f"{content:,.1f}" if row["measure"] == "mean_score" else f"{content:,.0f}"


def _in_words(taken: dict, words: dict, lang: str) -> dict:
    """Rows with a reason code have its words beside it."""
    if not any("code" in row for row in taken["rows"]):
        return taken
    return {**taken, "rows": [{**row, "in_words": words.get(row["code"], {}).get(lang)} for row in taken["rows"]]}


def _figure(drawer: Drawer, taken: dict, lang: str) -> str:
    name, rows = taken["name"], taken["rows"]
    head, note = title(name, lang)
    chart = drawn(drawer, name, rows, lang)
    if name == "changes":
        table = page.table([column(of, lang) for of in ("measure", "today", "before", "change")], [
            [value(row["measure"], lang), _headline(row, "today", lang), _headline(row, "before", lang), "-" if row["change"] is None else f"{row['change']:+.2%}"] for row in rows
        ], head, lang, [False, True, True, True])
    else:
        table = page.told(rows, head, lang, lambda of: column(of, lang), lambda of, content: shown(of, content, lang))
    return page.figure(name, head, note, chart, table, {f"{name}.sql": taken["sql"], **taken["beneath"]}, lang)


def _monitoring(drawer: Drawer, measures: list[dict], queries: dict[str, dict[str, str]], lang: str) -> list[str]:
    made = []
    csi = sorted((row for row in measures if row["measure"] == "csi" and row["value"] is not None), key=lambda row: (-row["value"], row["subject"]))[:15]
    if csi:
        head, note = title("csi", lang)
        chart = drawer.bars(head, csi, "subject", "value", names={"subject": column("subject", lang), "value": "CSI"}, format=".2f", lying=True)
        made.append(page.figure("csi", head, note, chart, _measured(csi, head, lang), queries["csi"], lang))
    rest = [row for row in measures if row["measure"] != "csi"]
    head, note = title("measures", lang)
    return [page.figure("measures", head, note, "", _measured(rest, head, lang), queries["measures"], lang, True), *made]


def _measured(rows: list[dict], head: str, lang: str) -> str:
    names = ("measure", "subject", "value", "lower", "upper", "reference", "amber", "red", "rows", "note")
    return page.table([column(name, lang) for name in names], [["" if row.get(name) is None else shown(name, row[name], lang) for name in names] for row in rows], head, lang,
                      [name in ("value", "lower", "upper", "reference", "amber", "red", "rows") for name in names], [row["severity"] if row["severity"] in ("amber", "red") else None for row in rows])


def _rules(rules: list[dict], offending: dict[str, list[dict]], queries: dict[str, str], lang: str) -> list[str]:
    head, note = title("rules", lang)
    names = ("rule_id", "status", "looked_at", "offending", "kind", "document", "certainty", "verified_through", "note")
    worst = {"failed": "red", "unknown": "amber"}
    held = sorted((rule for rule in rules if rule["status"] != "not_applicable"), key=lambda rule: (("failed", "unknown", "passed").index(rule["status"]), rule["rule_id"]))
    table = page.table([column(name, lang) for name in names], [["" if rule.get(name) is None else shown(name, rule[name], lang) for name in names] for rule in held], head, lang,
                       [name in ("looked_at", "offending") for name in names], [worst.get(rule["status"]) for rule in held])
    made, topics = [page.figure("rules", head, note, "", table, queries, lang, True)], {rule["rule_id"]: rule["query"] for rule in rules}
    for name, rows in offending.items():
        made.append(page.figure(f"rule-{name.replace('.', '-')}", name, said("offending", lang), "", page.told(rows, name, lang, lambda of: column(of, lang), lambda of, content: shown(of, content, lang), leave_out=("rule_id",)), {topics[name]: queries[topics[name]]}, lang, True))
    return made


def _left_out(left: list[dict], lang: str) -> str:
    head = said("left_out", lang)
    return page.figure("left-out", head, "", "", page.table([column("measure", lang), ""], [[title(one["name"], lang)[0], said("needs", lang).format(", ".join(one["lacks"]))] for one in left], head, lang), {}, lang)


# --- charts ---


def drawn(drawer: Drawer, name: str, rows: list[dict], lang: str) -> str:
    """A figure's chart as SVG; nothing where it has none, or nothing to show."""
    return _CHARTS[name](drawer, title(name, lang)[0], rows, lang) if name in _CHARTS and rows else ""


def _named(rows: list[dict], lang: str, *names: str) -> list[dict]:
    """Rows with the values of ``names`` in words, and money in yuan."""
    return [{key: value(content, lang) if key in names and isinstance(content, str) else content / 100 if key.endswith("_fen") and content is not None else content for key, content in row.items()} for row in rows]


def _names(lang: str, *names: str) -> dict[str, str]:
    return {name: column(name, lang) for name in names}


def _bars(x: str, y: str, series: str | None = None, format: str = COUNT, lying: bool = False, stack: bool = True):
    def draw(drawer: Drawer, head: str, rows: list[dict], lang: str) -> str:
        rows = [row for row in rows if row[x] is not None]
        return drawer.bars(head, _named(rows, lang, x, *([series] if series else [])), x, y, series, _names(lang, x, y), format, lying=lying, stack=stack) if rows else ""

    return draw


def _lines(x: str, y: str, series: str | None = None, format: str = PERCENT, dates: bool = True):
    def draw(drawer: Drawer, head: str, rows: list[dict], lang: str) -> str:
        rows = [row for row in rows if row[y] is not None]
        named = [{**row, series: str(row[series])[:7] if series == "cohort" else row[series]} if series else row for row in _named(rows, lang, *([series] if series else []))]
        return drawer.lines(head, named, x, y, series, _names(lang, x, y), format, dates) if len({row[x] for row in rows}) > 1 else ""

    return draw


def _decisions(drawer: Drawer, head: str, rows: list[dict], lang: str) -> str:
    draw = _lines("as_of", "share", "decision") if len({row["as_of"] for row in rows}) > 1 else _bars("decision", "applications")
    return draw(drawer, head, rows, lang)


def _rates(x: str, *columns: str, dates: bool = False):
    """Several columns of the same kind, each a series."""
    def draw(drawer: Drawer, head: str, rows: list[dict], lang: str) -> str:
        long = [{x: value(row[x], lang) if isinstance(row[x], str) else row[x], "which": column(name, lang), "value": row[name]} for row in rows for name in columns if row[name] is not None]
        if not long:
            return ""
        if dates:
            return drawer.lines(head, long, x, "value", "which", {x: column(x, lang), "value": ""}, PERCENT, True) if len({row[x] for row in long}) > 1 else ""
        return drawer.bars(head, long, x, "value", "which", {x: column(x, lang), "value": ""}, PERCENT, stack=False)

    return draw


def _rolls(drawer: Drawer, head: str, rows: list[dict], lang: str) -> str:
    order = [value(bucket, lang) for bucket in _BUCKETS]
    return drawer.heat(head, _named(rows, lang, "from_bucket", "to_bucket"), "to_bucket", "from_bucket", "share_of_balance", _names(lang, "from_bucket", "to_bucket"), x_order=order, y_order=order)


def _used(drawer: Drawer, head: str, rows: list[dict], lang: str) -> str:
    parts = [{"source": row["source"], "which": column(name, lang), "yuan": amount / 100} for row in rows for name, amount in (("used_fen", row["used_fen"]), ("left_fen", max((row["capacity_fen"] or 0) - row["used_fen"], 0)))]
    return drawer.bars(head, parts, "source", "yuan", "which", {"source": column("source", lang), "yuan": ""}, YUAN, [column("used_fen", lang), column("left_fen", lang)], lying=True)


_CHARTS = {
    "funnel": _bars("step", "applications", lying=True),
    "decisions": _decisions,
    "reasons": _bars("code", "applications", "decision", lying=True),
    "grades": _rates("grade", "approval_rate"),
    "bad_by_grade": _rates("grade", "expected_bad_rate", "ever_30", "ever_90"),
    "scores": _bars("points", "share", "date_of", PERCENT, stack=False),
    "waterfall": _bars("step", "left_fen", format=YUAN, lying=True),
    "binding_caps": _bars("binding_cap", "approved", "date_of", lying=True, stack=False),
    "amounts": _bars("from_yuan", "approved"),
    "prices": _rates("grade", "annual_rate", "all_in_annual_cost", "expected_bad_rate"),
    "funding": _used,
    "liquidity": _bars("pay_date", "out_fen", "source", YUAN),
    "ageing": _bars("month", "share_of_balance", "bucket", PERCENT),
    "classes": _bars("class", "principal_fen", format=YUAN, lying=True),
    "rolls": _rolls,
    "roll_rates": _lines("month", "share_of_balance", "step"),
    "vintages": _lines("mob", "ever_30", "cohort", dates=False),
    "early": _rates("cohort", "first_payment_default", "early_payment_default", dates=True),
    "yields": _rates("month", "net_yield", "cpr", dates=True),
    "reserve": _lines("month", "closing_fen", format=YUAN),
    "reserve_outlook": _bars("scenario", "expected_loss_fen", format=YUAN, lying=True),
    "quarantine": _bars("rule", "rows", lying=True),
    "coverage": _rates("evidence", "share"),
}


# --- terminal ---


def show(found: dict, lang: str) -> None:
    """In short: what is red or amber with what to do, and the headline figures."""
    rules = [rule for rule in found["rules"] if rule["status"] == "failed"]
    formats.draw([column("severity", lang), column("in_words", lang), said("do", lang)], [
        *([page.word(alert["severity"], lang), alert[f"text_{lang}"], alert[f"what_to_do_{lang}"]] for alert in found["alerts"]),
        *([page.word("red", lang), f"{rule['rule_id']}: {rule['offending']:,}", rule["document"]] for rule in rules),
    ] or [[page.word("green", lang), said("no_alerts", lang), ""]], f"{said('title', lang)} {found['as_of']}: {page.word(found['status'], lang)}")
    figures = {taken["name"]: taken["rows"] for taken in found["figures"]}
    if "changes" in figures:
        formats.draw([column(name, lang) for name in ("measure", "today", "before", "change")], [
            [value(row["measure"], lang), _headline(row, "today", lang), _headline(row, "before", lang), "-" if row["change"] is None else f"{row['change']:+.2%}"] for row in figures["changes"]
        ], title("changes", lang)[0], [False, True, True, True])
    if "book_today" in figures:
        formats.draw([column(name, lang) for name in ("measure", "loans", "amount_fen")], [[value(row["measure"], lang), f"{row['loans'] or 0:,}", yuan(row["amount_fen"])] for row in figures["book_today"]],
                     title("book_today", lang)[0], [False, True, True])
