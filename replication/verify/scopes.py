"""What must be equal at which sites, where rules say that not everybody receives everything.

The rows of a table fall into *classes* by what their deciding columns hold: a value that the rules name, or another.
Of a class, the sites that receive it must have the same rows and stamps, and the same values in the columns that all of
them see; and those that see a further column must have the same values there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from psycopg import sql

from replication.audience import audience_for, deciding
from replication.core.views import Sight, TableView
from replication.postgres.catalog import Constant, Table
from replication.postgres.residency import Place
from sitecfg import Rules

Class = Mapping[str, str | None]
"""Deciding column -> the value that it holds; None: one that the rules do not name."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Some rows and columns of a table that must be equal at some sites."""

    sites: tuple[str, ...]
    columns: frozenset[str] | None = None
    """None: all of them."""
    rows: sql.Composable | None = None
    """The condition of the rows; None: all of them."""
    stamped: bool = True


@dataclass(frozen=True, slots=True)
class Entitled:
    """Who is entitled to what of one table."""

    table: Table
    views: Mapping[str, TableView]
    named: Mapping[str, Sequence[str]]
    """Deciding column -> the values that the rules name."""

    def classes(self, place: Place) -> Iterator[tuple[Class, sql.Composed]]:
        """The classes of rows, each with its condition where rows stand."""
        columns = list(self.named)
        for values in product(*([*self.named[column], None] for column in columns)):
            held = dict(zip(columns, values, strict=True))
            yield held, sql.SQL(" AND ").join([sql.SQL("true"), *(self._holds(place, c, v) for c, v in held.items())])

    def _holds(self, place: Place, column: str, value: str | None) -> sql.Composed:
        if value is not None:
            return sql.SQL("{} = {}").format(place.value(column), Constant(value))
        others = Constant(list(self.named[column]))
        return sql.SQL("coalesce({} <> ALL ({}::text[]), true)").format(place.value(column), others)

    def sights(self, held: Class) -> dict[str, Sight]:
        """What each site sees of a class's rows."""
        values = {column: None if value is None else value.encode() for column, value in held.items()}
        return {site: view.sight(values) for site, view in self.views.items()}

    def scopes(self, place: Place) -> Iterator[Scope]:
        """What must be equal, of the rows that stand there, and at which sites; classes alike in it are looked at
        together."""
        alike: dict[tuple[tuple[str, Sight], ...], list[sql.Composed]] = {}
        for held, condition in self.classes(place):
            sights = tuple((site, sight) for site, sight in self.sights(held).items() if sight.admits)
            alike.setdefault(sights, []).append(condition)
        for sights, conditions in alike.items():
            rows = sql.SQL("(({}))").format(sql.SQL(") OR (").join(conditions))
            yield from self._scopes(dict(sights), rows)

    def _scopes(self, sights: Mapping[str, Sight], rows: sql.Composed) -> Iterator[Scope]:
        everything = {column.name for column in self.table.columns}
        hidden = frozenset(name for sight in sights.values() for name in sight.hidden) & everything
        if len(sights) > 1:
            yield Scope(tuple(sights), frozenset(everything - hidden), rows)
        seen: dict[tuple[str, ...], set[str]] = {}
        for name in hidden:
            seen.setdefault(tuple(site for site, sight in sights.items() if name not in sight.hidden), set()).add(name)
        for sites, names in seen.items():
            if len(sites) > 1:
                yield Scope(sites, frozenset(names), rows, stamped=False)


def entitled(table: Table, rules: Rules, sites: Sequence[str]) -> Entitled | None:
    """Who is entitled to what; None where everybody is to everything."""
    views = audience_for(rules, sites, table.qualified)
    if all(view.is_everything for view in views.values()):
        return None
    declared = rules.table(str(table))
    shares = [declared.share, *(rule.share for rule in declared.columns.values())]
    named = {
        column: sorted({value for share in shares if share and share.column == column for value in share.by_value})
        for column in deciding(declared)
    }
    return Entitled(table, views, named)
