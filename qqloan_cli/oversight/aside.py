"""A copy of a run to decide anew on: its files are links, so that it costs nothing, and what a stage writes takes a link's place."""

from __future__ import annotations

import copy
import os
from pathlib import Path

from qqloan_cli.contracts import INPUTS, OUTPUTS, REVIEWS
from qqloan_cli.engine.run import Run


def beside(run: Run, root: Path, but: set[str] = frozenset()) -> Run:
    """``run`` at ``root``, without the tables ``but``. ``run`` itself is never written to."""
    root.mkdir(parents=True)
    os.symlink(run.config_dir.resolve(), root / "config")
    for contract in (*INPUTS, REVIEWS, *OUTPUTS):
        if contract.name not in but:
            for path in run.whole(contract.name):
                link(path, root / path.relative_to(run.root))
    document = copy.deepcopy(run.document)
    document["warnings"] = []
    return Run(root, document)


def link(path: Path, at: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(path.resolve(), at)
