"""Between sites everything is TLS, with a certificate at both ends; certificates are renewed while everything runs."""

import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pika
import psycopg
import pytest
from cryptography import x509
from pika.exceptions import AMQPError

from deploy.certificates import Authority, provide
from deploy.local.programs import DAEMONS, INFRASTRUCTURE, names
from replication.broker.session import Session
from replication.errors import BrokerUnavailable
from sitecfg import Site
from tests.stack.proof.sites import Sites, until

HERE, THERE, ELSEWHERE = "us", "taipei", "shanghai"


def connects(url: str, context: ssl.SSLContext | None = None, name: str = THERE) -> bool:
    """Whether a client of pika's comes as far as to a channel."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = 10
    if context is not None:
        parameters.ssl_options = pika.SSLOptions(context, name)
    with suppress(AMQPError, OSError):
        with pika.BlockingConnection(parameters) as connection:
            connection.channel()
        return True
    return False


def trusting(site: Site) -> ssl.SSLContext:
    """A client that knows the authority, and shows nothing."""
    return ssl.create_default_context(cafile=site.keys.authority)


def tls_url(sites: Sites, user: str) -> str:
    """The broker itself, without the line, as one of its users."""
    site = sites.stack.site(THERE)
    own = pika.URLParameters(site.broker_url() if user == "kuroshio" else sites.stack.site(user).peer_url(THERE))
    return f"amqps://{user}:{own.credentials.password}@127.0.0.1:{site.broker.tls_port}/%2F"


@pytest.fixture
def strangers(tmp_path: Path) -> Authority:
    """Another authority."""
    authority = Authority(tmp_path / "strangers")
    authority.make()
    return authority


def test_a_peer_with_its_certificate_comes_in_and_nobody_without_one(sites: Sites) -> None:
    here = sites.stack.site(HERE)
    assert connects(here.peer_url(THERE))
    assert not connects(tls_url(sites, HERE), trusting(here))


def test_a_certificate_of_another_authority_is_no_certificate(sites: Sites, strangers: Authority) -> None:
    forged = strangers.folder / "tls.pem"
    strangers.issue(HERE, forged)
    context = trusting(sites.stack.site(HERE))
    context.load_cert_chain(forged)
    assert not connects(tls_url(sites, HERE), context)


def test_the_door_for_peers_takes_no_word_in_the_clear(sites: Sites) -> None:
    plain = tls_url(sites, HERE).replace("amqps://", "amqp://")
    assert not connects(plain)


def test_a_site_that_answers_for_another_is_not_believed(sites: Sites) -> None:
    here = sites.stack.site(HERE)
    diverted = here.peer_url(THERE).replace(f":{here.peers[THERE].port}/", f":{here.peers[ELSEWHERE].port}/")
    with pytest.raises(BrokerUnavailable, match=r"deploy\.certificates --show"), Session(diverted, timeout_seconds=10):
        pass


def test_nothing_between_sites_is_readable_on_the_line(sites: Sites) -> None:
    """The emulator's doors lead to the TLS listeners alone: what is open for a site's own daemons no line leads to."""
    for site in sites.stack.sites:
        own = pika.URLParameters(site.broker_url())
        for peer in site.peers.values():
            assert not connects(f"amqp://kuroshio:{own.credentials.password}@127.0.0.1:{peer.port}/%2F")


def shown(sites: Sites) -> int:
    """The serial number of the certificate that a new connection to the broker is shown."""
    here, port = sites.stack.site(HERE), sites.stack.site(THERE).broker.tls_port
    context = trusting(here)
    context.load_cert_chain(here.keys.certificate)
    pem = _certificate(context, port)
    return x509.load_der_x509_certificate(pem).serial_number


def _certificate(context: ssl.SSLContext, port: int) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=THERE) as line,
    ):
        der = line.getpeercert(binary_form=True)
    assert der is not None
    return der


@pytest.fixture
def table(sites: Sites) -> str:
    name = "public.trusted"
    sites.everywhere(f"CREATE TABLE IF NOT EXISTS {name} (id int PRIMARY KEY, note text)")
    sites.add_tables(name)
    return name


def test_a_value_that_is_refused_is_in_no_log(sites: Sites, table: str) -> None:
    """Refused to a person at one site; and at the other to apply, which puts it aside and tries again."""
    sites.run(THERE, f"ALTER TABLE {table} ADD CONSTRAINT short CHECK (note NOT LIKE 'CANARY%')")
    sites.run(HERE, f"INSERT INTO {table} VALUES (-1, 'CANARY')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        sites.run(HERE, f"INSERT INTO {table} VALUES (-1, 'CANARY')")
    waits = "SELECT count(*) FROM kuroshio.parked WHERE reason = 'refused'"
    until("it is set aside there", lambda: sites.value(THERE, waits) == 1, explain=sites.logs)
    logs = {path: path.read_text() for path in sites.stack.layout.state.glob("*/log/*")}
    assert any("duplicate key" in text for text in logs.values()), "what was refused is told"
    assert [path for path, text in logs.items() if "CANARY" in text] == []
    sites.run(HERE, f"UPDATE {table} SET note = 'mended' WHERE id = -1")
    sites.run(THERE, f"ALTER TABLE {table} DROP CONSTRAINT short")
    sites.converge(table)
    until("nothing waits", lambda: sites.value(THERE, waits) == 0, explain=sites.logs)


def test_certificates_are_renewed_without_a_stop(sites: Sites, table: str) -> None:
    stack = sites.stack
    before = shown(sites)
    programs = names(stack.config, *INFRASTRUCTURE, *DAEMONS)
    running = {program: stack.supervisor.pid(program) for program in programs}
    done = provide(Authority(stack.layout.authority), stack.sites, renew=True)
    assert len(done) == len(stack.sites)
    sites.run(THERE, f"INSERT INTO {table} VALUES (1, 'while they are renewed')")
    until("the broker shows its new certificate", lambda: shown(sites) != before)
    assert connects(stack.site(HERE).peer_url(THERE))
    sites.run(HERE, f"INSERT INTO {table} VALUES (2, 'after it')")
    sites.converge(table)
    assert {program: stack.supervisor.pid(program) for program in programs} == running


def test_an_expired_certificate_is_refused_and_the_reason_says_what_to_do(sites: Sites, table: str) -> None:
    stack, authority = sites.stack, Authority(sites.stack.layout.authority)
    authority.issue(HERE, stack.site(HERE).keys.certificate, days=-1)
    try:
        assert not connects(stack.site(HERE).peer_url(THERE))
        sites.stack.kill(f"{HERE}-apply")
        reason = "SELECT reason FROM kuroshio.reading WHERE origin = %s"
        until(
            "the reader says why",
            lambda: "deploy.certificates" in str(sites.value(HERE, reason, (THERE,))),
            explain=sites.logs,
        )
    finally:
        provide(authority, stack.sites)
    sites.run(THERE, f"INSERT INTO {table} VALUES (3, 'after it was renewed')")
    sites.converge(table)
