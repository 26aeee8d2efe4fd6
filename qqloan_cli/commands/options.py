"""Options that several commands share, spelled once."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.errors import UsageError

ArchiveArgument = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="An archive's folder.", show_default=False)]
Sign = Annotated[Optional[Path], typer.Option("--sign", metavar="KEY", help="Sign the entry with this Ed25519 private key (PEM).", show_default=False)]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)]
Inputs = Annotated[list[Path], typer.Argument(metavar="INPUT", help="Files, folders or globs of a lender.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", "-o", help="The run's folder, made whole or not at all.", show_default=False)]
AsOf = Annotated[str, typer.Option("--as-of", metavar="DATE", help="The date of the decisions: nothing later is looked at.", show_default=False)]
Config = Annotated[Optional[Path], typer.Option("--config", help="Configuration folder (default: QQLOAN_CONFIG, ./configs, the shipped one).", show_default=False)]
Policies = Annotated[Optional[Path], typer.Option("--policies", metavar="BOOK", help="A book of policies (qqloan policy): the one in force on the as-of date decides, and no other unless --draft.", show_default=False, envvar="QQLOAN_POLICIES")]
Draft = Annotated[bool, typer.Option("--draft", help="Try a policy out that nobody has released; every decision says so.")]
Workers = Annotated[Optional[int], typer.Option("--workers", "-w", min=1, help="Buckets done side by side (default: the cores).", show_default=False, envvar="QQLOAN_WORKERS")]
MaxQuarantine = Annotated[Optional[str], typer.Option("--max-quarantine", metavar="SHARE", help="More refused rows than this (2% or 0.02) of any input stop the run.", show_default=False)]
Source = Annotated[Optional[str], typer.Option("--source", help="Mapping in configs/sources/ (default: found by the files' own headers).", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do it, though something that stands is lost.")]
Format = Annotated[str, typer.Option("--format", help="The summary as table or json.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")]


def as_date(text: str, option: str = "--as-of") -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError("date-wrong", f"{text!r} is not a date", option, "Write it as 2026-11-24.") from None


def as_day(text: str, option: str) -> datetime.date:
    """A date, or today or yesterday: what a crontab can say, whose clock it then is."""
    if text in ("today", "yesterday"):
        return datetime.date.today() - datetime.timedelta(text == "yesterday")
    return as_date(text, option)


def as_workers(number: int | None) -> int:
    return number or len(os.sched_getaffinity(0))


def as_share(text: str | None, option: str = "--max-quarantine") -> float | None:
    """2% or 0.02 as a share."""
    if text is None:
        return None
    try:
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError("share-wrong", f"{text!r} is not a share", option, "Write it as 2% or 0.02.")
    return share
