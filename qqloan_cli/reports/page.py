"""A page that stands alone: one HTML file that asks nothing of the network, is read without scripts, on paper, in the dark and by a screen reader.

Its Content-Security-Policy allows its own style and nothing else: no script, no picture, no address. Behind each chart stands its table,
and behind that the SQL that gave it, folded until it is opened or printed.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

STYLE = Path(__file__).with_suffix(".css")
_MOST_ROWS = 60  # of a table on a page; the rest is in the figure's own rows
_WORDS = {
    "skip": ("Skip to the content", "跳到正文"), "contents": ("Contents", "目录"), "rows": ("Rows", "数据表"), "sql": ("SQL", "SQL"), "more": ("{} more rows", "另有 {} 行"),
    "nothing": ("nothing", "无"), "red": ("red", "红色"), "amber": ("amber", "黄色"), "green": ("green", "绿色"),
}


class Section(NamedTuple):
    name: str
    title: str
    html: str
    lead: str = ""


def word(key: str, lang: str) -> str:
    return _WORDS[key][lang == "zh"]


def page(title: str, lang: str, head: str, sections: Sequence[Section]) -> str:
    """The whole file. ``head`` stands above the sections; ``lang``: en or zh."""
    style = STYLE.read_text(encoding="utf-8")
    policy = f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'; base-uri 'none'; form-action 'none'"
    nav = "".join(f'<li><a href="#{section.name}">{escape(section.title)}</a></li>' for section in sections)
    body = "".join(
        f'<section id="{section.name}" aria-labelledby="{section.name}-title"><h2 id="{section.name}-title">{escape(section.title)}</h2>'
        + (f"<p>{escape(section.lead)}</p>" if section.lead else "") + f"{section.html}</section>\n"
        for section in sections
    )
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n'
        f'<body>\n<a class="skip" href="#content">{word("skip", lang)}</a>\n<header><h1>{escape(title)}</h1>{head}</header>\n'
        f'<nav aria-label="{word("contents", lang)}"><ul>{nav}</ul></nav>\n<main id="content">\n{body}</main>\n</body>\n</html>\n'
    )


def figure(name: str, title: str, note: str, chart: str, rows: str, sql: dict[str, str], lang: str, whole: bool = False) -> str:
    """A chart with its caption, and folded behind it its table and its SQL; a table alone where there is no chart. ``whole``: as wide as
    the page."""
    folded = f"<details><summary>{word('rows', lang)}</summary>{rows}</details>" if chart else rows
    queries = "".join(f"<h4>{escape(file)}</h4><pre tabindex=\"0\">{escape(text.strip())}</pre>" if len(sql) > 1 else f"<pre tabindex=\"0\">{escape(text.strip())}</pre>" for file, text in sql.items())
    queries = f"<details><summary>{word('sql', lang)}</summary>{queries}</details>" if queries else ""
    return (
        f'<figure id="f-{name}"{" class=whole" if whole else ""}><figcaption><h3>{escape(title)}</h3>{f"<p>{escape(note)}</p>" if note else ""}</figcaption>'
        + (f'<div class="chart">{chart}</div>' if chart else "") + f"{folded}{queries}</figure>\n"
    )


def table(names: Sequence[str], rows: Sequence[Sequence[str]], title: str, lang: str, numeric: Sequence[bool] = (), marks: Sequence[str | None] = (), most: int = _MOST_ROWS) -> str:
    """Cells are text already; ``marks``: green, amber, red or None for each row; of more rows than ``most`` the first. A wide one scrolls,
    by the keyboard too."""
    if not rows:
        return f"<p>{word('nothing', lang)}</p>"
    of = list(numeric) or [False] * len(names)
    head = "".join(f'<th scope="col"{" class=n" if number else ""}>{escape(name)}</th>' for name, number in zip(names, of))
    lines = []
    for place, row in enumerate(rows[:most]):
        mark = marks[place] if marks else None
        cells = "".join(
            f'<th scope="row">{chip(mark, lang) if mark else ""}{escape(cell)}</th>' if column == 0 else f'<td{" class=n" if of[column] else ""}>{escape(cell)}</td>'
            for column, cell in enumerate(row)
        )
        lines.append(f"<tr{f' class={mark}' if mark else ''}>{cells}</tr>")
    more = f"<p>{word('more', lang).format(len(rows) - most)}</p>" if len(rows) > most else ""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(title)}"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>{more}'


def chip(severity: str, lang: str) -> str:
    """A severity as a word in its colour: never the colour alone."""
    return f'<span class="chip {severity}">{word(severity, lang)}</span> '


def told(rows: Sequence[dict], title: str, lang: str, name_of: Callable[[str], str], shown: Callable[[str, object], str], leave_out: Sequence[str] = (), marks: Sequence[str | None] = ()) -> str:
    """A table of rows as dicts, by the names and the cells that the caller has words for."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in leave_out]
    numeric = [all(row.get(name) is None or isinstance(row[name], (int, float)) and not isinstance(row[name], bool) for row in rows) for name in names]
    return table([name_of(name) for name in names], [[shown(name, row.get(name)) for name in names] for row in rows], title, lang, numeric, marks)
