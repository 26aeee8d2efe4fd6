"""What one application would be with something about it changed, and what would have to change."""

from __future__ import annotations

from qqloan_cli.reports import formats
from qqloan_cli.reports.money import yuan
from qqloan_cli.reports.words import word

_SHARES = ("annual_rate", "all_in_annual_cost")


def show_what_if(sides: dict[str, dict], lang: str) -> None:
    before, after = sides["before"], sides["after"]
    rows = [[word(name, lang), _shown(name, before[name], lang), _shown(name, after[name], lang)] for name in before if name != "steps"]
    rows += [[word(step, lang), yuan(before["steps"].get(step)), yuan(after["steps"].get(step))] for step in dict.fromkeys([*before["steps"], *after["steps"]])]
    formats.draw([word("figure", lang), word("as_it_is", lang), word("as_it_would_be", lang)], rows, word("what_if", lang), [False, True, True])


def show_how(ways: list[dict], lang: str) -> None:
    if not ways:
        print(word("no_way", lang))
        return
    formats.draw([word("way", lang), word("amount", lang), word("term", lang), word("annual_rate", lang), word("score", lang), word("grade", lang)], [
        ["; ".join(f"{word(w['way'], lang)}: {_shown(w['figure'], w['before'], lang)} → {_shown(w['figure'], w['after'], lang)}" for w in found["ways"]),
         yuan(found["amount_fen"]), str(found["term_months"]), f"{found['annual_rate']:.2%}", str(found["score"]), found["grade"]] for found in ways
    ], word("how_to_approve", lang), [False, True, True, True, True, False])


def _shown(name: str, value, lang: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return " ".join(value) or "-"
    if name.endswith("_fen"):
        return yuan(value)
    if name in _SHARES:
        return f"{value:.2%}"
    return f"{value:.4f}" if isinstance(value, float) else word(value, lang) if isinstance(value, str) else str(value)
