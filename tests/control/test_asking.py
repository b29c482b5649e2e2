"""A site asks, another answers, over kombu: each gets what is meant for it, and nothing else."""

import socket
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from replication.broker.bus import Line, serve
from replication.clock import now_us
from replication.control.answering import FRESH_US
from replication.errors import BrokerUnavailable, RefusedError, UsageError
from replication.wire.control import MAX_BODY, Kind, Letter, decode, encode
from replication.wire.signing import Signer
from tests.control.conftest import Site
from tests.wire.conftest import signer_of

Make = Callable[..., Site]


def double(peer: str, body: Any) -> dict[str, Any]:
    return {"for": peer, "twice": body["n"] * 2}


def letter(site: Site, body: dict[str, Any], **other: Any) -> Letter:
    said = {"sender": site.asker, "recipient": site.name, "kind": Kind.REQUEST, "sent_us": now_us(), **other}
    return Letter(id=said.pop("id", b"0123456789abcdef"), body=body, **said)


def put(site: Site, one: Letter, sign: Signer | None = None) -> Letter | None:
    """Hand a letter over as the broker does; what is said to it."""
    answer = site.answerer(encode(one, sign or site.signers[one.sender]))
    return None if answer is None else decode(answer, site.verifier)


def test_what_is_asked_is_answered_to_who_asked(site: Make) -> None:
    one = site(double=double)
    with one.answering(), one.peers() as peers:
        for n in range(20):
            assert peers.ask(one.name, "double", {"n": n}, seconds=10) == {"for": "taipei", "twice": 2 * n}
        assert peers.lines[one.name].bytes_exchanged > 20 * 2 * 64
    assert one.counted == [("taipei", "")] * 20


def test_a_refusal_comes_with_its_reason(site: Make) -> None:
    def refuse(_: str, body: Any) -> dict[str, Any]:
        raise UsageError(f"no {body['what']} here")

    one = site(refuse=refuse)
    with one.answering(), one.peers() as peers:
        with pytest.raises(RefusedError, match=f"{one.name}: no bread here"):
            peers.ask(one.name, "refuse", {"what": "bread"}, seconds=10)
        with pytest.raises(RefusedError, match="does not know what is asked"):
            peers.ask(one.name, "another", {}, seconds=10)
    assert one.counted[0] == ("taipei", "no bread here")


def test_a_database_that_fails_and_a_malformed_request_are_refusals_and_the_next_one_is_answered(site: Make) -> None:
    def fail(_: str, body: Any) -> dict[str, Any]:
        raise body["how"]

    one = site(double=double, fail=fail)
    refused = put(one, letter(one, {"ask": "double", "of": 5}))
    assert refused is not None
    assert refused.kind is Kind.REFUSAL
    for fault in (psycopg.OperationalError("secret"), ValueError("secret")):
        kind, body = one.answerer._answer(letter(one, {"ask": "fail", "of": {"how": fault}}))
        assert kind is Kind.REFUSAL
        assert "secret" not in str(body)
    answered = put(one, letter(one, {"ask": "double", "of": {"n": 1}}, id=b"i" * 16))
    assert answered is not None
    assert answered.body["twice"] == 2


def test_an_answer_that_no_letter_can_hold_is_a_refusal_and_the_next_one_is_answered(site: Make) -> None:
    one = site(double=double, much=lambda _, body: {"much": "x" * body["n"]})
    refused = put(one, letter(one, {"ask": "much", "of": {"n": MAX_BODY + 1}}))
    assert refused is not None
    assert refused.kind is Kind.REFUSAL
    assert "at most" in str(refused.body["reason"])
    answered = put(one, letter(one, {"ask": "double", "of": {"n": 1}}, id=b"i" * 16))
    assert answered is not None
    assert answered.kind is Kind.ANSWER


def test_who_is_not_there_is_told_within_the_time_given(site: Make) -> None:
    one = site()
    with one.peers() as peers, pytest.raises(BrokerUnavailable, match=r"did not answer within 0\.1 s"):
        peers.ask(one.name, "double", {}, seconds=0.3)


def test_a_letter_that_its_sender_did_not_sign_is_not_answered_and_counted(site: Make) -> None:
    one = site(double=double)
    assert put(one, letter(one, {"ask": "double", "of": {"n": 1}}), signer_of(b"x")) is None
    assert one.answerer(b"noise") is None
    assert [peer for peer, _ in one.counted] == ["", ""]
    assert all(reason for _, reason in one.counted)


def test_a_letter_to_another_site_or_of_no_peer_or_of_another_kind_is_not_answered(site: Make) -> None:
    one = site(double=double)
    body = {"ask": "double", "of": {"n": 1}}
    for other in ({"recipient": "kaohsiung"}, {"sender": "shanghai"}, {"kind": Kind.ANSWER}):
        assert put(one, letter(one, body, **other)) is None


def test_a_copied_letter_is_answered_once_and_an_old_one_never(site: Make) -> None:
    one = site(double=double)
    copied = letter(one, {"ask": "double", "of": {"n": 1}})
    assert put(one, copied) is not None
    assert put(one, copied) is None
    for late in (FRESH_US + 10**6, -FRESH_US - 10**6):
        old = put(one, letter(one, {"ask": "double", "of": {"n": 1}}, id=bytes(16), sent_us=now_us() - late))
        assert old is not None
        assert old.kind is Kind.REFUSAL
        assert "clocks" in old.body["reason"]
        one.answerer._taken.clear()


def test_an_answer_to_something_else_is_not_taken_for_one(site: Make) -> None:
    """Who answers says it to another question, in another's name, and then as it should be."""
    one = site()

    def answer(data: bytes) -> bytes:
        asked = decode(data, one.verifier)
        return encode(Letter(one.name, one.asker, Kind.ANSWER, asked.id, 0, {"right": True}), one.signers[one.name])

    wrong = [
        encode(Letter(one.name, one.asker, Kind.ANSWER, bytes(16), 0, {}), one.signers[one.name]),
        encode(Letter("shanghai", one.asker, Kind.ANSWER, bytes(16), 0, {}), one.signers["shanghai"]),
        b"noise",
    ]
    asked = letter(one, {})
    with one.peers() as peers:
        for data in wrong:
            assert peers._read(asked, data) is None
        right = peers._read(asked, answer(encode(asked, one.signers[one.asker])))
    assert right is not None
    assert right.body == {"right": True}


def test_a_line_is_made_anew_after_it_was_closed(site: Make) -> None:
    one = site(double=double)
    with one.answering(), one.peers() as peers:
        for _ in range(3):
            assert peers.ask(one.name, "double", {"n": 2}, seconds=10)["twice"] == 4
            peers.rest()


def test_a_broker_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"amqp://guest:guest@127.0.0.1:{gone.getsockname()[1]}//"
    with pytest.raises(BrokerUnavailable):
        serve(url, "nobody", lambda _: None)
    with pytest.raises(BrokerUnavailable):
        Line(lambda: url, "nobody").ask(b"", lambda _: None, 5)
