"""What a message may say, beyond being well formed: a peer that signs what no site of ours would write stops its log.

Whatever passes here the writer can apply, park or refuse row by row. What does not would end the writer, and with it
the logs of all other peers: a time that no calendar has, a name that no catalog holds, text that no database stores.

1. Times lie within 285 years of 2000, where PostgreSQL, Python and a double are exact to the microsecond.
2. Names and tokens are short and without NUL; a section names each column once, and its key first.
3. Keys are whole. Values are UTF-8 without NUL, as every value is that PostgreSQL shows.
4. Moments, counts and LSNs are not negative; lives and epochs leave room for the next.
5. A message is a part if it says so, and then says of what.
6. Parts of a cell and the stamps that a delete saw are of their form. What they say is for the column's rule to read.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from replication.errors import DecodeError
from replication.wire.columns import Values
from replication.wire.header import Header
from replication.wire.message import PARTS_OF, Section

MAX_TIME_US: Final = 1 << 53
MAX_COUNT: Final = 1 << 31
MAX_SITES: Final = 1023
_NAME_LENGTH: Final = 127
_BOUNDED: Final = ("life", "epoch:", "generation:")
_CONTINUES: Final = range(0x80, 0xC0)


def require_sound_header(header: Header) -> None:
    """Raise :class:`DecodeError` unless everything that the header says can be stored."""
    times = [header.published_us, header.clock_us, header.first_commit_us, header.last_commit_us]
    times += [position.commit_us for position in header.positions.values()]
    _require(all(abs(time_us) < MAX_TIME_US for time_us in times), "a time beyond any calendar")
    tokens = [header.incarnation, header.rules_version]
    tokens += [position.incarnation for position in header.positions.values()]
    tokens += [step.incarnation for step in header.lineage]
    _require(all(not token or _is_name(token) for token in tokens), "a token that nobody can store")
    _require(all(map(_is_name, [*header.positions, *header.claims])), "a site's name that nobody can store")
    most = max(len(header.positions), len(header.claims), len(header.lineage))
    _require(most <= MAX_SITES, "more sites than there can be")
    _require((header.kind == "part") == (header.part is not None), "a part of nothing, or of what is none")
    _require(header.part is None or header.part.number < MAX_COUNT, "a part beyond any transaction")


def require_sound(sections: Iterable[Section]) -> None:
    """Raise :class:`DecodeError` unless the writer can take, park or refuse every row of these sections by itself."""
    for section in sections:
        _require_names(section)
        _require_numbers(section)
        for values in (*section.values, *section.blobs.values()):
            _require_text(values)
        _require(all(None not in values for values in section.values[: section.key_count]), "a key with a NULL in it")
        _require_blobs(section.blobs)


def _require_names(section: Section) -> None:
    names = [*section.table, *section.columns, *section.extra, *section.blobs]
    _require(all(map(_is_name, names)), "a name that no catalog holds")
    _require(len(set(section.columns)) == len(section.columns), "a column that is named twice")
    _require(section.key_count > 0, "a section without a key")
    _require(section.op != "D" or len(section.columns) == section.key_count, "a delete with more than its key")


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _NAME_LENGTH and "\0" not in name


def _require_numbers(section: Section) -> None:
    _require(min(section.moments, default=1) > 0, "a moment that is none")
    for numbers in (section.seen, *section.extra.values()):
        _require(min(numbers, default=0) >= 0, "a negative stamp or count")
    for name, numbers in section.extra.items():
        _require(not name.startswith(_BOUNDED) or max(numbers, default=0) < MAX_COUNT, f"{name} beyond any count")


def _require_text(values: Values) -> None:
    """All values at once: joined, they are text, and none of them begins within a character."""
    present = [value for value in values if value]
    joined = b"".join(present)
    _require(b"\0" not in joined, "a value with a NUL in it")
    if joined.isascii():
        return
    try:
        joined.decode()
    except UnicodeDecodeError as fault:
        raise DecodeError("a value that is not UTF-8") from fault
    _require(all(value[0] not in _CONTINUES for value in present), "a value that is not UTF-8")


def _require_blobs(blobs: Mapping[str, Values]) -> None:
    for name, values in blobs.items():
        read: Callable[[bytes], object] | None = _parts if name.startswith(PARTS_OF) else _SAW.get(name)
        if read is None:
            continue
        try:
            for value in values:
                if value is not None:
                    read(value)
        except (ValueError, TypeError, AttributeError, RecursionError) as fault:
            raise DecodeError(f"malformed {name}: {fault}") from fault


def _parts(body: bytes) -> None:
    base, parts = json.loads(body)
    found: Mapping[str, Any] = parts
    for key, (order, amount) in found.items():
        if not (_is_count(base) and _is_count(order) and isinstance(amount, str | int)):
            raise ValueError("a part is a count and a text")
        if b"\0" in f"{key}{amount}".encode():  # lone surrogates cannot be encoded
            raise ValueError("a part with a NUL in it")


def _is_count(number: object) -> bool:
    return type(number) is int and 0 <= number < 1 << 63


def _saw(body: bytes) -> None:
    if body[:1] != b"{" or body[-1:] != b"}":
        raise ValueError("stamps are an array")
    numbers = [int(part) for part in body[1:-1].split(b",")]
    if len(numbers) < 2 or len(numbers) % 2 or not all(map(_is_count, numbers)):
        raise ValueError("stamps are a base, what was seen, and pairs")


_SAW: Final[Mapping[str, Callable[[bytes], object]]] = {"saw": _saw}


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise DecodeError(what)
