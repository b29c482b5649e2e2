"""Where a reader begins to read a log, and where it looks again for what is missing there.

1. A stored offset is only a hint (pitfall P10). What is missing behind it is looked for from about the time when that
   was published which is applied, and then from the log's beginning.
2. What is not there either is lost: the origin stops, and is read from the hint alone until its log or its position is
   another. So who waits for a person does not read the whole log every half minute, over a line that may be thin.
3. Where nothing is heard, the stream may not have the offset, or the origin is silent: it is attached to by the time,
   after longer each time.
"""

from datetime import datetime, timedelta

from replication.broker.session import Offset
from replication.errors import KuroshioError, PositionLostError, TransientError
from replication.postgres.applying import Place

_SINCE = timedelta(minutes=1)
_PATIENCE_SECONDS, _LONG_PATIENCE_SECONDS = 15.0, 600.0


class Whence:
    """Of one reader, at this site."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._next: str = "hint"
        self._here: tuple[str, int] = ("", 0)
        self._lost: tuple[str, int] | None = None
        self._silent: tuple[str, int] | None = None
        self.patience_seconds = _PATIENCE_SECONDS
        """How long to hear nothing."""

    def offset(self, stream: str, place: Place | None) -> Offset:
        """Where to begin: where this stream was left, or at about that time in the other lane."""
        wanted, self._next = self._next, "hint"
        self._here = (stream, place.position.lsn if place else 0)
        if self._silent != self._here:
            self._silent, self.patience_seconds = None, _PATIENCE_SECONDS
        if wanted == "first" or place is None or place.published_at is None:
            return "first"
        return place.stream_offset if place.stream == stream and wanted == "hint" else place.published_at - _SINCE

    def silent(self) -> TransientError:
        """What to raise where nothing was heard for so long."""
        self._next, self._silent = "time", self._here
        self.patience_seconds = min(4 * self.patience_seconds, _LONG_PATIENCE_SECONDS)
        return TransientError("no heartbeat for too long: attaching again, a minute before what is applied")

    def again(self, offset: Offset, missing: str) -> KuroshioError:
        """What to raise where something is missing behind this offset."""
        if offset == "first" or self._lost == self._here:
            self._lost = self._here
            return PositionLostError(
                f"{missing}: {self._site} must be seeded again. Next: python -m replication rejoin {self._site}"
            )
        self._next = "first" if isinstance(offset, datetime) else "time"
        return TransientError(f"{missing}: looking for it further back in the log")
