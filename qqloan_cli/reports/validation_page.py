"""A validation as one page that needs nothing beside it: tables, and charts drawn as SVG."""

from __future__ import annotations

from html import escape
from typing import Sequence

from qqloan_cli.reports.validation import shown, tables

_WIDE, _HIGH, _EDGE = 420, 300, 46
_STYLE = """body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1000px;color:#1c2733}h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.15rem .7rem;border-bottom:1px solid #dde3ea;text-align:right}th{background:#f3f6f9}
td:first-child,th:first-child{text-align:left}.charts{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}figcaption{font-size:.85rem;color:#53616f}.marked{background:#fdeeee}"""

Series = tuple[str, str, Sequence[tuple[float, float]]]  # name, colour, points


def page(found: dict) -> str:
    charts = [
        _chart("ROC: bads caught against goods wrongly caught", "goods", "bads", [
            ("model", "#1f6fb2", list(zip(found["curves"]["false_alarm"], found["curves"]["caught"]))), ("chance", "#b8c2cc", [(0, 0), (1, 1)])]),
        _chart("Calibration: what happened against what was said", "mean pd", "bad rate", [
            ("tenths", "#1f6fb2", [(b["expected"], b["observed"]) for b in found["calibration"]["bins"]]), ("perfect", "#b8c2cc", _diagonal(found["calibration"]["bins"]))], dots=True),
        _chart("Gains: share of bads caught, from the riskiest tenth on", "share of applications", "bads", [
            ("model", "#1f6fb2", [(0, 0), *((g["tenth"] / len(found["gains"]), g["caught"]) for g in found["gains"])]), ("chance", "#b8c2cc", [(0, 0), (1, 1)])]),
        _chart("Strategy: bad rate against approval rate", "approval rate", "bad rate", [("cut-offs", "#1f6fb2", [(s["approval_rate"], s["bad_rate"]) for s in found["strategy"]])]),
        _chart("Profit a loan against approval rate", "approval rate", "yuan a yuan asked for", [("cut-offs", "#2a8a57", [(s["approval_rate"], s["profit_a_loan"]) for s in found["strategy"]])]),
    ]
    body = [f"<h1>Validation of model {escape(found['model_version'])}</h1>", f'<div class="charts">{"".join(charts)}</div>']
    for title, rows in tables(found):
        if rows:
            body.append(f"<h2>{escape(title)}</h2>{_table(rows)}")
    return f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Validation of model {escape(found["model_version"])}</title><style>{_STYLE}</style>\n<body>{"".join(body)}</body></html>\n'


def _table(rows: list[dict]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    lines = []
    for row in rows:
        marked = ' class="marked"' if row.get("below_four_fifths") else ""
        lines.append(f"<tr{marked}>{''.join(f'<td>{escape(shown(name, row.get(name)))}</td>' for name in names)}</tr>")
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _diagonal(bins: list[dict]) -> list[tuple[float, float]]:
    most = max((max(b["expected"], b["observed"]) for b in bins), default=1.0)
    return [(0, 0), (most, most)]


def _chart(title: str, across: str, up: str, series: list[Series], dots: bool = False) -> str:
    """Lines over axes that begin at the least of nothing and of what is shown."""
    xs, ys = ([p[side] for _, _, points in series for p in points] for side in (0, 1))
    left, right, low, high = min(0.0, *xs), max(xs), min(0.0, *ys), max(ys)
    right, high = (right if right > left else left + 1), (high if high > low else low + 1)

    def at(x: float, y: float) -> str:
        return f"{_EDGE + (x - left) / (right - left) * (_WIDE - _EDGE - 10):.1f},{_HIGH - _EDGE - (y - low) / (high - low) * (_HIGH - _EDGE - 20):.1f}"

    drawn = []
    for number, (name, colour, points) in enumerate(series):
        drawn.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(at(*p) for p in points)}"/>')
        if dots and number == 0:
            drawn += [f'<circle r="3" fill="{colour}" cx="{at(*p).split(",")[0]}" cy="{at(*p).split(",")[1]}"/>' for p in points]
        drawn.append(f'<text x="{_WIDE - 90}" y="{24 + 15 * number}" font-size="11" fill="{colour}">{escape(name)}</text>')
    for share in (0, 0.5, 1):
        x, y = left + share * (right - left), low + share * (high - low)
        drawn.append(f'<text x="{at(x, low).split(",")[0]}" y="{_HIGH - _EDGE + 16}" font-size="10" text-anchor="middle">{x:.3g}</text>')
        drawn.append(f'<text x="{_EDGE - 5}" y="{at(left, y).split(",")[1]}" font-size="10" text-anchor="end">{y:.3g}</text>')
    axes = f'<path d="M{at(left, high)} L{at(left, low)} L{at(right, low)}" fill="none" stroke="#53616f"/>'
    words = f'<text x="{_WIDE / 2}" y="{_HIGH - 10}" font-size="11" text-anchor="middle">{escape(across)}</text><text x="8" y="14" font-size="11">{escape(up)}</text>'
    return f'<figure><svg width="{_WIDE}" height="{_HIGH}" role="img" aria-label="{escape(title)}">{axes}{"".join(drawn)}{words}</svg><figcaption>{escape(title)}</figcaption></figure>'
