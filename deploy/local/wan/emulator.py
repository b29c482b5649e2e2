"""All links and relays of one WAN, and the orders that change them."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.local.wan import settings
from deploy.local.wan.link import Link
from deploy.local.wan.relay import Address, Relay, Route
from sitecfg import Config


class Emulator:
    """Relays over links; each link is shared by all relays whose bytes it carries."""

    def __init__(self, keep: Path | None = None) -> None:
        self._links: dict[str, Link] = {}
        self._relays: list[Relay] = []
        self._keep = keep

    def add(self, client: str, server: str, listen: Address, target: Address) -> None:
        """Add the way of `client` to a server of the site `server`."""
        out, back = self._link(client, server), self._link(server, client)
        self._relays.append(Relay(Route(listen, target, out, back)))

    def _link(self, sender: str, receiver: str) -> Link:
        link = Link(sender, receiver)
        return self._links.setdefault(link.name, link)

    async def run(self) -> None:
        """Relay until cancelled, beginning with the settings that were kept."""
        if self._keep:
            settings.restore(self._keep, self._links.values())
        async with asyncio.TaskGroup() as tasks:
            for relay in self._relays:
                tasks.create_task(relay.run())

    def shape_all(self, **changes: Any) -> None:
        """Set every link before the emulator runs."""
        for link in self._links.values():
            link.change(**changes)

    def order(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out `set`, `get` or `counters`; raises ValueError for what is not understood."""
        match request.get("do"):
            case "set":
                self._set(request.get("links", []), settings.checked(request.get("settings", {})))
                return {"links": self._shapes()}
            case "get":
                return {"links": self._shapes()}
            case "counters":
                return {"links": {name: asdict(link.counters) for name, link in self._links.items()}}
            case other:
                raise ValueError(f"unknown order: {other!r}; there are set, get, counters")

    def _set(self, names: Sequence[str], changes: dict[str, Any]) -> None:
        unknown = [name for name in names if name not in self._links]
        if unknown:
            raise ValueError(f"unknown links: {', '.join(unknown)}; there are {', '.join(self._links)}")
        for name in names:
            self._links[name].change(**changes)
        for relay in self._relays:
            relay.enforce()
        if self._keep:
            settings.save(self._keep, self._links.values())

    def _shapes(self) -> dict[str, Any]:
        return {name: settings.as_dict(link.shape) for name, link in self._links.items()}


def of_config(config: Config, keep: Path | None) -> Emulator:
    """The WAN between a configuration's sites: a relay for each ordered pair of them."""
    emulator = Emulator(keep)
    for client in config.sites.values():
        for name, peer in client.peers.items():
            broker = config.sites[name].broker
            emulator.add(client.name, name, (peer.host, peer.port), (broker.host, broker.tls_port))
    return emulator
