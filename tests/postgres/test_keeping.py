"""What a restored site alone has comes back, and what was deleted everywhere does not."""

from collections.abc import Callable

import pytest

from replication.clock import now_us
from replication.core.changes import Author
from replication.definitions import row_rules
from replication.snapshot.keeping import bring_back, set_aside
from tests.postgres.servers import Pair, as_applied


@pytest.mark.parametrize(("peers_had_it", "counted"), [(False, (1, 0)), (True, (0, 1))])
def test_an_insert_that_nobody_knows_comes_back_only_if_no_peer_had_passed_it(
    fresh: Callable[..., Pair], peers_had_it: bool, counted: tuple[int, int]
) -> None:
    """One that a peer has had was deleted, so long ago that everybody has forgotten it."""
    pair = fresh()
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, v text)")
    table = pair.enlist("t")
    rules, author, began = row_rules(table, pair.config.rules), Author("alpha", 1, 0, 0, {}), now_us()
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'in the backup')")
    set_aside(pair.alpha, table, rules, author, began)
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "DELETE FROM t")
    passed_us = now_us() if peers_had_it else began
    assert bring_back(pair.alpha, table, rules, author, ["beta"], passed_us) == counted
    assert pair.run(pair.alpha, "SELECT count(*) FROM kuroshio.parked") == [(counted[0],)]
    assert not pair.run(pair.alpha, "SELECT FROM kuroshio.kept")
