"""What the golden bytes are taken from: tables and changes, each with something that a decoder may get wrong.

A case is one table and some transactions on it, each a few statements.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One table and what is done to it; ``prepare`` comes before the table is made, its ``alter table`` after."""

    name: str
    table: str
    """As in SQL, quoted where it must be."""
    definition: str
    transactions: tuple[tuple[str, ...], ...]
    prepare: tuple[str, ...] = ()


_ALL_KINDS = (
    "insert into public.kinds values ('00000000-0000-0000-0000-00000000000a', 'sad ☹', '{ok,\"sad ☹\"}',"
    """ array['a,b', 'c"d', null, ''], '[1,5)', '{"b": [1, 2.50, null], "a": "\\u00fc"}', '\\x00ff10',"""
    " row(1, 'x y'), 'domain', '1 year 2 mons -3 days 04:05:06.7', true, '10.0.0.1/8',"
    " 9223372036854775807, 0.1, 0.30000000000000004)"
)
_EXACT_VALUES = (
    "insert into public.exact values"
    " (1, 12345.60, 123456789012345678901234567890.00010, '2026-11-01 01:30:00.120-04',"
    " '2017-03-12 02:30:00', '23:59:59.999999'),"
    " (2, -0.05, 'NaN', 'infinity', '-infinity', '24:00:00'),"
    " (3, 0, 1e-20, '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999', '00:00')"
)
_A_TOASTED_ROW = (
    "insert into public.toasted select 1, 'a', string_agg(md5(i::text), ''), 'x' from generate_series(1, 200) i"
)
CASES = (
    Case(
        "composite key",
        "public.visit",
        "(day date, customer integer, note text, seen boolean, primary key (day, customer))",
        (
            ("insert into public.visit values ('2026-02-28', 7, 'first', true), ('0044-03-15 BC', -7, '', false)",),
            ("update public.visit set note = 'second' where customer = 7",),
            ("delete from public.visit where customer = -7",),
        ),
    ),
    Case(
        "a key that changes sends the old one too",
        "public.renamed",
        "(code text primary key, body text)",
        (("insert into public.renamed values ('a', 'x')",), ("update public.renamed set code = 'b'",)),
    ),
    Case(
        "quoted and non-ASCII names",
        '"Kunden 客戶"."Straße ""x"""',
        '("Nr." integer primary key, "電話 號碼" text, "select" text)',
        (("""insert into "Kunden 客戶"."Straße ""x\""" values (1, '02-2345 轉 6', E'tab\\there\\nline \\\\ 🙂')""",),),
        prepare=('create schema "Kunden 客戶"',),
    ),
    Case(
        "types: enum, array, range, jsonb, bytea, composite, domain, interval",
        "public.kinds",
        "(id uuid primary key, mood public.mood, moods public.mood[], words text[], span int4range, doc jsonb,"
        " raw bytea, pair public.pair, short public.short, took interval, flag boolean, ip inet, big bigint,"
        " real4 real, real8 float8)",
        ((_ALL_KINDS,),),
        prepare=(
            "create type public.mood as enum ('ok', 'sad ☹')",
            "create type public.pair as (a integer, b text)",
            "create domain public.short as varchar(20) check (value <> '')",
        ),
    ),
    Case(
        "numeric and times keep every digit",
        "public.exact",
        "(id integer primary key, money numeric(12,2), any_scale numeric, at timestamptz, naive timestamp, clock time)",
        ((_EXACT_VALUES,),),
    ),
    Case(
        "an unchanged TOASTed value is not sent, and is not NULL",
        "public.toasted",
        "(id integer primary key, small text, large text, gone text)",
        (
            (_A_TOASTED_ROW,),
            ("update public.toasted set small = 'b', gone = null",),
            ("update public.toasted set large = 'short now'",),
        ),
        prepare=("alter table public.toasted alter large set storage external",),
    ),
    Case(
        "NULL and the empty string",
        "public.nothing",
        "(id integer primary key, a text, b text, c integer)",
        (
            ("insert into public.nothing values (1, null, '', null)",),
            ("update public.nothing set a = '', b = null, c = 0",),
        ),
    ),
    Case(
        "generated and identity columns",
        "public.derived",
        "(id bigint generated always as identity primary key, a integer,"
        " twice integer generated always as (a * 2) stored)",
        (("insert into public.derived (a) values (21)", "update public.derived set a = -1"),),
    ),
    Case(
        "several rows and statements in one transaction",
        "public.many",
        "(id integer primary key, v text)",
        (
            (
                "insert into public.many select i, 'v' || i from generate_series(1, 5) i",
                "update public.many set v = v || '!' where id < 3",
                "delete from public.many where id = 4",
            ),
        ),
    ),
    Case(
        "replica identity of another unique index",
        "public.by_index",
        "(id integer primary key, code text not null unique, v text)",
        (
            ("insert into public.by_index values (1, 'k', 'v'), (2, 'l', 'w')",),
            ("update public.by_index set code = 'm' where id = 1",),
            ("delete from public.by_index where id = 2",),
        ),
        prepare=("alter table public.by_index replica identity using index by_index_code_key",),
    ),
    Case(
        "columns dropped, added and renamed between changes",
        "public.evolving",
        "(id integer primary key, old text, kept text)",
        (
            ("insert into public.evolving values (1, 'o', 'k')",),
            ("alter table public.evolving drop old",),
            ("insert into public.evolving values (2, 'l')",),
            (
                "alter table public.evolving add fresh text default 'd'",
                "alter table public.evolving rename kept to stays",
            ),
            (
                "insert into public.evolving values (3, 'm', 'n')",
                "update public.evolving set fresh = null where id < 3",
            ),
        ),
    ),
    Case(
        "what a replication origin wrote is left out",
        "public.applied",
        "(id integer primary key)",
        (
            ("select pg_replication_origin_session_setup('peer')",),
            ("insert into public.applied values (1)",),
            ("select pg_replication_origin_session_reset()",),
            ("insert into public.applied values (2)", "delete from public.applied where id = 1"),
        ),
        prepare=("select pg_replication_origin_create('peer')",),
    ),
    Case(
        "TRUNCATE comes as a row of pglogical's queue",
        "public.emptied",
        "(id integer primary key)",
        (("insert into public.emptied values (1)",), ("truncate public.emptied",)),
    ),
)
