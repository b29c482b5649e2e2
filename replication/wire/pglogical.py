"""Decoder of pglogical 2.4's native output, without I/O: one payload in, one event out.

The format is that of ``pglogical_proto_native.c``, protocol version 1; integers are big-endian, names end in NUL::

    S  version u8, then key NUL value NUL ...                                       startup
    R  flags u8, oid u32, u8+schema, u8+name, 'A', u16, ('C' flags u8 'N' u16+name)*  relation
    B  flags u8, commit LSN u64, commit time i64, xid u32                           begin
    O  flags u8, origin's LSN u64, u8+name                                          origin
    I  flags u8, oid u32, 'N' tuple                                                 insert
    U  flags u8, oid u32, ['K' tuple,] 'N' tuple                                    update
    D  flags u8, oid u32, 'K' tuple                                                 delete
    C  flags u8, commit LSN u64, end LSN u64, commit time i64                       commit
    tuple:  'T', u16, then for each column  'n' | 'u' | ('i' | 'b' | 't') u32+bytes

1. A value is ``bytes`` (for 't' without its NUL), ``None`` for NULL, or :data:`UNCHANGED` for a TOASTed value that the
   statement did not touch and the server did not send (design.md §2.8). UNCHANGED is never NULL.
2. A key tuple has all columns; those outside the replica identity are NULL in it (P15).
3. A transaction without replicated changes still gives Begin and Commit. Times are µs since 2000-01-01 UTC.
4. A relation is sent again after any invalidation; one that did not change stays the same object, so what callers
   derive from it may be cached by identity.
5. Whatever is malformed raises :class:`DecodeError` and nothing else.

Values are made by the types' output functions *in the walsender's session*: without :data:`SESSION_SETTINGS`
a ``timestamptz`` or an ``interval`` would look as the server's configuration happens to say.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import Enum
from struct import Struct
from typing import Final, NamedTuple, NoReturn

from replication.errors import DecodeError

SESSION_SETTINGS: Final = {
    "TimeZone": "UTC",
    "DateStyle": "ISO,YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "search_path": "pg_catalog",
}
"""What the replication connection must set, so that a value's text says the same at every site."""


def session_options() -> str:
    """The settings as libpq's ``options`` connection parameter."""
    return " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items())


def plugin_options(sets: Sequence[str]) -> dict[str, str]:
    """The options of ``START_REPLICATION`` for these replication sets.

    The first three are obligatory; ``expected_encoding`` makes another database encoding an error; empty
    ``forward_origins`` leaves out what a replication origin wrote (design.md §2.5); no ``binary.*`` option means text.
    """
    return {
        "startup_params_format": "1",
        "min_proto_version": "1",
        "max_proto_version": "1",
        "proto_format": "native",
        "expected_encoding": "UTF8",
        "pglogical.forward_origins": "",
        "pglogical.replication_set_names": ",".join(_identifier(name) for name in sets),
    }


def start_replication(slot: str, lsn: int, sets: Sequence[str]) -> str:
    """The replication command that makes the server send what :class:`Decoder` reads."""
    options = ", ".join(f"{_identifier(name)} {_literal(value)}" for name, value in plugin_options(sets).items())
    return f"START_REPLICATION SLOT {_identifier(slot)} LOGICAL {lsn >> 32:X}/{lsn & 0xFFFFFFFF:X} ({options})"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class Unchanged(Enum):
    """The type of :data:`UNCHANGED`."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
Value = bytes | None | Unchanged
Values = tuple[Value, ...]


class Startup(NamedTuple):
    """The server's answer to the options, before the first transaction of a connection."""

    parameters: dict[str, str]


class Relation(NamedTuple):
    """A table as the following changes see it; ``keys`` are the places of the replica identity in ``columns``."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]
    keys: tuple[int, ...]


class Begin(NamedTuple):
    """A transaction, at its commit: changes come after it was committed."""

    commit_lsn: int
    commit_us: int
    xid: int


class Origin(NamedTuple):
    """Only sent when origins are forwarded, which :func:`plugin_options` does not ask for."""

    lsn: int
    name: str


class Insert(NamedTuple):
    """A new row."""

    relation: Relation
    values: Values


class Update(NamedTuple):
    """``key`` is the old key where the statement changed it, else None."""

    relation: Relation
    key: Values | None
    values: Values


class Delete(NamedTuple):
    """A row that is gone; only the key is known (rule 2)."""

    relation: Relation
    key: Values


class Commit(NamedTuple):
    """The transaction's end; ``end_lsn`` is what the slot may be confirmed up to."""

    commit_lsn: int
    end_lsn: int
    commit_us: int


Event = Startup | Relation | Begin | Origin | Insert | Update | Delete | Commit

_BEGIN = Struct(">xBQqL")
_COMMIT = Struct(">xBQQq")
_ORIGIN = Struct(">xBQB")
_CHANGE = Struct(">xBLB")
_COUNT = Struct(">BH")
_LENGTH = Struct(">L").unpack_from
_RELATION = Struct(">xBL")

_N, _K, _T, _A, _C = b"NKTAC"
_NULL, _UNCHANGED, _TEXT = b"nut"
_BINARY = frozenset(b"ib")
_IS_IDENTITY = 1


class Decoder:
    """The events of one replication connection; remembers the relations that the server has described."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}
        self._readers: dict[int, Callable[[bytes], Event]] = {
            ord("I"): self._insert,
            ord("U"): self._update,
            ord("B"): _begin,
            ord("C"): _commit,
            ord("D"): self._delete,
            ord("R"): self._relation,
            ord("S"): _startup,
            ord("O"): _origin,
        }

    def feed(self, payload: bytes | memoryview) -> Event:
        """The event that one message's payload says (what follows the header of a walsender's 'w')."""
        data = payload if type(payload) is bytes else bytes(payload)
        try:
            return self._readers[data[0]](data)
        except (struct.error, IndexError, KeyError, UnicodeDecodeError) as fault:
            raise DecodeError(f"malformed pglogical message {data[:1]!r} of {len(data)} bytes: {fault!r}") from fault

    def _insert(self, data: bytes) -> Insert:
        flags, oid, kind = _CHANGE.unpack_from(data)
        if flags or kind != _N:
            _refuse("insert without a new tuple")
        relation = self._relations[oid]
        values, end = _tuple(data, 7, len(relation.columns))
        if end != len(data):
            _refuse("length of an insert")
        return Insert(relation, values)

    def _update(self, data: bytes) -> Update:
        flags, oid, kind = _CHANGE.unpack_from(data)
        relation = self._relations[oid]
        width = len(relation.columns)
        key, place = None, 7
        if kind == _K:
            key, end = _tuple(data, 7, width)
            kind, place = data[end], end + 1
        if flags or kind != _N:
            _refuse("update without a new tuple")
        values, end = _tuple(data, place, width)
        if end != len(data):
            _refuse("length of an update")
        return Update(relation, key, values)

    def _delete(self, data: bytes) -> Delete:
        flags, oid, kind = _CHANGE.unpack_from(data)
        if flags or kind != _K:
            _refuse("delete without a key tuple")
        relation = self._relations[oid]
        key, end = _tuple(data, 7, len(relation.columns))
        if end != len(data):
            _refuse("length of a delete")
        return Delete(relation, key)

    def _relation(self, data: bytes) -> Relation:
        flags, oid = _RELATION.unpack_from(data)
        schema, place = _name(data, 7, data[6])
        name, place = _name(data, place + 1, data[place])
        columns, keys = _columns(data, place)
        if flags:
            _refuse("flags of a relation")
        relation = Relation(oid, schema, name, columns, keys)
        known = self._relations.get(oid)
        if known == relation:
            return known
        self._relations[oid] = relation
        return relation


def _tuple(data: bytes, place: int, width: int) -> tuple[Values, int]:
    """The values of a tuple at ``place``, and where it ends.

    The inner loop of capture: no call but ``unpack_from`` a column. Slices past the end are short without a word,
    but the byte before a value's end is looked at and would raise.
    """
    mark, count = _COUNT.unpack_from(data, place)
    if mark != _T or count != width:
        _refuse(f"tuple of {count} columns where the relation has {width}")
    place += 3
    values: list[Value] = []
    append = values.append
    for _ in range(count):
        kind = data[place]
        if kind == _TEXT:
            start = place + 5
            (length,) = _LENGTH(data, place + 1)
            place = start + length
            if not length or data[place - 1]:
                _refuse("text value without its NUL")
            append(data[start : place - 1])
        elif kind == _NULL:
            append(None)
            place += 1
        else:
            value, place = _rare_value(data, kind, place + 1)
            append(value)
    return tuple(values), place


def _rare_value(data: bytes, kind: int, place: int) -> tuple[Value, int]:
    if kind == _UNCHANGED:
        return UNCHANGED, place
    if kind not in _BINARY:
        _refuse(f"column kind {kind}")
    start = place + 4
    end = start + _LENGTH(data, place)[0]
    if end > len(data):
        _refuse("binary value beyond the message")
    return data[start:end], end


def _columns(data: bytes, place: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    mark, count = _COUNT.unpack_from(data, place)
    if mark != _A:
        _refuse("relation without attributes")
    place += 3
    columns: list[str] = []
    keys: list[int] = []
    for index in range(count):
        if data[place] != _C or data[place + 2] != _N:
            _refuse("attribute without a name")
        if data[place + 1] & _IS_IDENTITY:
            keys.append(index)
        column, place = _name(data, place + 5, int.from_bytes(data[place + 3 : place + 5], "big"))
        columns.append(column)
    if place != len(data):
        _refuse("length of a relation")
    return tuple(columns), tuple(keys)


def _name(data: bytes, start: int, length: int) -> tuple[str, int]:
    end = start + length
    if not length or data[end - 1] or 0 in data[start : end - 1]:
        _refuse("name without its NUL")
    return data[start : end - 1].decode(), end


def _begin(data: bytes) -> Begin:
    flags, commit_lsn, commit_us, xid = _BEGIN.unpack(data)
    if flags:
        _refuse("flags of a begin")
    return Begin(commit_lsn, commit_us, xid)


def _commit(data: bytes) -> Commit:
    flags, commit_lsn, end_lsn, commit_us = _COMMIT.unpack(data)
    if flags:
        _refuse("flags of a commit")
    return Commit(commit_lsn, end_lsn, commit_us)


def _origin(data: bytes) -> Origin:
    flags, lsn, length = _ORIGIN.unpack_from(data)
    name, end = _name(data, _ORIGIN.size, length)
    if flags or end != len(data):
        _refuse("length of an origin")
    return Origin(lsn, name)


def _startup(data: bytes) -> Startup:
    if data[1] != 1 or data[-1]:
        _refuse("startup in an unknown format")
    texts = data[2:].decode().split("\0")[:-1]
    if len(texts) % 2:
        _refuse("startup key without a value")
    return Startup(dict(zip(texts[::2], texts[1::2], strict=True)))


def _refuse(what: str) -> NoReturn:
    raise DecodeError(f"malformed pglogical message: {what}")
