"""The way of an application, in order. Forward only: no stage reads a later one, and none but intake reads the lender's files."""

from __future__ import annotations

import importlib
from typing import Mapping, NamedTuple


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
# What can be asked of a whole run besides; qqloan run does not take it.
ASIDE = (Step("asking.offers", "offers"), Step("asking.cost_table", "offers"))


def stages(*commands: str) -> list:
    """The stages that these commands take, in order; of the whole chain where none is named."""
    steps = [step for step in (*CHAIN, *ASIDE) if step.command in commands] if commands else CHAIN
    return [importlib.import_module(f"qqloan_cli.{step.stage}").STAGE for step in steps]


def named(names) -> list:
    """The stages of these names, in order, those that qqloan run does not take last; a stage's name is its module's. No other is imported."""
    steps = [step for step in (*CHAIN, *ASIDE) if step.stage.split(".")[-1] in names]
    return [importlib.import_module(f"qqloan_cli.{step.stage}").STAGE for step in steps]


def settings(run) -> dict[str, Mapping[str, object]]:
    """What the configuration says to each stage, by its name, with the libraries loaded that they will need: workers are forked with them."""
    import duckdb  # noqa: F401
    import scipy.optimize  # noqa: F401  the funding programme's

    from qqloan_cli.engine.stage import read_settings

    return read_settings(run, stages())


def around(command: str) -> tuple[list, list, list]:
    """The stages before ``command``'s, its own, and those after."""
    order = list(dict.fromkeys(step.command for step in (*CHAIN, *ASIDE)))
    at = order.index(command)
    before, after = order[:at], order[at + 1:]
    return (stages(*before) if before else [], stages(command), stages(*after) if after else [])
