"""How long capture waits for a broker that serves it, and not its streams."""

from itertools import pairwise

from replication.capture.daemon import Patience
from replication.errors import StreamDown, TransientError

DOWN = StreamDown("it starts")


def test_only_a_stream_that_is_not_served_counts_and_from_the_first_time_on() -> None:
    patience = Patience()
    patience.fails(TransientError("the line fell"), 0)
    assert not patience.is_over(1000)
    patience.fails(DOWN, 1000)
    patience.fails(DOWN, 1007)
    assert not patience.is_over(1008)
    assert patience.is_over(1009)


def test_a_new_log_that_is_not_served_either_makes_it_last_longer_each_time() -> None:
    patience, now, logs = Patience(), 0, list[int]()
    while now < 3600:
        if patience.is_over(now):
            logs.append(now)
        patience.fails(DOWN if now == 0 else TransientError("the broker was lost: (541, 'INTERNAL_ERROR')"), now)
        now += 5
    gaps = [later - earlier for earlier, later in pairwise(logs)]
    assert gaps == sorted(gaps)
    assert len(logs) < 65


def test_what_is_served_again_is_waited_for_as_at_first() -> None:
    patience = Patience()
    for now in (0, 9, 30):
        patience.fails(DOWN, now)
    patience.served()
    patience.fails(DOWN, 100)
    assert patience.is_over(109)
