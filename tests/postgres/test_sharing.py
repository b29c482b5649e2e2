"""A change of the rules of who receives what, at one site: what others may have now is noted for them, once, in slices,
whenever the site is killed, and not before all is here."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from replication.apply.merging import Merger
from replication.apply.sharing import SLICE_ROWS, Sharing
from replication.apply.tables import Tables
from replication.postgres import applying, capturing
from replication.postgres.parameters import register
from replication.wire.header import Header, Kind
from sitecfg import Config, Rules, TableRules
from sitecfg.rules import Share
from tests.postgres.servers import Pair, as_applied

ROWS = SLICE_ROWS + 500
ALPHAS = Share(column="owner", by_value={"alpha": ("alpha",)})
BETAS = Share(column="owner", by_value={"alpha": ("beta",)})
NOTED = "SELECT count(*), count(DISTINCT key) FROM kuroshio.moved"


class Alpha:
    """Its rows, and what its apply does with them under one version of the rules or another."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.session = pair, pair.alpha
        self.under(TableRules(share=ALPHAS))

    def under(self, rules: TableRules) -> None:
        """Start under these rules, at both sites, with capture."""
        self.start(rules)
        self.session.execute("UPDATE kuroshio.capture SET rules = %s", (self.config.rules.version,))
        self.heard(self.config.rules.version)

    def start(self, rules: TableRules) -> None:
        """Start apply."""
        self.config: Config = replace(self.pair.config, rules=Rules({f"{self.pair.schema}.t": rules}))
        self.tables = Tables(self.session, self.config.rules, list(self.config.sites), "alpha")
        self.merger = Merger(self.session, 1, list(self.config.sites), self.tables, lambda *_: pytest.fail("it waits"))
        self.sharing = Sharing(self.session, self.config, "alpha", self.tables, self.merger)

    def heard(self, version: str) -> None:
        """Of beta, under a version of the rules."""
        self.session.execute(
            "INSERT INTO kuroshio.position (origin, incarnation, lsn, rules, rules_from) VALUES ('beta', '', '0/9', %s,"
            " '0/5') ON CONFLICT (origin) DO UPDATE SET rules = excluded.rules",
            (version,),
        )

    def noted(self) -> tuple[object, ...]:
        """How many rows wait for capture."""
        return self.pair.run(self.session, NOTED)[0]

    def passes_on(self) -> None:
        """Capture sends what is noted."""
        self.session.execute("DELETE FROM kuroshio.moved")

    def is_heard(self) -> None:
        """Beta has applied all that was sent."""
        self.session.execute(
            "INSERT INTO kuroshio.peer_position (reader, origin, incarnation, lsn, said_at, heard_at)"
            " SELECT 'beta', 'alpha', incarnation, pg_current_wal_insert_lsn() + 1000000, now(), now()"
            " FROM kuroshio.site"
            " ON CONFLICT (reader, origin) DO UPDATE SET lsn = excluded.lsn"
        )

    def owes(self) -> bool:
        [(audiences,)] = self.pair.run(self.session, "SELECT jsonb_array_length(audiences) FROM kuroshio.audience")
        return bool(audiences != 1)

    def count(self) -> object:
        return self.pair.run(self.session, "SELECT count(*) FROM t")[0][0]


@pytest.fixture
def alpha(fresh: Callable[..., Pair]) -> Iterator[Alpha]:
    """It has rows of its own, which beta may not have; and some that both have."""
    pair = fresh()
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, owner text)")
    pair.enlist("t")
    pair.run(pair.alpha, f"INSERT INTO t SELECT g, 'alpha' FROM generate_series(1, {ROWS}) g")
    pair.run(pair.alpha, "INSERT INTO t SELECT -g, 'beta' FROM generate_series(1, 50) g")
    register(pair.alpha)
    with ExitStack() as stack:
        stack.enter_context(as_applied(pair.alpha))
        made = Alpha(pair)
        made.sharing.step()
        assert (made.noted(), made.owes()) == ((0, 0), False)
        yield made


def test_all_that_is_owed_is_noted_in_slices_and_a_kill_forgets_and_repeats_nothing(alpha: Alpha) -> None:
    alpha.under(TableRules())
    alpha.sharing.step()
    first = alpha.noted()
    assert first in [(SLICE_ROWS - 50,) * 2, (SLICE_ROWS,) * 2]
    alpha.sharing.step()
    assert alpha.noted() == first, "capture has not sent it yet"
    alpha.passes_on()
    alpha.sharing.step()
    alpha.sharing.step()
    assert alpha.noted() == (0, 0), "beta has not applied it yet"
    alpha.under(TableRules())
    alpha.sharing.step()
    assert alpha.noted() == (ROWS - int(str(first[0])),) * 2
    alpha.passes_on()
    alpha.is_heard()
    alpha.sharing.step()
    assert not alpha.owes()
    for _ in range(3):
        alpha.sharing.step()
    assert alpha.noted() == (0, 0)


def test_nothing_is_sent_while_something_older_is_on_its_way(alpha: Alpha) -> None:
    alpha.start(TableRules())
    version = alpha.config.rules.version
    alpha.sharing.step()
    alpha.session.execute("UPDATE kuroshio.capture SET rules = %s", (version,))
    alpha.sharing.step()
    assert (alpha.noted(), alpha.owes()) == ((0, 0), True), "beta still writes under the earlier rules"
    alpha.heard(version)
    parked = (
        "INSERT INTO kuroshio.parked (nspname, relname, key, moment, op, origin, lsn, change, reason)"
        " VALUES (%s, 't', '{9}', %s, 'U', 'beta', %s, '{}', 'insert')"
    )
    alpha.pair.run(alpha.session, parked, (alpha.pair.schema, 1, "0/4"))
    alpha.sharing.step()
    assert alpha.noted() == (0, 0), "a change of then waits"
    alpha.session.execute("DELETE FROM kuroshio.parked")
    alpha.pair.run(alpha.session, parked, (alpha.pair.schema, 2, "0/6"))
    alpha.sharing.step()
    assert alpha.noted() != (0, 0), "one that was written since does not count"


def test_rules_that_are_put_back_in_between_owe_nothing(alpha: Alpha) -> None:
    alpha.start(TableRules())
    alpha.sharing.step()
    alpha.start(TableRules(share=ALPHAS))
    alpha.sharing.step()
    assert not alpha.owes()
    alpha.under(TableRules())
    alpha.sharing.step()
    assert alpha.noted() != (0, 0), "and nothing of it was done"


def test_rows_are_given_up_when_they_are_sent_and_not_before(alpha: Alpha) -> None:
    alpha.under(TableRules(share=BETAS))
    alpha.sharing.step()
    assert alpha.count() == ROWS + 50
    for _ in range(4):
        alpha.passes_on()
        alpha.is_heard()
        alpha.sharing.step()
    assert (alpha.owes(), alpha.count()) == (False, 50)


def test_a_row_that_is_taken_away_before_its_turn_is_handed_over(alpha: Alpha) -> None:
    alpha.start(TableRules(share=BETAS))
    alpha.sharing.step()
    table = alpha.tables.get((alpha.pair.schema, "t"))
    assert table is not None
    alpha.merger.leave(table, [(b"7",)])
    assert alpha.count() == ROWS + 49
    assert alpha.pair.run(alpha.session, "SELECT key FROM kuroshio.moved WHERE before ? %s", ("beta",)) == [(["7"],)]


def test_the_position_says_where_an_origins_rules_begin(alpha: Alpha) -> None:
    for lsn, version in ((20, "one"), (30, "one"), (40, "two"), (50, "two")):
        header = Header("beta", "token", to_lsn=lsn, rules_version=version)
        applying.save_place(alpha.session, header, "", 0)
    assert alpha.pair.run(alpha.session, "SELECT rules, rules_from::text FROM kuroshio.position") == [("two", "0/1E")]


def test_what_is_said_of_an_origin_is_up_to_when_all_is_applied_and_not_when_it_last_wrote(alpha: Alpha) -> None:
    """Idle since 100, and heard of at 900; then there is more than what the next one says."""
    said: list[tuple[Kind, int, int, int, bool]] = [
        ("changes", 10, 100, 110, False),
        ("heartbeat", 20, 100, 900, True),
        ("heartbeat", 30, 100, 950, False),
    ]
    for kind, lsn, commit, published, complete in said:
        header = Header("beta", "token", kind, to_lsn=lsn, last_commit_us=commit, published_us=published)
        applying.save_place(alpha.session, header, "", 0, complete=complete)
    positions, _ = capturing.sample(alpha.session)
    assert (positions["beta"].lsn, positions["beta"].commit_us) == (30, 900)
