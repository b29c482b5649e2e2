"""Sockets of the relay: small, because what waits in a buffer is in flight on the emulated line.

The kernel sizes a sender's own buffer by its segments and its congestion window; a small segment and a
small window offered to it keep that buffer small as well, also where its program did not set one.
"""

import contextlib
import socket
import struct

BUFFER_BYTES = 16 * 1024
SEGMENT_BYTES = 1400  # on loopback it would be 64 KB
THIN_BYTES_PER_SECOND = 125_000
THIN_BUFFER_BYTES = 2 * 1024
THIN_SEGMENT_BYTES = 536
BACKLOG = 128
ESTABLISHED = 1  # TCP_INFO's state while neither end has hung up


def new(rate_bytes: float | None) -> socket.socket:
    """A socket whose incoming bytes travel a line of this rate."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    fit(sock, rate_bytes)
    return sock


def fit(sock: socket.socket, rate_bytes: float | None) -> None:
    """Size what is read ahead after the line; accepted sockets inherit it from their listener."""
    if sock.fileno() < 0:
        return
    thin = rate_bytes is not None and rate_bytes < THIN_BYTES_PER_SECOND
    buffer, segment = (THIN_BUFFER_BYTES, THIN_SEGMENT_BYTES) if thin else (BUFFER_BYTES, SEGMENT_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    with contextlib.suppress(OSError):  # a connection that has ended takes no segment size
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)


def listener(address: tuple[str, int]) -> socket.socket:
    """A socket that listens there."""
    sock = new(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    sock.listen(BACKLOG)
    return sock


def reset(sock: socket.socket) -> None:
    """Close at once; the other end is told that the connection is gone."""
    if sock.fileno() >= 0:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def is_established(sock: socket.socket) -> bool:
    """Whether neither end has hung up, as the kernel sees it."""
    return sock.fileno() >= 0 and sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED
