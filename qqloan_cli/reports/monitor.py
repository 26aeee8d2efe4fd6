"""What is watched, for people: alerts with what to do, or every figure beside what it is held against."""

from __future__ import annotations

from qqloan_cli.reports import formats

_HEADS = {
    "en": {"alerts": ["severity", "alert", "what", "what to do"], "measures": ["severity", "measure", "subject", "value", "held against", "from", "to", "amber", "red", "rows", "note"],
           "none": "nothing is amber or red", "green": "green", "amber": "amber", "red": "red"},
    "zh": {"alerts": ["级别", "预警", "内容", "处理"], "measures": ["级别", "指标", "对象", "数值", "对照", "下限", "上限", "黄线", "红线", "行数", "说明"],
           "none": "无黄色或红色预警", "green": "绿", "amber": "黄", "red": "红"},
}
_WORST_FIRST = {"red": 0, "amber": 1, "green": 2, None: 3}


def show(measures, alerts, view: str, lang: str = "en") -> None:
    """Tables of the contracts, on stdout, the worst first."""
    words = _HEADS["zh" if lang == "zh" else "en"]
    rows = sorted((alerts if view == "alerts" else measures).to_pylist(), key=lambda row: _WORST_FIRST[row["severity"]])
    days = sorted({str(row["as_of"]) for row in measures.select(["as_of"]).to_pylist()})
    title = f"{view.capitalize() if lang != 'zh' else words[view][1]}, {' '.join(days)}"
    if view == "alerts":
        if not rows:
            print(f"{title}: {words['none']}")
            return
        formats.draw(words["alerts"], [[words[r["severity"]], r["alert_id"], r[f"text_{lang}"], r[f"what_to_do_{lang}"]] for r in rows], title)
        return
    formats.draw(words["measures"], [[
        words.get(r["severity"], "-"), r["measure"], r["subject"] or "", *(_number(r[name]) for name in ("value", "reference", "lower", "upper", "amber", "red")),
        "-" if r["rows"] is None else f"{r['rows']:,}", r["note"] or "",
    ] for r in rows], title, [False] * 3 + [True] * 7 + [False])


def _number(value) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
