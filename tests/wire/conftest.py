"""Keys of two sites, made from fixed bytes so that a failing example can be repeated."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from replication.wire.signing import Signer, Verifier


def signer_of(seed: bytes) -> Signer:
    key = Ed25519PrivateKey.from_private_bytes(seed * 32)
    return Signer(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture(scope="session")
def taipei() -> Signer:
    return signer_of(b"t")


@pytest.fixture(scope="session")
def shanghai() -> Signer:
    return signer_of(b"s")


@pytest.fixture(scope="session")
def verifier(taipei: Signer, shanghai: Signer) -> Verifier:
    return Verifier({"taipei": taipei.public_pem, "shanghai": shanghai.public_pem})
