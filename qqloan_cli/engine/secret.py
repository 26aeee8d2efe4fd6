"""The key of the keyed hashes. It is never written into a run: run.json has its fingerprint alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from qqloan_cli.errors import ConfigError

_NO_KEY = b"qqloan: no key was given, so these hashes keep nothing secret"


def load() -> bytes:
    """The bytes of the file that QQLOAN_KEY_FILE names, or a public key that keeps nothing secret."""
    named = os.environ.get("QQLOAN_KEY_FILE")
    if not named:
        return _NO_KEY
    try:
        key = Path(named).read_bytes().strip()
    except OSError:
        raise ConfigError("key-file-unreadable", "the key file cannot be read", "QQLOAN_KEY_FILE", "Name a file of at least 32 random bytes.") from None
    if len(key) < 32:
        raise ConfigError("key-too-short", "the key has fewer than 32 bytes", "QQLOAN_KEY_FILE", "Make one: head -c 32 /dev/urandom | base64 > key")
    return key


def is_public(key: bytes) -> bool:
    return key == _NO_KEY


def fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"qqloan key " + key).hexdigest()[:16]


def for_hashing(key: bytes) -> bytes:
    """32 bytes: the key of the keyed hashes (links/hashing.py), which is for nothing else."""
    return hashlib.sha256(b"qqloan keyed hashes " + key).digest()
