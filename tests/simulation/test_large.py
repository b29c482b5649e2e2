"""Scenario 15 on virtual time, in small; a million rows are a part of `make bench-long`."""

import pytest

from replication.capture.session import PART_CHANGES
from tests.simulation.large import RATE_BYTES, Database, travel

ROWS = 8 * PART_CHANGES + 7


@pytest.mark.parametrize("seed", range(4))
def test_a_large_transaction_shows_whole_and_goes_on_where_it_was(seed: int) -> None:
    journey = travel(ROWS, seed)
    assert set(journey.database.seen) == {0, ROWS, ROWS + 1}
    assert journey.database.staged == {}
    most = journey.sent_bytes + journey.line.failures * journey.line.longest_seconds * RATE_BYTES
    assert journey.line.carried_bytes <= most, "a part that had arrived was sent again"


def test_a_site_that_forgets_parts_is_found() -> None:
    class Forgets(Database):
        def take(self, offset: int, body: bytes) -> None:
            if len(self.staged) == 3:
                self.staged.clear()
            super().take(offset, body)

    with pytest.raises(KeyError):
        travel(ROWS, kept=Forgets)
