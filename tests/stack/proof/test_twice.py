"""A message delivered twice takes effect once; one that its origin did not sign changes nothing, and is counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pika
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pika.adapters.blocking_connection import BlockingChannel

from replication.broker.names import Lane, directory_name, stream_name
from replication.broker.reader import StreamReader
from replication.wire.header import Header
from replication.wire.message import Section, decode, encode
from replication.wire.signing import Signer
from tests.stack.proof.sites import Sites, until

ORIGIN, FORGER = "taipei", "us"
LANES: tuple[Lane, Lane] = ("live", "packed")


@pytest.fixture(scope="module")
def table(four_sites: Sites) -> str:
    four_sites.everywhere("CREATE SCHEMA twice; CREATE TABLE twice.account (id int PRIMARY KEY, amount int, note text)")
    four_sites.add_tables("twice.account")
    _read_live(four_sites)
    return "twice.account"


def _read_live(sites: Sites) -> None:
    """Start the peers' apply anew: who was late reads the packed lane, but the tests write to the live one."""
    daemons = [f"{name}-apply" for name in sites.names if name != ORIGIN]
    sites.stack.stop(*daemons)
    sites.stack.start(*daemons)
    reading = "SELECT state = 'running' AND lane = 'live' AND heard_at > now() - interval '5 s'"
    for name in sites.names:
        if name != ORIGIN:
            until(
                f"{name} reads the live lane",
                lambda: sites.run(name, f"{reading} FROM kuroshio.reading WHERE origin = %s", (ORIGIN,)) == [(True,)],  # noqa: B023
            )


@contextmanager
def broker_of(sites: Sites, site: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(sites.stack.site(site).broker_url()))
    channel = connection.channel()
    channel.confirm_delivery()
    yield channel
    connection.close()


def stream(sites: Sites, lane: Lane) -> str:
    return stream_name(ORIGIN, str(sites.value(ORIGIN, "SELECT incarnation FROM kuroshio.site")), lane)


def stored(sites: Sites, name: str) -> list[bytes]:
    """All messages of one of the origin's streams."""
    bodies: list[bytes] = []
    url = sites.stack.site(ORIGIN).broker_url()
    with StreamReader(url, name, "first", prefetch=500, timeout_seconds=10) as reader:
        for delivery in reader.deliveries(0.7):
            if delivery is None:
                break
            bodies.append(delivery.body)
            reader.ack(delivery)
    return bodies


def readings(sites: Sites, column: str) -> dict[str, int]:
    """This counter of each peer's reading of the origin."""
    peers = [name for name in sites.names if name != ORIGIN]
    return {
        name: sites.value(name, f"SELECT {column} FROM kuroshio.reading WHERE origin = %s", (ORIGIN,)) for name in peers
    }


def with_changes(bodies: list[bytes]) -> list[bytes]:
    return [body for body in bodies if decode(body, lambda *_: None).header.kind == "changes"]


def test_messages_that_are_delivered_twice_take_effect_once(sites: Sites, table: str) -> None:
    sites.run(ORIGIN, f"INSERT INTO {table} SELECT g, 0, 'n' FROM generate_series(1, 50) g")
    for _ in range(5):
        sites.run(ORIGIN, f"UPDATE {table} SET amount = amount + 1 WHERE id % 2 = 0")
    sites.run(ORIGIN, f"DELETE FROM {table} WHERE id > 40")
    sites.converge(table)
    sites.run("us", f"UPDATE {table} SET amount = amount + 100, note = 'us' WHERE id <= 10")
    sites.converge(table)
    before = [sites.digest(name, table) for name in sites.names]
    duplicates = readings(sites, "duplicates")
    again = with_changes(stored(sites, stream(sites, "live")))[-20:]
    assert len(again) > 3
    with broker_of(sites, ORIGIN) as channel:
        for body in again:
            channel.basic_publish("", stream(sites, "live"), body, mandatory=True)
    until(
        "every peer counted the duplicates",
        lambda: all(count >= duplicates[name] + len(again) for name, count in readings(sites, "duplicates").items()),
    )
    assert [sites.digest(name, table) for name in sites.names] == before
    sites.run(ORIGIN, f"INSERT INTO {table} VALUES (1000, 1, 'on it goes')")
    sites.converge(table)


def forgeries(sites: Sites, table: str) -> Iterator[bytes]:
    """A change of the origin's, signed by another site, by a stranger, by nobody; and another site's true message."""
    schema, name = table.split(".")
    here = sites.value("kaohsiung", "SELECT (lsn - '0/0')::bigint FROM kuroshio.position WHERE origin = %s", (ORIGIN,))
    incarnation = str(sites.value(ORIGIN, "SELECT incarnation FROM kuroshio.site"))
    header = Header(ORIGIN, incarnation, "changes", int(here), int(here) + 1_000_000, transactions=1)
    moment = 10**15 << 10 | 1
    section = Section((schema, name), "I", ("id", "amount", "note"), 1, [[b"666"], [b"1"], [b"forged"]], [moment], [0])
    other = Signer(sites.stack.site(FORGER).keys.own.read_bytes())
    stranger = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    yield encode(header, [section], other)
    yield encode(header, [section], Signer(stranger))
    yield encode(header, [section], lambda _: bytes(64))
    yield encode(replace(header, origin=FORGER), [section], other)
    true = encode(header, [section], Signer(sites.stack.site(ORIGIN).keys.own.read_bytes()))
    yield true[:-80] + bytes([true[-80] ^ 1]) + true[-79:]
    yield b"not a message at all"


def test_messages_that_their_origin_did_not_sign_are_refused_counted_and_change_nothing(
    sites: Sites, table: str
) -> None:
    sites.converge(table)
    refused, before = readings(sites, "refused"), sites.digest(ORIGIN, table)
    forged = list(forgeries(sites, table))
    with broker_of(sites, ORIGIN) as channel:
        for body in forged:
            channel.basic_publish("", stream(sites, "live"), body, mandatory=True)
    until(
        "every peer counted what it refused",
        lambda: all(count == refused[name] + len(forged) for name, count in readings(sites, "refused").items()),
    )
    sites.run(ORIGIN, f"UPDATE {table} SET note = 'still here' WHERE id = 1")
    sites.converge(table)
    assert before != sites.digest(ORIGIN, table)
    assert not any(sites.run(name, f"SELECT 1 FROM {table} WHERE id = 666") for name in sites.names)


def test_a_forged_announcement_stops_a_reader_in_the_open_and_a_true_one_heals_it(sites: Sites, table: str) -> None:
    forged = next(forgeries(sites, table))
    with broker_of(sites, ORIGIN) as channel:
        announced = stored(sites, directory_name(ORIGIN))[-1]
        channel.basic_publish("", directory_name(ORIGIN), forged, mandatory=True)
        sites.stack.kill("kaohsiung-apply")
        state = "SELECT state FROM kuroshio.reading WHERE origin = %s"
        until("the origin is stopped", lambda: sites.value("kaohsiung", state, (ORIGIN,)) == "stopped")
        sites.run(ORIGIN, f"UPDATE {table} SET note = 'meanwhile' WHERE id = 2")
        sites.converge(table, sites=["taipei", "shanghai", "us"])
        channel.basic_publish("", directory_name(ORIGIN), announced, mandatory=True)
    sites.stack.kill("kaohsiung-apply")
    sites.converge(table)
