"""The conflicts of a site, for an application that shows them and asks people about some. Read-only.

1. A conflict's id is a function of what identifies it: the table, the row's key, the column and the two moments, older
   first. So it is the same at every site, whichever version won there first, and however often it was delivered. It is
   a UUID of version 3 (MD5, RFC 9562 §5.3), because PostgreSQL itself can compute that: what is open is one join.
   What was claimed of a unique key that another row holds is known by the claim alone: sites may have met the claims
   of three rows in another order, and so against other holders.
2. A conflict is open while the application asks about its column or its unique key, or its column's rule had been
   changed between the two versions, and it has no answer. The answer is a row of the
   application's own: in a table that it names, whose key ``id`` is the conflict's id. Where that table is replicated,
   one answer closes the conflict everywhere.
3. Only columns that the application names are shown: the rest are its business, not a person's. What befell a row
   because of a unique key or of its parent is shown where the row itself is.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid3, uuid5

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from replication.core.conflicts import GENERATION
from replication.core.stamps import SITE_MASK, hlc_of, site_of
from replication.status.views import NotInitialisedError

NAMESPACE = uuid5(NAMESPACE_URL, "kuroshio:conflict")
"""Of the ids, fixed for ever: the same conflict must bear the same id under every version of this program."""

UNIQUE, PARENT = "multiple_unique_conflicts", "foreign_key_missing"
"""The types of what befalls a row because of a unique key, or of its parent."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two versions: who wrote it where and when, and the value in PostgreSQL's text form."""

    site: str
    """Its name, or its number where the name is not known."""
    at: datetime
    value: str | None
    moment: int


@dataclass(frozen=True, slots=True)
class ConflictView:
    """Two versions of which neither author had the other's, and what was decided."""

    id: UUID
    table: str
    """``schema.table``."""
    key: tuple[str, ...]
    column: str
    """Empty for the row's existence; the sides have no values then. For a unique key, the column that shows it: the
    winner is then another row's claim, of the same value. For a parent, the reference: the winner is its deletion."""
    winner: Side
    loser: Side
    type: str
    resolution: str
    rule: str
    recorded_at: datetime
    """By this site's clock."""
    open: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """What an application shows of the conflicts, and which of them it asks a person about."""

    columns: Mapping[str, Mapping[str, bool]]
    """``schema.table`` -> column -> whether somebody is asked; the column "" stands for the row itself."""
    answers: str
    """``schema.table``: its rows' ``id`` are the ids of the conflicts that somebody has answered."""
    keys: Mapping[str, Collection[str]] = field(default_factory=dict)
    """``schema.table`` -> the unique keys about whose conflicts somebody is asked."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; an empty field narrows nothing."""

    tables: Sequence[str] = ()
    keys: Sequence[Sequence[str]] | None = None
    """Only these rows; an empty sequence finds none."""
    site: str = ""
    """That wrote either version."""
    rule: str = ""
    """As it is recorded, or ``unique`` or ``parent`` for those of any unique key or foreign key."""
    since: datetime | None = None
    until: datetime | None = None
    """Of the record."""
    open: bool | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """The place of a conflict in the list: the next page starts behind it."""

    open: bool
    recorded_at: datetime
    key: tuple[str, ...]
    id: UUID

    @classmethod
    def of(cls, conflict: ConflictView) -> "Mark":
        return cls(conflict.open, conflict.recorded_at, conflict.key, conflict.id)


EVERYTHING = Wanted()


class Conflicts:
    """The conflicts in one site's database. ``sites``: number by name. Each raises :class:`NotInitialisedError`."""

    def __init__(self, connection: psycopg.Connection[Any], sites: Mapping[str, int], watched: Watched) -> None:
        self._connection = connection
        self._sites = sites
        self._watched = watched
        self._names = {number: name for name, number in sites.items()}

    def page(self, wanted: Wanted = EVERYTHING, *, after: Mark | None = None, most: int = 25) -> list[ConflictView]:
        """Open ones first, then the newest record first, those of a row together; at most so many, behind a place."""
        place: dict[str, Any] = dict.fromkeys(("open", "at", "key", "id"))
        if after:
            place = {"open": after.open, "at": after.recorded_at, "key": list(after.key), "id": after.id}
        narrowing = sql.SQL(
            "(%(after_open)s::boolean IS NULL OR (open, recorded_at, key, id)"
            " < (%(after_open)s, %(after_at)s, %(after_key)s::text[], %(after_id)s::uuid))"
        )
        return self._views(wanted, narrowing, {f"after_{name}": value for name, value in place.items()}, most)

    def get(self, wanted: UUID | str) -> ConflictView | None:
        """One conflict; None where no conflict has this id, or the text is no id."""
        found = self.get_all([wanted])
        return found[0] if found else None

    def get_all(self, wanted: Iterable[UUID | str]) -> list[ConflictView]:
        """Those of these conflicts that are here, in the list's order."""
        ids = [known for known in map(_as_id, wanted) if known]
        return self._views(EVERYTHING, sql.SQL("id = ANY (%(ids)s::uuid[])"), {"ids": ids}, len(ids)) if ids else []

    def count_open(self, *, most: int = 100) -> int:
        """How many are open, counted up to a bound."""
        query = sql.SQL("SELECT count(*) AS number FROM (SELECT FROM ({}) AS f WHERE open LIMIT %(most)s) AS counted")
        parameters = _parameters(EVERYTHING, self._sites, self._watched)
        (row,) = self._rows(query.format(self._found(EVERYTHING)), {**parameters, "asked": True, "most": most})
        return int(row["number"])

    def oldest_open(self) -> datetime | None:
        """When the oldest of those that are open was recorded here; None where nothing is."""
        query = sql.SQL("SELECT min(recorded_at) AS oldest FROM ({}) AS f WHERE open")
        parameters = _parameters(EVERYTHING, self._sites, self._watched)
        (row,) = self._rows(query.format(self._found(EVERYTHING)), {**parameters, "asked": True})
        oldest: datetime | None = row["oldest"]
        return oldest

    def _views(self, wanted: Wanted, narrowing: sql.SQL, more: Mapping[str, Any], most: int) -> list[ConflictView]:
        query = sql.SQL(
            "SELECT * FROM ({}) AS found WHERE (%(open)s::boolean IS NULL OR open = %(open)s) AND {}"
            " ORDER BY open DESC, recorded_at DESC, key DESC, id DESC LIMIT %(most)s"
        ).format(self._found(wanted), narrowing)
        parameters = {**_parameters(wanted, self._sites, self._watched), **more, "most": most}
        return [self._view(row) for row in self._rows(query, parameters)]

    def _rows(self, query: sql.Composed, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            if not cursor.execute(_INSTALLED).fetchall()[0]["installed"]:
                raise NotInitialisedError("this database is not under replication: run python -m replication init")
            return cursor.execute(query, parameters).fetchall()

    def _found(self, wanted: Wanted) -> sql.Composed:
        source = _EVERYWHERE if wanted.keys is None else _OF_ROWS
        answers = sql.Identifier(*self._watched.answers.split("."))
        return sql.SQL(_FOUND).format(source=sql.SQL(source), answers=answers, asks=sql.SQL(_ASKS))

    def _view(self, row: Mapping[str, Any]) -> ConflictView:
        return ConflictView(
            row["id"],
            f"{row['nspname']}.{row['relname']}",
            tuple(row["key"]),
            row["column_name"],
            self._side(row["winner"], row["winner_value"]),
            self._side(row["loser"], row["loser_value"]),
            row["type"],
            row["resolution"],
            row["rule"],
            row["recorded_at"],
            row["open"],
        )

    def _side(self, moment: int, value: str | None) -> Side:
        number = site_of(moment)
        return Side(self._names.get(number, str(number)), time_of(moment), value, moment)


def conflict_id(table: str, key: Sequence[str], column: str, one: int, other: int) -> UUID:
    """The id of the conflict between the versions of a cell that were written at two moments; of a claim on a unique
    key that another row holds, ``one`` and ``other`` are both the claim's."""
    schema, _, name = table.partition(".")
    older, newer = sorted((one, other))
    parts = [schema, name, column, str(older), str(newer), *key]
    return uuid3(NAMESPACE, json.dumps(parts, ensure_ascii=False))


def time_of(moment: int) -> datetime:
    """When a moment was, by the clock of the site that wrote."""
    return _EPOCH + timedelta(microseconds=hlc_of(moment))


def _as_id(text: UUID | str) -> UUID | None:
    try:
        return text if isinstance(text, UUID) else UUID(text)
    except ValueError:
        return None


def _parameters(wanted: Wanted, sites: Mapping[str, int], watched: Watched) -> dict[str, Any]:
    known = [
        (*table.split(".", 1), column, asks)
        for table, names in watched.columns.items()
        if not wanted.tables or table in wanted.tables
        for column, asks in names.items()
    ]
    schemas, tables, names, asks = map(list, zip(*known, strict=True)) if known else ([], [], [], [])
    return {
        "schemas": schemas,
        "tables": tables,
        "columns": names,
        "asks": asks,
        "asked": False,
        "asked_keys": [f"{table}.unique.{name}" for table, names in watched.keys.items() for name in names],
        "keys": json.dumps([list(key) for key in wanted.keys or ()]),
        "site": sites.get(wanted.site, 0) if wanted.site else None,
        "rule": wanted.rule or None,
        "since": wanted.since,
        "until": wanted.until,
        "open": wanted.open,
    }


_INSTALLED = "SELECT to_regclass('kuroshio.conflict') IS NOT NULL AS installed"

_EVERYWHERE = "kuroshio.conflict c"

# OFFSET 0 keeps the planner from reading all conflicts: the primary key leads to those of a row.
_OF_ROWS = """
       (SELECT DISTINCT * FROM unnest(%(schemas)s::text[], %(tables)s::text[])) AS t (nspname, relname)
 CROSS JOIN (
       SELECT DISTINCT array(SELECT jsonb_array_elements_text(k)) AS key
         FROM jsonb_array_elements(%(keys)s::jsonb) AS k) AS r
 CROSS JOIN LATERAL (
       SELECT * FROM kuroshio.conflict
        WHERE nspname = t.nspname AND relname = t.relname AND key = r.key OFFSET 0) AS c"""

_OF_KEY = f"c.type = '{UNIQUE}'"
# Such a rule is recorded as in the files of rules: "unique.NAME = outcome".
_ASKS = f"""(w.asks OR c.rule = '{GENERATION}' OR {_OF_KEY} AND
       concat_ws('.', c.nspname, c.relname, split_part(c.rule, ' = ', 1)) = ANY (%(asked_keys)s::text[]))"""

# The id as `conflict_id` computes it. OFFSET 0 keeps the digest from being computed once for each of its parts.
_FOUND = f"""
SELECT c.nspname, c.relname, c.key, c.column_name, c.winner, c.loser, c.type, c.resolution, c.rule,
       c.winner_value, c.loser_value, c.recorded_at, i.id, {{asks}} AND a.id IS NULL AS open
  FROM {{source}}
  JOIN unnest(%(schemas)s::text[], %(tables)s::text[], %(columns)s::text[], %(asks)s::boolean[])
       AS w (nspname, relname, column_name, asks)
       ON (w.nspname, w.relname) = (c.nspname, c.relname)
      AND w.column_name = CASE WHEN c.type IN ('{UNIQUE}', '{PARENT}') THEN '' ELSE c.column_name END
 CROSS JOIN LATERAL (
       SELECT md5('\\x{NAMESPACE.hex}'::bytea || convert_to(to_jsonb(
              ARRAY[c.nspname, c.relname, c.column_name,
                    CASE WHEN {_OF_KEY} THEN c.loser ELSE least(c.winner, c.loser) END::text,
                    CASE WHEN {_OF_KEY} THEN c.loser ELSE greatest(c.winner, c.loser) END::text]
              || c.key)::text, 'UTF8')) AS hex
       OFFSET 0) AS h
 CROSS JOIN LATERAL (
       SELECT overlay(overlay(h.hex PLACING '3' FROM 13 FOR 1)
              PLACING to_hex(8 | (('x' || substr(h.hex, 17, 1))::bit(4)::int & 3)) FROM 17 FOR 1)::uuid AS id
       OFFSET 0) AS i
  LEFT JOIN {{answers}} a ON a.id = i.id
 WHERE (%(site)s::bigint IS NULL OR c.winner & {SITE_MASK} = %(site)s OR c.loser & {SITE_MASK} = %(site)s)
   AND (%(rule)s::text IS NULL OR %(rule)s IN (c.rule, split_part(c.rule, '.', 1)))
   AND (NOT %(asked)s OR {{asks}})
   AND (%(since)s::timestamptz IS NULL OR c.recorded_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR c.recorded_at < %(until)s)"""
