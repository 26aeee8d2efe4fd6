"""The figures of the nightly report: each a SELECT in a file of its own beside this one, over what is in sight (sight.py). ``FIGURES`` has
their order and the section that each belongs to; a notebook asks for them by the same names."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from qqloan_cli.errors import UsageError
from qqloan_cli.oversight.sight import OF_PANEL, OF_STATE, Sight
from qqloan_cli.servicing import measures

SECTIONS = {
    "changes": ("changes", "book_today"),
    "funnel": ("funnel", "decisions", "reasons"),
    "risk": ("grades", "bad_by_grade", "scores"),
    "limits": ("waterfall", "binding_caps", "amounts", "prices"),
    "funding": ("funding", "funding_limits", "liquidity", "queue"),
    "book": ("ageing", "classes", "rolls", "roll_rates", "vintages", "early", "yields", "stages", "concentration"),
    "reserve": ("reserve", "reserve_outlook"),
    "data": ("quarantine", "feeds", "coverage", "said", "runs"),
}
FIGURES = {name: section for section, names in SECTIONS.items() for name in names}
_HERE = Path(__file__).parent
_SERVICING = Path(measures.__file__).parent


def sql(name: str) -> str:
    """A figure's SELECT, with its head. Raises UsageError at a name that is none."""
    if name not in FIGURES:
        raise UsageError("figure-unknown", f"there is no figure {name[:60]!r}", hint=f"There are: {', '.join(FIGURES)}.")
    return (_HERE / f"{name}.sql").read_text(encoding="utf-8")


def beneath(sight: Sight, name: str) -> dict[str, str]:
    """Of tables that a figure reads and that are themselves measures of a book: the SQL that makes them, by file."""
    found = {}
    for table in sight.asked_of(sql(name)):
        if table in measures.KEYS:
            found |= {f"measured/{part}.sql": measures.script(part) for part in ("aged", table, f"{table}_shares")}
        elif table in OF_STATE and table != "state":
            found |= {part: (_SERVICING / part).read_text(encoding="utf-8") for part in ("portfolio.sql", "portfolio_shares.sql")}
    return found


def lacking(sight: Sight, name: str) -> list[str]:
    """The tables that a figure reads and that are not in sight."""
    return [table for table in sight.asked_of(sql(name)) if not sight.has(table)]


def prepare(sight: Sight, name: str, config: Path | None = None) -> None:
    """Works out what a figure of the reserve reads; ``config``: a folder with reserve.toml (default: the book's latest)."""
    if FIGURES[name] == "reserve" and sight.book is not None and not sight.has("reserve_months"):
        from qqloan_cli.oversight import reserve

        reserve.work_out(sight, config or sight.book.configs[-1])


def take(sight: Sight, name: str) -> pa.Table:
    """A figure's rows. Raises UsageError where what it reads is not in sight."""
    lacks = lacking(sight, name)
    if lacks:
        hint = "Name a book: --book BOOK." if set(lacks) & {*OF_STATE, *OF_PANEL} else "Finish the run: qqloan run --resume."
        raise UsageError("figure-lacks", f"{name} reads {', '.join(lacks)}, which is not in sight", hint=hint)
    return sight.ask(sql(name))
