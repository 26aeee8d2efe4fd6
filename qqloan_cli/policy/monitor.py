"""configs/monitor.toml: limits in amber and red, what passing one means and what to do, the sequential tests, and who is told."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from qqloan_cli.policy.load import load
from qqloan_cli.policy.products import Strict

# Every measure that can be judged, and the unit of its value.
MEASURES = {
    "approval-rate": "share", "refer-rate": "share", "decline-rate": "share", "reason-share": "share", "quarantine-rate": "share", "override-rate": "share",
    "review-open": "share", "queue-share": "share", "income-unknown": "share", "income-flag": "share", "ring-share": "share", "ring-largest": "people",
    "mean-limit": "yuan", "mean-price": "share", "expected-bad-rate": "share", "expected-auc": "auc", "psi": "index", "psi-earlier": "index", "csi": "index",
    "missing-share": "share", "feed-freshness": "days", "feed-volume": "rows", "source-use": "share", "policy-draft": "share", "policy-changed": "versions",
    "model-changed": "versions", "run-warning": "warnings", "bad-rate": "share", "observed-to-expected": "ratio", "brier": "index", "calibration-slope": "ratio",
    "calibration-intercept": "index", "auc": "auc", "first-payment-default": "ratio", "book-behind": "days", "overdue-30-share": "share", "overdue-90-share": "share",
    "broken-loans": "loans", "ledger-imbalance": "yuan", "ledger-exceptions": "events", "unmatched-money": "yuan", "sequential": "e-value",
}
OF_A_BOOK = ("book-behind", "overdue-30-share", "overdue-90-share", "broken-loans", "ledger-imbalance", "ledger-exceptions", "unmatched-money", "first-payment-default")
SHARES = tuple(name for name, unit in MEASURES.items() if unit == "share")
TESTED = ("approval-rate", "refer-rate", "decline-rate", "income-unknown", "income-flag", "ring-share", "quarantine-rate", "queue-share", "calibration")
PLACES = {"value", "reference", "subject", "threshold", "rows", "lower", "upper"}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
Severity = Literal["amber", "red"]
Secret = Annotated[str, Field(pattern=r"^(env:QQLOAN_[A-Z0-9_]+|file:.+)$")]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
Positive = Annotated[float, Field(gt=0)]


class Ends(Strict):
    """Limits of one subject, in place of the measure's."""

    amber: float | None = None
    red: float | None = None


class Limit(Strict):
    """``by``: what amber and red bound: the value; the change, value less reference; or the ratio, (value - reference) / reference.
    ``side``: on which it is too much. ``beyond_chance``: red or amber only where chance alone does not explain it."""

    by: Literal["value", "change", "ratio"]
    side: Literal["above", "below", "either"] = "above"
    amber: float | None = None
    red: float | None = None
    subjects: dict[str, Ends] = {}
    least_rows: Annotated[int, Field(ge=0)] | None = None
    beyond_chance: bool = False
    says_en: Text
    says_zh: Text
    do_en: Text
    do_zh: Text

    @model_validator(mode="after")
    def _fits(self) -> "Limit":
        for ends in (self, *self.subjects.values()):
            if ends.amber is not None and ends.red is not None:
                wrong = ends.amber < ends.red if self.side == "below" and self.by == "value" else ends.amber > ends.red
                if wrong:
                    raise ValueError(f"amber {ends.amber} stands beyond red {ends.red}")
            if self.by != "value" and any(end is not None and end < 0 for end in (ends.amber, ends.red)):
                raise ValueError("a change or a ratio is bounded by how far it may go, from 0 on")
        if self.side == "either" and self.by == "value":
            raise ValueError("a value has its limits above or below; a change or a ratio may have them on either side")
        for text in (self.says_en, self.says_zh, self.do_en, self.do_zh):
            unknown = {place for _, place, form, conversion in string.Formatter().parse(text) if place is not None} - PLACES
            if unknown:
                raise ValueError(f"a text names {', '.join(sorted(unknown))}; there are {', '.join(sorted(PLACES))}")
        return self

    def of(self, subject: str | None) -> tuple[float | None, float | None]:
        """(amber, red) of a subject."""
        ends = self.subjects.get(subject or "", self)
        return ends.amber, ends.red


class Look(Strict):
    """``chance``: standard deviations that chance alone is allowed. ``least_rows``: applications of a night below which nothing of it is judged."""

    least_rows: Annotated[int, Field(ge=1)]
    least_outcomes: Annotated[int, Field(ge=1)]
    least_bad: Annotated[int, Field(ge=1)]
    chance: Positive


class Sequential(Strict):
    """``amber`` and ``red``: the chance of ever a false alarm, over the whole series and all tests together. ``baseline``: the earliest nights,
    that the rest is tested against. ``tolerance``: how far a rate may stray without being wrong; of calibration, by which factor the odds may."""

    amber: Annotated[float, Field(gt=0, lt=1)]
    red: Annotated[float, Field(gt=0, lt=1)]
    baseline: Annotated[int, Field(ge=1)]
    tolerance: Annotated[dict[Literal[TESTED], Annotated[float, Field(ge=0)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits(self) -> "Sequential":
        if self.red >= self.amber:
            raise ValueError("red is the rarer false alarm: below amber")
        if self.tolerance.get("calibration", 1.0) < 1:
            raise ValueError("tolerance.calibration is a factor of the odds: 1 or more")
        return self


class Early(Strict):
    """First-payment default: the share of a year's bad loans that miss the first payment, as if seen in so many bad loans."""

    of_bad: Annotated[float, Field(gt=0, le=1)]
    weight: Annotated[int, Field(ge=1)]


class Sink(Strict):
    """Who is told. ``url``, ``secret``, ``user`` and ``password`` may be a reference (env:QQLOAN_NAME or file:PATH): secrets never stand here."""

    name: Name
    kind: Literal["file", "stdout", "smtp", "webhook"]
    on: bool = True
    least: Severity = "amber"
    path: Text | None = None
    url: Text | None = None
    secret: Secret | None = None
    host: Text | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: Text | None = None
    user: Text | None = None
    password: Secret | None = None
    sender: Text | None = None
    to: list[Text] = []
    timeout_seconds: Positive = 10.0
    attempts: Annotated[int, Field(ge=1, le=10)] = 4
    first_pause_seconds: Annotated[float, Field(ge=0)] = 1.0
    give_up_after_seconds: Positive = 60.0

    @model_validator(mode="after")
    def _fits(self) -> "Sink":
        wants = {"file": ("path",), "stdout": (), "smtp": ("host", "sender", "to"), "webhook": ("url",)}[self.kind]
        lacking = [name for name in wants if not getattr(self, name)]
        if lacking:
            raise ValueError(f"{self.name}: a sink of kind {self.kind} wants {', '.join(lacking)}")
        if self.kind == "webhook" and not self.url.startswith(("env:", "file:")):
            refuse_url(self.url)
        if self.kind == "smtp" and (self.user is None) != (self.password is None):
            raise ValueError(f"{self.name}: user and password go together")
        if self.kind == "smtp" and self.user and self.security == "none":
            raise ValueError(f"{self.name}: a password is not sent in the clear; security is starttls or tls")
        if any("\n" in text or "\r" in text for text in (self.sender or "", *self.to)):
            raise ValueError(f"{self.name}: an address is one line")
        return self


def refuse_url(url: str) -> None:
    """Raises ValueError where what is posted would go in the clear over a network, or nowhere."""
    parts = urlsplit(url)
    if not (parts.scheme == "https" and parts.hostname or parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("a webhook's url begins with https:// (http:// on this machine alone)")
    if parts.username or parts.password:
        raise ValueError("a webhook's url holds no password; name it in secret")


class Monitoring(Strict):
    remind_after_days: Annotated[int, Field(ge=1)]
    look: Look
    sequential: Sequential
    early: Early
    measure: dict[Literal[tuple(MEASURES)], Limit]
    sink: list[Sink] = []

    @model_validator(mode="after")
    def _fits(self) -> "Monitoring":
        names = [sink.name for sink in self.sink]
        if len(set(names)) < len(names):
            raise ValueError("a sink's name stands twice")
        if "sequential" not in self.measure or self.measure["sequential"].amber is not None:
            raise ValueError("measure.sequential has texts, and no amber or red: [sequential] says how often it may be wrong")
        return self

    def sinks(self, names: list[str] | None = None) -> list[Sink]:
        """Those that are named, else those that are on. Raises UsageError at a name that there is not."""
        from qqloan_cli.errors import UsageError

        if not names:
            return [sink for sink in self.sink if sink.on]
        unknown = sorted(set(names) - {sink.name for sink in self.sink})
        if unknown:
            raise UsageError("sink-unknown", f"monitor.toml has no sink {', '.join(unknown)}", "--sink", f"There are: {', '.join(sink.name for sink in self.sink) or 'none'}.")
        return [sink for sink in self.sink if sink.name in names]


def load_monitoring(config_dir: Path) -> Monitoring:
    return load(config_dir / "monitor.toml", Monitoring)
