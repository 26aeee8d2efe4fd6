"""What has drifted: features whose values stand elsewhere than in training, said in a line each."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.engine.query import ask
from qqloan_cli.engine.run import Run
from qqloan_cli.policy.scale import Scale, load_scale


def question(scale: Scale) -> str:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for name, value in (("amber", scale.drift_amber), ("red", scale.drift_red)):
        sql = sql.replace(f"${name}", repr(value))
    return sql


def of_run(run: Run) -> list[dict]:
    """Rows of drift.sql, none where the run has not been scored."""
    return ask(run, question(load_scale(run.config_dir))).to_pylist() if run.whole("score_bins") else []


def of_table(score_bins, scale: Scale) -> list[dict]:
    """The same of an Arrow table."""
    from qqloan_cli.engine.session import connect

    con = connect(1)
    try:
        con.register("score_bins", score_bins)
        return con.sql(question(scale)).to_arrow_table().to_pylist()
    finally:
        con.close()


def lines(found: list[dict]) -> list[tuple[str, str]]:
    """(reference, text) of each, worst first."""
    return [
        (f"drift-{row['severity']}",
         f"{row['feature']} has shifted since training: stability index {row['csi']:.2f} over {row['rows']:,} rows, "
         f"missing {row['missing_share']:.1%} (in training {row['reference_missing_share']:.1%})")
        for row in found
    ]
