"""A letter in Markdown as PDF: A4, Chinese, tables that wrap, page numbers; the same text is the same bytes.

What it knows of Markdown is what letters use: headings, paragraphs, lists, tables, **strong**.
"""

from __future__ import annotations

import functools
import io
import re
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import KeepTogether, ListFlowable, ListItem, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

from qqloan_cli.errors import ConfigError

_LEFT = _RIGHT = 20 * mm
_WIDTH = A4[0] - _LEFT - _RIGHT - 12  # a frame keeps 6 points on each side
_CID = "STSong-Light"  # every reader brings it, or takes another Chinese font in its place
_PADDING = 4  # points, of a cell
_INK, _LINE, _SHADE = colors.HexColor("#1b1f24"), colors.HexColor("#9aa4af"), colors.HexColor("#eef1f4")
_CJK = re.compile("[\u2014\u2018-\u201d\u2026\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+")
_WORD = re.compile("[^\\s\u2e80-\uffef]+|[\u2e80-\uffef]{1,4}")  # what a line should not break
_STRONG = re.compile(r"\*\*(.+?)\*\*")
_CODES = {"zh": "zh-CN", "en": "en-GB"}
_PAGE = {"zh": "第 {page} 页，共 {pages} 页", "en": "Page {page} of {pages}"}


def as_pdf(text: str, lang: str, author: str, font: Path | None = None) -> bytes:
    """Raises ConfigError where ``font`` cannot be read."""
    chinese = _chinese(font)
    style = _styles(lang, chinese)
    title, story = _story(text, lang, style, chinese)
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=_LEFT, rightMargin=_RIGHT, topMargin=20 * mm, bottomMargin=22 * mm, title=title, author=author, subject=title, creator="qqloan",
        lang=_CODES[lang], invariant=1,
    )
    document.build(story, canvasmaker=functools.partial(_Numbered, pages_in=lang, font=chinese if lang == "zh" else "Helvetica"))
    return out.getvalue()


class _Numbered(Canvas):
    """Pages that know how many there are."""

    def __init__(self, *arguments, pages_in: str, font: str, **named) -> None:
        super().__init__(*arguments, **named)
        self._pages_in, self._font_of_page, self._pages = pages_in, font, []

    def showPage(self) -> None:
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        pages = len(self._pages)
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self.setFont(self._font_of_page, 8)
            self.setFillColor(_INK)
            self.drawCentredString(A4[0] / 2, 12 * mm, _PAGE[self._pages_in].format(page=number, pages=pages))
            super().showPage()
        super().save()


@functools.cache
def _chinese(font: Path | None) -> str:
    """The name of a font that has Chinese, registered."""
    if font is None:
        pdfmetrics.registerFont(UnicodeCIDFont(_CID))
        pdfmetrics.registerFontFamily(_CID, normal=_CID, bold=_CID, italic=_CID, boldItalic=_CID)
        return _CID
    try:
        pdfmetrics.registerFont(TTFont("Letters", str(font)))
    except (TTFError, OSError):
        raise ConfigError("font-unreadable", "the font cannot be read: a TrueType file with glyf outlines is wanted", str(font), "Name another in configs/notices/letters.toml, or none.") from None
    pdfmetrics.registerFontFamily("Letters", normal="Letters", bold="Letters", italic="Letters", boldItalic="Letters")
    return "Letters"


@functools.cache
def _styles(lang: str, chinese: str) -> dict[str, ParagraphStyle]:
    font = chinese if lang == "zh" else "Helvetica"
    strong = chinese if lang == "zh" else "Helvetica-Bold"
    wrap = {"wordWrap": "CJK"} if lang == "zh" else {"splitLongWords": 1}
    body = ParagraphStyle("body", fontName=font, fontSize=10, leading=15, textColor=_INK, spaceAfter=6, **wrap)
    small = ParagraphStyle("cell", parent=body, fontSize=8.5, leading=11.5, spaceAfter=0)
    return {
        "body": body, "item": ParagraphStyle("item", parent=body, spaceAfter=2), "cell": small, "number": ParagraphStyle("number", parent=small, alignment=TA_RIGHT),
        "head": ParagraphStyle("head", parent=small, fontName=strong), "head_number": ParagraphStyle("head_number", parent=small, fontName=strong, alignment=TA_RIGHT),
        "1": ParagraphStyle("h1", parent=body, fontName=strong, fontSize=16, leading=22, spaceAfter=12),
        "2": ParagraphStyle("h2", parent=body, fontName=strong, fontSize=12, leading=17, spaceBefore=8, spaceAfter=5, keepWithNext=1),
        "3": ParagraphStyle("h3", parent=body, fontName=strong, fontSize=10.5, leading=15, spaceBefore=5, spaceAfter=4, keepWithNext=1),
    }


def _story(text: str, lang: str, style: dict[str, ParagraphStyle], chinese: str) -> tuple[str, list]:
    mark = lambda words: _marked(words, lang, chinese)  # noqa: E731
    title, story = "", []
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.split("\n")
        if found := re.match(r"(#{1,3}) (.+)", lines[0]):
            title = title or found[2]
            story.append(Paragraph(mark(found[2]), style[str(len(found[1]))]))
            lines = lines[1:]
        if lines and lines[0].startswith("|"):
            above = []  # what says what the table is, and the heading over it
            while len(above) < 2 and story and isinstance(story[-1], Paragraph) and (not above or story[-1].style.name.startswith("h")):
                above.insert(0, story.pop())
            story += [KeepTogether([*above, _table(lines, style, mark), Spacer(1, 6)])]
        elif lines and lines[0].startswith("- "):
            items = [ListItem(Paragraph(mark(line[2:]), style["item"]), leftIndent=12) for line in lines]
            story += [ListFlowable(items, bulletType="bullet", bulletFontSize=8, leftIndent=12, start="\u2022"), Spacer(1, 4)]
        elif lines:
            story.append(Paragraph("<br/>".join(mark(line) for line in lines), style["body"]))
    return title, story


def _marked(words: str, lang: str, chinese: str) -> str:
    """As a Paragraph has it; Chinese in an English letter in a font that has it."""
    said = escape(words)
    if lang != "zh":
        said = _CJK.sub(lambda found: f'<font name="{chinese}">{found[0]}</font>', said)
    return _STRONG.sub(r"<b>\1</b>", said)


def _table(lines: list[str], style: dict[str, ParagraphStyle], mark) -> LongTable:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    right = [rule.endswith(":") for rule in rows[1]]
    rows = [rows[0], *rows[2:]]
    cells = [
        [Paragraph(mark(cell), style[("head_number" if right[at] else "head") if number == 0 else "number" if right[at] else "cell"]) for at, cell in enumerate(row)]
        for number, row in enumerate(rows)
    ]
    table = LongTable(cells, colWidths=_widths(rows, right, style["head"]), repeatRows=1)
    totals = [("BACKGROUND", (0, number), (-1, number), _SHADE) for number, row in enumerate(rows) if number == 0 or row[0].startswith("**")]
    table.setStyle(TableStyle([
        ("GRID", (0, 0), (-1, -1), 0.4, _LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), _PADDING), ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 3), ("BOTTOMPADDING", (0, 0), (-1, -1), 3), *totals,
    ]))
    return table


def _widths(rows: list[list[str]], right: list[bool], style: ParagraphStyle) -> list[float]:
    """Of columns, points: none has less than its longest figure or word takes, and what is left goes to where lines are longest."""
    wide = lambda text: pdfmetrics.stringWidth(text, style.fontName, style.fontSize) * 1.08 + 2 * _PADDING  # noqa: E731
    longest = [max(wide(row[at].replace("**", "")) for row in rows) for at in range(len(right))]
    words = lambda row, at: _WORD.findall(row[at].replace("**", "") or "-")  # noqa: E731
    least = [max([wide(word) for row in (rows[:1] if figures else rows) for word in words(row, at)] + [wide(row[at].replace("**", "")) for row in rows[1:] if figures]) for at, figures in enumerate(right)]
    left = _WIDTH - sum(least)
    if left < 0:  # nothing fits: they shrink alike, and long words break
        return [_WIDTH * one / sum(least) for one in least]
    more = [min(longest[at], _WIDTH / 3) - min(least[at], _WIDTH / 3) for at in range(len(right))]
    share = [one / sum(more) if sum(more) else 1 / len(more) for one in more]
    return [one + left * part for one, part in zip(least, share)]
