"""Ed25519: a site signs its log with its own key, and readers hold every site's public key.

What is signed begins with the message format's magic and version, and names its origin, so a signature of something
else, or of another site, never fits. Keys come as PEM, loaded by someone else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from replication.errors import SignatureError, UsageError

SIGNATURE_SIZE: Final = 64


class Signer:
    """Signs with one site's private key."""

    def __init__(self, private_pem: bytes) -> None:
        try:
            key = load_pem_private_key(private_pem, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
            raise UsageError("the site's private key is not an unencrypted PEM key") from fault
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError("the site's private key is not an Ed25519 key")
        self._key = key

    def __call__(self, data: bytes) -> bytes:
        """The 64 bytes of signature over ``data``."""
        return self._key.sign(data)

    @property
    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Verifier:
    """Checks signatures with the public keys of all sites, by site name."""

    def __init__(self, public_pems: Mapping[str, bytes]) -> None:
        self._keys = {site: _public_key(site, pem) for site, pem in public_pems.items()}

    def __call__(self, origin: str, signed: bytes, signature: bytes) -> None:
        """Pass only what this origin signed."""
        key = self._keys.get(origin)
        if key is None:
            raise SignatureError(f"no public key of a site named {origin!r} is known here")
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            raise SignatureError(f"message was not signed by {origin!r}, which it names") from None


def _public_key(site: str, pem: bytes) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise UsageError(f"the public key of {site!r} is not a PEM key") from fault
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"the public key of {site!r} is not an Ed25519 key")
    return key
