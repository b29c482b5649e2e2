"""People at all sites who want the same rows: edits that clash, one e-mail for several, parents deleted under children.

What such a row shows in the end is for the rules to say, and for `verify` to find equal everywhere. Only what adds up
is known exactly: a counter holds every increment that was acknowledged, and no more than were tried.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg

from tests.stack.proof.load import Writer
from tests.stack.proof.sites import Sites

PERSON, VISIT = "rival.person", "rival.visit"
COUNTED, ALL, ADDRESSES = 20, 40, 12
"""People up to the first number stay and are counted; those up to the second come and go."""

RULES = f"""
[table."{PERSON}"]
unique.person_email = "mark"
[table."{PERSON}".column]
hits = "counter"
tags = "set"
[table."{VISIT}"]
parent.visit_person_fkey = "returns"
"""
CREATE = f"""
CREATE SCHEMA rival;
CREATE TABLE {PERSON} (id int PRIMARY KEY, email text, note text, tags text[] NOT NULL DEFAULT '{{}}',
  hits bigint NOT NULL DEFAULT 0);
ALTER TABLE {PERSON} ADD CONSTRAINT person_email UNIQUE (email);
CREATE TABLE {VISIT} (id uuid PRIMARY KEY, said text,
  person int NOT NULL CONSTRAINT visit_person_fkey REFERENCES {PERSON} ON DELETE CASCADE)"""
FIRST = f"INSERT INTO {PERSON} (id) SELECT generate_series(1, {ALL})"

Statement = tuple[str, tuple[object, ...]]


class Rival(Writer):
    """One site's; what a constraint refuses is refused, and he goes on."""

    def __init__(self, sites: Sites, site: str, seed: int, stop: threading.Event, pace_seconds: float) -> None:
        super().__init__(sites, site, seed, stop, pace_seconds)
        self.tried: Counter[int] = Counter()
        self.acknowledged: Counter[int] = Counter()

    def _write(self, connection: psycopg.Connection[Any]) -> None:
        if self._random.random() < 0.4:
            self._count(connection)
            return
        what: Callable[[], Statement] = self._random.choice(
            [self._edit, self._edit, self._visit, self._delete, self._insert]
        )
        try:
            connection.execute(*what())
        except psycopg.IntegrityError:
            return

    def _count(self, connection: psycopg.Connection[Any]) -> None:
        person = self._random.randint(1, COUNTED)
        self.tried[person] += 1
        tag = self._random.choice("abcdef")
        change = "tags || ARRAY[%s]" if self._random.random() < 0.6 else "array_remove(tags, %s)"
        connection.execute(f"UPDATE {PERSON} SET hits = hits + 1, tags = {change} WHERE id = %s", (tag, person))
        self.acknowledged[person] += 1

    def _edit(self) -> Statement:
        email = f"{self._random.randint(1, ADDRESSES)}@example.com"
        values = (self._random.choice([email, None]), f"{self.site} {self._random.random()}", self._anybody())
        return f"UPDATE {PERSON} SET email = %s, note = %s WHERE id = %s", values

    def _visit(self) -> Statement:
        key = UUID(int=self._random.getrandbits(128))
        return f"INSERT INTO {VISIT} (id, said, person) VALUES (%s, %s, %s)", (key, self.site, self._anybody())

    def _delete(self) -> Statement:
        return f"DELETE FROM {PERSON} WHERE id = %s", (self._somebody(),)

    def _insert(self) -> Statement:
        return f"INSERT INTO {PERSON} (id, note) VALUES (%s, %s)", (self._somebody(), f"new at {self.site}")

    def _anybody(self) -> int:
        return self._random.randint(1, ALL)

    def _somebody(self) -> int:
        return self._random.randint(COUNTED + 1, ALL)


def miscounted(sites: Sites, rivals: list[Rival]) -> Iterator[tuple[str, int, int, int, int]]:
    """Where a site shows fewer than were acknowledged, or more than were tried: site, person, least, shown, most."""
    least: Counter[int] = sum((rival.acknowledged for rival in rivals), Counter())
    most: Counter[int] = sum((rival.tried for rival in rivals), Counter())
    for site in sites.names:
        shown: dict[int, int] = dict(sites.run(site, f"SELECT id, hits FROM {PERSON} WHERE id <= {COUNTED}"))
        for person in range(1, COUNTED + 1):
            if not least[person] <= shown.get(person, 0) <= most[person]:
                yield site, person, least[person], shown.get(person, 0), most[person]
