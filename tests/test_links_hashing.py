"""Keyed hashes: the standard's MAC, whatever the texts, and nothing where there is nothing."""

from __future__ import annotations

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from qqloan_cli.engine import secret
from qqloan_cli.links.hashing import Hasher

KEY = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")  # NIST SP 800-38B, appendix D.3
TEXTS = st.lists(st.none() | st.text(max_size=60) | st.sampled_from(["110105199003070015", "13800138000", "a" * 13]), max_size=40)


def by_the_library(domain: str, text: str | None, key: bytes = KEY) -> str | None:
    if not text:
        return None
    mac = CMAC(algorithms.AES(key))
    mac.update(f"{domain}:{text}".encode())
    return mac.finalize().hex()


@given(TEXTS, st.sampled_from(["id", "phone", "card", "device"]), st.data())
@settings(deadline=None)
def test_every_hash_is_the_library_s_cmac_of_domain_and_value(texts, domain, data):
    array = pa.array(texts, pa.string())
    assert Hasher(KEY).column(domain, array).to_pylist() == [by_the_library(domain, text) for text in texts]
    at = data.draw(st.integers(0, len(texts)))
    assert Hasher(KEY).column(domain, array[at:]).to_pylist() == [by_the_library(domain, text) for text in texts[at:]]


def test_texts_of_every_length_about_the_ends_of_blocks():
    texts = ["x" * length for length in range(1, 70)]
    assert Hasher(KEY).column("card", pa.chunked_array([texts[:30], texts[30:]])).to_pylist() == [by_the_library("card", text) for text in texts]


def test_many_texts_are_hashed_some_at_a_time(monkeypatch):
    monkeypatch.setattr("qqloan_cli.links.hashing._TOGETHER", 3)
    texts = [None if n % 7 == 0 else "x" * (n % 40) for n in range(50)]
    assert Hasher(KEY).column("card", pa.array(texts, pa.string())).to_pylist() == [by_the_library("card", text) for text in texts]


def test_another_key_and_another_domain_give_other_hashes():
    value = pa.array(["13800138000"])
    hashes = {Hasher(secret.for_hashing(key)).column(domain, value)[0].as_py() for key in (b"a" * 32, b"b" * 32) for domain in ("phone", "card")}
    assert len(hashes) == 4 and secret.for_hashing(b"a" * 32).hex()[:16] != secret.fingerprint(b"a" * 32)
