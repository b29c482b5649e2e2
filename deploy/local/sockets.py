"""The stack's TCP connections, from /proc: which of them reach another site without crossing the WAN.

A connection belongs to the process that opened it, so a site's port at the far end is what counts: its
database, broker, web node and metrics are for the site itself, its lines to peers for it alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.layout import local_of
from deploy.local.processes import Process, ours
from deploy.local.rabbitmq import DISTRIBUTION_PORT
from sitecfg import Config

ESTABLISHED = "01"  # https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


@dataclass(frozen=True)
class Socket:
    """One end of an established connection; the queues are bytes not yet acknowledged, not yet read."""

    local_port: int
    remote_port: int
    send_queue_bytes: int
    receive_queue_bytes: int


def established() -> dict[int, Socket]:
    """Every established TCP socket of this machine, by inode."""
    return dict(entry for table in TABLES if table.exists() for entry in _table(table))


def _table(table: Path) -> Iterator[tuple[int, Socket]]:
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == ESTABLISHED:
            send, _, receive = fields[4].partition(":")
            yield int(fields[9]), Socket(_port(fields[1]), _port(fields[2]), int(send, 16), int(receive, 16))


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def sockets_of(process: Process, known: dict[int, Socket]) -> list[Socket]:
    """The established sockets that a process holds open."""
    return [known[inode] for inode in _inodes(process) if inode in known]


def _inodes(process: Process) -> Iterator[int]:
    try:
        for handle in (process.folder / "fd").iterdir():
            target = str(handle.readlink())
            if target.startswith("socket:["):
                yield int(target[8:-1])
    except OSError:
        return  # it has ended


def past_the_wan(config: Config) -> list[str]:
    """Describe each connection from one site's process to a port that is another site's."""
    owners, known = _owners(config), established()
    processes = ours(local_of(config).state.resolve())
    return list(_strangers(processes, owners, known))


def _strangers(processes: Iterable[Process], owners: dict[int, str], known: dict[int, Socket]) -> Iterator[str]:
    for process in processes:
        for socket in sockets_of(process, known) if process.site else ():
            owner = owners.get(socket.remote_port, process.site)
            if owner != process.site:
                yield f"{process.program} ({process.pid}) is connected to port {socket.remote_port} of {owner}"


def _owners(config: Config) -> dict[int, str]:
    """For whom each port is: a relay's port serves the site whose line begins there."""
    return {
        port: site.name
        for site in config.sites.values()
        for port in [
            site.database.port,
            site.broker.port,
            site.broker.tls_port,
            site.broker.port + DISTRIBUTION_PORT,
            site.web.port,
            *site.metrics.ports.values(),
            *(peer.port for peer in site.peers.values()),
        ]
    }
