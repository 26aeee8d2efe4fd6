"""Reads a file of configs/ into a pydantic model, and says in one line what is wrong with it, and where."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qqloan_cli.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("config-missing", f"no {path.name}", str(path.parent), "qqloan init DIR writes a whole configuration.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("config-unreadable", f"{path.name} is not TOML: {error}", str(path), "Mend that line.") from None


def load(path: Path, model: "type[Model]", content: dict | None = None) -> "Model":
    """``model`` filled from a TOML file, or from the ``content`` that was read of it. Unknown keys are refused where the model forbids
    extras: a typing error is not a setting."""
    from pydantic import ValidationError

    try:
        return model.model_validate(read_toml(path) if content is None else content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "".join(f"{part}." for part in first["loc"]).rstrip(".")
        said = first["msg"].replace("Value error, ", "")
        raise ConfigError("config-invalid", f"{path.name}: {where}{': ' if where else ''}{said}", str(path), "qqloan config show explains the setting.") from None
