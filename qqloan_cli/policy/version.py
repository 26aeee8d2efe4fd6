"""Which policy decided: a digest of the configuration, the model left out (it has a version of its own)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from qqloan_cli.engine.files import sha256

LENGTH = 12


def policy_version(config_dir: Path) -> str:
    """The first twelve digits of a digest over every file's path and content."""
    total = hashlib.sha256()
    for path in sorted(p for p in config_dir.rglob("*") if p.is_file()):
        name = path.relative_to(config_dir)
        if name.parts[0] != "model":
            total.update(f"{name.as_posix()}\0{sha256(path)}\n".encode())
    return total.hexdigest()[:LENGTH]
