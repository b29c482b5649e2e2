"""Letters of the control plane: what is signed is read, everything else is refused before anything is made of it."""

import json
from dataclasses import replace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from replication.errors import DecodeError, InvariantError, SignatureError
from replication.wire.binary import Writer
from replication.wire.control import MAX_BODY, Kind, Letter, decode, encode
from replication.wire.signing import SIGNATURE_SIZE, Signer, Verifier

LETTER = Letter("taipei", "shanghai", Kind.REQUEST, b"0123456789abcdef", -5, {"ask": "什麼", "of": {"n": [1, None]}})

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), plain, max_size=5), st.sampled_from(Kind), st.integers(-(2**60), 2**60))
def test_what_is_written_is_read(
    taipei: Signer, verifier: Verifier, body: dict[str, object], kind: Kind, sent_us: int
) -> None:
    letter = replace(LETTER, kind=kind, sent_us=sent_us, body=body)
    assert decode(encode(letter, taipei), verifier) == letter


def test_a_letter_that_its_sender_did_not_sign_is_refused(shanghai: Signer, verifier: Verifier) -> None:
    with pytest.raises(SignatureError):
        decode(encode(LETTER, shanghai), verifier)
    with pytest.raises(SignatureError):
        decode(encode(replace(LETTER, sender="us"), shanghai), verifier)


def test_a_changed_byte_is_refused_wherever_it_stands(taipei: Signer, verifier: Verifier) -> None:
    data = encode(LETTER, taipei)
    for place in range(len(data)):
        with pytest.raises(DecodeError):
            decode(data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :], verifier)


@given(st.binary(max_size=400))
def test_of_other_bytes_nothing_but_a_decode_error_comes(verifier: Verifier, data: bytes) -> None:
    for some in (data, b"KUC\x01" + data):
        with pytest.raises(DecodeError):
            decode(some, verifier)


def signed(taipei: Signer, body: bytes, *, size: int | None = None, kind: int = 1, number: bytes = b"i" * 16) -> bytes:
    """A letter by its parts, signed whatever they say."""
    head, whole = Writer(), Writer()
    head.text("taipei")
    head.text("shanghai")
    head.byte(kind)
    head.raw(number)
    head.sint(0)
    head.uint(len(body) if size is None else size)
    whole.raw(bytes(head.buffer))
    whole.raw(zstandard.ZstdCompressor().compress(body))
    data = b"KUC\x01" + bytes(whole.buffer)
    return data + taipei(data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": b"{}", "kind": 9},
        {"body": b"{}", "number": b"short"},
        {"body": b"{}", "size": 3},
        {"body": b"[]"},
        {"body": b"nothing"},
        {"body": b"\xff"},
        {"body": b"[" * 100_000},
        {"body": b'{"a":' * 100_000},
        {"body": b'{"a":' + b"9" * 10_000 + b"}"},
        {"body": b" " * (MAX_BODY + 1)},
    ],
    ids=["kind", "id", "size", "list", "text", "bytes", "deep lists", "deep objects", "long number", "large"],
)
def test_a_malformed_letter_of_a_peer_is_a_decode_error(
    taipei: Signer, verifier: Verifier, wrong: dict[str, object]
) -> None:
    with pytest.raises(DecodeError):
        decode(signed(taipei, **wrong), verifier)  # type: ignore[arg-type]


def test_a_body_that_is_larger_than_it_says_is_not_unpacked(taipei: Signer, verifier: Verifier) -> None:
    bomb = b'{"a":"' + b" " * (64 * MAX_BODY) + b'"}'
    data = signed(taipei, bomb, size=10)
    assert len(data) < 16_384 + SIGNATURE_SIZE
    with pytest.raises(DecodeError, match="size"):
        decode(data, verifier)


def test_a_letter_that_would_be_too_large_is_not_written(taipei: Signer) -> None:
    with pytest.raises(InvariantError):
        encode(replace(LETTER, body={"a": "x" * MAX_BODY}), taipei)
    assert len(json.dumps(LETTER.body)) < MAX_BODY
