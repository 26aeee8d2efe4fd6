"""qqloan features: what the scorer looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from qqloan_cli.commands.options import Config


def features(
    config: Config = None,
    model: Annotated[Optional[Path], typer.Option("--model", help="Of this model's folder instead of configs/features.toml.", show_default=False)] = None,
    format: Annotated[str, typer.Option("--format", help="table, json, jsonl, csv or parquet.")] = "table",
) -> int:
    """Every feature with its meaning, unit, expected direction, source, expression, and what missing means."""
    import pyarrow as pa

    from qqloan_cli.policy.home import config_dir
    from qqloan_cli.reports import formats
    from qqloan_cli.scoring.features import load_features

    listed = load_features((model or config_dir(config)) / "features.toml")
    if listed.over_runs:
        listed.select()  # an expression that may not run is said here, not in the night's batch
    says = {1: "higher is worse", -1: "higher is better", 0: "free"}
    rows = [
        {
            "feature": name, "description": f.description, "unit": f.unit, "direction": says[f.direction], "source": listed.source(name), "block": f.block,
            "reason": f.reason, "missing": f.missing, **({} if format == "table" else {"sql": f.sql}),
        }
        for name, f in listed.feature.items()
    ]
    formats.emit(pa.Table.from_pylist(rows), format)
    return 0
