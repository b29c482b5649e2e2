"""One direction of one connection: bytes from a source socket over a link to a target socket."""

import asyncio
import socket
from collections import deque

from deploy.local.wan.link import Link


class Lane:
    """Carries bytes until the source ends; then ends the target's incoming side.

    Without a delay a slice is sent on at once; with one it waits in `_held` until it is due. A slice is
    read only while the link is open, so a cut leaves the sender's bytes with the sender.
    """

    def __init__(self, source: socket.socket, target: socket.socket, link: Link) -> None:
        self._source = source
        self._target = target
        self._link = link
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Carry until the end; raises OSError when either socket breaks."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._write())

    async def _read(self) -> None:
        data: bytes | None = None
        while data != b"":
            await self._wait_for_room()
            async with self._link.turn:
                size = await self._link.slice_bytes()
                data = receive(self._source, size)
                due = self._link.book(len(data)) if data is not None else 0.0
            if data is None:
                await readable(self._source)
            else:
                await self._pass_on(data, due)

    async def _pass_on(self, data: bytes, due: float) -> None:
        now = asyncio.get_running_loop().time()
        if data and not self._held and due <= now:
            await self._send(data)
            return
        self._held.append((due, data))
        self._held_bytes += len(data)
        self._moved.set()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._held:
                await self._wait_for_move()
            due, data = self._held[0]
            await asyncio.sleep(due - loop.time())
            if not data:
                await self._link.opened()
                self._target.shutdown(socket.SHUT_WR)
                return
            await self._send(data)
            self._held.popleft()
            self._held_bytes -= len(data)
            self._moved.set()

    async def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            await self._link.opened()
            sent = send(self._target, rest)
            self._link.counters.bytes += sent
            rest = rest[sent:]
            if rest:
                await writable(self._target)

    async def _wait_for_room(self) -> None:
        while self._held_bytes >= self._link.room_bytes:
            await self._wait_for_move()

    async def _wait_for_move(self) -> None:
        self._moved.clear()
        await self._moved.wait()


def receive(source: socket.socket, size: int) -> bytes | None:
    """What is there, b"" at the end of the stream, None when nothing is there yet."""
    try:
        return source.recv(size)
    except BlockingIOError:
        return None


def send(target: socket.socket, data: memoryview) -> int:
    """Send what fits now; 0 when nothing does."""
    try:
        return target.send(data)
    except BlockingIOError:
        return 0


async def readable(sock: socket.socket) -> None:
    """Wait until there is something to read: bytes, an end or an error."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(sock, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


async def writable(sock: socket.socket) -> None:
    """Wait until something can be sent."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(sock, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_writer(sock)


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
