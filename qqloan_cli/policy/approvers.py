"""configs/approvers.toml: who may release a policy, and how many of them it takes."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from qqloan_cli.policy.load import load

_ED25519 = bytes.fromhex("302a300506032b6570032100")  # how RFC 8410 begins a public key


class Approvers(BaseModel):
    """``people``: by name an Ed25519 public key, the one line between the first and the last of its PEM file."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    needed: Annotated[int, Field(ge=2)]
    people: dict[str, str] = {}

    @field_validator("people")
    @classmethod
    def _keys(cls, people: dict[str, str]) -> dict[str, str]:
        for name, key in people.items():
            try:
                whole = base64.b64decode(key, validate=True)
            except binascii.Error:
                whole = b""
            if len(whole) != len(_ED25519) + 32 or not whole.startswith(_ED25519):
                raise ValueError(f"the key of {name} is no Ed25519 public key: qqloan policy key FILE --name NAME prints it")
        if len(set(people.values())) != len(people):
            raise ValueError("two people have the same key")
        return people


def load_approvers(config_dir: Path) -> Approvers:
    return load(config_dir / "approvers.toml", Approvers)
