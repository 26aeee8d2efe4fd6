"""Alerts to whom they concern, and not every night: the journal remembers what was sent to whom.

A sink is told of an alert when it is new, when it grows worse, when it is over, and while it lasts again after some days. The journal is a
file of JSON lines that only grows:

    journal   its own name, of which every message's id is made
    sending   what is about to be sent to a sink
    sent      that a message arrived
    failed    why the rest did not: it is not marked as sent, and tried again next time
    level     that an alert has become less bad, of which nobody is told

Whatever moment a process is killed at, a file gets every message once: what is in it already is not written again. A receiver of mail or of a
webhook, or what reads stdout, may get the message that was under way once more, with the same id (a letter's Message-ID, a POST's
Idempotency-Key), so that it can drop it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, NamedTuple

import pyarrow as pa

from qqloan_cli.engine.files import only_writer
from qqloan_cli.errors import IntegrityError
from qqloan_cli.oversight import outlets
from qqloan_cli.policy.monitor import Sink

RANK = {"green": 0, "amber": 1, "red": 2}
_TEXTS = ("text_en", "text_zh")


class Told(NamedTuple):
    """What a delivery came to. ``sent``: the messages, each with its ``sink``; ``failed``: sink, waiting (messages), why. ``late``: the day of the
    journal, where it is past this one: nobody is told of an earlier day."""

    sent: list[dict]
    failed: list[dict]
    late: datetime.date | None = None


@dataclass
class _Standing:
    """What a sink knows of an alert. ``maybe``: a message that was under way when a process was killed."""

    count: int = 0
    active: bool = False
    severity: str = "green"
    sent_on: datetime.date | None = None
    told: dict | None = None
    maybe: dict | None = None


class _Journal:
    def __init__(self, path: Path) -> None:
        self.path, self.name, self.last = path, None, None
        self.standing: dict[tuple[str, str], _Standing] = {}
        if path.is_file():
            with open(path, encoding="utf-8") as handle:
                for number, line in enumerate(handle, 1):
                    if not line.endswith("\n"):
                        break  # a kill cut it short: nothing was sent on its word
                    try:
                        self._read(json.loads(line))
                    except (ValueError, KeyError, TypeError, AttributeError):
                        raise IntegrityError("journal-broken", "a line of the journal cannot be read", f"{path}, line {number}", "Take it from a backup; with a new one everybody is told anew.") from None

    def of(self, sink: str, alert_id: str) -> _Standing:
        return self.standing.setdefault((sink, alert_id), _Standing())

    def _read(self, entry: dict) -> None:
        if entry["what"] == "journal":
            self.name = entry["name"]
            return
        self.last = max(self.last or datetime.date.min, datetime.date.fromisoformat(entry["as_of"]))
        if entry["what"] == "sending":
            for message in entry["messages"]:
                self.of(entry["sink"], message["alert_id"]).maybe = message
        elif entry["what"] == "sent":
            message, found = entry["message"], self.of(entry["sink"], entry["message"]["alert_id"])
            found.count, found.maybe, found.told = found.count + 1, None, message
            found.active, found.severity = message["event"] != "resolved", message["severity"]
            found.sent_on = datetime.date.fromisoformat(entry["as_of"])
        elif entry["what"] == "failed":
            for (sink, _), found in self.standing.items():
                if sink == entry["sink"]:
                    found.maybe = None
        elif entry["what"] == "level":
            self.of(entry["sink"], entry["alert_id"]).severity = entry["severity"]

    def add(self, what: str, **more) -> None:
        """A line that is on the disk when this returns, and counts."""
        entry = {"what": what, **more}
        fresh = not self.path.exists()
        with open(self.path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry, ensure_ascii=False) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        if fresh:
            os.chmod(self.path, 0o600)
        self._read(entry)


def deliver(
    alerts: pa.Table, as_of: datetime.date, sinks: list[Sink], journal: Path, remind_after_days: int = 7, undecided: Callable[[str], bool] | None = None,
) -> Told:
    """Tells each sink what it does not know yet. ``undecided``: whether a look said nothing of an alert (Looked.undecided): it is not over then.

    Nothing is raised for a sink that cannot be told: it stands in ``failed``. Raises LockedError while another process delivers.
    """
    journal.parent.mkdir(parents=True, exist_ok=True)
    with only_writer(journal):
        outlets.cut_short(journal)
        known = _Journal(journal)
        if known.last is not None and as_of < known.last:
            return Told([], [], known.last)
        if known.name is None:
            known.add("journal", name=os.urandom(8).hex())
        sent, failed = [], []
        for sink in sinks:
            _settle(sink, known, journal.parent, as_of)
            messages, fell = _due(alerts, as_of, sink, known, remind_after_days, undecided or (lambda _: False))
            for alert_id, severity in fell:
                known.add("level", sink=sink.name, as_of=as_of.isoformat(), alert_id=alert_id, severity=severity)
            if not messages:
                continue
            known.add("sending", sink=sink.name, as_of=as_of.isoformat(), messages=messages)
            by_id, waiting = {message["id"]: message for message in messages}, dict.fromkeys(message["id"] for message in messages)
            try:
                for arrived in outlets.send(sink, messages, journal.parent):
                    known.add("sent", sink=sink.name, as_of=as_of.isoformat(), message=by_id[arrived])
                    waiting.pop(arrived)
                    sent.append({"sink": sink.name, **by_id[arrived]})
            except outlets.Undelivered as why:
                known.add("failed", sink=sink.name, as_of=as_of.isoformat(), why=str(why))
                failed.append({"sink": sink.name, "waiting": len(waiting), "why": str(why)})
        return Told(sent, failed)


def preview(alerts: pa.Table, as_of: datetime.date, sinks: list[Sink], journal: Path | None, remind_after_days: int = 7, undecided: Callable[[str], bool] | None = None) -> list[dict]:
    """The messages that ``deliver`` would send, each with its ``sink``; nothing is sent or written."""
    known = _Journal(journal) if journal is not None and journal.is_file() else _Journal(Path(os.devnull))
    if known.last is not None and as_of < known.last:
        return []
    return [{"sink": sink.name, **message} for sink in sinks for message in _due(alerts, as_of, sink, known, remind_after_days, undecided or (lambda _: False))[0]]


def _settle(sink: Sink, known: _Journal, beside: Path, as_of: datetime.date) -> None:
    """What was under way to a file when a process was killed is there or is not."""
    waiting = [found.maybe for (name, _), found in known.standing.items() if name == sink.name and found.maybe]
    if sink.kind == "file" and waiting:
        outlets.cut_short(beside / sink.path)
        there = outlets.in_file(sink, beside)
        for message in waiting:
            if message["id"] in there:
                known.add("sent", sink=sink.name, as_of=message["as_of"], message=message)
        known.add("failed", sink=sink.name, as_of=as_of.isoformat(), why="stopped before it was written")


def _due(alerts: pa.Table, as_of: datetime.date, sink: Sink, known: _Journal, remind_after_days: int, undecided: Callable[[str], bool]) -> tuple[list[dict], list[tuple[str, str]]]:
    """(messages for a sink, worst first; alerts that have become less bad)."""
    messages, fell, here = [], [], {}
    for alert in alerts.to_pylist():
        if RANK[alert["severity"]] >= RANK[sink.least]:
            here[alert["alert_id"]] = alert
    for alert_id, alert in here.items():
        found, severity = known.of(sink.name, alert_id), alert["severity"]
        if not found.active:
            event = "new"
        elif RANK[severity] > RANK[found.severity]:
            event = "worse"
        elif (as_of - found.sent_on).days >= remind_after_days:
            event = "reminder"
        else:
            if severity != found.severity:
                fell.append((alert_id, severity))
            continue
        messages.append(_message(known, sink, found, event, as_of, alert))
    for (name, alert_id), found in sorted(known.standing.items()):
        if name == sink.name and alert_id not in here and (found.active or found.maybe) and not undecided(alert_id):
            last = found.maybe or found.told
            if last["event"] == "resolved":
                last = {**last, **{text: last[text].partition(": ")[2] for text in _TEXTS}}
            over = {**last, "severity": "green", "text_en": f"over: {last['text_en']}", "text_zh": f"已解除: {last['text_zh']}", "what_to_do_en": "", "what_to_do_zh": ""}
            messages.append(_message(known, sink, found, "resolved", as_of, over))
    return sorted(messages, key=lambda message: (-RANK[message["severity"]], message["alert_id"])), fell


def _message(known: _Journal, sink: Sink, found: _Standing, event: str, as_of: datetime.date, alert: dict) -> dict:
    """What is sent. The id is the same until the message is known to have arrived."""
    made_of = "\n".join((known.name or "", sink.name, alert["alert_id"], str(found.count), event, alert["severity"]))
    told = {name: alert[name] for name in ("alert_id", "severity", "measure", "subject", "value", "threshold", *_TEXTS, "what_to_do_en", "what_to_do_zh")}
    return {"schema_version": 1, "id": hashlib.sha256(made_of.encode()).hexdigest()[:32], "event": event, "as_of": as_of.isoformat(), **told}
