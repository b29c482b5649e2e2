"""Local users and apply at the same rows at the same time: whatever comes first, no orphan, no ghost, all are equal.

Pitfalls P2, P3 and P17, and scenario 19. Each race is run again and again in both directions, on few keys, so that both
orders happen; what a user's own statement then says (a foreign key, a unique key) is no fault.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
import pytest

from tests.stack.proof.sites import Sites, until

SEED = 19
TABLES = ("races.parent", "races.child", "races.link")
USER_FAULTS = (
    psycopg.errors.ForeignKeyViolation,
    psycopg.errors.UniqueViolation,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
ORPHANS = """
SELECT (SELECT count(*) FROM races.child c LEFT JOIN races.parent p ON p.id = c.parent
         WHERE c.parent IS NOT NULL AND p.id IS NULL)
     + (SELECT count(*) FROM races.link l LEFT JOIN races.parent p ON p.id = l.parent WHERE p.id IS NULL)"""

Connection = psycopg.Connection[Any]
Step = Callable[[Connection, random.Random], object]


@pytest.fixture(scope="module")
def tables(four_sites: Sites) -> tuple[str, ...]:
    four_sites.everywhere(
        "CREATE SCHEMA races;"
        " CREATE TABLE races.parent (id int PRIMARY KEY, a int NOT NULL DEFAULT 0, b int NOT NULL DEFAULT 0);"
        " CREATE TABLE races.child (id int PRIMARY KEY, parent int REFERENCES races.parent, n int);"
        " CREATE TABLE races.link"
        "  (id int, parent int REFERENCES races.parent ON DELETE CASCADE, PRIMARY KEY (id, parent))"
    )
    four_sites.add_tables(*TABLES)
    return TABLES


def insert_parent(user: Connection, dice: random.Random) -> object:
    return user.execute("INSERT INTO races.parent VALUES (%s) ON CONFLICT DO NOTHING", (dice.randint(1, 6),))


def delete_parent(user: Connection, dice: random.Random) -> object:
    return user.execute("DELETE FROM races.parent WHERE id = %s", (dice.randint(1, 6),))


def insert_child(user: Connection, dice: random.Random) -> object:
    key = dice.randint(1, 12)
    return user.execute("INSERT INTO races.child VALUES (%s, %s, 0) ON CONFLICT DO NOTHING", (key, key % 6 + 1))


def delete_child(user: Connection, dice: random.Random) -> object:
    return user.execute("DELETE FROM races.child WHERE id = %s", (dice.randint(1, 12),))


def move_child(user: Connection, dice: random.Random) -> object:
    return user.execute("UPDATE races.child SET parent = %s WHERE id = %s", (dice.randint(1, 6), dice.randint(1, 12)))


def insert_link(user: Connection, dice: random.Random) -> object:
    return user.execute("INSERT INTO races.link VALUES (%s, %s)", (dice.randint(1, 3), dice.randint(1, 6)))


def edit(user: Connection, dice: random.Random) -> object:
    column = dice.choice("ab")
    return user.execute(f"UPDATE races.parent SET {column} = {column} + 1 WHERE id = %s", (dice.randint(1, 6),))


def edit_twice(user: Connection, dice: random.Random) -> object:
    with user.transaction():
        edit(user, dice)
        return edit(user, dice)


def hammer(sites: Sites, users: Mapping[str, Sequence[Step]], rounds: int, *, seed: str) -> Counter[str]:
    """Every site's user takes random steps as fast as it can; returns how many steps did something, and the faults."""
    done: Counter[str] = Counter()
    faults: list[BaseException] = []

    def run(site: str, steps: Sequence[Step]) -> None:
        dice = random.Random(f"{SEED} {seed} {site}")
        try:
            with sites.connect(site) as user:
                for _ in range(rounds):
                    step = dice.choice(steps)
                    try:
                        step(user, dice)
                        done[step.__name__] += 1
                    except USER_FAULTS as fault:
                        done[type(fault).__name__] += 1
        except psycopg.Error as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=one) for one in users.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
    return done


def settle(sites: Sites, tables: Sequence[str]) -> None:
    sites.converge(*tables)
    for site in sites.names:
        assert sites.value(site, ORPHANS) == 0, f"{site} has children without their parents"
        until(f"nothing waits at {site}", lambda: not sites.parked(site), 20, lambda: str(sites.parked(site)))  # noqa: B023
    sites.converge(*tables)


def fill(sites: Sites, tables: Sequence[str]) -> None:
    sites.run("taipei", "INSERT INTO races.parent SELECT g FROM generate_series(1, 6) g ON CONFLICT DO NOTHING")
    sites.converge(*tables)


@pytest.mark.parametrize(("here", "there"), [("taipei", "us"), ("us", "taipei")])
def test_a_child_inserted_while_its_parent_is_deleted(
    sites: Sites, tables: tuple[str, ...], here: str, there: str
) -> None:
    done: Counter[str] = Counter()
    for turn in range(4):
        fill(sites, tables)
        users = {here: [delete_parent, delete_child], there: [insert_child, insert_link, move_child]}
        done += hammer(sites, users, 30, seed=f"{here} {turn}")
    assert done["insert_child"] > 3
    assert done["delete_parent"] > 3
    settle(sites, tables)


@pytest.mark.parametrize(("here", "there"), [("taipei", "us"), ("us", "taipei")])
def test_a_key_inserted_while_its_delete_arrives(sites: Sites, tables: tuple[str, ...], here: str, there: str) -> None:
    sites.run("taipei", "DELETE FROM races.child")  # which would keep their parents from being deleted at all
    sites.converge(*tables)
    for turn in range(4):
        fill(sites, tables)
        done = hammer(sites, {here: [delete_parent], there: [insert_parent]}, 60, seed=f"key {here} {turn}")
        assert done["delete_parent"] > 0
    settle(sites, tables)


def test_a_row_edited_between_the_guard_and_the_write(sites: Sites, tables: tuple[str, ...]) -> None:
    fill(sites, tables)
    done = hammer(sites, {name: [edit, edit_twice] for name in sites.names}, 120, seed="edit")
    assert done["edit"] > 100
    settle(sites, tables)


def test_everything_at_once_at_every_site(sites: Sites, tables: tuple[str, ...]) -> None:
    steps = [insert_parent, delete_parent, insert_child, delete_child, move_child, insert_link, edit, edit_twice]
    fill(sites, tables)
    done = hammer(sites, dict.fromkeys(sites.names, steps), 250, seed="all")
    assert all(done[step.__name__] > 5 for step in steps), done
    settle(sites, tables)
