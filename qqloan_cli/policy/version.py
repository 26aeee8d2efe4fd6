"""Which policy decided: a digest of the configuration, the model left out (it has a version of its own)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from qqloan_cli.engine.files import digest_folder, sha256

LENGTH = 12


def policy_version(config_dir: Path) -> str:
    """The first twelve digits of a digest over every file's path and content."""
    total = hashlib.sha256()
    for path in sorted(p for p in config_dir.rglob("*") if p.is_file()):
        name = path.relative_to(config_dir)
        if name.parts[0] != "model":
            total.update(f"{name.as_posix()}\0{sha256(path)}\n".encode())
    return total.hexdigest()[:LENGTH]


def cited(config_dir: Path, stands: dict) -> str:
    """As a decision cites it: a draft says that it is one."""
    return ("draft-" if stands.get("state") == "draft" else "") + policy_version(config_dir)


def model_version(config_dir: Path) -> str | None:
    """The same of the model's folder; None where there is none."""
    folder = config_dir / "model"
    return digest_folder(folder)[:LENGTH] if folder.is_dir() else None
