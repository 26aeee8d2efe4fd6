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


def pads(key: bytes) -> tuple[bytes, bytes]:
    """HMAC-SHA256's inner and outer pads, so that SQL can hash whole columns: sha256(outer || unhex(sha256(inner || value)))."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    return bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)
