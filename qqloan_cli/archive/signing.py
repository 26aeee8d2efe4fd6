"""Ed25519 signatures of manifests, as DSSE envelopes (https://github.com/secure-systems-lab/dsse): whoever has the public key can verify."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from qqloan_cli.engine.files import write_json
from qqloan_cli.errors import UsageError

PAYLOAD = "application/vnd.in-toto+json"


def pre_authentication(payload: bytes) -> bytes:
    """What is signed: DSSE's encoding of type and payload."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def sign(manifest: Path, private_key: Path) -> None:
    """Writes signature.json beside the manifest. Raises UsageError where the key is no Ed25519 private key in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError("key-unusable", "the file is no Ed25519 private key in PEM without a passphrase", str(private_key), "openssl genpkey -algorithm ed25519 -out FILE makes one.")
    payload = manifest.read_bytes()
    write_json(manifest.with_name("signature.json"), {
        "payloadType": PAYLOAD, "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": _name(key.public_key()), "sig": base64.b64encode(key.sign(pre_authentication(payload))).decode()}],
    })


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
