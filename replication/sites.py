"""Sessions in the sites' databases, for the operator's commands: each site's own database directly, so that they work
while the lines between the sites are cut."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg

from replication.errors import TransientError
from replication.postgres.connect import Connection, connect, site_of
from sitecfg import Config, Site

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reached:
    """The sites that answered, by name in the order of the configuration, and why the others did not."""

    connections: Mapping[str, Connection]
    unreachable: Mapping[str, str] = field(default_factory=dict)

    def require_all(self, purpose: str) -> None:
        """Raise :class:`TransientError` naming every site that cannot be reached."""
        if self.unreachable:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in self.unreachable.items())
            raise TransientError(f"{purpose} needs all sites; these databases do not answer:\n{reasons}")


def chosen(config: Config, name: str | None) -> list[Site]:
    """One site, or all of them."""
    return [config.site(name)] if name else list(config.sites.values())


@contextmanager
def reach(sites: Sequence[Site], *, purpose: str) -> Iterator[Reached]:
    """Connect to all of these sites at once. Those that do not answer are told apart, not raised."""
    with ExitStack() as stack:
        opened = at_each({site.name: site for site in sites}, lambda site: _open(site, purpose))
        connections = {
            name: stack.enter_context(answer) for name, answer in opened.items() if not isinstance(answer, str)
        }
        yield Reached(connections, {name: answer for name, answer in opened.items() if isinstance(answer, str)})


def _open(site: Site, purpose: str) -> Connection | str:
    try:
        connection = connect(site.dsn(), name=purpose)
    except psycopg.OperationalError as fault:
        return " ".join(str(fault).split())
    found = site_of(connection)  # where each site says 127.0.0.1, a site would be compared with itself
    if found in (None, site.name):
        return connection
    connection.close()
    return f"the address of its database leads to that of {found}"


U = TypeVar("U")


def at_each(targets: Mapping[str, U], work: Callable[[U], T]) -> dict[str, T]:
    """Do the same at every site at once; the first fault is raised when all are done."""
    with ThreadPoolExecutor(max(len(targets), 1)) as pool:
        return dict(zip(targets, pool.map(work, targets.values()), strict=True))
