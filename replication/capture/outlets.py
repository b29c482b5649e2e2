"""The lanes of all views of this site's log: each view's are whole in themselves, and get what the view may have.

Where everybody sees everything there is one view, and nothing is made twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from replication.capture.gather import Batch
from replication.capture.lanes import Lanes, LaneState
from replication.capture.narrowing import Narrower

QUIET_SECONDS = 1.0
"""What holds nothing for a view is left out of its lanes, but never for longer: its readers must know how far it is."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One view's lanes."""

    view: str
    lanes: Lanes
    narrower: Narrower

    def put(self, batch: Batch, now_us: int) -> None:
        """Publish what the view may have of a batch."""
        batch = self.narrower.narrow(batch)
        is_due = not 0 <= now_us - self.lanes.live.published_us < QUIET_SECONDS * 1_000_000
        if not (batch.buffers or batch.part or batch.fenced or batch.claims or is_due):
            self.lanes.pass_over(batch)
            return
        self.lanes.put(batch, now_us)


@dataclass(frozen=True, slots=True)
class Outlets:
    """All views' lanes; the first is that of the widest view."""

    every: Sequence[Outlet]

    @property
    def first(self) -> Lanes:
        return self.every[0].lanes

    @property
    def published_lsn(self) -> int:
        """Up to here every view has everything."""
        return min(lane.published_lsn for outlet in self.every for lane in self._lanes(outlet))

    @property
    def confirmed(self) -> tuple[int, int]:
        """Up to where the broker has confirmed every view's live lane, and every packed one."""
        live = min(outlet.lanes.live.confirmed_lsn for outlet in self.every)
        return live, min(outlet.lanes.packed.confirmed_lsn for outlet in self.every)

    def put(self, batch: Batch, now_us: int) -> None:
        """Publish a batch to all views."""
        for outlet in self.every:
            outlet.put(batch, now_us)

    def each(self, work: Callable[[Lanes], None]) -> None:
        """Do the same for each view's lanes."""
        for outlet in self.every:
            work(outlet.lanes)

    def lane(self, view: str, name: str) -> LaneState:
        """One lane of one view."""
        lanes = next(outlet.lanes for outlet in self.every if outlet.view == view)
        return lanes.live if name == "live" else lanes.packed

    @staticmethod
    def _lanes(outlet: Outlet) -> tuple[LaneState, LaneState]:
        return outlet.lanes.live, outlet.lanes.packed
