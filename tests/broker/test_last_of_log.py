"""A log whose broker does not serve it yet is not taken for a lost one."""

from replication.snapshot.rejoining import last_of_log
from tests.broker.owner import Owner
from tests.broker.private_broker import PrivateBroker

_STOP_ALL_STREAMS = """
ok = ra:stop_server(coordination, {rabbit_stream_coordinator, node()}),
Logs = supervisor:which_children(osiris_server_sup),
[supervisor:terminate_child(osiris_server_sup, Name) || {Name, _, _, _} <- Logs].
"""
"""As they are while a broker starts. Their coordinator first, which has them begin again: it takes a second."""


def test_a_log_that_is_not_served_yet_is_waited_for(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    owner.append(stream, b"the last")
    broker.control("eval", _STOP_ALL_STREAMS)
    assert last_of_log(broker.url(), stream) == b"the last"


def test_a_broker_that_is_not_there_yet_is_waited_for(broker: PrivateBroker, owner: Owner, stream: str) -> None:
    owner.declare(stream)
    owner.append(stream, b"the last")
    broker.kill()
    broker.start(wait=False)
    assert last_of_log(broker.url(), stream) == b"the last"


def test_a_log_that_is_not_there_is_lost(broker: PrivateBroker, stream: str) -> None:
    assert last_of_log(broker.url(), stream) is None
