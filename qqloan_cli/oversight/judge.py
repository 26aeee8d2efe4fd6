"""From a figure to amber or red, and from that to an alert that says what it means and what to do."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

from qqloan_cli.policy.monitor import MEASURES, Limit, Monitoring


@dataclass(frozen=True)
class Figure:
    """A row of ``measures`` before it is judged. ``by_chance``: chance alone explains it; ``few``: why it rests on too little to be judged;
    ``amber`` and ``red``: limits of its own."""

    measure: str
    subject: str | None
    as_of: datetime.date
    value: float | None
    reference: float | None = None
    lower: float | None = None
    upper: float | None = None
    rows: int | None = None
    by_chance: bool = False
    few: str | None = None
    note: str | None = None
    amber: float | None = None
    red: float | None = None

    @property
    def alert_id(self) -> str:
        return self.measure + (f":{self.subject}" if self.subject else "")

    def says(self, more: str | None) -> "Figure":
        return replace(self, note="; ".join(part for part in (self.note, more) if part) or None)


def judge(figure: Figure, policy: Monitoring) -> tuple[dict, dict | None]:
    """(row of ``measures``, row of ``alerts`` or None)."""
    limit = policy.measure.get(figure.measure)
    severity, amber, red, note = None, None, None, None
    if limit is not None:
        amber, red, above = _limits(figure, limit)
        severity, note = _severity(figure, limit, policy, amber, red, above)
    figure = figure.says(note)
    row = {
        "measure": figure.measure, "subject": figure.subject, "as_of": figure.as_of, "value": figure.value, "unit": MEASURES[figure.measure], "reference": figure.reference,
        "lower": figure.lower, "upper": figure.upper, "amber": amber, "red": red, "severity": severity, "rows": figure.rows, "note": figure.note,
    }
    if severity not in ("amber", "red"):
        return row, None
    threshold = red if severity == "red" else amber
    return row, {
        "alert_id": figure.alert_id, "severity": severity, "measure": figure.measure, "subject": figure.subject, "as_of": figure.as_of, "value": figure.value, "threshold": threshold,
        **{f"{part}_{lang}": getattr(limit, f"{name}_{lang}").format(**_spoken(figure, threshold, lang)) for part, name in (("text", "says"), ("what_to_do", "do")) for lang in ("en", "zh")},
    }


def _limits(figure: Figure, limit: Limit) -> tuple[float | None, float | None, bool]:
    """(amber, red, whether above them is too much), in the value's own unit and on the side where it stands."""
    if figure.amber is not None or figure.red is not None:
        return figure.amber, figure.red, True
    ends = limit.of(figure.subject)
    if limit.by == "value":
        return *ends, limit.side == "above"
    if figure.reference is None or figure.value is None:
        return None, None, True
    above = limit.side == "above" or limit.side == "either" and figure.value >= figure.reference
    unit = (1 if above else -1) * (figure.reference if limit.by == "ratio" else 1)
    return *(None if end is None else figure.reference + unit * end for end in ends), above


def _severity(figure: Figure, limit: Limit, policy: Monitoring, amber: float | None, red: float | None, above: bool) -> tuple[str | None, str | None]:
    """(green, amber, red or None, what there is to say of that)."""
    least = policy.look.least_rows if limit.least_rows is None else limit.least_rows
    if figure.value is None:
        return None, None
    if figure.few is not None:
        return None, figure.few
    if amber is None and red is None:
        no_reference = limit.by != "value" and figure.reference is None and any(end is not None for end in limit.of(figure.subject))
        return None, "nothing to hold it against yet" if no_reference else None
    if figure.rows is not None and figure.rows < least:
        return None, f"{figure.rows:,} rows are too few to judge ({least:,} are asked for)"
    passed = [name for name, end in (("red", red), ("amber", amber)) if end is not None and (figure.value > end if above else figure.value < end)]
    if not passed:
        return "green", None
    if limit.beyond_chance and figure.by_chance:
        return "green", f"past {passed[0]}, but chance alone explains it"
    return passed[0], None


def _spoken(figure: Figure, threshold: float | None, lang: str) -> dict[str, str]:
    unit = MEASURES[figure.measure]
    return {
        "subject": figure.subject or {"en": "all", "zh": "全部"}[lang], "rows": spoken(figure.rows, "night" if unit == "e-value" else "count", lang),
        **{name: spoken(value, unit, lang) for name, value in (("value", figure.value), ("reference", figure.reference), ("threshold", threshold), ("lower", figure.lower), ("upper", figure.upper))},
    }


_COUNTED = {"days": ("day", "天"), "loans": ("loan", "笔"), "events": ("event", "项"), "night": ("night", "晚")}


def spoken(value: float | None, unit: str, lang: str) -> str:
    """A value as people say it."""
    if value is None:
        return {"en": "unknown", "zh": "未知"}[lang]
    if unit == "share":
        return f"{value:.1%}" if abs(value) >= 0.1 or value == 0 else f"{value:.2%}"
    if unit == "yuan":
        return f"{value:,.0f} yuan" if lang == "en" else f"{value:,.0f} 元"
    if unit == "rows":
        return f"{value:,.1f} rows" if lang == "en" else f"{value:,.1f} 行"
    if unit in _COUNTED:
        one, zh = _COUNTED[unit]
        return f"{value:,.0f} {one}{'' if value == 1 else 's'}" if lang == "en" else f"{value:,.0f} {zh}"
    if unit == "e-value" and value >= 1_000_000:
        return {"en": "more than a million", "zh": "逾百万"}[lang]
    if unit in ("index", "ratio", "auc"):
        return f"{value:.3f}" if unit == "auc" else f"{value:.2f}"
    return f"{value:,.0f}"
