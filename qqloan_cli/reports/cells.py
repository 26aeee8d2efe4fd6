"""What a notebook shows of a run and of a figure. A cell has neither the report's page nor its style: it brings a small one of its own, which
takes the notebook's colours, light or dark."""

from __future__ import annotations

from html import escape
from typing import Sequence

from qqloan_cli.reports import nightly_page
from qqloan_cli.reports.charts import Drawer
from qqloan_cli.reports.nightly_words import FIGURES, column, title

_STYLE = (
    ".qqloan{--ink:currentColor;--soft:currentColor;--line:#88888855;--c1:#3b8bd0;--c2:#d2691e;--c3:#3aa76d;--c4:#a06cc8;--c5:#b9972a;--c6:#2ba3b0;--c7:#cf5b7c;--c8:#8b95a0;font-size:13px}"
    ".qqloan table{border-collapse:collapse;margin:.4em 0}.qqloan th,.qqloan td{padding:.15em .7em;border-bottom:1px solid #88888855;text-align:right}"
    ".qqloan th:first-child,.qqloan td:first-child{text-align:left}.qqloan code{white-space:nowrap}.qqloan summary{cursor:pointer}"
)
_MOST_ROWS = 20


def figure(name: str, rows: list[dict]) -> str:
    """Its chart, its first rows, its SQL being at hand as ``.sql``."""
    head, note = title(name, "en") if name in FIGURES else (name, "")
    return f'<div class="qqloan"><style>{_STYLE}</style><b>{escape(head)}</b>{f"<br><small>{escape(note)}</small>" if note else ""}<br>{nightly_page.drawn(Drawer(), name, rows, "en")}{_table(rows)}</div>'


def opened(says: str, decided: list[dict], tables: Sequence[tuple[str, str]], figures: Sequence[str]) -> str:
    """Runs and a book: what was decided, what can be asked."""
    listed = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{escape(grain)}</td></tr>" for name, grain in tables)
    names = " ".join(f"<code>{escape(name)}</code>" for name in figures)
    return (
        f'<div class="qqloan"><style>{_STYLE}</style><b>{escape(says)}</b>{_table(decided)}<details><summary>tables: <code>.sql("select ...")</code>, <code>.table(name)</code></summary>'
        f'<table><tr><th>table</th><th>a row is</th></tr>{listed}</table></details><details><summary>figures: <code>.figure(name)</code></summary>{names}</details></div>'
    )


def _table(rows: list[dict]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    head = "".join(f"<th>{escape(column(name, 'en'))}</th>" for name in names)
    lines = "".join("<tr>" + "".join(f"<td>{escape(nightly_page.shown(name, row[name], 'en'))}</td>" for name in names) + "</tr>" for row in rows[:_MOST_ROWS])
    more = f"<small>{len(rows) - _MOST_ROWS:,} more rows in <code>.table</code></small>" if len(rows) > _MOST_ROWS else ""
    return f"<table><tr>{head}</tr>{lines}</table>{more}"
