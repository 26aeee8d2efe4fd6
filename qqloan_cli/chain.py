"""The way of an application, in order. Forward only: no stage reads a later one, and none but intake reads the lender's files."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    stage: str  # module under qqloan_cli that holds STAGE
    command: str  # the command that takes this step alone


# intake comes before all of these: it makes the run's inputs/ and its number of buckets.
CHAIN = (
    Step("links.keys", "link"),
    Step("links.links", "link"),
    Step("stages.verify", "verify"),
    Step("stages.income", "ingest-income"),
    Step("stages.credit", "credit"),
    Step("stages.social", "social"),
    Step("stages.score", "score"),
    Step("stages.limit", "limit"),
    Step("stages.fund", "disburse-plan"),
    Step("stages.disburse", "disburse-plan"),
    Step("stages.decisions", "disburse-plan"),
)
