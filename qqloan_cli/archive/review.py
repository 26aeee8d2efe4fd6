"""Decisions of people on referred applications: chained to the sealed run, never in place of what the chain decided."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

from qqloan_cli.archive.events import append
from qqloan_cli.archive.layout import Archive, Entry
from qqloan_cli.archive.one import decision_of
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.review import ReviewPolicy

KIND = "review"


class Case(NamedTuple):
    """``state``: open, second (one person has decided, and another must), or decided. ``said``: the events about it, in order."""

    application_id: str
    refer_to: str | None
    reason_codes: list[str]
    pd: float | None
    state: str
    decision: str | None
    amount_fen: int | None
    income_fen: int | None
    said: list[dict]


def cases(archive: Archive, entry: Entry, policy: ReviewPolicy, scratch: Path) -> list[Case]:
    """Every referred application of a sealed run, in order of application_id."""
    path = scratch / "decisions.parquet"
    path.unlink(missing_ok=True)
    archive.fetch(entry, "decisions.parquet", path)
    con = connect(1)
    try:
        rows = con.sql(f"SELECT application_id, refer_to, reason_codes, pd FROM read_parquet({literal(str(path))}) WHERE decision = 'refer' ORDER BY application_id").to_arrow_table().to_pylist()
    finally:
        con.close()
    said: dict[str, list[dict]] = {}
    for event in archive.events(entry.name, KIND):
        said.setdefault(event.event["application_id"], []).append(event.event)
    return [Case(row["application_id"], row["refer_to"], row["reason_codes"], row["pd"], *standing(said.get(row["application_id"], []), policy), said.get(row["application_id"], [])) for row in rows]


def standing(said: list[dict], policy: ReviewPolicy) -> tuple[str, str | None, int | None, int | None]:
    """(state, decision, amount, income that was shown) after what was said: the last word counts, and an approval of a large amount once a second person has said the same."""
    if not said:
        return "open", None, None, None
    last, answer = said[-1], _answer(said[-1])
    if last["decision"] == "approve" and last["amount_fen"] > policy.second_person_above * 100:
        others = {event["by"] for event in said if _answer(event) == answer}
        return ("decided" if len(others) > 1 else "second", *answer)
    return ("decided", *answer)


def _answer(event: dict) -> tuple[str, int | None, int | None]:
    return event["decision"], event["amount_fen"], event.get("income_fen")


def decide(
    root: Path, entry: Entry, policy: ReviewPolicy, scratch: Path, application_id: str, decision: str, amount_yuan: int | None, income_yuan: int | None, by: str, reason: str, text: str,
    until: datetime.date | None, at: datetime.datetime, private_key: Path | None,
) -> Case:
    """Appends what a person decided, and gives the case as it stands then.

    Raises UsageError where the application was not referred, the reason is not known, an exception has no end or too late a one, or
    the clock stands before an earlier decision.
    """
    archive = Archive.open(root)
    con = connect(1)
    try:
        sealed = decision_of(con, archive, entry, application_id, scratch)
    finally:
        con.close()
    if sealed["decision"] != "refer":
        raise UsageError("review-not-referred", f"the chain decided {sealed['decision']}; nobody was asked", application_id, "qqloan review list shows who waits for a person.")
    if reason not in policy.reasons:
        raise UsageError("review-reason-unknown", f"{reason} is no reason of review.toml", "--reason", f"One of {', '.join(policy.reasons)}.")
    if not by.strip() or not text.strip():
        raise UsageError("review-incomplete", "a decision needs who and why in words", "--by, --text", "Name both.")
    if (decision == "approve") != (amount_yuan is not None):
        raise UsageError("review-amount", "an approval has an amount, and nothing else has one", "--amount", "Name it with --decision approve.")
    if income_yuan is not None and decision != "approve":
        raise UsageError("review-income", "only an approval goes by income that was shown", "--income", "Name it with --decision approve.")
    if policy.reasons[reason].exception and decision == "approve" and (until is None or not at.date() < until <= at.date() + datetime.timedelta(days=policy.exception_days)):
        raise UsageError("review-exception-end", f"an exception ends on a date within {policy.exception_days} days", "--until", "Name the date.")
    event = {
        "kind": KIND, "application_id": application_id, "decision": decision, "amount_fen": None if amount_yuan is None else amount_yuan * 100, "income_fen": None if income_yuan is None else income_yuan * 100, "by": by.strip(), "reason": reason,
        "text": text.strip(), "until": until.isoformat() if until else None,
    }
    append(root, entry, event, at, private_key)
    return next(case for case in cases(archive, entry, policy, scratch) if case.application_id == application_id)
