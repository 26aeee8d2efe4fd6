"""Score: features of the evidence to probability of default, points, grade and reasons, with and without the social block.

Features are taken from the model's own folder, not from configs/: a model goes
on seeing what it was trained on. The tables of scoring/tables.py do the work.
"""

from __future__ import annotations

from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring.drift import score_bins
from qqloan_cli.scoring.features import TABLES, columns_of
from qqloan_cli.scoring.model import Scorer


def settings(run) -> dict:
    scorer = Scorer.load(run.config_dir / "model", load_scale(run.config_dir))
    if scorer.without is None:
        raise ConfigError("model-without-twin", "the model has no twin without social evidence", "configs/model", "Train it on a run: qqloan train RUN --outcomes FILE.")
    return {"scorer": scorer, "features": scorer.features.select()}


def compute(task: Task) -> None:
    import pyarrow as pa

    scorer: Scorer = task.values["scorer"]
    evidence = task.con.sql(task.values["features"]).to_arrow_table()
    scored = scorer.score(columns_of(evidence, scorer.features.names))
    task.con.register("score", pa.table({
        "application_id": evidence.column("application_id"), "applicant_id": evidence.column("applicant_id"), **scored.figures,
        "model_version": pa.repeat(pa.scalar(scorer.version), len(evidence)),
    }))
    task.con.register("score_bins", score_bins(scorer, scored))


STAGE = Stage(name="score", kind="map", reads=TABLES, writes=("score", "score_bins"), module=__name__, settings=settings, compute=compute)
