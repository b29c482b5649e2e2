"""Rules of delete, unique and parent that are changed: what a database shows then is what follows from all changes
under the new ones, whatever was shown before, and whichever changes came when (pitfall P13)."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from replication.apply import deriving
from replication.apply.deriving import Deriver
from replication.errors import RulesUnknownError
from replication.postgres.connect import connect
from sitecfg import Rules, TableRules, UniqueRule
from tests.postgres.house import PARENTS, RULES, House, create, house_under
from tests.postgres.servers import Pair, as_applied
from tests.postgres.test_claims import Story, require_shown

WIN = {name: TableRules(delete="wins") for name in ("c", *PARENTS)}
LOSE = {
    **{name: TableRules(delete="loses") for name in PARENTS},
    "c": TableRules(
        delete="loses",
        unique_keys={"c_mail": UniqueRule("null"), "c_tax": UniqueRule("hide")},
        parents={"c_p_id_fkey": "null", "c_r_id_fkey": "falls"},
    ),
}
FALL = {**WIN, "c": TableRules(parents={f"c_{name}_id_fkey": "falls" for name in PARENTS})}
P_LOSES = {**WIN, "p": TableRules(delete="loses")}


@contextmanager
def deriver(house: House) -> Iterator[Deriver]:
    """What apply makes when it is started."""
    pair = house.pair
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "SET session_replication_role = replica")
        try:
            yield Deriver(pair.alpha, house.merger, house.tables.declared)
        finally:
            pair.run(pair.alpha, "RESET session_replication_role")


def derive(house: House) -> None:
    """All that is due."""
    with deriver(house) as found:
        found.look()
        while found.step():
            pass


def derived(pair: Pair) -> bool:
    """Is on record, of all tables, that they were derived under the rules that the triggers have?"""
    rules = "jsonb_build_object('delete', rules->'delete', 'unique', rules->'unique', 'parents', rules->'parents')"
    query = f"SELECT count(*) FROM kuroshio.replicated_table WHERE nspname = %s AND derived = {rules}"
    return pair.run(pair.alpha, query, (pair.schema,)) == [(4,)]


@pytest.mark.parametrize("before", [WIN, LOSE, FALL], ids=["wins", "loses", "falls"])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_shown_follows_the_rules_in_force(
    pair: Pair, before: dict[str, TableRules], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deriving, "BATCH_ROWS", 3)
    create(pair)
    house, story = house_under(pair, before), Story(pair.schema, seed)
    batches = list(story.batches())
    switch = story.dice.randint(len(batches) // 2, len(batches))
    for batch in batches[:switch]:
        house.apply(batch)
    house.look_again()
    house = house_under(pair, RULES)
    assert not derived(pair)
    for batch in batches[switch:]:
        house.apply(batch)
    for _ in range(2):
        derive(house)
    for _ in range(4):
        house.look_again()
    require_shown(house, story.changes)


def contested(pair: Pair, *keys: int) -> House:
    """Rows that were deleted, and edited meanwhile: dead, as a delete wins."""
    create(pair)
    house, story = house_under(pair, WIN), Story(pair.schema, 1)
    story.changes.clear()
    for key in keys or (1,):
        for op in "IDU":
            story.add("p", key, op, {"name": b"later"})
    for change in story.changes:
        house.apply([change])
    assert pair.run(pair.alpha, "SELECT id FROM p") == []
    return house


def test_a_row_that_was_dead_comes_back_and_one_that_lived_goes(pair: Pair) -> None:
    contested(pair)
    derive(house_under(pair, P_LOSES))
    assert pair.run(pair.alpha, "SELECT name FROM p") == [("later",)]
    assert derived(pair)
    derive(house_under(pair, WIN))
    assert pair.run(pair.alpha, "SELECT name FROM p") == []
    assert derived(pair)


@contextmanager
def held(pair: Pair, key: int) -> Iterator[None]:
    """While somebody has a deleted row locked."""
    with connect(pair.config.sites["alpha"].dsn(), name="user") as user, user.transaction():
        user.execute(
            "SELECT FROM kuroshio.tombstone WHERE nspname = %s AND key = %s FOR UPDATE", (pair.schema, [str(key)])
        )
        yield


def test_who_meets_a_lock_goes_on_from_where_it_was(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deriving, "BATCH_ROWS", 1)
    contested(pair, 1, 2, 3)
    house = house_under(pair, P_LOSES)
    pair.run(pair.alpha, "SET lock_timeout = '100ms'")
    with deriver(house) as found:
        found.look()
        assert found.step()
        with held(pair, 2), pytest.raises(psycopg.errors.LockNotAvailable):
            found.step()
        assert pair.run(pair.alpha, "SELECT id FROM p") == [(1,)], "a step is a batch"
        assert not derived(pair)
        with held(pair, 1):
            while found.step():
                pass
    assert derived(pair)
    assert pair.run(pair.alpha, "SELECT id FROM p ORDER BY id") == [(1,), (2,), (3,)]


def test_who_has_not_read_the_new_rules_ends_and_who_is_ahead_of_the_triggers_waits(pair: Pair) -> None:
    stale = contested(pair)
    house_under(pair, P_LOSES)
    with pytest.raises(RulesUnknownError, match=r"s\d+\.p .* were changed since"):
        derive(stale)
    ahead = house_under(pair, WIN)
    ahead.tables.declared = Rules({f"{pair.schema}.{name}": said for name, said in P_LOSES.items()})
    query = "SELECT derived IS NULL FROM kuroshio.replicated_table WHERE nspname = %s AND relname = 'p'"
    pair.run(pair.alpha, "UPDATE kuroshio.replicated_table SET derived = NULL WHERE relname = 'p'")
    derive(ahead)
    assert pair.run(pair.alpha, query, (pair.schema,)) == [(True,)]
    assert pair.run(pair.alpha, "SELECT name FROM p") == []
