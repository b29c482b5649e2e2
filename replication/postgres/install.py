"""Puts a database under replication: the schema ``kuroshio``, pglogical's node and set, the slot, the site's identity.

Everything here may run again; what is there already stays.
"""

import secrets
from importlib.resources import files

from psycopg.types.json import Jsonb

from replication.errors import UsageError
from replication.postgres.connect import Connection

SLOT = "kuroshio"
REPLICATION_SET = "kuroshio"
_SCRIPTS = (
    "schema.sql",
    "triggers.sql",
    "residency.sql",
    "burials.sql",
    "life.sql",
    "control.sql",
    "operations.sql",
)
_OWN_TABLES = ("kuroshio.tombstone", "kuroshio.fence", "kuroshio.claim", "kuroshio.whole")


def new_incarnation() -> str:
    """A token that names a log: 80 random bits."""
    return secrets.token_hex(10)


def initialise(connection: Connection, name: str, number: int) -> str:
    """Install everything in one database and return the incarnation in force."""
    _require_logical(connection)
    _install_schema(connection)
    _install_pglogical(connection, name)
    lsn = _create_slot(connection)
    _identify(connection, name, number, lsn)
    _grant(connection)
    row = connection.execute("SELECT incarnation FROM kuroshio.site").fetchone()
    assert row is not None
    return str(row[0])


def _grant(connection: Connection) -> None:
    """Say what each role may do (roles.sql)."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('kuroshio.install'))")
        connection.execute(files(__package__).joinpath("roles.sql").read_bytes())


def _require_logical(connection: Connection) -> None:
    for setting, needed in (("wal_level", "logical"), ("shared_preload_libraries", "pglogical")):
        row = connection.execute("SELECT current_setting(%s)", (setting,)).fetchone()
        if row is None or needed not in str(row[0]):
            raise UsageError(f"this PostgreSQL runs with {setting} = {row and row[0]!r}: set {needed} and restart it")


def _install_schema(connection: Connection) -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('kuroshio.install'))")
        connection.execute("SET LOCAL client_min_messages = warning")
        for script in _SCRIPTS:
            connection.execute(files(__package__).joinpath(script).read_bytes())
        for (relation,) in connection.execute(
            "SELECT format('%I.%I', nspname, relname) FROM kuroshio.replicated_table"
        ).fetchall():
            connection.execute(
                "SELECT kuroshio.generate(parse[1], parse[2]) FROM parse_ident(%s) AS parse", (relation,)
            )


def _install_pglogical(connection: Connection, name: str) -> None:
    connection.execute("SET client_min_messages = warning")
    connection.execute("CREATE EXTENSION IF NOT EXISTS pglogical")
    if connection.execute("SELECT FROM pglogical.local_node").fetchone() is None:
        connection.execute("SELECT pglogical.create_node(%s, '')", (f"kuroshio_{name}",))
    known = connection.execute("SELECT FROM pglogical.replication_set WHERE set_name = %s", (REPLICATION_SET,))
    if known.fetchone() is None:
        connection.execute(
            "SELECT pglogical.create_replication_set(%s, replicate_insert := true, replicate_update := true,"
            " replicate_delete := false, replicate_truncate := false)",
            (REPLICATION_SET,),
        )
    replicated = connection.execute(
        "SELECT format('%I.%I', nspname, relname) FROM kuroshio.replicated_table"
        " WHERE to_regclass(format('%I.%I', nspname, relname)) IS NOT NULL"
    ).fetchall()  # a logical dump does not hold pglogical's own tables
    for table in (*_OWN_TABLES, *(str(name) for (name,) in replicated)):
        add_to_set(connection, table)


def add_to_set(connection: Connection, table: str) -> None:
    """Have the plugin send a table's rows. ``table`` is quoted as SQL wants it."""
    listed = connection.execute(
        "SELECT FROM pglogical.replication_set_table t JOIN pglogical.replication_set s ON s.set_id = t.set_id"
        " WHERE s.set_name = %s AND t.set_reloid = %s::regclass",
        (REPLICATION_SET, table),
    )
    if listed.fetchone() is None:
        connection.execute("SELECT pglogical.replication_set_add_table(%s, %s)", (REPLICATION_SET, table))


def _create_slot(connection: Connection) -> str:
    row = connection.execute(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)
    ).fetchone()
    if row is None:
        row = connection.execute(
            "SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pglogical_output')", (SLOT,)
        ).fetchone()
    assert row is not None
    return str(row[0])


def _identify(connection: Connection, name: str, number: int, lsn: str) -> None:
    row = connection.execute("SELECT name, number FROM kuroshio.site").fetchone()
    if row is not None:
        if row != (name, number):
            raise UsageError(f"this database belongs to site {row[0]} (number {row[1]}), not to {name} ({number})")
        return
    incarnation = new_incarnation()
    connection.execute(
        "INSERT INTO kuroshio.site (name, number, incarnation, lineage) VALUES (%s, %s, %s, %s)",
        (name, number, incarnation, Jsonb([[incarnation, lsn]])),
    )
    connection.execute(
        "INSERT INTO kuroshio.capture (live_lsn, packed_lsn) VALUES (%(lsn)s, %(lsn)s) ON CONFLICT DO NOTHING",
        {"lsn": lsn},
    )
    connection.execute("INSERT INTO kuroshio.fence (site) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
