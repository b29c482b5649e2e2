"""Puts one table of a database under replication: the stamps column, the triggers, the sequences, the replication set.

Rows that are there already either carry the bottom stamp (they are equal at every site) or are written anew under fresh
stamps (they are at this site only), so that they travel like any other insert.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from replication.core.rules import HAS_PARTS
from replication.core.stamps import BOTTOM
from replication.errors import UsageError
from replication.postgres.catalog import CLAIMS, PARTS, STAMPS, Table
from replication.postgres.connect import Connection
from replication.postgres.install import add_to_set

STRIDE = 1024


def is_enlisted(connection: Connection, table: Table) -> bool:
    """Is the table under replication here?"""
    return (
        connection.execute(
            "SELECT FROM kuroshio.replicated_table WHERE nspname = %s AND relname = %s", table.qualified
        ).fetchone()
        is not None
    )


def recorded_rules(connection: Connection, table: Table) -> dict[str, Any] | None:
    """The rules that the table's triggers follow; None where it is not under replication."""
    row = connection.execute(
        "SELECT rules FROM kuroshio.replicated_table WHERE nspname = %s AND relname = %s", table.qualified
    ).fetchone()
    return dict(row[0]) if row else None  # type: ignore[call-overload]


_STANDING = (
    "jsonb_build_object('delete', rules->'delete', 'unique', coalesce(rules->'unique', '{}'),"
    " 'parents', coalesce(rules->'parents', '{}'))"
)


def standings(connection: Connection) -> list[tuple[tuple[str, str], dict[str, Any], dict[str, Any] | None]]:
    """Of each table: the rules by which it follows which rows exist and what they show, as its triggers have them, and
    those under which that was last derived."""
    rows: list[Any] = connection.execute(
        f"SELECT nspname, relname, {_STANDING}, derived FROM kuroshio.replicated_table ORDER BY 1, 2"
    ).fetchall()
    return [((schema, name), made, derived) for schema, name, made, derived in rows]


def record_derived(connection: Connection, name: tuple[str, str], standing: Mapping[str, Any]) -> None:
    """What the table shows was derived under these rules."""
    connection.execute(
        "UPDATE kuroshio.replicated_table SET derived = %s WHERE nspname = %s AND relname = %s",
        (Jsonb(standing), *name),
    )


def written_generations(connection: Connection) -> dict[str, dict[str, int]]:
    """Table -> column -> the generation that the triggers write, where a rule was changed."""
    written: dict[str, dict[str, int]] = {}
    for table, column, generation in connection.execute(_GENERATIONS).fetchall():
        written.setdefault(str(table), {})[str(column)] = int(str(generation))
    return written


_GENERATIONS = """
SELECT nspname || '.' || relname, key, value->>'generation'
  FROM kuroshio.replicated_table, jsonb_each(rules->'columns') WHERE value ? 'generation'"""


def has_rows(connection: Connection, table: Table) -> bool:
    """Does the table hold any row?"""
    query = sql.SQL("SELECT FROM {} LIMIT 1").format(table.identifier)
    return connection.execute(query).fetchone() is not None


def enlist(
    connection: Connection, table: Table, number: int, rules: Mapping[str, Any], floor: int, *, send: bool
) -> None:
    """Put the table under replication in one transaction. ``floor``: no generated key at any site is above it.
    ``send``: write the rows that are there anew, so that the other sites get them."""
    _refuse_unfit(connection, table)
    with connection.transaction():
        _add_own_columns(connection, table, rules)
        is_new = not is_enlisted(connection, table)
        if is_new:
            _add_stamps(connection, table, rules, send=send)
        else:
            _update_rules(connection, table, rules)
        _interleave(connection, table, number, floor)
        connection.execute("SELECT kuroshio.grant_table(%s, %s)", table.qualified)
        if is_new and send:
            _resend(connection, table)


def _add_stamps(connection: Connection, table: Table, rules: Mapping[str, Any], *, send: bool) -> None:
    connection.execute("SET LOCAL session_replication_role = replica")
    connection.execute(
        sql.SQL("ALTER TABLE {} ADD COLUMN {} bigint[] NOT NULL DEFAULT {}").format(
            table.identifier, sql.Identifier(STAMPS), sql.Literal(f"{{{BOTTOM},{BOTTOM}}}")
        )
    )
    connection.execute(
        sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT").format(table.identifier, sql.Identifier(STAMPS))
    )
    connection.execute(
        "INSERT INTO kuroshio.replicated_table (nspname, relname, key_columns, rules, columns) VALUES (%s, %s, %s, %s,"
        " (SELECT jsonb_object_agg(attnum, attname) FROM pg_attribute"
        "   WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped))",
        (*table.qualified, list(table.key), Jsonb(rules), table.identifier.as_string(connection)),
    )
    if send:
        connection.execute(
            sql.SQL("CREATE TEMP TABLE _resend ON COMMIT DROP AS SELECT * FROM {}").format(table.identifier)
        )
        connection.execute(sql.SQL("DELETE FROM {}").format(table.identifier))
    connection.execute(
        f"UPDATE kuroshio.replicated_table SET derived = {_STANDING} WHERE nspname = %s AND relname = %s",
        table.qualified,
    )
    connection.execute("SELECT kuroshio.generate(%s, %s)", table.qualified)
    add_to_set(connection, table.identifier.as_string(connection))


def _add_own_columns(connection: Connection, table: Table, rules: Mapping[str, Any]) -> None:
    """What some rules need besides the stamps."""
    kinds = {kind for rule in rules["columns"].values() for kind in (rule["rule"], *rule.get("was", ()))}
    for name, wanted in ((PARTS, bool(kinds & HAS_PARTS)), (CLAIMS, bool(rules.get("claims")))):
        if wanted and name not in table.own_columns:
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} jsonb").format(
                    table.identifier, sql.Identifier(name)
                )
            )
    if rules.get("claims"):
        name = hashlib.md5(str(table).encode(), usedforsecurity=False).hexdigest()[:8]
        connection.execute(
            sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (({claims} IS NULL)) WHERE {claims} IS NOT NULL").format(
                sql.Identifier(f"kuroshio_claims_{name}"), table.identifier, claims=sql.Identifier(CLAIMS)
            )
        )


def _resend(connection: Connection, table: Table) -> None:
    """Write the rows that were set aside, under fresh stamps. The sequences are of this site's class by now: otherwise
    the newest generated key would be taken for one of a sequence that was set wrong."""
    columns = sql.SQL(", ").join(sql.Identifier(column.here) for column in table.columns)
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM _resend").format(
            table.identifier, columns, columns
        )
    )


def _update_rules(connection: Connection, table: Table, rules: Mapping[str, Any]) -> None:
    changed = connection.execute(
        "UPDATE kuroshio.replicated_table SET rules = %s WHERE nspname = %s AND relname = %s AND rules <> %s",
        (Jsonb(rules), *table.qualified, Jsonb(rules)),
    )
    if changed.rowcount:
        connection.execute("SELECT kuroshio.generate(%s, %s)", table.qualified)


def _refuse_unfit(connection: Connection, table: Table) -> None:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = %(t)s::regclass AND indisprimary AND NOT indimmediate),"
        " EXISTS (SELECT FROM pg_inherits WHERE %(t)s::regclass IN (inhrelid, inhparent)),"
        " array(SELECT attname::text FROM pg_attribute WHERE attrelid = %(t)s::regclass AND attnum > 0"
        "       AND NOT attisdropped AND atttypid = 'money'::regtype)",
        {"t": table.identifier.as_string(connection)},
    ).fetchone()
    assert row is not None
    if row[0]:
        raise UsageError(f"{table}: its primary key is deferrable, so it identifies no row: make it NOT DEFERRABLE")
    if row[1]:
        raise UsageError(f"{table} is partitioned or inherits: replicate an ordinary table")
    if row[2]:
        raise UsageError(f"{table}: column {row[2][0]} is of type money, whose text depends on the locale: use numeric")  # type: ignore[index]


def sequences(connection: Connection, table: Table) -> dict[str, str]:
    """The columns that a sequence fills (serial or identity), each with the sequence's quoted name."""
    rows = connection.execute(
        "SELECT attname::text, pg_get_serial_sequence(%(t)s, attname) FROM pg_attribute"
        " WHERE attrelid = %(t)s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND pg_get_serial_sequence(%(t)s, attname) IS NOT NULL",
        {"t": table.identifier.as_string(connection)},
    ).fetchall()
    return {str(column): str(sequence) for column, sequence in rows}


def highest_generated(connection: Connection, table: Table) -> int:
    """The greatest value that a sequence of this table has given, or that stands in a column that it fills."""
    highest = 0
    for column, sequence in sequences(connection, table).items():
        row = connection.execute(
            sql.SQL("SELECT greatest((SELECT max({}) FROM {}), (SELECT last_value FROM {}))").format(
                sql.Identifier(column),
                table.identifier,
                sql.SQL(sequence),
            )
        ).fetchone()
        highest = max(highest, int(row[0] or 0) if row else 0)  # type: ignore[call-overload]
    return highest


def _interleave(connection: Connection, table: Table, number: int, floor: int) -> None:
    """Each site generates keys of its own class modulo 1024 (pitfall P20)."""
    first = floor - floor % STRIDE + number
    first += STRIDE if first <= floor else 0
    for column, sequence in sequences(connection, table).items():
        if "smallint" in table.types.get(column, ""):
            raise UsageError(
                f"{table}: the generated key {column} is smallint, too narrow to share among sites: use bigint"
            )
        row = connection.execute(
            "SELECT increment_by, last_value FROM pg_sequences"
            " WHERE format('%%I.%%I', schemaname, sequencename)::regclass = %s::regclass",
            (sequence,),
        ).fetchone()
        settled = row is not None and row[0] == STRIDE and (row[1] is None or int(str(row[1])) % STRIDE == number)
        if not settled:
            connection.execute(
                sql.SQL("ALTER SEQUENCE {} INCREMENT BY {} RESTART WITH {} NO CYCLE").format(
                    sql.SQL(sequence),
                    sql.Literal(STRIDE),
                    sql.Literal(first),
                )
            )


def raise_sequences(connection: Connection, table: Table, number: int) -> None:
    """Let no key of this site's class be generated that a row has already: the rows came from elsewhere, the sequence
    from a backup."""
    for column, sequence in sequences(connection, table).items():
        connection.execute(
            sql.SQL(
                "SELECT setval({sequence}::regclass, given) FROM (SELECT max({column}) AS given FROM {table}"
                " WHERE {column} % {stride} = {number}) AS had WHERE given > (SELECT last_value FROM {named})"
            ).format(
                sequence=sql.Literal(sequence),
                column=sql.Identifier(table.renamed.get(column, column)),
                table=table.identifier,
                stride=sql.Literal(STRIDE),
                number=sql.Literal(number),
                named=sql.SQL(sequence),
            )
        )
