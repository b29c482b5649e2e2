"""Two databases that are nobody's CRM: whatever PostgreSQL lets a table be, its rows arrive as they are."""

from uuid import uuid4

import psycopg
import pytest

from deploy.local.wan.client import Lines
from tests.stack.proof.sites import Sites, until

LIBRARY = """
CREATE SCHEMA library;
CREATE TYPE library.state AS ENUM ('in', 'out', 'lost; really');
CREATE DOMAIN library.isbn AS text CHECK (VALUE ~ '^[0-9-]+$');
CREATE TABLE library.shelf (hall text, "row" int, place bpchar(4), label varchar(30), PRIMARY KEY (hall, "row", place));
CREATE TABLE library.book (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code serial, isbn library.isbn, title text NOT NULL,
  state library.state DEFAULT 'in', tags text[], grades int[], sizes int[][], loan daterange, slots tstzmultirange,
  facts jsonb, raw json, cover bytea, price numeric(10, 3), weight double precision, thin real, bought timestamptz,
  opens time, took interval, address inet, mask bit(5), flags varbit, spot point, words tsvector, ok boolean,
  doubled numeric GENERATED ALWAYS AS (price * 2) STORED, scan text, remark text,
  hall text, "row" int, place bpchar(4), FOREIGN KEY (hall, "row", place) REFERENCES library.shelf);
ALTER TABLE library.book ALTER COLUMN scan SET STORAGE EXTERNAL;
CREATE TABLE library.author (name text PRIMARY KEY, born date);
CREATE TABLE library.wrote (
  author text REFERENCES library.author, book bigint REFERENCES library.book ON DELETE CASCADE,
  PRIMARY KEY (author, book))"""

FOREST = '''
CREATE SCHEMA "Wald & Wiese";
CREATE TABLE "Wald & Wiese"."Bäume ""alt""" (
  "Schlüssel" uuid, "ÄÖ.ü" int, "Höhe (m)" numeric, "select" text, "名字" text, "'q'" text,
  PRIMARY KEY ("Schlüssel", "ÄÖ.ü"));
CREATE TABLE "Wald & Wiese".knoten (
  id int PRIMARY KEY, vater int REFERENCES "Wald & Wiese".knoten, name text);
CREATE TABLE "Wald & Wiese"."100 %" ("%s" int PRIMARY KEY, "Rabatt in %" int, "%(a)s" text);
CREATE TABLE "Wald & Wiese".leer (a int, b text, PRIMARY KEY (b, a))'''

LIBRARY_TABLES = ("library.shelf", "library.book", "library.author", "library.wrote")
TREES = '"Wald & Wiese"."Bäume ""alt"""'  # as typed on the command line, too
NODES, EMPTY, PERCENT = '"Wald & Wiese".knoten', '"Wald & Wiese".leer', '"Wald & Wiese"."100 %"'
PAGE = 40_000


@pytest.fixture(scope="module")
def library(four_sites: Sites) -> tuple[str, ...]:
    four_sites.everywhere(LIBRARY)
    four_sites.add_tables(*LIBRARY_TABLES)
    return LIBRARY_TABLES


@pytest.fixture(scope="module")
def forest(four_sites: Sites) -> tuple[str, ...]:
    four_sites.everywhere(FOREST)
    four_sites.add_tables(TREES, NODES, EMPTY)
    return (TREES, NODES, EMPTY)


ODD_BOOK = """
INSERT INTO library.book (isbn, title, state, tags, grades, sizes, loan, slots, facts, raw, cover, price, weight,
  thin, bought, opens, took, address, mask, flags, spot, words, ok, hall, "row", place)
VALUES ('978-3', E'Zeile 1\\n\\tZeile 2 \\\\ {"x"} 陳志明', 'lost; really',
  ARRAY['a,b', 'c"d', NULL, 'NULL', '', '{}', '\\'], '{}', '{{1,2},{3,NULL}}', '[2024-02-29,)',
  '{[2020-01-01 00:00+08,2020-01-02 00:00+00],(2021-01-01 00:00+00,)}',
  '{"b": [1, 1.10, null], "ä": "\\u0041"}', '{"b":  1,"b":2}', decode('0001fe00ff27', 'hex'), 1.100, 0.1 + 0.2::float8,
  'NaN', '1883-11-18 12:03:58.123456-04:56:02', '24:00', '-1 year 3 days -04:00:00.000001', 'fe80::1/64', B'01011',
  B'0', '(1.5,-0)', 'a:1A fat:2B cat', NULL, NULL, NULL, NULL)"""


def nobody_waits(sites: Sites) -> None:
    for name in sites.names:
        until(f"nothing waits at {name}", lambda: not sites.parked(name), 20, lambda: str(sites.parked(name)))  # noqa: B023


def test_values_of_many_types_arrive_as_they_are(sites: Sites, library: tuple[str, ...]) -> None:
    for site in sites.names:
        sites.run(site, ODD_BOOK)
        sites.run(site, "INSERT INTO library.book (title) VALUES ('')")
    sites.converge(*library)
    sites.run("us", "UPDATE library.book SET price = NULL, tags = NULL, ok = true, title = '' WHERE price IS NOT NULL")
    sites.run("taipei", "UPDATE library.book SET weight = '-Infinity', spot = NULL, facts = 'null' WHERE isbn <> ''")
    sites.converge(*library)
    assert sites.value("us", "SELECT count(*) FROM library.book WHERE facts = 'null'::jsonb AND ok") == len(sites.names)
    assert sites.value("shanghai", "SELECT count(DISTINCT id) FROM library.book") == 2 * len(sites.names)


def test_generated_keys_of_different_sites_never_collide(sites: Sites, library: tuple[str, ...]) -> None:
    before = sites.value("us", "SELECT count(*) FROM library.book")
    sites.stack.wan.cut()
    for site in sites.names:
        sites.run(site, "INSERT INTO library.book (title) SELECT 'by ' || %s FROM generate_series(1, 50)", (site,))
    sites.stack.wan.heal()
    sites.converge(*library)
    counts = "SELECT count(DISTINCT id), count(DISTINCT code), count(DISTINCT id % 1024) FROM library.book"
    assert sites.run("us", f"{counts} WHERE title LIKE 'by %'") == [(200, 200, 4)]
    assert sites.value("us", "SELECT count(*) FROM library.book") == before + 200


def test_a_large_value_edited_at_one_site_and_a_small_one_at_another_both_reach_a_third(
    sites: Sites, library: tuple[str, ...]
) -> None:
    """Scenario 12: the small edit's WAL does not hold the large value; who is behind on it must get it all the same."""
    key = sites.value(
        "taipei", "INSERT INTO library.book (title, scan) VALUES ('t', repeat('x', %s)) RETURNING id", (PAGE,)
    )
    sites.converge(*library)
    sites.stack.wan.cut(Lines(sender="taipei", receiver="us"))
    sites.run("taipei", "UPDATE library.book SET scan = repeat('y', %s) WHERE id = %s", (PAGE, key))
    scan = "SELECT left(scan, 1) || length(scan) FROM library.book WHERE id = %s"
    until("the large value is at Kaohsiung", lambda: sites.value("kaohsiung", scan, (key,)) == f"y{PAGE}")
    sites.run("kaohsiung", "UPDATE library.book SET remark = 'small' WHERE id = %s", (key,))
    remark = "SELECT remark FROM library.book WHERE id = %s"
    until("the small value is at the US site", lambda: sites.value("us", remark, (key,)) == "small")
    assert sites.value("us", scan, (key,)) == f"x{PAGE}"
    sites.stack.wan.heal()
    sites.converge(*library)
    assert sites.value("us", scan, (key,)) == f"y{PAGE}"
    sites.run("us", "UPDATE library.book SET scan = NULL WHERE id = %s", (key,))
    sites.converge(*library)
    assert sites.value("taipei", scan, (key,)) is None


def test_composite_keys_and_a_table_of_keys_alone_travel(sites: Sites, library: tuple[str, ...]) -> None:
    sites.run(
        "us", """INSERT INTO library.shelf VALUES ('a', 1, 'x', 'one'), ('a', -1, 'x y', NULL), ('', 0, '', '')"""
    )
    sites.run("us", "INSERT INTO library.author VALUES ('A, B', '0044-03-15 BC'), ('陳', NULL)")
    sites.converge(*library)
    book = "INSERT INTO library.book (title, hall, \"row\", place) VALUES ('b', 'a', -1, 'x y') RETURNING id"
    key = sites.value("taipei", book)
    sites.run("taipei", "INSERT INTO library.wrote VALUES ('A, B', %s), ('陳', %s)", (key, key))
    sites.converge(*library)
    sites.run("shanghai", "DELETE FROM library.wrote WHERE author = '陳' AND book = %s", (key,))
    sites.converge(*library)
    assert sites.run("us", "SELECT author FROM library.wrote WHERE book = %s", (key,)) == [("A, B",)]
    sites.run("kaohsiung", "INSERT INTO library.wrote VALUES ('陳', %s)", (key,))
    sites.converge(*library)
    sites.run("us", "DELETE FROM library.book WHERE id = %s", (key,))
    sites.converge(*library)
    assert sites.value("taipei", "SELECT count(*) FROM library.wrote WHERE book = %s", (key,)) == 0
    nobody_waits(sites)


def test_quoted_and_non_ascii_names_travel(sites: Sites, forest: tuple[str, ...]) -> None:
    keys = [uuid4() for _ in range(8)]
    for place, key in enumerate(keys):
        site = sites.names[place % 4]
        sites.run(site, f"""INSERT INTO {TREES} VALUES (%s, %s, 1.50, 's', '松', 'q')""", (key, -place))
        sites.run(site, f"INSERT INTO {EMPTY} VALUES (%s, 'ä b')", (place,))
    sites.converge(*forest)
    for place, key in enumerate(keys):
        site = sites.names[(place + 1) % 4]
        this = f"""WHERE "Schlüssel" = '{key}'"""
        sites.run(site, f"""UPDATE {TREES} SET "Höhe (m)" = 2.0, "名字" = '柏' {this}""")
        sites.run(site, f"""UPDATE {TREES} SET "'q'" = '''', "select" = '%s' {this}""")
    sites.run("us", f'DELETE FROM {TREES} WHERE "Schlüssel" = %s', (keys[0],))
    sites.run("us", f"DELETE FROM {EMPTY} WHERE a < 4")
    sites.converge(*forest)
    assert sites.value("taipei", f"SELECT count(*) FROM {TREES} WHERE \"名字\" = '柏'") == 7
    assert sites.value("taipei", f"SELECT count(*) FROM {EMPTY}") == 4


def test_a_tree_arrives_whole_whatever_the_order_of_its_rows(sites: Sites, forest: tuple[str, ...]) -> None:
    """Roots last in the order of keys, one transaction, then a branch moved to another tree."""
    sites.run("us", f"INSERT INTO {NODES} SELECT g, NULLIF(g + 1, 201), 'n' || g FROM generate_series(200, 1, -1) g")
    sites.converge(*forest)
    sites.run("taipei", f"UPDATE {NODES} SET vater = 200 WHERE id % 2 = 0 AND id < 200")
    sites.run("taipei", f"INSERT INTO {NODES} VALUES (1000, 1000, 'its own father')")
    sites.converge(*forest)
    nobody_waits(sites)


def test_a_child_that_is_here_before_its_parent_waits_for_it(sites: Sites, forest: tuple[str, ...]) -> None:
    sites.stack.wan.cut(Lines(sender="taipei", receiver="us"))
    sites.run("taipei", f"INSERT INTO {NODES} VALUES (2000, NULL, 'parent')")
    until("the parent is at Shanghai", lambda: sites.run("shanghai", f"SELECT 1 FROM {NODES} WHERE id = 2000"))
    sites.run("shanghai", f"INSERT INTO {NODES} VALUES (2001, 2000, 'child')")
    sites.run("shanghai", f"INSERT INTO {NODES} VALUES (2002, 2001, 'grandchild')")
    sites.run("shanghai", f"UPDATE {NODES} SET name = 'grown' WHERE id = 2002")
    sites.run("shanghai", f"INSERT INTO {EMPTY} VALUES (77, 'behind it')")
    until("what came behind is at the US site", lambda: sites.run("us", f"SELECT 1 FROM {EMPTY} WHERE a = 77"))
    until("the family waits", lambda: sites.parked("us"))
    assert sites.value("us", f"SELECT count(*) FROM {NODES} WHERE id > 2000") == 0
    sites.stack.wan.heal()
    sites.converge(*forest)
    until("nobody waits any more", lambda: not sites.parked("us"))
    assert sites.value("us", f"SELECT name FROM {NODES} WHERE id = 2002") == "grown"


def test_a_table_without_a_primary_key_is_refused(sites: Sites) -> None:
    sites.everywhere("CREATE TABLE library.log (line text)")
    refused = sites.replication("add-table", "library.log")
    assert refused.returncode == 2
    assert "library.log has no primary key" in refused.stderr


@pytest.mark.parametrize("statement", ["TRUNCATE library.wrote", "TRUNCATE library.shelf CASCADE"])
def test_truncate_is_refused(sites: Sites, library: tuple[str, ...], statement: str) -> None:
    sites.run("us", "INSERT INTO library.shelf VALUES ('kept', 1, 'x', '') ON CONFLICT DO NOTHING")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="TRUNCATE is refused"):
        sites.run("us", statement)
    sites.converge(*library)
    assert sites.value("taipei", "SELECT count(*) FROM library.shelf WHERE hall = 'kept'") == 1


def test_a_primary_key_cannot_be_changed(sites: Sites, library: tuple[str, ...]) -> None:
    sites.run("us", "INSERT INTO library.shelf VALUES ('fixed', 1, 'x', '') ON CONFLICT DO NOTHING")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match=r"primary key of library\.shelf cannot be changed"):
        sites.run("us", """UPDATE library.shelf SET "row" = 2 WHERE hall = 'fixed'""")


def test_a_percent_sign_in_a_name_travels(sites: Sites, forest: tuple[str, ...]) -> None:
    sites.add_tables(PERCENT)
    sites.run("us", f"INSERT INTO {PERCENT} SELECT g, 10, 'x' FROM generate_series(1, 5) g")
    sites.converge(PERCENT)
    sites.run("taipei", f"""UPDATE {PERCENT} SET "Rabatt in %" = 20 WHERE "%s" < 4""")
    sites.run("us", f"""UPDATE {PERCENT} SET "%(a)s" = '%' WHERE "%s" < 4""")
    sites.run("kaohsiung", f"""DELETE FROM {PERCENT} WHERE "%s" = 5""")
    sites.converge(PERCENT)
    nobody_waits(sites)
