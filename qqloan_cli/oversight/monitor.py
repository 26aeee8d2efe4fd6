"""What stands out on the latest date, held against the model, the earlier runs and the limits of monitor.toml.

Runs of age 0 are looked at; the earlier ones are what they are held against, and the series of the sequential tests (sequential.py says which
those are and why they may be looked at every night). Figures are asked for by SQL over whole tables (asked/); here they are put together.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.session import connect
from qqloan_cli.oversight import matured, sequential, watched
from qqloan_cli.oversight.judge import Figure, judge
from qqloan_cli.oversight.people import of_people
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.policy.monitor import OF_A_BOOK, Monitoring

_OF_OUTCOMES = ("bad-rate", "observed-to-expected", "brier", "calibration-slope", "calibration-intercept", "auc")
_OF_PEOPLE = ("override-rate", "review-open")
_MAY_BE_GONE = {"reason-share": "approval-rate", "income-flag": "income-unknown", "run-warning": "", "first-payment-default": ""}  # and what shows that one looked


class Looked(NamedTuple):
    """Tables of the contracts ``measures`` and ``alerts``, in order of their keys, and the measures that were asked for at all."""

    measures: pa.Table
    alerts: pa.Table
    asked: frozenset[str]

    def undecided(self, alert_id: str) -> bool:
        """Whether this look says nothing of an alert: its measure was not asked for (no book, no outcomes), could not be judged, or has no row.
        An alert that is not there is over only where it is decided. Reasons, flags, warnings and cohorts may be gone for good."""
        measure, _, subject = alert_id.partition(":")
        if measure not in self.asked:
            return True
        rows = {(row["measure"], row["subject"] or ""): row["severity"] for row in self.measures.select(["measure", "subject", "severity"]).to_pylist()}
        if (measure, subject) in rows:
            return rows[measure, subject] is None
        return measure not in _MAY_BE_GONE or bool(_MAY_BE_GONE[measure]) and (_MAY_BE_GONE[measure], "") not in rows

    @property
    def worst(self) -> str:
        """green, amber or red."""
        severities = set(self.alerts.column("severity").to_pylist())
        return next((severity for severity in ("red", "amber") if severity in severities), "green")


def look(sight: Sight, policy: Monitoring, outcomes: Path | None = None, archive: Path | None = None) -> Looked:
    """``outcomes``: a file with application_id or applicant_id, bad, and perhaps observed_at. ``archive``: where people's decisions (qqloan
    review) are chained to the runs. What is not in sight is not judged."""
    if sight.book is not None:
        sight.work_out("state", "panel")
    found: list[Figure] = []
    asked = set(policy.measure) - {*OF_A_BOOK, *_OF_OUTCOMES, *_OF_PEOPLE, "sequential"}
    held: list[tuple[str, str | None, np.ndarray, float]] = []
    if sight.runs:
        nights, (pd, approved) = watched.asked(sight, "nights"), watched.pds(sight)
        found += watched.with_loss_to_come(watched.of_nights(nights, sight, policy), sight, pd, approved)
        found += watched.of_decisions(sight) + watched.of_feeds(sight)
        if len(pd):
            found += watched.of_model(sight, policy, pd, approved)
        held += _series(nights)
    else:
        asked = set()
    if sight.book is not None:
        asked |= set(OF_A_BOOK)
        found += watched.of_book(sight) + watched.of_first_payments(sight, policy)
    known = {}
    if outcomes is not None:
        known["outcomes"] = matured.of_file(sight, outcomes)
    if sight.book is not None:
        known["book"] = matured.of_book(sight)
    for whose, table in known.items():
        if len(table):
            asked |= set(_OF_OUTCOMES)
            found += matured.figures(table, whose, sight.at if whose == "book" else sight.dates[0], policy)
    if archive is not None and sight.runs:
        asked |= set(_OF_PEOPLE)
        found += of_people(sight, archive)
    tested = _tested(held, known, sight, policy)
    if tested:
        asked.add("sequential")
    rows, alerts = [], []
    for figure in [*found, *tested]:
        row, alert = judge(figure, policy)
        rows.append(row)
        alerts += [alert] if alert else []
    return Looked(_table("measures", rows), _table("alerts", alerts), frozenset(asked))


def _series(nights: list[dict]) -> list[tuple]:
    """(measure, subject, nights from the earliest on) of what is counted each night."""
    by_name: dict[tuple, list[dict]] = {}
    for night in nights:
        if night["rows"]:
            by_name.setdefault((night["measure"], night["subject"]), []).append(night)
    return [(*name, sorted(series, key=lambda night: -night["age"])) for name, series in by_name.items()]


def _tested(held: list[tuple], known: dict[str, pa.Table], sight: Sight, policy: Monitoring) -> list[Figure]:
    """The largest evidence so far of each test, against limits that they share."""
    rule = policy.sequential
    rates = [(measure, subject, series) for measure, subject, series in held if measure in rule.tolerance and len(series) > rule.baseline and series[-1]["age"] == 0]
    outcomes = [(whose, *matured.nights(table)) for whose, table in known.items() if len(table) and "calibration" in rule.tolerance]
    tests = len(rates) + len(outcomes)
    if not tests:
        return []
    miss = rule.red / 2 / tests
    found = []
    for measure, subject, series in rates:
        rows = np.array([night["rows"] for night in series])
        hits = np.rint(np.array([night["value"] for night in series]) * rows)
        test = sequential.of_rate(hits, rows, rule.baseline, rule.tolerance[measure], miss)
        amber, red = 1 / (rule.amber / tests - miss), 1 / (rule.red / tests - miss)
        days = [night["as_of"] for night in series[rule.baseline:]]
        found.append(_evidence(measure + (f":{subject}" if subject else ""), sight.dates[0], test.evidence, days, amber, red, f"held between {test.lower:.2%} and {test.upper:.2%}"))
    for whose, bad, pd, night in outcomes:
        test = sequential.of_calibration(bad, pd, night, rule.tolerance["calibration"])
        amber, red = tests / rule.amber, tests / rule.red
        found.append(_evidence(f"calibration:{whose}", sight.at if whose == "book" else sight.dates[0], test.evidence, None, amber, red, f"odds held between {test.lower:.2f} and {test.upper:.2f} times the pds'"))
    return found


def _evidence(subject: str, day, evidence: np.ndarray, days: list | None, amber: float, red: float, held: str) -> Figure:
    most = float(evidence.max())
    over = np.flatnonzero(evidence >= amber)
    since = f"passed on {days[over[0]]}; " if days and len(over) else ""
    # judge() asks for more than the limit, Ville's inequality for as much
    return Figure("sequential", subject, day, float(f"{most:.6g}"), 1.0, rows=len(evidence), amber=amber, red=red, note=f"{since}{held}")


def _table(name: str, rows: list[dict]) -> pa.Table:
    """Rows as the contract has them."""
    contract = CONTRACTS[name]
    rows = [{column: round(value, 9) if isinstance(value, float) else value for column, value in row.items()} for row in rows]
    con = connect(1)
    try:
        con.execute(f"CREATE TEMP TABLE judged AS {contract.empty()}")
        schema = con.sql("SELECT * FROM judged").to_arrow_table().schema
        con.register("given", pa.Table.from_pylist(rows, schema=schema))
        ordered = ", ".join(f'"{key}" NULLS FIRST' for key in contract.key)
        return con.sql(f"{contract.select('given', False)} ORDER BY {ordered}").to_arrow_table()
    finally:
        con.close()
