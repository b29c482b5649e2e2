"""What a hostile peer sends to the running reader: each changes nothing, is counted, and stops at most its own log."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import zstandard

from replication import metrics
from replication.apply.incoming import Incoming
from replication.apply.reader import Link, Reader
from replication.broker.names import directory_name, stream_name
from replication.clock import now_us
from replication.postgres.applying import Reading
from replication.wire.binary import MAX_BODY, BodyWriter, Writer
from replication.wire.header import Header, Lineage, Part, write_header
from replication.wire.integers import write_stamps
from replication.wire.message import MAX_MESSAGE, MAX_ROWS, Section, encode
from replication.wire.signing import SIGNATURE_SIZE, Verifier
from tests.broker.owner import Owner
from tests.broker.private_broker import PrivateBroker, wait_for
from tests.wire.conftest import signer_of

START = 100
LOG = "beef"
A_PART = Part(7, 0, is_last=False)
OWN, OTHER = signer_of(b"h"), signer_of(b"o")
_peers = count(1)


class Peer:
    """A site with a log of its own at a broker, and a reader of it, which runs."""

    def __init__(self, owner: Owner, url: str) -> None:
        self.name = f"peer{next(_peers)}"
        self._owner = owner
        self.stream = stream_name(self.name, LOG, "live")
        for stream in (directory_name(self.name), self.stream):
            owner.declare(stream, max_bytes=256 << 20)
        opening = replace(self.header(START, START), kind="start", lineage=[Lineage(LOG, START)])
        owner.append(directory_name(self.name), encode(opening, [], OWN))
        self.reading = Reading(self.name)
        self.inbox: queue.Queue[Incoming] = queue.Queue()
        verify = Verifier({self.name: OWN.public_pem, "other": OTHER.public_pem})
        link = Link(self.name, "here", lambda: url, False, verify, frozenset({"v1"}))
        reader = Reader(link, self.reading, self.inbox, lambda: None)
        self._thread = threading.Thread(target=reader._run_once, args=(0,))

    def __enter__(self) -> "Peer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._owner.delete(self.stream)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def header(self, from_lsn: int, to_lsn: int) -> Header:
        now = now_us()
        return Header(
            self.name, LOG, "changes", from_lsn, to_lsn, 7, now, now, now, now, transactions=1, rules_version="v1"
        )

    def say(self, *bodies: bytes) -> None:
        self._owner.append(self.stream, *bodies)

    def refused(self, reason: str) -> float:
        labels = {"origin": self.name, "reason": reason}
        return metrics.APPLY.get_sample_value("kuroshio_link_refused_messages_total", labels) or 0


@pytest.fixture
def peer(broker: PrivateBroker, owner: Owner) -> Iterator[Peer]:
    with Peer(owner, broker.url()) as peer:
        yield peer


def a_section(**changed: object) -> Section:
    moment = now_us() << 10 | 1
    plain = Section(("public", "customer"), "I", ("id", "name"), 1, [[b"1"], [b"x"]], [moment], [0])
    return replace(plain, **changed)  # type: ignore[arg-type]


def signed(header: Header, plan: bytes, zones: bytes) -> bytes:
    """A message of any bytes under a good signature."""
    out = Writer()
    out.raw(write_header(header))
    out.raw(plan)
    body = b"KUR\1" + bytes(out.buffer) + zones
    return body + OWN(body)


def with_zones(header: Header, *zones: tuple[int, int, bytes]) -> bytes:
    """``zones``: coding, declared size, bytes."""
    plan = Writer()
    for coding, size, data in zones:
        plan.byte(coding)
        plan.uint(size)
        plan.uint(len(data))
    return signed(header, bytes(plan.buffer), b"".join(data for _, _, data in zones))


def a_gigabyte(header: Header) -> bytes:
    """A few bytes that say: this constant, in each of a million rows."""
    body = BodyWriter()
    body.uint(1)
    for name in ("public", "customer"):
        body.text(name)
    body.byte(ord("I"))
    for number in (MAX_ROWS, 1, 1):
        body.uint(number)
    body.text("id")
    for _ in range(2):
        write_stamps(body, np.ones(MAX_ROWS, np.int64), None)
    body.byte(1)
    body.raw(b"x" * 1000)
    body.buffer += bytes(2)
    return with_zones(header, *((0, len(zone), zone) for zone in body.zones()))


def a_zstd_bomb(header: Header) -> bytes:
    """A frame that holds more than it says."""
    bomb = zstandard.ZstdCompressor(19).compress(bytes(MAX_BODY))
    return with_zones(header, (1, 1000, bomb), (0, 0, b""))


Forge = Callable[[Header], bytes]

STOPPING: dict[str, tuple[str, Forge]] = {
    "bytes that are no zones": ("malformed", lambda header: signed(header, b"\0\1\2", b"garbage")),
    "a frame that holds more than it says": ("malformed", a_zstd_bomb),
    "a frame that claims more than may be": (
        "oversized", lambda header: with_zones(header, (1, 1 << 40, b""), (0, 0, b"")),
    ),
    "a small message of a gigabyte": ("oversized", a_gigabyte),
    "a message that fills a memory": ("oversized", lambda _: bytes(MAX_MESSAGE + 1)),
    "a part that cannot be read once it is staged": (
        "malformed", lambda header: signed(replace(header, kind="part", to_lsn=START, part=A_PART), b"", b""),
    ),
    "a part that does not say of what": (
        "malformed", lambda header: encode(replace(header, kind="part"), [a_section()], OWN),
    ),
    "changes that say they are a part": (
        "malformed", lambda header: encode(replace(header, part=A_PART), [a_section()], OWN),
    ),
    "a time of no calendar": ("malformed", lambda header: encode(replace(header, published_us=1 << 60), [], OWN)),
    "a name with a NUL": ("malformed", lambda header: encode(header, [a_section(table=("public", "a\0"))], OWN)),
    "text that is not UTF-8": (
        "malformed", lambda header: encode(header, [a_section(values=[[b"1"], [b"\xff"]])], OWN),
    ),
    "a key of NULL": ("malformed", lambda header: encode(header, [a_section(values=[[None], [b"x"]])], OWN)),
    "a message of another log of its own": (
        "foreign", lambda header: encode(replace(header, incarnation="dead"), [a_section()], OWN),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", STOPPING)
def test_what_is_signed_and_cannot_be_stops_its_log_before_anything_is_taken(peer: Peer, what: str) -> None:
    reason, forge = STOPPING[what]
    peer.say(forge(peer.header(START, START + 10)), encode(peer.header(START, START + 10), [a_section()], OWN))
    wait_for(lambda: peer.reading.state == "stopped", f"{what} to stop the log")
    assert peer.refused(reason) == peer.reading.refused == 1
    assert peer.inbox.empty()


PASSED_OVER: dict[str, tuple[str, Forge]] = {
    "signed by another": ("signature", lambda header: encode(header, [a_section()], OTHER)),
    "signed by nobody": ("signature", lambda header: encode(header, [a_section()], lambda _: bytes(SIGNATURE_SIZE))),
    "of a site that nobody knows": (
        "signature", lambda header: encode(replace(header, origin="nowhere"), [a_section()], OWN),
    ),
    "true, and of another site": ("foreign", lambda header: encode(replace(header, origin="other"), [], OTHER)),
    "no message at all": ("malformed", lambda _: b"GET / HTTP/1.1\r\n\r\n"),
    "empty": ("malformed", lambda _: b""),
}  # fmt: skip


@pytest.mark.parametrize("what", PASSED_OVER)
def test_what_its_origin_did_not_sign_is_passed_over_and_the_log_goes_on(peer: Peer, what: str) -> None:
    reason, forge = PASSED_OVER[what]
    true = encode(peer.header(START, START + 10), [a_section()], OWN)
    peer.say(forge(peer.header(START, START + 10)), true)
    assert peer.inbox.get(timeout=20).body == true
    assert peer.refused(reason) == peer.reading.refused == 1
    assert peer.inbox.empty()


def test_what_is_replayed_is_taken_once(peer: Peer) -> None:
    first, second = (encode(peer.header(START + at, START + at + 10), [a_section()], OWN) for at in (0, 10))
    peer.say(first, first, second, first, second)
    assert [peer.inbox.get(timeout=20).body for _ in range(2)] == [first, second]
    wait_for(lambda: peer.reading.duplicates == 3, "the others to be counted")
    assert peer.inbox.empty()


def test_what_is_reordered_leaves_a_gap_and_is_not_taken(peer: Peer) -> None:
    first, second = (encode(peer.header(START + at, START + at + 10), [a_section()], OWN) for at in (0, 10))
    peer.say(second, first)
    wait_for(lambda: peer.reading.state == "stopped", "the gap to be seen")
    assert "missing here" in peer.reading.reason
    assert peer.inbox.empty()
