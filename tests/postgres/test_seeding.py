"""A site is seeded from a file, and goes on with the same file where it was killed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from replication.postgres import closing
from replication.snapshot.seeding import Seeding, open_site
from replication.snapshot.taking import take
from tests.postgres.servers import Pair


class Killed(Exception):
    pass


def test_an_empty_site_goes_on_where_it_was_killed(fresh: Callable[..., Pair], tmp_path: Path) -> None:
    """What was loaded of the snapshot by then was not written there."""
    pair = fresh()
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY)")
    pair.enlist("t")
    pair.run(pair.alpha, "INSERT INTO t VALUES (1), (2)")
    alpha, beta = pair.config.sites.values()
    take(pair.config, alpha, tmp_path / "alpha", lambda _: None)
    loaded = list[int]()

    def die_after_the_first(done: int) -> None:
        loaded.append(done)
        if len(loaded) == 1:
            raise Killed

    with (tmp_path / "alpha").open("rb") as file:
        with pytest.raises(Killed):
            Seeding(pair.config, beta, file).run(die_after_the_first)
        assert pair.run(pair.beta, "SELECT id FROM t ORDER BY id") == [(1,), (2,)]
        Seeding(pair.config, beta, file).run(die_after_the_first)
    open_site(pair.config, beta)
    assert closing.closed(pair.beta) is None
    assert pair.run(pair.beta, "SELECT id FROM t ORDER BY id") == [(1,), (2,)]


def test_a_snapshot_is_for_its_user_alone(fresh: Callable[..., Pair], tmp_path: Path) -> None:
    """Also where one that was cut off before was not."""
    (tmp_path / "alpha.part").touch(0o644)
    pair = fresh()
    take(pair.config, pair.config.sites["alpha"], tmp_path / "alpha", lambda _: None)
    assert (tmp_path / "alpha").stat().st_mode & 0o777 == 0o600
