"""Charts as SVG that stands in a page: Vega-Lite drawn by vl-convert, without network, scripts or fonts of its own.

Colours are names of the page's (``var(--c1)``), so one drawing does for light, dark and print. A chart is told as rows and the names of its
columns; what has no rows is not drawn.
"""

from __future__ import annotations

import re
from html import escape
from typing import Sequence

from qqloan_cli.reports.formats import plain

COLOURS = [f"var(--c{number})" for number in range(1, 9)]
_INK, _SOFT, _GRID = "var(--ink)", "var(--soft)", "var(--line)"
_WIDE, _HIGH = 390, 180

PERCENT, COUNT, YUAN = ".1%", "~s", "yuan"
_IN_MILLIONS = "datum.value >= 1e9 ? format(datum.value / 1e9, '~g') + 'bn' : datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + 'm' : format(datum.value, ',~g')"
_IN_WAN = "datum.value >= 1e8 ? format(datum.value / 1e8, '~g') + '亿' : datum.value >= 1e4 ? format(datum.value / 1e4, '~g') + '万' : format(datum.value, ',~g')"


class Drawer:
    """Draws the charts of one page; gives each its own names for what it refers to."""

    def __init__(self, lang: str = "en") -> None:
        import vl_convert

        self._large = {"labelExpr": _IN_WAN if lang == "zh" else _IN_MILLIONS}

        self._convert, self._convert_whole = vl_convert.vegalite_to_svg, vl_convert.vega_to_svg
        self._drawn = 0

    def svg(self, title: str, spec: dict) -> str:
        """``title`` is what a screen reader says."""
        drawn = self._convert({"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "config": _CONFIG, **plain(spec)}, allowed_base_urls=[])
        self._drawn += 1
        return _for_a_page(drawn, title, f"g{self._drawn}")

    def axis(self, format: str) -> dict:
        """Of quantities: large ones as they are said in the language."""
        return {"tickCount": 5, **({"format": format} if format not in (COUNT, YUAN) else self._large)}

    def lines(self, title: str, rows: Sequence[dict], x: str, y: str, series: str | None = None, names: dict[str, str] | None = None, format: str = COUNT, dates: bool = False, order: Sequence[str] = (), across: str | None = None) -> str:
        """A line a series. ``names``: titles of the columns; ``dates``: x is a date; else whole numbers, or as ``across`` formats them."""
        if dates:
            along = {"field": x, "type": "temporal", "axis": {"format": "%Y-%m-%d", "labelAngle": -30, "tickCount": 6}}
        else:
            along = {"field": x, "type": "quantitative", "axis": {"format": across, "tickCount": 5} if across else {"format": "d", "tickMinStep": 1}}
        spec = _spec(rows, {"type": "line", "point": {"size": 22, "filled": True}, "strokeWidth": 2}, along, {"field": y, "type": "quantitative", "axis": self.axis(format)}, x, y, names)
        return self.svg(title, _in_series(spec, rows, series, names, order))

    def bars(self, title: str, rows: Sequence[dict], x: str, y: str, series: str | None = None, names: dict[str, str] | None = None, format: str = COUNT, order: Sequence[str] = (), lying: bool = False, stack: bool = True) -> str:
        """Bars in the rows' order; ``lying`` with long names, ``series`` stacked or side by side."""
        kinds = list(dict.fromkeys(row[x] for row in rows))
        of = {"field": x, "type": "nominal", "sort": kinds, "axis": {"labelLimit": 210, "labelAngle": 0 if lying or len(kinds) <= 8 and max(len(str(kind)) for kind in kinds) < 9 else -35}}
        size = {"field": y, "type": "quantitative", "axis": self.axis(format)}
        if series and not stack:
            size["stack"] = None
        spec = _spec(rows, {"type": "bar", "cornerRadiusEnd": 2}, size if lying else of, of if lying else size, y if lying else x, x if lying else y, names)
        if lying:
            spec["height"] = {"step": 22}
            spec["encoding"]["y"]["title"] = None  # what the bars are of, their names say
        if series and not stack:
            spec["encoding"]["yOffset" if lying else "xOffset"] = {"field": series, "sort": list(order) or None}
            spec["height"] = {"step": 14} if lying else spec["height"]
        spec = _in_series(spec, rows, series, names, order)
        if series is None:
            spec["encoding"]["color"] = {"value": COLOURS[0]}
        return self.svg(title, spec)

    def heat(self, title: str, rows: Sequence[dict], x: str, y: str, value: str, names: dict[str, str] | None = None, format: str = PERCENT, x_order: Sequence = (), y_order: Sequence = ()) -> str:
        """A field of cells, the darker the larger, each with its number."""
        across = {"field": x, "type": "ordinal", "sort": list(x_order) or None, "axis": {"labelAngle": 0, "grid": False}}
        down = {"field": y, "type": "ordinal", "sort": list(y_order) or None, "axis": {"grid": False}}
        encoding = {"x": {**across, "title": _title(x, names)}, "y": {**down, "title": _title(y, names)}}
        most = max((abs(float(row[value])) for row in rows if row[value] is not None), default=1) or 1
        spec = {
            "width": {"step": 46}, "height": {"step": 24}, "data": {"values": list(rows)}, "encoding": encoding,
            "layer": [
                {"mark": {"type": "rect", "color": COLOURS[0]}, "encoding": {"opacity": {"field": value, "type": "quantitative", "legend": None, "scale": {"domain": [0, most], "range": [0.04, 0.55]}}}},
                {"mark": {"type": "text", "fontSize": 11, "color": _INK}, "encoding": {"text": {"field": value, "type": "quantitative", "format": format}}},
            ],
        }
        return self.svg(title, spec)

    def network(self, title: str, points: Sequence[dict], lines: Sequence[dict]) -> str:
        """Points (id, label, shape, size, colour) and the lines between them (source, target), laid out by forces that always fall into
        the same place."""
        wide, high = 640, 120 + 14 * len(points)
        high = max(240, min(high, 520))
        place = {point["id"]: number for number, point in enumerate(points)}
        spec = {
            "$schema": "https://vega.github.io/schema/vega/v5.json", "width": wide, "height": high, "padding": 28, "background": None, "autosize": "none",
            "data": [{"name": "points", "values": list(points)}, {"name": "lines", "values": [{"source": place[line["source"]], "target": place[line["target"]]} for line in lines]}],
            "marks": [
                {"name": "nodes", "type": "symbol", "zindex": 1, "from": {"data": "points"}, "encode": {"enter": {
                    "shape": {"field": "shape"}, "size": {"field": "size"}, "fill": {"field": "colour"}, "stroke": {"value": "var(--paper)"}, "strokeWidth": {"value": 1.5}, "middle_x": {"value": wide / 2}, "middle_y": {"value": high / 2}}},
                 "transform": [{"type": "force", "iterations": 400, "static": True, "signal": "force", "forces": [
                     {"force": "center", "x": wide / 2, "y": high / 2}, {"force": "collide", "radius": 26}, {"force": "nbody", "strength": -160}, {"force": "link", "links": "lines", "distance": 60},
                     {"force": "y", "y": "middle_y", "strength": 0.12}, {"force": "x", "x": "middle_x", "strength": 0.04}]}]},
                {"type": "path", "from": {"data": "lines"}, "interactive": False, "encode": {"update": {"stroke": {"value": _SOFT}, "strokeOpacity": {"value": 0.6}}},
                 "transform": [{"type": "linkpath", "require": {"signal": "force"}, "shape": "line", "sourceX": "datum.source.x", "sourceY": "datum.source.y", "targetX": "datum.target.x", "targetY": "datum.target.y"}]},
                {"type": "text", "zindex": 2, "from": {"data": "nodes"}, "encode": {"enter": {
                    "text": {"field": "datum.label"}, "x": {"field": "x"}, "y": {"field": "y", "offset": 20}, "align": {"value": "center"}, "fontSize": {"value": 11}, "fill": {"value": _INK}, "font": {"value": "sans-serif"}}}},
            ],
        }
        self._drawn += 1
        return _for_a_page(self._convert_whole(spec, allowed_base_urls=[]), title, f"g{self._drawn}")


def _spec(rows: Sequence[dict], mark: dict, x: dict, y: dict, x_name: str, y_name: str, names: dict[str, str] | None) -> dict:
    return {
        "width": _WIDE, "height": _HIGH, "data": {"values": list(rows)}, "mark": mark,
        "encoding": {"x": {**x, "title": _title(x_name, names)}, "y": {**y, "title": _title(y_name, names)}},
    }


def _in_series(spec: dict, rows: Sequence[dict], series: str | None, names: dict[str, str] | None, order: Sequence[str]) -> dict:
    if series is not None:
        known = list(order) or list(dict.fromkeys(row[series] for row in rows))
        known = [name for name in known if any(row[series] == name for row in rows)]
        spec["encoding"]["color"] = {
            "field": series, "type": "nominal", "title": None, "sort": known, "scale": {"domain": plain(known), "range": [COLOURS[place % len(COLOURS)] for place in range(len(known))]},
            "legend": {"orient": "top", "columns": 4, "labelLimit": 160, "symbolType": "square"},
        }
    return spec


def _title(name: str, names: dict[str, str] | None) -> str:
    return (names or {}).get(name, name.replace("_", " "))


_CONFIG = {
    "background": None, "aria": False, "font": "sans-serif", "padding": 4,
    "view": {"stroke": None},
    "axis": {"labelColor": _INK, "titleColor": _SOFT, "domainColor": _SOFT, "tickColor": _SOFT, "gridColor": _GRID, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"},
    "axisX": {"grid": False},
    "legend": {"labelColor": _INK, "titleColor": _SOFT, "labelFontSize": 11},
    "text": {"color": _INK},
}


def _for_a_page(svg: str, title: str, name: str) -> str:
    """One picture with a name for whoever cannot see it. What Vega names (clip paths) is named apart from other charts' on the page."""
    head, rest = svg.split(">", 1)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    rest = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", rest)
    rest = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', rest)
    rest = re.sub(r'url\(#([^)]+)\)', rf'url(#{name}-\1)', rest)
    return f'<svg viewBox="0 0 {size[1]} {size[2]}" width="{size[1]}" height="{size[2]}" role="img" aria-label="{escape(title)}">{rest}'
