"""A snapshot file is used whole and as its donor signed it, or not at all."""

import io

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from replication.errors import DecodeError, SignatureError
from replication.snapshot.format import Chunk, Header, Part, SnapshotWriter, check, chunks
from replication.wire.signing import Signer, Verifier

HEADER = Header(
    "taipei",
    "0f",
    "2026-01-01",
    "",
    {"us": {"lsn": "0/10", "incarnation": "a"}},
    {"us": {"taipei": "0/8"}},
    (Part("public", "客戶", ("id", "姓名"), dropped=("old",), derived={"delete": "stamp"}),),
)


def signer() -> Signer:
    key = Ed25519PrivateKey.generate()
    return Signer(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def written(sign: Signer) -> bytes:
    file = io.BytesIO()
    writer = SnapshotWriter(file, HEADER, sign)
    writer.chunk(0, 2, "1\t陳\n2\t\\N\n".encode())
    writer.chunk(0, 1, b"3\tx\n")
    assert writer.finish() == 3
    return file.getvalue()


def test_what_was_written_is_read() -> None:
    sign = signer()
    file = io.BytesIO(written(sign))
    contents = check(file, Verifier({"taipei": sign.public_pem}))
    assert contents.header == HEADER
    assert (len(contents.digests), contents.bytes, contents.rows) == (2, len(file.getvalue()), 3)
    assert [(chunk.number, chunk.rows, chunk.text()) for chunk in chunks(file, contents, 0)] == [
        (1, 2, "1\t陳\n2\t\\N\n".encode()),
        (2, 1, b"3\tx\n"),
    ]
    assert [chunk.number for chunk in chunks(file, contents, 1)] == [2]


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    sign = signer()
    whole, verify = written(sign), Verifier({"taipei": sign.public_pem})
    for size in range(len(whole)):
        with pytest.raises(DecodeError):
            check(io.BytesIO(whole[:size]), verify)


def test_a_file_with_one_byte_changed_is_refused() -> None:
    sign = signer()
    whole, verify = written(sign), Verifier({"taipei": sign.public_pem})
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(DecodeError):
            check(io.BytesIO(damaged), verify)


def test_of_a_file_that_is_exchanged_once_it_was_checked_nothing_is_used() -> None:
    sign = signer()
    contents = check(io.BytesIO(written(sign)), Verifier({"taipei": sign.public_pem}))
    other = io.BytesIO()
    writer = SnapshotWriter(other, HEADER, sign)
    with pytest.raises(DecodeError):
        list(chunks(other, contents, 0))
    writer.chunk(0, 2, b"1\tforged\n2\tforged\n")
    with pytest.raises(DecodeError):
        list(chunks(other, contents, 0))


def test_a_file_that_another_site_signed_is_refused() -> None:
    with pytest.raises(SignatureError):
        check(io.BytesIO(written(signer())), Verifier({"taipei": signer().public_pem}))


def test_a_chunk_that_does_not_unpack_says_so() -> None:
    with pytest.raises(DecodeError):
        Chunk(1, 0, 1, b"no frame", 0).text()
