"""Records what a real server's pglogical sends for the cases: ``python -m tests.wire.golden.record``.

Writes ``pglogical.jsonl`` beside this file: for each case a line with the rows that the server has at the end, as a
query in a session of the same settings shows them, then a line for each message, its bytes in hexadecimal and
what they say, to be read by a person before it is committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psycopg.pq import ExecStatus, PGconn
from psycopg.pq.abc import PGconn as Connection
from psycopg.pq.abc import PGresult

from replication.wire.pglogical import (
    UNCHANGED,
    Begin,
    Commit,
    Decoder,
    Delete,
    Event,
    Insert,
    Origin,
    Relation,
    Startup,
    Unchanged,
    Update,
    Value,
    session_options,
    start_replication,
)
from tests.wire.golden.cases import CASES, Case
from tests.wire.golden.server import private_server

GOLDEN = Path(__file__).with_name("pglogical.jsonl")
_HEADER = 25
"""Bytes before the payload in a walsender's 'w' message."""
_SET = "kuroshio"
_FENCE = "public.fence"


def record() -> Iterator[dict[str, Any]]:
    """The lines of the golden file, from a server made for it."""
    with private_server() as conninfo:
        options = f"{conninfo} options='{session_options()}'"
        sql = PGconn.connect(options.encode())
        _prepare(sql)
        stream = PGconn.connect(f"{options} replication=database".encode())
        _expect(stream.exec_(start_replication("golden", 0, [_SET]).encode()), ExecStatus.COPY_BOTH)
        decoder = Decoder()
        for case in CASES:
            yield from _case(sql, stream, decoder, case)
        stream.finish()
        sql.finish()


def _prepare(sql: Connection) -> None:
    for statement in (
        "create extension pglogical",
        "select pglogical.create_node('golden', 'dbname=postgres')",
        f"select pglogical.create_replication_set('{_SET}')",
        f"create table {_FENCE} (id integer primary key)",
        f"select pglogical.replication_set_add_table('{_SET}', '{_FENCE}')",
        "select pg_create_logical_replication_slot('golden', 'pglogical_output')",
    ):
        _query(sql, statement)


def _case(sql: Connection, stream: Connection, decoder: Decoder, case: Case) -> Iterator[dict[str, Any]]:
    schema = [line for line in case.prepare if not line.startswith("alter")]
    for statement in (*schema, f"create table {case.table} {case.definition}", *case.prepare[len(schema) :]):
        _query(sql, statement)
    _query(sql, "select pglogical.replication_set_add_table($1, $2::regclass)", _SET, case.table)
    for transaction in case.transactions:
        for statement in ("begin", *transaction, "commit"):
            _query(sql, statement)
    yield {"case": case.name, "table": case.table, "rows": _query(sql, f"select * from {case.table}")}
    _query(sql, f"delete from {_FENCE}")
    _query(sql, f"insert into {_FENCE} values (1)")
    yield from _messages(stream, decoder)


def _messages(stream: Connection, decoder: Decoder) -> Iterator[dict[str, Any]]:
    """All that comes before the fence, without transactions that hold nothing."""
    transaction: list[dict[str, Any]] = []
    fenced = False
    while not fenced or transaction:
        size, data = stream.get_copy_data(0)
        if size <= 0:
            raise RuntimeError(stream.error_message.decode())
        if bytes(data[:1]) != b"w":
            continue
        event = decoder.feed(data[_HEADER:])
        transaction.append({"hex": bytes(data[_HEADER:]).hex(), "says": describe(event)})
        fenced = fenced or (isinstance(event, Insert) and event.relation.name == "fence")
        if isinstance(event, Commit):
            yield from [] if _is_empty(transaction) else transaction
            transaction = []


def _is_empty(transaction: list[dict[str, Any]]) -> bool:
    names = {line["says"][0] for line in transaction}
    fences = any(line["says"][1] == _FENCE for line in transaction)
    return fences or names == {"begin", "commit"}


def describe(event: Event) -> list[Any]:
    """The event as a person reads it."""
    name = type(event).__name__.lower()
    match event:
        case Startup(parameters):
            return [name, {key: parameters[key] for key in ("encoding", "max_proto_version")}]
        case Relation(oid, schema, table, columns, keys):
            return [name, f"{schema}.{table}", oid, list(columns), list(keys)]
        case Insert(relation, values) | Delete(relation, values):
            return [name, *_row(relation, values)]
        case Update(relation, key, values):
            return [name, *_row(relation, values), key and _row(relation, key)[1]]
        case Begin() | Commit() | Origin():
            return [name, *event]


def _row(relation: Relation, values: tuple[Value, ...]) -> tuple[str, dict[str, Any]]:
    texts = map(_text, values)
    return f"{relation.schema}.{relation.name}", dict(zip(relation.columns, texts, strict=True))


def _text(value: Value) -> str | list[str] | None:
    if isinstance(value, Unchanged):
        return [UNCHANGED.value]
    return None if value is None else value.decode()


def _query(sql: Connection, statement: str, *arguments: str) -> list[dict[str, str | None]]:
    result = sql.exec_params(statement.encode(), [argument.encode() for argument in arguments] or None)
    _expect(result, ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    return [
        {name: _cell(result.get_value(row, column)) for column, name in enumerate(names)}
        for row in range(result.ntuples)
    ]


def _cell(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _expect(result: PGresult, *statuses: ExecStatus) -> None:
    if result.status not in statuses:
        raise RuntimeError(result.error_message.decode())


if __name__ == "__main__":
    GOLDEN.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in record()))
