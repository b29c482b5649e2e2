"""From the wire's sections, in columns, to single changes: pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from replication.core.arrays import parse_integers
from replication.core.changes import Author, Change
from replication.core.rules import Parts, parts_from_json
from replication.core.stamps import term_in
from replication.wire.message import COMMIT_LSN, MASK_OF, MOMENT_OF, PARTS_OF, REFERENTIAL, SENT_LSN, WHOLE, Section

T = TypeVar("T")


def unapplied(sections: Sequence[Section], lsn: int) -> list[Section]:
    """Without the rows of transactions that end at or before the position ``lsn``: an earlier log held them in other
    messages. A position is where a transaction ends or, of a heartbeat, between two; so they commit before it."""
    left = (_unapplied(section, lsn) for section in sections)
    return [section for section in left if section.moments]


def _unapplied(section: Section, lsn: int) -> Section:
    sent = section.extra.get(SENT_LSN)
    if sent is None:
        return section
    left = [index for index, commit in enumerate(sent) if commit == 0 or commit >= lsn]

    def pick(column: Sequence[T]) -> list[T]:
        return [column[index] for index in left]

    return replace(
        section,
        values=[pick(column) for column in section.values],
        moments=pick(section.moments),
        seen=pick(section.seen),
        extra={name: pick(column) for name, column in section.extra.items() if name != SENT_LSN},
        blobs={name: pick(column) for name, column in section.blobs.items()},
    )


def changes_of(section: Section, author: Author, indices: Iterator[int] | Sequence[int]) -> Iterator[Change]:
    """The changes of some rows of a section."""
    count = section.key_count
    names = section.columns[count:]
    life, committed, saw = section.extra.get("life"), section.extra.get(COMMIT_LSN), section.blobs.get("saw")
    referential = section.extra.get(REFERENTIAL)
    for index in indices:
        row = [column[index] for column in section.values]
        yield Change(
            section.table,
            section.op,
            tuple(part or b"" for part in row[:count]),
            dict(zip(names, row[count:], strict=True)),
            section.moments[index],
            section.seen[index],
            author,
            life[index] if life else 1,
            _authority(section, names, index),
            _parts(section, index),
            tuple(parse_integers(saw[index] or b"{0,0}")) if saw else (),
            committed[index] if committed else 0,
            _marked(section, MASK_OF, index),
            _moments(section, index),
            WHOLE in section.extra,
            bool(referential and referential[index]),
        )


def _marked(section: Section, prefix: str, index: int) -> frozenset[str]:
    return frozenset(
        name.removeprefix(prefix) for name, column in section.extra.items() if name.startswith(prefix) and column[index]
    )


def _moments(section: Section, index: int) -> dict[str, int]:
    return {
        name.removeprefix(MOMENT_OF): column[index]
        for name, column in section.extra.items()
        if name.startswith(MOMENT_OF) and column[index]
    }


def _parts(section: Section, index: int) -> dict[str, tuple[int, Parts]]:
    found = {}
    for name, column in section.blobs.items():
        body = column[index]
        if name.startswith(PARTS_OF) and body is not None:
            base, parts = json.loads(body)
            found[name.removeprefix(PARTS_OF)] = (int(base), parts_from_json(parts))
    return found


def _authority(section: Section, names: Sequence[str], index: int) -> dict[str, tuple[int, int]]:
    if not section.extra.keys() - {"life", REFERENTIAL, COMMIT_LSN}:
        return {}
    pairs = {}
    for name in names:
        columns = [section.extra.get(f"{kind}:{name}") for kind in ("generation", "term", "epoch")]
        generation, term, epoch = (column[index] if column else 0 for column in columns)
        if generation or term or epoch:
            pairs[name] = (term_in(generation, term), epoch)
    return pairs
