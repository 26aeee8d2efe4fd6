"""What a risk team is told (qqloan monitor): every measure of the latest runs and of the book as it was judged, and what became an alert."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column as C
from qqloan_cli.contracts.model import Contract

SEVERITIES = ("green", "amber", "red")

MEASURES = Contract(
    "measures", "measure and subject on the latest date", ("measure", "subject"),
    (
        C("measure", "VARCHAR", "as monitor.toml names it: approval-rate, csi, expected-auc, ..."),
        C("subject", "VARCHAR", "what of it: a feature, reason, input, source of funds", null="the whole"),
        C("as_of", "DATE", "the latest runs' date; of a measure of the book, the day on which it is seen", "date"),
        C("value", "DOUBLE", "the figure", "as `unit` says", "it could not be worked out: the note says why"),
        C("unit", "VARCHAR", "share, index, ratio, yuan, days, rows, auc, pd, e-value"),
        C("reference", "DOUBLE", "what it is held against: the model's training rows, or the mean of the earlier runs", "as the value", "held against nothing but its limits"),
        C("lower", "DOUBLE", "of its 95 % interval", "as the value", "has no interval"),
        C("upper", "DOUBLE", "of its 95 % interval", "as the value", "has no interval"),
        C("amber", "DOUBLE", "the limit on the side where the value stands", "as the value", "has no such limit"),
        C("red", "DOUBLE", "the limit on the side where the value stands", "as the value", "has no such limit"),
        C("severity", "VARCHAR", "green, amber, red", null="not judged: no limit, too few rows, or nothing to hold it against"),
        C("rows", "BIGINT", "applications, loans, lines or nights that it rests on", null="not of rows"),
        C("note", "VARCHAR", "what a reader must know of it, in English", null="nothing"),
    ),
)

ALERTS = Contract(
    "alerts", "alert", ("alert_id",),
    (
        C("alert_id", "VARCHAR", "the same every night: measure, or measure:subject"),
        C("severity", "VARCHAR", "amber or red"),
        C("measure", "VARCHAR", "as in measures"),
        C("subject", "VARCHAR", "as in measures", null="the whole"),
        C("as_of", "DATE", "as in measures", "date"),
        C("value", "DOUBLE", "the figure", "as its measure"),
        C("threshold", "DOUBLE", "the limit that it passed", "as its measure"),
        C("text_en", "VARCHAR", "what it says, in a sentence"),
        C("text_zh", "VARCHAR", "the same in Chinese"),
        C("what_to_do_en", "VARCHAR", "what to do"),
        C("what_to_do_zh", "VARCHAR", "the same in Chinese"),
    ),
)

OVERSIGHT = (MEASURES, ALERTS)
