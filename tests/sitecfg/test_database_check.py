"""The rules against real catalogs: what is read is what PostgreSQL has, and every site is asked."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from replication.initialising import initialise_site
from replication.postgres.catalog import describe
from replication.postgres.connect import connect
from replication.postgres.enlist import enlist
from sitecfg import Config, Fault
from sitecfg.database import catalog
from sitecfg.database.check import check_databases
from sitecfg.database.relations import Column, Constraint, ForeignKey, Relation, UniqueKey
from tests.postgres.servers import Servers, private_servers

from .test_command import run

SCHEMA = """
CREATE TABLE region (id uuid PRIMARY KEY);
CREATE TABLE customer (
    id uuid DEFAULT gen_random_uuid(),
    owner_site varchar(31) NOT NULL,
    dropped text,
    email text NOT NULL,
    phone varchar(40) CONSTRAINT dialled CHECK (phone ~ '^[0-9]*$'),
    credit numeric(12,2) NOT NULL DEFAULT 0,
    "count %" bigint GENERATED ALWAYS AS IDENTITY,
    tags varchar(20)[],
    starts timestamptz(3),
    ends timestamptz(3),
    left_at date,
    region_id uuid CONSTRAINT "region of" REFERENCES region,
    folded text GENERATED ALWAYS AS (lower(email) || coalesce(phone, '')) STORED,
    PRIMARY KEY (id),
    CONSTRAINT in_order CHECK (starts < ends),
    CONSTRAINT email_key UNIQUE (owner_site, email),
    CONSTRAINT phone_key UNIQUE NULLS NOT DISTINCT (phone) INCLUDE (credit),
    CONSTRAINT no_overlap EXCLUDE USING gist (tstzrange(starts, ends) WITH &&)
);
ALTER TABLE customer DROP COLUMN dropped;
CREATE UNIQUE INDEX present ON customer (lower(email), (phone || '+')) WHERE left_at IS NULL;
CREATE INDEX not_unique ON customer (credit);
"""
RULES = """
[table."public.region"]
[table."public.customer"]
owner = "owner_site"
unique.email_key = "mark"
parent."region of" = "null"
[table."public.customer".groups]
stay = ["starts", "ends"]
[table."public.customer".column]
credit = "counter"
tags = "set"
left_at = "greatest"
"""
EXCLUSION = "ALTER TABLE customer DROP CONSTRAINT no_overlap"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with private_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


def made(servers: Servers, *statements: str, rules: str = RULES) -> Config:
    """A database at each site in which the statements were run."""
    config = servers.database(rules=rules, initialised=False)
    for name in config.sites:
        at(config, name, *statements)
    return config


def at(config: Config, name: str, *statements: str) -> None:
    with psycopg.connect(config.sites[name].dsn()) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def checked(config: Config) -> tuple[Fault, ...]:
    result = check_databases(config, config.sites.values())
    assert not result.unreached
    return result.faults


def command(config: Config, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run("check", "--database", "--config", str(config.directory), *arguments)


def test_a_rule_that_changed_without_a_new_generation_is_named_with_its_place(servers: Servers) -> None:
    """Pitfall P13."""
    config = made(servers, "CREATE TABLE item (id int PRIMARY KEY, stock int)", rules='[table."public.item"]\n')
    for number, site in enumerate(config.sites.values(), 1):
        initialise_site(site)
        with connect(site.dsn(), name="test") as session:
            table = describe(session, "public", "item")
            enlist(session, table, number, {"owner": None, "delete": "stamp", "columns": {}}, 0, send=False)
    [file] = (config.directory / "rules").glob("*.toml")
    counter = '[table."public.item".column]\nstock = {}\n'
    file.write_text('[table."public.item"]\n' + counter.format('"counter"'))
    refused = command(config)
    assert refused.returncode == 1
    assert f'rules/{file.name}: table."public.item".column.stock: it was latest and is counter' in refused.stderr
    assert 'raise its generation to 2, with was = "latest"' in refused.stderr
    assert "(at alpha, beta)" in refused.stderr
    file.write_text('[table."public.item"]\n' + counter.format('{ rule = "counter", generation = 2, was = "latest" }'))
    taken = command(config)
    assert taken.returncode == 0, taken.stderr


def test_a_table_is_read_as_it_is(servers: Servers) -> None:
    config = made(servers, SCHEMA)
    with catalog.connect(config.sites["alpha"].dsn()) as connection:
        found = catalog.read(connection, ["public.customer", "public.region", "public.none", "none.customer"])
    assert found == {
        "public.region": Relation({"id": Column("uuid", nullable=False)}, key=("id",)),
        "public.customer": Relation(
            columns={
                "id": Column("uuid", nullable=False, default=True),
                "owner_site": Column("character varying(31)", nullable=False),
                "email": Column("text", nullable=False),
                "phone": Column("character varying(40)"),
                "credit": Column("numeric(12,2)", nullable=False, default=True),
                "count %": Column("bigint", nullable=False, default=True),
                "tags": Column("character varying(20)[]"),
                "starts": Column("timestamp(3) with time zone"),
                "ends": Column("timestamp(3) with time zone"),
                "left_at": Column("date"),
                "region_id": Column("uuid"),
                "folded": Column("text", computed_from=("email", "phone")),
            },
            key=("id",),
            unique_keys=(
                UniqueKey("email_key", ("owner_site", "email")),
                UniqueKey("phone_key", ("phone",), nulls_distinct=False),
                UniqueKey("present", ("email", "phone"), condition=("left_at",)),
            ),
            checks=(Constraint("dialled", ("phone",)), Constraint("in_order", ("starts", "ends"))),
            exclusions=(Constraint("no_overlap", ()),),
            foreign_keys=(ForeignKey("region of", ("region_id",), "public.region"),),
        ),
    }


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("CREATE UNLOGGED TABLE t (id int PRIMARY KEY)", Relation({"id": Column("integer")}, ("id",), plain=False)),
        ("CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id)", Relation({}, ("id",), plain=False)),
        ("CREATE VIEW t AS SELECT 1 AS id", Relation({}, plain=False)),
        ("CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)", Relation({}, ("id",), key_deferrable=True)),
        ("CREATE TABLE t (id int)", Relation({})),
    ],
)
def test_what_cannot_be_replicated_is_read_so(servers: Servers, statement: str, expected: Relation) -> None:
    config = made(servers, statement, rules="")
    with catalog.connect(config.sites["alpha"].dsn()) as connection:
        (relation,) = catalog.read(connection, ["public.t"]).values()
    assert replace(relation, columns={}) == replace(expected, columns={})


def test_a_session_reads_only(servers: Servers) -> None:
    config = made(servers)
    with (
        catalog.connect(config.sites["alpha"].dsn()) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("CREATE TABLE t (id int)")


def test_rules_that_fit_every_database_have_no_fault(servers: Servers) -> None:
    config = made(servers, SCHEMA, EXCLUSION)
    assert checked(config) == ()
    done = command(config)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"under rules {config.rules.version}, 2 databases, no fault\n")


def test_replications_own_column_is_no_fault(servers: Servers) -> None:
    config = made(servers, SCHEMA, EXCLUSION)
    for number, site in enumerate(config.sites.values(), 1):
        initialise_site(site)
        with connect(site.dsn(), name="test") as session:
            table = describe(session, "public", "region")
            enlist(session, table, number, {"owner": None, "delete": "stamp", "columns": {}}, 0, send=False)
    assert checked(config) == ()


def test_every_fault_is_told_at_once_and_once(servers: Servers) -> None:
    rules = (
        RULES.replace('"greatest"', '"append"')
        .replace("email_key", "emial_key")
        .replace('stay = ["starts", "ends"]', "")
    )
    done = command(made(servers, SCHEMA, rules=rules))
    place = 'rules/rules.toml: table."public.customer"'
    assert done.returncode == 1
    assert f"{place}: a replicated table cannot have an EXCLUDE constraint (at alpha, beta)\n" in done.stderr
    assert f"{place}.column.left_at: date cannot carry the rule append (at alpha, beta)\n" in done.stderr
    assert f"{place}.groups: CHECK in_order reads starts, ends, which no group holds together (at alpha" in done.stderr
    assert f"{place}.unique.emial_key: there is no unique index emial_key" in done.stderr
    assert done.stderr.endswith("4 faults\n")


def test_a_fault_names_the_sites_that_have_it(servers: Servers) -> None:
    config = made(servers, SCHEMA, EXCLUSION)
    at(config, "beta", "ALTER TABLE customer ALTER tags TYPE text USING NULL")
    (fault,) = checked(config)
    assert fault.message == "text cannot carry the rule set (at beta)"
    assert command(config, "--site", "alpha").returncode == 0
    assert command(config, "--site", "beta").returncode == 1


def test_a_site_that_does_not_answer_is_named(servers: Servers) -> None:
    config = made(servers, SCHEMA, EXCLUSION)
    unheard(config)
    done = command(config)
    assert done.returncode == 2
    assert re.fullmatch(
        r"beta: its database could not be asked: connection .* refused.*\n    start it, .*\n", done.stderr
    )


def test_a_fault_weighs_more_than_a_site_that_does_not_answer(servers: Servers) -> None:
    config = made(servers, SCHEMA)
    unheard(config)
    done = command(config)
    assert done.returncode == 1
    assert "cannot have an EXCLUDE constraint (at alpha)" in done.stderr
    assert "beta: its database could not be asked" in done.stderr


def unheard(config: Config) -> None:
    """Let beta's database stand on a port where nobody listens."""
    site = config.sites["beta"]
    file = config.directory / "sites/beta.toml"
    unused = site.database.port + 7
    file.write_text(file.read_text().replace(f"port = {site.database.port}\n", f"port = {unused}\n", 1))


def test_a_secret_that_cannot_be_read_is_a_fault_beside_the_others(servers: Servers) -> None:
    config = made(servers, SCHEMA)
    file = config.directory / "sites/beta.toml"
    file.write_text(file.read_text().replace("beta.postgres", "gamma.postgres"))
    done = command(config)
    assert done.returncode == 1
    assert "gamma.postgres: No such file or directory" in done.stderr
    assert "cannot have an EXCLUDE constraint (at alpha)" in done.stderr
