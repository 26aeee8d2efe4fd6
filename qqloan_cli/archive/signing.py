"""Ed25519 signatures of manifests, as DSSE envelopes (https://github.com/secure-systems-lab/dsse): whoever has the public key can verify."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

from qqloan_cli.engine.files import write_json
from qqloan_cli.errors import UsageError

PAYLOAD = "application/vnd.in-toto+json"


def pre_authentication(payload: bytes) -> bytes:
    """What is signed: DSSE's encoding of type and payload."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def read_private(path: Path):
    """Raises UsageError where the file is no Ed25519 private key in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError("key-unusable", "the file is no Ed25519 private key in PEM without a passphrase", str(path), "qqloan policy key FILE makes one.")
    return key


def make_private(path: Path) -> None:
    """A new Ed25519 private key in PEM at ``path``, for its owner's eyes alone. Raises UsageError where something stands there."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError("key-exists", "something stands under this name", str(path), "A key is never written over; choose another.") from None
    with os.fdopen(handle, "wb") as file:
        file.write(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def sign(manifest: Path, private_key: Path) -> None:
    """Writes signature.json beside the manifest."""
    key, payload = read_private(private_key), manifest.read_bytes()
    write_json(manifest.with_name("signature.json"), {
        "payloadType": PAYLOAD, "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": _name(key.public_key()), "sig": base64.b64encode(key.sign(pre_authentication(payload))).decode()}],
    })


def public_of(private) -> str:
    """The public key of a private one, as the line inside its PEM file."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64.b64encode(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def public_from(line: str):
    """The public key of such a line."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    return load_der_public_key(base64.b64decode(line))


def _name(public) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def read_public(path: Path):
    """Raises UsageError where the file is no Ed25519 public key in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError("key-unusable", "the file is no Ed25519 public key in PEM", str(path), "openssl pkey -in PRIVATE -pubout -out FILE makes one.")
    return key


def holds(manifest: Path, public) -> bool:
    """Whether signature.json is over this manifest, by the owner of ``public``; of any signer's where that is None, which only says that
    the envelope carries this manifest."""
    from cryptography.exceptions import InvalidSignature

    try:
        envelope = json.loads(manifest.with_name("signature.json").read_text(encoding="utf-8"))
        payload, signatures = base64.b64decode(envelope["payload"]), [base64.b64decode(s["sig"]) for s in envelope["signatures"]]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if payload != manifest.read_bytes() or envelope.get("payloadType") != PAYLOAD or not signatures:
        return False
    if public is None:
        return True
    for signature in signatures:
        try:
            public.verify(signature, pre_authentication(payload))
            return True
        except InvalidSignature:
            continue
    return False
