"""What people decided of the referred applications of sealed runs (qqloan review): how many are exceptions, how many still wait."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.archive.layout import Archive
from qqloan_cli.archive.review import KIND, standing
from qqloan_cli.oversight.judge import Figure
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.policy.review import load_review
from qqloan_cli.scoring.expected import share


def of_people(sight: Sight, root: Path) -> list[Figure]:
    """``override-rate``: approvals as an exception to policy, of what people decided on these runs. ``review-open``: referred applications of the
    earlier runs (of a single date: of that) which still wait for a person, or for a second one. Runs that the archive does not hold are left out."""
    archive = Archive.open(root)
    sealed = {entry.name for entry in archive.runs()}
    referred = {row["run_id"]: row["n"] for row in sight.ask("SELECT run_id, count(*) AS n FROM decisions WHERE decision = 'refer' GROUP BY run_id ORDER BY run_id").to_pylist()}
    decided, exceptions, asked, waiting = 0, 0, 0, 0
    for run in sight.runs:
        if run.run_id not in sealed:
            continue
        policy, said = load_review(run.config_dir), {}
        for entry in archive.events(run.run_id, KIND):
            said.setdefault(entry.event["application_id"], []).append(entry.event)
        closed = {application: events for application, events in said.items() if standing(events, policy)[0] == "decided"}
        decided += len(closed)
        exceptions += sum(events[-1]["decision"] == "approve" and events[-1]["reason"] in policy.reasons and policy.reasons[events[-1]["reason"]].exception for events in closed.values())
        if run.as_of < sight.dates[0] or len(sight.dates) == 1:
            asked += referred.get(run.run_id, 0)
            waiting += referred.get(run.run_id, 0) - len(closed)
    found = []
    for measure, hits, rows in (("override-rate", exceptions, decided), ("review-open", waiting, asked)):
        if rows:
            estimate = share(hits, rows)
            found.append(Figure(measure, None, sight.dates[0], estimate.value, None, estimate.lower, estimate.upper, rows))
    return found
