"""The emulator's orders as calls, for the command line, the tests and the benchmarks."""

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from deploy.local.wan.relay import Address
from deploy.local.wan.settings import delay_seconds, rate_bytes


class WanError(Exception):
    """The emulator did not understand, or is not there."""


@dataclass(frozen=True)
class Lines:
    """Directed links, chosen as people name them.

    `site` alone is everything from and to it; with `peer`, both directions between the two;
    `sender` and `receiver` leave one direction; nothing at all is every link.
    """

    site: str | None = None
    peer: str | None = None
    sender: str | None = None
    receiver: str | None = None

    def among(self, sites: Iterable[str]) -> list[str]:
        """The chosen links' names; raises WanError for a site that is not there."""
        known = list(sites)
        for name in (self.site, self.peer, self.sender, self.receiver):
            if name is not None and name not in known:
                raise WanError(f"no site is called {name}; the sites are {', '.join(known)}")
        return [f"{a}>{b}" for a, b in permutations(known, 2) if self._chooses(a, b)]

    def _chooses(self, sender: str, receiver: str) -> bool:
        wanted = {self.site, self.peer} - {None}
        return wanted <= {sender, receiver} and self.sender in (None, sender) and self.receiver in (None, receiver)


class WanClient:
    """Speaks to one emulator; a call returns once the change holds."""

    def __init__(self, address: Address, sites: Iterable[str], *, timeout_seconds: float = 5.0) -> None:
        self._address = address
        self._sites = tuple(sites)
        self._timeout_seconds = timeout_seconds

    def cut(self, lines: Lines = Lines(), *, mode: str = "silence") -> None:
        self._set(lines, cut=mode)

    def heal(self, lines: Lines = Lines()) -> None:
        """End cuts; rates and delays stay."""
        self._set(lines, cut="")

    def shape(self, lines: Lines = Lines(), *, rate: str | None = None, delay: str | None = None) -> None:
        """Set a rate (`64kbit`, `full`) and a delay (`200ms`); what is not named stays."""
        changes: dict[str, Any] = {}
        if rate is not None:
            changes["rate_bytes"] = rate_bytes(rate)
        if delay is not None:
            changes["delay_seconds"] = delay_seconds(delay)
        self._set(lines, **changes)

    def links(self) -> dict[str, dict[str, Any]]:
        """Each link's settings."""
        return self._ask({"do": "get"})

    def counters(self) -> dict[str, dict[str, int]]:
        """For each link the bytes it delivered, and the connections it saw and has."""
        return self._ask({"do": "counters"})

    def _set(self, lines: Lines, **settings: Any) -> None:
        self._ask({"do": "set", "links": lines.among(self._sites), "settings": settings})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with socket.create_connection(self._address, self._timeout_seconds) as connection:
                connection.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(connection.makefile().readline() or '{"error": "it hung up"}')
        except OSError as error:
            raise WanError(f"no WAN emulator at port {self._address[1]}: {error}; are the sites up?") from error
        if "error" in answer:
            raise WanError(answer["error"])
        return dict(answer["links"])
