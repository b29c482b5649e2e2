"""What this site had applied of the others, and when: for the messages, the heartbeats, and the record of passages.

1. A sample reads the applied positions first and the WAL position second. A transaction that commits behind that WAL
   position came after everything that the sample names.
2. So a message whose changes all lie behind a sample's WAL position may carry that sample, and no later one: a later
   one would claim that the author had seen what it had not, and a conflict would pass without a record.
"""

from collections import deque
from collections.abc import Mapping

from replication.capture.gather import Batch
from replication.core.progress import Position
from replication.core.stamps import join_moments
from replication.postgres.capturing import Positions

Span = tuple[int, int]
Moments = tuple[int, int]


class Vectors:
    """Samples by WAL position, oldest first; at least one at or before whatever will be asked for."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, Positions]] = deque()
        self._span: Span | None = None
        self._moments = (0, 0)
        self._span_applied: Positions = {}
        self._open = False

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
        self._moments = join_moments([self._moments, batch.moments()])
        if not self._moments[1]:
            return
        if self._span is None:
            self._span, self._span_applied = (from_lsn, from_lsn), self.at(from_lsn)
        self._span = (self._span[0], max(batch.end_lsn, self._span[1]))
        self._open = batch.part is not None and not batch.part[2]

    def take(self, numbers: Mapping[str, int]) -> tuple[Span, Moments, dict[int, int]] | None:
        """What passed since the last call: its LSN range, its moments, and what was applied by then, by site number.
        The parts of a large transaction lie where it ends, so they wait for that."""
        if self._span is None or self._open:
            return None
        applied = {numbers[name]: position.lsn for name, position in self._span_applied.items() if name in numbers}
        taken = self._span, self._moments, applied
        self._span, self._moments = None, (0, 0)
        return taken
