"""The operator's role in a fresh PostgreSQL of Debian's, made through its socket as its own user; then the database."""

import subprocess
from pathlib import Path

from psycopg import sql

from deploy.local import postgres
from deploy.local.say import StackError
from sitecfg import Site
from sitecfg.secrets import read_secret

ROLE = "do $$ begin if not exists (select from pg_roles where rolname = {name}) then {create}; end if; end $$"
IS_THERE = """select 1 from pg_database d, pg_roles o, pg_roles a where datname = {database} and o.rolname = {name}
  and a.rolname = {app} and datdba = a.oid"""


def is_there(site: Site) -> bool:
    """Whether roles and database are made."""
    query = sql.SQL(IS_THERE).format(
        database=sql.Literal(site.database.name),
        name=sql.Literal(site.database.user),
        app=sql.Literal(postgres.APP_ROLE),
    )
    return _psql(site, query).strip() == "1"


def provide(site: Site, app_password: Path) -> None:
    """Make the operator's role, the application's, and the site's database."""
    password = read_secret(site.database.password_file)
    create = sql.SQL("create role {} superuser login password {}").format(
        sql.Identifier(site.database.user), sql.Literal(password)
    )
    _psql(site, sql.SQL(ROLE).format(name=sql.Literal(site.database.user), create=create))
    postgres.provide(site, app_password)


def _psql(site: Site, statement: sql.Composed) -> str:
    """Run as PostgreSQL's own user; what is said goes through a pipe, where nobody reads a password."""
    command = [
        "runuser",
        "-u",
        "postgres",
        "--",
        "psql",
        "-qtAX",
        "-v",
        "ON_ERROR_STOP=1",
        "-p",
        str(site.database.port),
    ]
    done = subprocess.run(
        [*command, "-f", "-"], input=statement.as_string(), capture_output=True, text=True, cwd="/", check=False
    )
    if done.returncode:
        raise StackError(f"PostgreSQL's own user could not prepare the database:\n{done.stderr}")
    return done.stdout
