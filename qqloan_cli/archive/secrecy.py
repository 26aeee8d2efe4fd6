"""Archived inputs hold people's names and numbers: encrypted at rest where a key is given, in the format of age (https://age-encryption.org),
which the program of that name and others read."""

from __future__ import annotations

import os
from pathlib import Path

from qqloan_cli.errors import ConfigError, IntegrityError, UsageError

FORMAT = "age-encryption.org/v1"
PERSONAL = ("inputs/",)  # names of a run's files that hold more than keyed hashes
IDENTITY = "QQLOAN_AGE_IDENTITY"


def recipient(text: str):
    """A public key: ``age1...``, or a file that holds one. Raises UsageError where it is none."""
    import pyrage

    path = Path(text)
    try:
        lines = [line.strip() for line in (path.read_text(encoding="utf-8").splitlines() if path.is_file() else [text])]
        return pyrage.x25519.Recipient.from_str(next(line for line in lines if line and not line.startswith("#")))
    except (StopIteration, UnicodeDecodeError, pyrage.RecipientError):
        raise UsageError("recipient-wrong", "this is no age public key", "--encrypt-to", "age-keygen -o FILE makes a pair; its public key begins with age1.") from None


def identity():
    """The private key that QQLOAN_AGE_IDENTITY names. Raises ConfigError where there is none."""
    import pyrage

    named = os.environ.get(IDENTITY)
    if not named:
        raise ConfigError("inputs-encrypted", "the archive's inputs are encrypted", IDENTITY, "Name the file with the age identity that opens them.")
    try:
        lines = [line.strip() for line in Path(named).read_text(encoding="utf-8").splitlines()]
        return pyrage.x25519.Identity.from_str(next(line for line in lines if line and not line.startswith("#")))
    except (OSError, StopIteration, UnicodeDecodeError, pyrage.IdentityError):
        raise ConfigError("identity-wrong", "the file holds no age identity", IDENTITY, "It has a line that begins with AGE-SECRET-KEY-1.") from None


def encrypt(source: Path, target: Path, to) -> None:
    import pyrage

    pyrage.encrypt_file(str(source), str(target), [to])


def decrypt(source: Path, target: Path) -> None:
    """Raises ConfigError where the key is another, IntegrityError where the file is broken."""
    import pyrage

    key = identity()
    try:
        pyrage.decrypt_file(str(source), str(target), [key])
    except pyrage.DecryptError as error:
        target.unlink(missing_ok=True)
        if "No matching keys" in str(error):
            raise ConfigError("identity-differs", "the inputs were encrypted for another key", IDENTITY, "Name the file with the identity that opens them.") from None
        raise IntegrityError("object-altered", "an encrypted file cannot be opened", source.name, "qqloan audit ARCHIVE says what else is.") from None
