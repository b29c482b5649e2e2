"""The head of a message: whose it is, what of the origin's log it covers, and what the origin knew.

Written in the clear, so that a reader may place a message, or pass over it, without decompressing it.
Times are µs since 2000-01-01 UTC; in the bytes they are differences from ``published_us``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from replication.core.progress import Position
from replication.errors import DecodeError, InvariantError
from replication.wire.binary import Reader, Writer

FORMAT_VERSION: Final = 1

Kind = Literal["changes", "part", "heartbeat", "start"]
_KINDS: Final = get_args(Kind)


class Part(NamedTuple):
    """Which part of which large transaction a message is."""

    xid: int
    number: int
    is_last: bool


class Lineage(NamedTuple):
    """An incarnation of an origin's log, and the LSN where it starts."""

    incarnation: str
    lsn: int


@dataclass(slots=True)
class Header:
    """What a message says before its sections. Its identity is the incarnation and the range (from_lsn, to_lsn]."""

    origin: str
    incarnation: str
    kind: Kind = "changes"
    from_lsn: int = 0
    to_lsn: int = 0
    xid: int = 0
    """The last transaction of the message."""
    first_commit_us: int = 0
    last_commit_us: int = 0
    published_us: int = 0
    clock_us: int = 0
    """The origin's clock when the message was made."""
    transactions: int = 0
    """How many transactions end in this message."""
    changes_total: int = 0
    """How many changes the origin has sent up to and with this message."""
    rules_version: str = ""
    positions: dict[str, Position] = field(default_factory=dict)
    """What the origin had durably applied of others, by site."""
    claims: dict[str, int] = field(default_factory=dict)
    """Up to which LSN nobody at the origin writes any more who had not seen what is applied there, by site. It is a
    row of the origin's WAL within this message's range."""
    part: Part | None = None
    lineage: list[Lineage] = field(default_factory=list)
    """In ``start``: the incarnations of this LSN space, oldest first, this one last."""
    records: int = 0
    """How often the origin's database had kept its record of the log; one that has fewer is an older copy."""
    version: int = FORMAT_VERSION


def write_header(header: Header) -> bytes:
    """The header's bytes, which begin with its origin."""
    if header.version != FORMAT_VERSION:
        raise InvariantError(f"format version {header.version} cannot be written")
    _check(header, InvariantError)
    out = Writer()
    out.text(header.origin)
    out.byte(_KINDS.index(header.kind))
    out.token(header.incarnation)
    for number in (header.from_lsn, header.to_lsn, header.xid):
        out.uint(number)
    out.sint(header.published_us)
    for time_us in (header.first_commit_us, header.last_commit_us, header.clock_us):
        out.sint(header.published_us - time_us)
    out.uint(header.transactions)
    out.uint(header.changes_total)
    out.token(header.rules_version)
    _write_positions(out, header)
    out.uint(len(header.claims))
    for site, lsn in sorted(header.claims.items()):
        out.text(site)
        out.uint(lsn)
    _write_part(out, header.part)
    out.uint(len(header.lineage))
    for incarnation, lsn in header.lineage:
        out.token(incarnation)
        out.uint(lsn)
    if header.records:
        out.uint(header.records)
    return bytes(out.buffer)


def _write_positions(out: Writer, header: Header) -> None:
    out.uint(len(header.positions))
    for site, position in sorted(header.positions.items()):
        out.text(site)
        out.token(position.incarnation)
        out.uint(position.lsn)
        out.uint(position.xid)
        out.sint(header.published_us - position.commit_us)


def _write_part(out: Writer, part: Part | None) -> None:
    out.byte(part is not None)
    if part is not None:
        out.uint(part.xid)
        out.uint(part.number)
        out.byte(part.is_last)


def read_origin(data: bytes | memoryview) -> str:
    """The origin that a header names, to find the key that its signature is checked with."""
    return Reader(data).text()


def read_header_bytes(data: bytes | memoryview) -> Header:
    """What :func:`write_header` wrote."""
    body = Reader(data)
    header = Header(body.text(), "", _kind(body.byte()))
    header.incarnation = body.token()
    header.from_lsn, header.to_lsn, header.xid = body.uint(), body.uint(), body.uint()
    now = header.published_us = body.sint()
    header.first_commit_us = now - body.sint()
    header.last_commit_us = now - body.sint()
    header.clock_us = now - body.sint()
    header.transactions, header.changes_total = body.uint(), body.uint()
    header.rules_version = body.token()
    for _ in range(body.uint()):
        site, incarnation = body.text(), body.token()
        lsn, xid, commit_us = body.uint(), body.uint(), now - body.sint()
        header.positions[site] = Position(incarnation, lsn, xid, commit_us)
    header.claims = {body.text(): body.uint() for _ in range(body.uint())}
    if body.byte():
        header.part = Part(body.uint(), body.uint(), bool(body.byte()))
    header.lineage = [Lineage(body.token(), body.uint()) for _ in range(body.uint())]
    if body.rest:
        header.records = body.uint()
    body.end()
    _check(header, DecodeError)
    return header


def _kind(code: int) -> Kind:
    if code >= len(_KINDS):
        raise DecodeError(f"message of kind {code}")
    kind: Kind = _KINDS[code]
    return kind


def _check(header: Header, error: type[DecodeError | InvariantError]) -> None:
    """Numbers must fit the types that PostgreSQL has for them."""
    places = header.positions.values()
    lsns = [
        header.from_lsn,
        header.to_lsn,
        *(p.lsn for p in places),
        *header.claims.values(),
        *(e.lsn for e in header.lineage),
    ]
    xids = [header.xid, *(p.xid for p in places), *([header.part.xid] if header.part else [])]
    times = [header.first_commit_us, header.last_commit_us, header.published_us, header.clock_us,
             *(p.commit_us for p in places)]  # fmt: skip
    counts = [header.transactions, header.changes_total, header.records, header.part.number if header.part else 0]
    fits = (
        all(0 <= lsn < 1 << 64 for lsn in lsns)
        and all(0 <= xid < 1 << 32 for xid in xids)
        and all(-1 << 63 <= time_us < 1 << 63 for time_us in times)
        and all(0 <= count < 1 << 63 for count in counts)
    )
    if not fits:
        raise error("a number in a message's header is out of its range")
