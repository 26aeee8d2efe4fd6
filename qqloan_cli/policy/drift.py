"""What counts as drift: how far a feature's values may stand from where they stood in training (scale.toml), more than chance allows."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.policy.scale import Scale


def question(scale: Scale) -> str:
    """drift.sql over the table score_bins, a row a feature, worst first."""
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for name, value in (("amber", scale.drift_amber), ("red", scale.drift_red)):
        sql = sql.replace(f"${name}", repr(value))
    return sql


def of_table(score_bins, scale: Scale):
    """Its answer over an Arrow table, as one."""
    from qqloan_cli.engine.session import connect

    con = connect(1)
    try:
        con.register("score_bins", score_bins)
        return con.sql(question(scale)).to_arrow_table()
    finally:
        con.close()
