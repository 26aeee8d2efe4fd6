"""A validation as one page that needs nothing beside it: charts, and every table of it."""

from __future__ import annotations

from typing import Sequence

from qqloan_cli.reports import page
from qqloan_cli.reports.charts import PERCENT, Drawer
from qqloan_cli.reports.validation import shown, tables

Series = tuple[str, Sequence[tuple[float, float]]]  # name, points


def html(found: dict) -> str:
    drawer, curves, bins = Drawer(), found["curves"], found["calibration"]["bins"]
    most = max((max(b["expected"], b["observed"]) for b in bins), default=1.0)
    charts = [
        _chart(drawer, "roc", "ROC: bads caught against goods wrongly caught", "goods", "bads", [("model", list(zip(curves["false_alarm"], curves["caught"]))), ("chance", [(0, 0), (1, 1)])]),
        _chart(drawer, "calibration", "Calibration: what happened against what was said", "mean pd", "bad rate", [("tenths", [(b["expected"], b["observed"]) for b in bins]), ("perfect", [(0, 0), (most, most)])]),
        _chart(drawer, "gains", "Gains: share of bads caught, from the riskiest tenth on", "share of applications", "bads",
               [("model", [(0, 0), *((g["tenth"] / len(found["gains"]), g["caught"]) for g in found["gains"])]), ("chance", [(0, 0), (1, 1)])]),
        _chart(drawer, "strategy", "Strategy: bad rate against approval rate", "approval rate", "bad rate", [("cut-offs", [(s["approval_rate"], s["bad_rate"]) for s in found["strategy"]])]),
        _chart(drawer, "profit", "Profit a loan against approval rate", "approval rate", "yuan a yuan asked for", [("cut-offs", [(s["approval_rate"], s["profit_a_loan"]) for s in found["strategy"]])], ".3f"),
    ]
    listed = [page.figure(f"table-{place}", title, "", "", _table(rows, title), {}, "en") for place, (title, rows) in enumerate(tables(found)) if rows]
    return page.page(f"Validation of model {found['model_version']}", "en", "", [
        page.Section("charts", "Charts", f'<div class="figures">{"".join(charts)}</div>'), page.Section("tables", "Tables", "".join(listed)),
    ])


def _table(rows: list[dict], title: str) -> str:
    marks = ["red" if row.get("below_four_fifths") else None for row in rows]
    return page.told(rows, title, "en", lambda name: name.replace("_", " "), shown, marks=marks)


def _chart(drawer: Drawer, name: str, title: str, across: str, up: str, series: list[Series], format: str = PERCENT) -> str:
    rows = [{across: x, up: y, "line": of} for of, points in series for x, y in points]
    drawn = drawer.lines(title, _thinned(rows), across, up, "line", format=format, across=PERCENT)
    return page.figure(name, title, "", drawn, page.told(_thinned(rows), title, "en", lambda column: column, lambda _, content: content if isinstance(content, str) else f"{content:.4f}"), {}, "en")


def _thinned(rows: list[dict], most: int = 120) -> list[dict]:
    """So many points as an eye can tell apart, the ends among them."""
    step = max(1, len(rows) // most)
    return [row for place, row in enumerate(rows) if place % step == 0 or place == len(rows) - 1 or row["line"] != rows[place + 1]["line"]]
