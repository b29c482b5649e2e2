"""One site's tables with unique keys and parents, and what merges into them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import psycopg

from replication.apply.applier import Applier
from replication.apply.merging import Merger
from replication.apply.tables import Tables
from replication.core.changes import Author, Change
from replication.definitions import rules_for
from replication.postgres import applying
from replication.postgres.catalog import Table, describe
from replication.postgres.indexes import constraints
from replication.postgres.parameters import register
from replication.postgres.rows import FastRows
from sitecfg import Rules, TableRules, UniqueRule
from tests.postgres.servers import Pair, as_applied
from tests.postgres.test_differential import as_sections

PARENTS = ("p", "q", "r")
Key = tuple[bytes, ...]


@dataclass
class House:
    """One site's tables, and what merges into them."""

    pair: Pair
    tables: Tables
    merger: Merger
    applier: Applier
    by_name: dict[str, Table] = field(default_factory=dict)

    def apply(self, changes: Sequence[Change]) -> None:
        """As the writer does: at once; where the database refuses it, carefully."""
        changes = [self._seen(change) for change in changes]
        for careful in (False, True):
            try:
                with self._applying():
                    for name, table in self.by_name.items():
                        ours = [change for change in changes if change.table[1] == name]
                        sections = list(as_sections(table, ours))
                        self.applier.apply(sections, Author("beta", 2, 0, 0, {}), careful=careful)
                return
            except psycopg.errors.UniqueViolation:
                assert not careful, "careful apply leaves nothing to the caller"

    def _seen(self, change: Change) -> Change:
        """An update whose author had seen what is here goes set-wise."""
        query = f"SELECT kuroshio.newest(kuroshio) FROM {change.table[1]} WHERE id = {change.key[0].decode()}"
        newest = [int(str(row[0])) for row in self.pair.run(self.pair.alpha, query)]
        return replace(change, seen=newest[0]) if change.op == "U" and newest and newest[0] < change.moment else change

    @contextmanager
    def _applying(self) -> Iterator[None]:
        with as_applied(self.pair.alpha), self.pair.alpha.transaction():
            self.pair.run(self.pair.alpha, "SET LOCAL session_replication_role = replica")
            yield

    def look_again(self) -> None:
        """What apply does every few seconds."""
        with self._applying():
            for change, tries in applying.parked(self.pair.alpha, {"beta": 2}, 1000):
                self.applier.merge_or_park(change)
                applying.unpark(self.pair.alpha, change, tries)
            for name, keys in held(self.pair).items():
                self.merger.release(self.by_name[name], keys)
            for table in self.tables.everything():
                if table.schema == self.pair.schema:
                    self.merger.presenter.refresh(table)


def held(pair: Pair) -> dict[str, list[Key]]:
    found: dict[str, list[Key]] = {}
    for schema, name, key in applying.held_rows(pair.alpha, (pair.schema, "", []), 1000):
        if schema == pair.schema:
            found.setdefault(name, []).append(tuple(part.encode() for part in key))
    return found


RULES = {
    "c": TableRules(
        unique_keys={"c_mail": UniqueRule("mark"), "c_tax": UniqueRule("null")},
        parents={"c_q_id_fkey": "falls", "c_r_id_fkey": "null"},
    ),
    **{name: TableRules() for name in PARENTS},
}


def create(pair: Pair) -> None:
    for name in PARENTS:
        pair.everywhere(f"CREATE TABLE {name} (id int PRIMARY KEY, name text)")
    pair.everywhere(
        "CREATE TABLE c (id int PRIMARY KEY, mail varchar(20), tax numeric, a int, b int,"
        " p_id int REFERENCES p, q_id int REFERENCES q, r_id int REFERENCES r)"
    )
    pair.everywhere("CREATE UNIQUE INDEX c_mail ON c (lower(mail))")
    pair.everywhere("CREATE UNIQUE INDEX c_tax ON c (tax) WHERE a > 1")
    pair.everywhere("CREATE UNIQUE INDEX c_pair ON c (a, b)")
    register(pair.alpha)
    pair.run(pair.alpha, "DELETE FROM kuroshio.parked")  # of the tests before


def house_under(pair: Pair, rules: Mapping[str, TableRules]) -> House:
    """The tables under replication, by these rules."""
    for name in (*PARENTS, "c"):
        table = describe(pair.alpha, pair.schema, name)
        pair.enlist(name, rules_for(table, constraints(pair.alpha, table), rules[name]))
    tables = Tables(pair.alpha, Rules({f"{pair.schema}.{name}": said for name, said in rules.items()}))
    merger = Merger(pair.alpha, 1, list(pair.config.sites), tables, partial(applying.park, pair.alpha))
    house = House(pair, tables, merger, Applier(pair.alpha, tables, merger, FastRows(), 10**18))
    house.by_name = {name: describe(pair.alpha, pair.schema, name) for name in (*PARENTS, "c")}
    return house
