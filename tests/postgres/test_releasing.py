"""Of the rows that were deleted and are there, each is looked at in its turn, however many there are."""

from replication.apply.merging import Merger
from replication.apply.releasing import Releasing
from replication.apply.tables import Tables
from replication.postgres.parameters import register
from sitecfg import Rules
from tests.postgres.servers import Pair, as_applied


def test_of_thousands_of_rows_that_are_held_each_has_its_turn(pair: Pair) -> None:
    """Most outlived their deletes; three were held by a row that is gone."""
    register(pair.alpha)
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text)")
    pair.enlist("t")
    tables = Tables(pair.alpha, Rules({}))
    merger = Merger(pair.alpha, 1, list(pair.config.sites), tables, lambda *_: None)
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "INSERT INTO t SELECT g, 'x', ARRAY[9000, 0] FROM generate_series(1, 3500) g")
        pair.run(
            pair.alpha,
            "INSERT INTO kuroshio.tombstone (nspname, relname, key, deleted, saw) SELECT %s, 't', ARRAY[g::text],"
            " CASE WHEN g IN (1, 1800, 3500) THEN 9999 ELSE 5000 END, ARRAY[4000, 0] FROM generate_series(1, 3500) g",
            (pair.schema,),
        )
        releasing = Releasing(pair.alpha, tables, merger)
        left = []
        for _ in range(4):
            releasing.look()
            left += [count for (count,) in pair.run(pair.alpha, "SELECT count(*) FROM t")]
    assert left[-1] == 3497
