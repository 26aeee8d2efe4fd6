"""What has drifted: features whose values stand elsewhere than in training, said in a line each."""

from __future__ import annotations

from qqloan_cli.engine.query import ask
from qqloan_cli.engine.run import Run
from qqloan_cli.policy import drift
from qqloan_cli.policy.scale import Scale, load_scale

question = drift.question


def of_run(run: Run) -> list[dict]:
    """The features that have drifted, none where the run has not been scored."""
    return drifted(ask(run, question(load_scale(run.config_dir))).to_pylist()) if run.whole("score_bins") else []


def of_table(score_bins, scale: Scale) -> list[dict]:
    """The same of an Arrow table."""
    return drifted(drift.of_table(score_bins, scale).to_pylist())


def drifted(rows: list[dict]) -> list[dict]:
    """Of the answer's rows those of features that have."""
    return [{name: value for name, value in row.items() if name != "chance"} for row in rows if row["severity"]]


def lines(found: list[dict]) -> list[tuple[str, str]]:
    """(reference, text) of each, worst first."""
    return [
        (f"drift-{row['severity']}",
         f"{row['feature']} has shifted since training: stability index {row['csi']:.2f} over {row['rows']:,} rows, "
         f"missing {row['missing_share']:.1%} (in training {row['reference_missing_share']:.1%})")
        for row in found
    ]
