"""The operator's role in a fresh PostgreSQL of Debian's, made through its socket as its own user; then the database."""

import subprocess
from pathlib import Path

from psycopg import sql

from deploy.local import postgres
from deploy.local.say import StackError
from sitecfg import Site
from sitecfg.secrets import read_secret
from sitecfg.site import role_name

ROLE = """do $$ begin
  if exists (select from pg_roles where rolname = {name}) then alter {role}; else create {role}; end if;
end $$"""
IS_THERE = (
    "select 1 from pg_database d join pg_roles a on datdba = a.oid where datname = {database} and rolname = {app}"
)


def is_there(site: Site, app_password: Path) -> bool:
    """Whether the database is made, and every role has the password that its file holds."""
    query = sql.SQL(IS_THERE).format(database=sql.Literal(site.database.name), app=sql.Literal(postgres.APP_ROLE))
    logins = {site.database.user: site.database.password_file, postgres.APP_ROLE: app_password}
    logins |= {role_name(role): path for role, path in site.database.roles.items()}
    return _psql(site, query).strip() == "1" and all(postgres.lets_in(site, *login) for login in logins.items())


def provide(site: Site, app_password: Path) -> None:
    """Make the site's database, and all roles with the passwords that are in force: the operator's comes first."""
    password = read_secret(site.database.password_file)
    role = sql.SQL("role {} superuser login password {}").format(
        sql.Identifier(site.database.user), sql.Literal(password)
    )
    _psql(site, sql.SQL(ROLE).format(name=sql.Literal(site.database.user), role=role))
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
