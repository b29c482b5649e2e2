"""Reads the logical slot over the replication protocol, without ever waiting: the owner's loop watches ``fileno``.

psycopg 3 has no replication cursor, so this speaks COPY_BOTH through ``psycopg.pq``. The messages are those of
PostgreSQL's documentation, "Streaming Replication Protocol".
"""

import time
from collections.abc import Iterator, Sequence
from struct import Struct

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from replication.errors import DecodeError, TransientError
from replication.wire.pglogical import session_options, start_replication

_XLOG_DATA = Struct(">xQQq")
_KEEPALIVE = Struct(">xQqB")
_STATUS = Struct(">cQQQqB")
_EPOCH_2000 = 946_684_800


class SlotStream:
    """One replication connection, streaming from ``start_lsn``. Raises :class:`TransientError` when it breaks."""

    def __init__(self, dsn: str, slot: str, start_lsn: int, sets: Sequence[str]) -> None:
        self.server_lsn = start_lsn
        """Everything up to here was decoded by the server and is either read or had nothing for us."""
        self.wants_reply = False
        options = f"{session_options()} -c wal_sender_timeout=300s"
        conninfo = make_conninfo(dsn, replication="database", application_name="kuroshio capture", options=options)
        self._connection = pq.PGconn.connect(conninfo.encode())
        if self._connection.status != pq.ConnStatus.OK:
            raise TransientError(f"the slot cannot be read: {self._connection.get_error_message()}")
        self._connection.nonblocking = 1
        self._send(start_replication(slot, start_lsn, sets).encode())

    def _send(self, command: bytes) -> None:
        self._connection.nonblocking = 0
        result = self._connection.exec_(command)
        if result.status != pq.ExecStatus.COPY_BOTH:
            reason = result.get_error_message()
            self._connection.finish()  # what is raised keeps this object, and the server has few such connections
            raise TransientError(f"the slot cannot be read: {reason}")
        self._connection.nonblocking = 1

    def fileno(self) -> int:
        """The socket to watch."""
        return self._connection.socket

    def payloads(self) -> Iterator[memoryview]:
        """What has arrived, one plugin message at a time. Keepalives are noted on the way."""
        connection = self._connection
        try:
            connection.consume_input()
            while True:
                size, data = connection.get_copy_data(1)
                if size <= 0:
                    break
                if data[0] == 0x77:  # 'w'
                    yield data[25:]
                else:
                    self._keepalive(data)
        except psycopg.OperationalError as fault:
            raise TransientError(f"the replication connection broke: {fault}") from fault
        if size < 0:
            raise TransientError(f"the server ended the stream: {connection.get_error_message()}")

    def _keepalive(self, data: memoryview) -> None:
        if data[0] != 0x6B:  # 'k'
            raise DecodeError(f"unknown replication message {data[0]}")
        self.server_lsn, _, reply = _KEEPALIVE.unpack(data)
        self.wants_reply = self.wants_reply or bool(reply)

    def confirm(self, read_lsn: int, flushed_lsn: int, *, ask: bool = False) -> None:
        """Tell the server what was read, and up to where the slot may let go."""
        now_us = int((time.time() - _EPOCH_2000) * 1_000_000)
        self._connection.put_copy_data(_STATUS.pack(b"r", read_lsn, flushed_lsn, flushed_lsn, now_us, ask))
        self._connection.flush()
        self.wants_reply = False

    def close(self) -> None:
        """Leave; the slot stays."""
        self._connection.finish()
