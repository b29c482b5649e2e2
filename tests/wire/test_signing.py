"""Keys that are none are told at once, and not at the first message."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from replication.errors import SignatureError, UsageError
from replication.wire.signing import SIGNATURE_SIZE, Signer, Verifier

OTHER = generate_private_key(SECP256R1())
OTHER_PRIVATE = OTHER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
OTHER_PUBLIC = OTHER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_a_site_signed_is_its_own(taipei: Signer, verifier: Verifier) -> None:
    signature = taipei(b"data")
    assert len(signature) == SIGNATURE_SIZE
    verifier("taipei", b"data", signature)
    for site, data, wrong in (
        ("shanghai", b"data", signature),
        ("taipei", b"dato", signature),
        ("taipei", b"data", b""),
    ):
        with pytest.raises(SignatureError):
            verifier(site, data, wrong)


@pytest.mark.parametrize("pem", [b"", b"no key", OTHER_PRIVATE])
def test_a_private_key_of_another_kind_is_told(pem: bytes) -> None:
    with pytest.raises(UsageError):
        Signer(pem)


@pytest.mark.parametrize("pem", [b"", b"no key", OTHER_PUBLIC])
def test_a_public_key_of_another_kind_is_told_with_its_site(pem: bytes) -> None:
    with pytest.raises(UsageError, match="shanghai"):
        Verifier({"shanghai": pem})
