"""A listening port that stands for one site's way to a peer's server, and the connections through it.

A connection carries the client's bytes on one link and the server's on the other. News of an end travels
like bytes: nobody hears of a hang-up over a link that is cut.
"""

import asyncio
import socket
from dataclasses import dataclass

from deploy.local.wan import sockets
from deploy.local.wan.lane import Lane
from deploy.local.wan.link import Link

Address = tuple[str, int]

SWEEP_SECONDS = 5.0


class Connection:
    """One client's connection; the server is dialled once the link towards it is open."""

    def __init__(self, client: socket.socket, target: Address, out: Link, back: Link) -> None:
        self._sockets = [client]
        self._target = target
        self._out = out
        self._back = back
        self._seen_ended = False

    async def run(self) -> None:
        """Carry both directions until both have ended or one socket breaks."""
        for link in (self._out, self._back):
            link.counters.connections += 1
            link.counters.open += 1
        try:
            await self._carry()
        finally:
            self.reset()
            for link in (self._out, self._back):
                link.counters.open -= 1

    async def _carry(self) -> None:
        try:
            client, server = self._sockets[0], await self._dial()
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(Lane(client, server, self._out).run())
                lanes.create_task(Lane(server, client, self._back).run())
            self._close()
        except* OSError:
            await asyncio.gather(self._hang_up(0, self._back), self._hang_up(1, self._out))

    async def _dial(self) -> socket.socket:
        await self._out.opened()
        server = sockets.new(self._back.shape.rate_bytes)
        self._sockets.append(server)
        await asyncio.get_running_loop().sock_connect(server, self._target)
        return server

    async def _hang_up(self, index: int, link: Link) -> None:
        """Reset one end's socket once the news can reach it."""
        await link.opened()
        for sock in self._sockets[index : index + 1]:
            sockets.reset(sock)

    def _close(self) -> None:
        for sock in self._sockets:
            sock.close()

    def reset(self) -> None:
        """Drop both sockets at once, as a router that forgot the connection would."""
        for sock in self._sockets:
            sockets.reset(sock)

    def fit(self) -> None:
        """Size the buffers of what is read for each link after its rate."""
        for sock, link in zip(self._sockets, (self._out, self._back), strict=False):
            sockets.fit(sock, link.shape.rate_bytes)

    def is_forsaken(self) -> bool:
        """Whether both ends had hung up at this look and at the one before.

        A client that tries again and again during a cut would otherwise leave its sockets here.
        """
        ended = all(not sockets.is_established(sock) for sock in self._sockets)
        forsaken, self._seen_ended = ended and self._seen_ended, ended
        return forsaken


@dataclass(frozen=True)
class Route:
    """Where a relay listens, where it leads, and the links that its connections use."""

    listen: Address
    target: Address
    out: Link
    back: Link


class Relay:
    """Listens for one route and keeps its connections."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._listener: socket.socket
        self._connections: dict[asyncio.Task[None], Connection] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        with sockets.listener(self._route.listen) as self._listener:
            self.enforce()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._accept())
                tasks.create_task(self._sweep())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            if self._cut_by_reset():
                sockets.reset(client)
            else:
                self._start(client)

    def _start(self, client: socket.socket) -> None:
        connection = Connection(client, self._route.target, self._route.out, self._route.back)
        task = asyncio.create_task(connection.run())
        self._connections[task] = connection
        task.add_done_callback(self._connections.pop)

    def _cut_by_reset(self) -> bool:
        return "reset" in (self._route.out.shape.cut, self._route.back.shape.cut)

    def enforce(self) -> None:
        """Apply changed settings to the listener and to the connections that are there."""
        sockets.fit(self._listener, self._route.out.shape.rate_bytes)
        for task, connection in list(self._connections.items()):
            connection.fit()
            if self._cut_by_reset():
                task.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if self._route.out.shape.cut or self._route.back.shape.cut:
                for task, connection in list(self._connections.items()):
                    if connection.is_forsaken():
                        task.cancel()
