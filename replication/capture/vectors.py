"""What this site had applied of the others, and when: for the messages, the heartbeats, and the record of passages.

1. A sample reads the applied positions first and the WAL position second. A transaction that commits behind that WAL
   position came after everything that the sample names.
2. So a message whose changes all lie behind a sample's WAL position may carry that sample, and no later one: a later
   one would claim that the author had seen what it had not, and a conflict would pass without a record.
"""

from collections import deque

from replication.capture.gather import Batch
from replication.core.progress import Position
from replication.postgres.capturing import Positions, record_passage
from replication.postgres.connect import Connection


class Vectors:
    """Samples by WAL position, oldest first; at least one at or before whatever will be asked for."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, Positions]] = deque()
        self._span: tuple[int, int] | None = None
        self._moments = (0, 0)
        self._span_applied: Positions = {}

    @property
    def newest_lsn(self) -> int | None:
        """The WAL position of the newest sample."""
        return self._samples[-1][0] if self._samples else None

    def sample(self, positions: Positions, lsn: int) -> None:
        """Take a sample in."""
        self._samples.append((lsn, positions))

    def at(self, from_lsn: int) -> dict[str, Position]:
        """What was surely applied before anything behind ``from_lsn`` was committed."""
        known: dict[str, Position] = {}
        for lsn, positions in self._samples:
            if lsn > from_lsn:
                break
            known = positions
        return known

    def forget(self, before_lsn: int) -> None:
        """No message that is still to be made begins before this position."""
        while len(self._samples) > 1 and self._samples[1][0] <= before_lsn:
            self._samples.popleft()

    def passed(self, batch: Batch, from_lsn: int) -> None:
        """Note the moments of a batch that is about to be published."""
        low, high = batch.moments()
        if not high:
            return
        to_lsn = batch.end_lsn or from_lsn
        if self._span is None:
            self._span, self._moments, self._span_applied = (from_lsn, to_lsn), (low, high), self.at(from_lsn)
        else:
            self._span = (self._span[0], max(to_lsn, self._span[1]))
            self._moments = (min(low, self._moments[0]), max(high, self._moments[1]))

    def store(self, connection: Connection, site: int, changes: int, numbers: dict[str, int]) -> None:
        """Keep what passed since the last call."""
        if self._span is None:
            return
        applied = {numbers[name]: position.lsn for name, position in self._span_applied.items() if name in numbers}
        record_passage(connection, site, self._span, self._moments, applied, changes)
        self._span = None
