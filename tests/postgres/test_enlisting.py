"""add-table: the same table everywhere, rows at one site or equal at all, keys of classes that never meet."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from replication.definitions import rules_for
from replication.enlisting import Enlisting
from replication.errors import UsageError
from replication.initialising import initialise_site
from replication.keys import keep_incarnations, kept_incarnations
from replication.postgres.catalog import describe, split_name
from replication.postgres.indexes import Constraints
from replication.status import NotInitialisedError, local_view
from sitecfg import ColumnRule, Rules, TableRules
from tests.postgres.servers import Pair

Fresh = Callable[..., Pair]


def add(pair: Pair, *tables: str, only: str | None = None) -> list[str]:
    return list(Enlisting(pair.config, pair.sessions, [only] if only else list(pair.sessions)).add(tables))


def stamps(pair: Pair, site: str, table: str = "t") -> set[str]:
    query = f"SELECT DISTINCT CASE kuroshio[1] WHEN 1 THEN 'bottom' ELSE 'fresh' END FROM {pair.schema}.{table}"
    return {str(row[0]) for row in pair.run(pair.sessions[site], query)}


def named(pair: Pair, table: str = "t") -> str:
    return f"{pair.schema}.{table}"


def test_rows_at_one_site_are_sent_and_rows_to_come_never_share_a_key(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id serial PRIMARY KEY, other bigint GENERATED ALWAYS AS IDENTITY, a text)")
    pair.run(pair.beta, "INSERT INTO t (a) SELECT 'x' FROM generate_series(1, 1500)")
    [line] = add(pair, named(pair))
    assert "the rows of beta are sent" in line
    assert stamps(pair, "beta") == {"fresh"}
    pair.everywhere("INSERT INTO t (a) SELECT 'y' FROM generate_series(1, 50)")
    query = "SELECT id, other FROM t WHERE a = 'y'"
    generated = [set(pair.run(session, query)) for session in pair.sessions.values()]
    for column in (0, 1):
        keys = [{int(str(row[column])) for row in rows} for rows in generated]
        assert not keys[0] & keys[1]
        assert all(key > 1500 for key in keys[0] | keys[1])
        assert [{key % 1024 for key in some} for some in keys] == [{1}, {2}]


def test_equal_rows_at_all_sites_are_one_base(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (a text, b numeric, PRIMARY KEY (b, a))")
    pair.everywhere("INSERT INTO t SELECT chr(i), i FROM generate_series(33, 300) i")
    add(pair, named(pair))
    assert stamps(pair, "alpha") == stamps(pair, "beta") == {"bottom"}


def test_a_circle_in_which_it_is_not_decided_who_is_there_is_refused(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE account (id int PRIMARY KEY)")
    pair.everywhere("CREATE TABLE transfer (id int PRIMARY KEY, f int REFERENCES account, t int REFERENCES account)")
    falls = TableRules(parents={"transfer_t_fkey": "falls"})
    config = replace(pair.config, rules=Rules({named(pair, "transfer"): falls}))
    enlisting = Enlisting(config, pair.sessions, list(pair.sessions))
    with pytest.raises(UsageError, match=r"transfer_t_fkey: .* in a circle with .* say \"null\""):
        list(enlisting.add([named(pair, "account"), named(pair, "transfer")]))
    assert not pair.run(pair.alpha, "SELECT 1 FROM kuroshio.replicated_table WHERE nspname = %s", (pair.schema,))


def test_rows_that_differ_are_refused_by_name_and_nothing_changes(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text)")
    pair.everywhere("INSERT INTO t SELECT i, i FROM generate_series(1, 30) i")
    pair.run(pair.beta, "UPDATE t SET a = 'x' WHERE id = 17")
    with pytest.raises(UsageError, match=r"alpha 30, beta 30.*1 of them.*\(id\) = \(17\)"):
        add(pair, named(pair))
    assert "kuroshio" not in {column[0] for column in pair.run(pair.alpha, columns_of(pair))}
    pair.run(pair.beta, "UPDATE t SET a = '17' WHERE id = 17")
    add(pair, named(pair))


def columns_of(pair: Pair) -> str:
    return f"SELECT attname::text FROM pg_attribute WHERE attrelid = '{pair.schema}.t'::regclass"


@pytest.mark.parametrize(
    ("at_alpha", "at_beta", "words"),
    [
        (
            "id int PRIMARY KEY, a text",
            "id int PRIMARY KEY, a varchar",
            "column a is text at alpha, character varying at beta",
        ),
        ("id int PRIMARY KEY, a text", "id int PRIMARY KEY", "column a is at alpha alone"),
        ("id int, a text, PRIMARY KEY (id, a)", "id int, a text, PRIMARY KEY (a, id)", "primary key"),
        ("id int PRIMARY KEY", "id int", "no primary key"),
        ("id int PRIMARY KEY DEFERRABLE", "id int PRIMARY KEY", "deferrable"),
        ("id int PRIMARY KEY, m money", "id int PRIMARY KEY, m money", "money"),
        ("id smallserial PRIMARY KEY", "id smallserial PRIMARY KEY", "smallint"),
    ],
)
def test_tables_that_cannot_be_replicated_are_refused(pair: Pair, at_alpha: str, at_beta: str, words: str) -> None:
    pair.run(pair.alpha, f"CREATE TABLE t ({at_alpha})")
    pair.run(pair.beta, f"CREATE TABLE t ({at_beta})")
    with pytest.raises(UsageError, match=words):
        add(pair, named(pair))
    assert not pair.run(pair.alpha, "SELECT FROM kuroshio.replicated_table WHERE nspname = %s", (pair.schema,))


@pytest.mark.parametrize(
    ("ddl", "words"),
    [
        ("CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id)", "not an ordinary table"),
        ("CREATE VIEW t AS SELECT 1", "not an ordinary table"),
        ("CREATE UNLOGGED TABLE t (id int PRIMARY KEY)", "not logged"),
        ("SELECT 1", "there is no table"),
    ],
)
def test_what_is_no_ordinary_table_is_refused(pair: Pair, ddl: str, words: str) -> None:
    pair.everywhere(ddl)
    with pytest.raises(UsageError, match=words):
        add(pair, named(pair))


def test_parents_are_enlisted_first(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE parent (id int PRIMARY KEY, boss int REFERENCES parent)")
    pair.everywhere("CREATE TABLE a_child (id int PRIMARY KEY, parent int REFERENCES parent)")
    lines = add(pair, named(pair, "a_child"), named(pair, "parent"))
    assert [line.split(":")[0] for line in lines] == [named(pair, "parent"), named(pair, "a_child")]


def test_adding_again_changes_nothing_but_mends_a_sequence(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id serial PRIMARY KEY, a text)")
    pair.run(pair.alpha, "INSERT INTO t (a) VALUES ('x')")
    add(pair, named(pair))
    before = pair.run(pair.alpha, "SELECT * FROM t")
    pair.run(pair.alpha, "SELECT setval('t_id_seq', 5000)")
    [line] = add(pair, named(pair))
    assert "already" in line
    assert pair.run(pair.alpha, "SELECT * FROM t") == before
    [(key,)] = pair.run(pair.alpha, "INSERT INTO t (a) VALUES ('y') RETURNING id")
    assert int(str(key)) > 5000
    assert int(str(key)) % 1024 == 1


def test_a_site_that_was_away_is_enlisted_later(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY)")
    assert "at alpha" in add(pair, named(pair), only="alpha")[0]
    assert "at beta" in add(pair, named(pair))[0]


def test_rules_reach_the_triggers_also_when_they_change(fresh: Fresh) -> None:
    rules = '[table."public.t".column]\ncredit = { rule = "site", site = "beta" }\n'
    pair = fresh(rules=rules)
    pair.everywhere("CREATE TABLE public.t (id int PRIMARY KEY, credit int)")
    add(pair, "t")
    pair.everywhere("INSERT INTO public.t VALUES (1, 1)")
    lengths = [pair.run(session, "SELECT cardinality(kuroshio) FROM public.t") for session in pair.sessions.values()]
    assert lengths == [[(2,)], [(4,)]]
    pair.config.rules.tables["public.t"].columns["credit"] = ColumnRule("site", "alpha", generation=2)  # type: ignore[index]
    add(pair, "t")
    pair.everywhere("INSERT INTO public.t VALUES (2, 1)")
    lengths = [
        pair.run(session, "SELECT cardinality(kuroshio) FROM public.t WHERE id = 2")
        for session in pair.sessions.values()
    ]
    assert lengths == [[(6,)], [(4,)]], "with an epoch where the authority is, and the generation"


def test_a_table_declared_local_is_refused(fresh: Fresh) -> None:
    pair = fresh(rules='[local]\ntables = ["public.django_*"]\n')
    pair.everywhere("CREATE TABLE public.django_session (id int PRIMARY KEY)")
    with pytest.raises(UsageError, match="declared local"):
        add(pair, "django_session")


def test_rules_that_name_a_column_the_table_lacks_are_refused(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, a text)")
    table = describe(pair.alpha, pair.schema, "t")
    for rules in (
        TableRules(owner="nobody"),
        TableRules(columns={"b": ColumnRule()}),
        TableRules(groups={"g": ("a", "b")}),
    ):
        with pytest.raises(UsageError, match="which it lacks"):
            rules_for(table, Constraints(), rules)
    with pytest.raises(UsageError, match="primary key"):
        rules_for(table, Constraints(), TableRules(groups={"g": ("a", "id")}))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("t", ("public", "t")),
        ("a.t", ("a", "t")),
        ('"a.b"."c ""d"""', ("a.b", 'c "d"')),
        ('"鍵".t', ("鍵", "t")),
    ],
)
def test_names_are_read_as_postgresql_quotes_them(typed: str, read: tuple[str, str]) -> None:
    assert split_name(typed) == read


@pytest.mark.parametrize("typed", ["", "a.b.c", '"a', '""'])
def test_what_is_no_name_is_refused(typed: str) -> None:
    with pytest.raises(UsageError):
        split_name(typed)


def test_initialising_keeps_the_incarnation_outside_of_the_database(fresh: Fresh) -> None:
    """Pitfall P1: a file that contradicts the database stays, so that capture notices."""
    pair = fresh(initialised=False)
    site = pair.config.sites["alpha"]
    with pytest.raises(NotInitialisedError):
        local_view(pair.alpha)
    with pytest.raises(UsageError, match="init --site alpha"):
        add(pair, "t")
    token = initialise_site(site)
    assert list(kept_incarnations(site)) == [token]
    assert initialise_site(site) == token
    keep_incarnations(site, "another")
    initialise_site(site)
    assert list(kept_incarnations(site)) == ["another"]
