"""Where configuration and sample come from: --config, QQLOAN_CONFIG, ./configs, or what travels with the package."""

from __future__ import annotations

import os
from pathlib import Path

from qqloan_cli.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent
MARK = "products.toml"


def shipped(folder: str) -> Path:
    """``configs`` or ``sample_data`` as installed with the package, or beside it in a checkout."""
    installed = _PACKAGE / "_shipped" / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder


def config_dir(option: Path | None = None) -> Path:
    """The configuration folder in force; the first of: option, QQLOAN_CONFIG, ./configs, the shipped one."""
    named = option or (Path(os.environ["QQLOAN_CONFIG"]) if os.environ.get("QQLOAN_CONFIG") else None)
    if named is not None:
        if not (named / MARK).is_file():
            raise ConfigError("config-not-found", f"no {MARK} in the configuration folder", str(named), "qqloan init DIR writes one.")
        return named
    here = Path("configs")
    return here if (here / MARK).is_file() else shipped("configs")
