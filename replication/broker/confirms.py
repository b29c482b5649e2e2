"""Which messages the broker has confirmed: a ledger without I/O.

1. Delivery tags count the publishes of one channel from 1, over all of its streams.
2. A confirm names one tag, or all tags up to one; streams confirm independently, in any order.
3. A stream's settled token is the highest up to which everything published to it is confirmed.
   Several messages of one stream may carry one token: it settles with the last of them.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Entry:
    stream: str
    token: int
    size: int
    confirmed: bool = False


@dataclass(slots=True)
class Ledger:
    """What was published on one channel and is not yet settled."""

    unconfirmed_bytes: int = 0
    _next_tag: int = 1
    _waiting: dict[int, _Entry] = field(default_factory=dict)
    _streams: dict[str, deque[_Entry]] = field(default_factory=dict)

    @property
    def oldest(self) -> int | None:
        """The tag that has waited longest, None when nothing waits."""
        return next(iter(self._waiting), None)

    def published(self, stream: str, token: int, size: int) -> None:
        """Enter the next publish. Tokens of one stream never fall."""
        entry = _Entry(stream, token, size)
        self._waiting[self._next_tag] = entry
        self._next_tag += 1
        self._streams.setdefault(stream, deque()).append(entry)
        self.unconfirmed_bytes += size

    def confirmed(self, tag: int, *, multiple: bool) -> list[tuple[str, int]]:
        """Take a confirm; return each stream whose settled token rose, with that token."""
        touched: dict[str, None] = {}
        for each in self._tags(tag, multiple=multiple):
            entry = self._waiting.pop(each)
            entry.confirmed = True
            self.unconfirmed_bytes -= entry.size
            touched[entry.stream] = None
        settled = ((stream, _settle(self._streams[stream])) for stream in touched)
        return [(stream, token) for stream, token in settled if token is not None]

    def _tags(self, tag: int, *, multiple: bool) -> Iterable[int]:
        if not multiple:
            return [tag] if tag in self._waiting else []
        tags = []
        for each in self._waiting:
            if each > tag:
                break
            tags.append(each)
        return tags


def _settle(entries: deque[_Entry]) -> int | None:
    """Drop what is confirmed from the front; return the token that is now settled, if one is."""
    settled = last = None
    while entries and entries[0].confirmed:
        token = entries.popleft().token
        if last is not None and token > last:
            settled = last
        last = token
    whole = last is not None and (not entries or entries[0].token > last)
    return last if whole else settled
