"""The tables of the scenarios on running sites: a column for each rule, a table for each delete rule, and the witness.

Every write puts a row into the witness in its own transaction. So what a site had applied when somebody wrote there is
what that author could read in the witness: observed, and not worked out from stamps or positions.
"""

from replication.core.rules import DELETES
from tests.referee.history import Rule, Table
from tests.simulation.scenario import SITES
from tests.simulation.world import COLUMNS, WRITTEN_BY

HEADQUARTERS = "taipei"
SCHEMA = "scenario"
WITNESS = f"{SCHEMA}.witness"
_TYPES = {
    "counter": "numeric(12,2) NOT NULL DEFAULT 0",
    "set": "text[] NOT NULL DEFAULT '{}'",
    "greatest": "numeric",
    "least": "timestamp",
}
_RULES = {"site": f'{{ rule = "site", site = "{HEADQUARTERS}" }}'}


def name_of(delete: str) -> str:
    """The table of a delete rule, without its schema."""
    return f"thing_{delete}"


TABLES = [f"{SCHEMA}.{name_of(delete)}" for delete in sorted(DELETES)]


def create() -> str:
    """All tables."""
    columns = ", ".join(f"{name} {_TYPES.get(rule, 'text')}" for name, rule in COLUMNS.items())
    things = "".join(f"CREATE TABLE {table} (id text PRIMARY KEY, {columns});" for table in TABLES)
    witness = f"CREATE TABLE {WITNESS} (id text PRIMARY KEY, run text, site text, key text, op text)"
    return f"CREATE SCHEMA {SCHEMA}; {things} {witness}"


def rules() -> str:
    """The rules file."""
    return "\n".join([*(_rules(delete) for delete in sorted(DELETES)), f'[table."{WITNESS}"]'])


def _rules(delete: str) -> str:
    table = f'table."{SCHEMA}.{name_of(delete)}"'
    columns = [f"{name} = {_RULES.get(rule) or repr(rule)}" for name, rule in COLUMNS.items() if name not in WRITTEN_BY]
    clauses = [_clauses(name) for name in WRITTEN_BY]
    return "\n".join([f"[{table}]", 'owner = "owner"', f"delete = {delete!r}", f"[{table}.column]", *columns, *clauses])


def _clauses(name: str) -> str:
    """The rule of a column that differs by who writes it."""
    clauses = [f"written_by.{site} = {rule!r}" for site, rule in written_by(name).items()]
    return f"{name} = {{ rule = {COLUMNS[name]!r}, {', '.join(clauses)} }}"


def written_by(name: str) -> dict[str, str]:
    """Site -> the rule that its own writes of a column follow."""
    return {site: WRITTEN_BY[name][number] for site, number in SITES.items() if number in WRITTEN_BY.get(name, {})}


def declared(delete: str) -> Table:
    """The same, as the referee is told."""
    columns = {
        name: Rule(rule, HEADQUARTERS if rule == "site" else "", written_by(name)) for name, rule in COLUMNS.items()
    }
    return Table(columns, delete, "owner")
