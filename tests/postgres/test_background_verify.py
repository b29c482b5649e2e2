"""A table compared with a peer's as the control daemon does: by what the peer's services say, never by its database."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from replication.core.ranges import Ask, Range
from replication.errors import RefusedError, UsageError
from replication.postgres import verifications
from replication.postgres.verifications import Cycle, Outcome
from replication.snapshot import leaving
from replication.verify.background import Comparison, Found, Pace
from replication.verify.between import digests_between, enlisted
from replication.verify.parts import Parts
from replication.verify.serving import Tables
from tests.postgres.servers import Pair, as_applied

FAST = Pace(10**9, 10**9)
DDL = 'CREATE TABLE t (a int, "b 鍵" text, amount numeric, note text, PRIMARY KEY (a, "b 鍵"))'
ROWS = 9000
KEPT = ("tombstone", "position", "parked", "verification", "divergent")


class Direct:
    """The peer's services without a broker: what is said passes through JSON, as in letters."""

    def __init__(self, pair: Pair, asked: Callable[[str], None] = lambda _: None) -> None:
        self.pair, self.tables = pair, Tables(pair.beta, pair.config, pair.config.site("beta"))
        self.asked, self.bytes_exchanged = asked, 0

    def __call__(self, what: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked(what)
        if what == "positions":  # as apply does at either site, now and then
            self.pair.everywhere("UPDATE kuroshio.look SET number = number + 1")
        try:
            said = json.dumps(getattr(self.tables, what)("alpha", json.loads(json.dumps(body))))
        except UsageError as fault:
            raise RefusedError(str(fault)) from fault
        self.bytes_exchanged += len(json.dumps(body)) + len(said)
        answer: Mapping[str, Any] = json.loads(said)
        return answer


@pytest.fixture
def equal(pair: Pair) -> Iterator[Pair]:
    pair.everywhere(DDL)
    pair.everywhere(f"INSERT INTO t SELECT i, chr(19968 + i % 999), i * 1.10, 'n' FROM generate_series(1, {ROWS}) i")
    pair.enlist("t")
    settle(pair)
    yield pair
    for statement in (f"DROP SCHEMA {pair.schema} CASCADE", *(f"DELETE FROM kuroshio.{name}" for name in KEPT)):
        pair.everywhere(statement)


def settle(pair: Pair) -> None:
    """As if each had applied all that the other will ever write."""
    for reader, origin in ((pair.alpha, "beta"), (pair.beta, "alpha")):
        [(log,)] = pair.run(pair.sessions[origin], "SELECT incarnation FROM kuroshio.site")
        pair.run(
            reader,
            "INSERT INTO kuroshio.position (origin, incarnation, lsn) VALUES (%s, %s, 'FFFFFFFF/0')"
            " ON CONFLICT (origin) DO UPDATE SET lsn = excluded.lsn",
            (origin, log),
        )


def compare(pair: Pair, line: Direct | None = None, pace: Pace = FAST) -> Found:
    site = pair.config.site("alpha")
    comparison = Comparison(pair.alpha, pair.config, site, "beta", line or Direct(pair), pace, poll_seconds=0.01)
    return comparison.compare((pair.schema, "t"))


def plant(pair: Pair, statement: str) -> None:
    with as_applied(pair.beta):
        pair.run(pair.beta, statement)


def test_equal_tables_are_equal_and_few_bytes_say_so(equal: Pair) -> None:
    line = Direct(equal)
    found = compare(equal, line)
    assert (found.rows, found.differing, found.undecided) == (ROWS, [], "")
    assert line.bytes_exchanged < 2000


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET amount = amount + 1 WHERE a IN (1, 4711, 9000)",
        "UPDATE t SET amount = amount * 1.00 WHERE a IN (1, 4711, 9000)",
        "UPDATE t SET kuroshio = '{2,1}' WHERE a IN (1, 4711, 9000)",
        "UPDATE t SET note = NULL WHERE a IN (1, 4711, 9000)",
        "DELETE FROM t WHERE a IN (1, 4711, 9000)",
    ],
)
def test_rows_that_differ_are_named(equal: Pair, statement: str) -> None:
    plant(equal, statement)
    line = Direct(equal)
    found = compare(equal, line)
    assert sorted(int(key[0]) for key in found.differing) == [1, 4711, 9000]
    assert not found.is_more
    assert line.bytes_exchanged < 20_000


def test_rows_that_one_side_alone_has_are_named(equal: Pair) -> None:
    plant(equal, "INSERT INTO t SELECT i, 'x', 0, '', '{1,1}' FROM generate_series(20001, 20005) i")
    with as_applied(equal.alpha):
        equal.run(equal.alpha, "INSERT INTO t VALUES (-5, '', 0, '', '{1,1}'), (30000, '', 0, '', '{1,1}')")
    expected = [-5, *range(20001, 20006), 30000]
    assert sorted(int(key[0]) for key in compare(equal).differing) == expected


def test_two_equal_differences_do_not_cancel_out(equal: Pair) -> None:
    plant(equal, "UPDATE t SET note = 'm' WHERE a IN (500, 501)")
    assert len(compare(equal).differing) == 2


def test_an_empty_table_against_a_full_one(equal: Pair) -> None:
    plant(equal, "DELETE FROM t")
    found = compare(equal)
    assert (len(found.differing), found.is_more) == (1000, True)


def test_a_cell_changed_while_the_tables_are_compared_is_no_difference(equal: Pair) -> None:
    """It is there at one site and on its way to the other when it is looked at; then it arrives."""
    change = "UPDATE t SET note = 'new', kuroshio = '{900,800}' WHERE a = 77"
    looked = list[str]()

    def asked(what: str) -> None:
        looked.append(what)
        if what == "parts" and len(looked) == 2:
            plant(equal, change)
        if what == "positions" and looked.count("positions") == 1:
            with as_applied(equal.alpha):
                equal.run(equal.alpha, change)

    found = compare(equal, Direct(equal, asked))
    assert (found.differing, found.undecided) == ([], "")
    assert "states" in looked, "it did seem to differ"


def test_a_row_that_keeps_changing_is_neither_equal_nor_different(equal: Pair) -> None:
    plant(equal, "UPDATE t SET note = 'standing' WHERE a = 5000")
    count = iter(range(1, 1000))

    def asked(what: str) -> None:
        if what == "states":
            plant(equal, f"UPDATE t SET note = 'moving', kuroshio = '{{{next(count) + 10},2}}' WHERE a = 77")

    plant(equal, "UPDATE t SET note = 'moving' WHERE a = 77")
    found = compare(equal, Direct(equal, asked))
    assert [key[0] for key in found.differing] == ["5000"]
    assert "keep changing" in found.undecided


def test_what_is_behind_is_not_decided(equal: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replication.verify.background.FENCE_SECONDS", 0.2)
    plant(equal, "UPDATE t SET note = 'm' WHERE a = 500")
    equal.run(equal.alpha, "UPDATE kuroshio.position SET lsn = '0/0'")
    found = compare(equal)
    assert found.differing == []
    assert "behind each other's changes" in found.undecided


def test_a_table_that_is_another_at_the_peer_is_refused(equal: Pair) -> None:
    plant(equal, "ALTER TABLE t ADD COLUMN more int")
    with pytest.raises(RefusedError, match="columns or its key differ"):
        compare(equal)
    plant(equal, "DELETE FROM kuroshio.replicated_table WHERE relname = 't'")
    with pytest.raises(RefusedError, match="not under replication"):
        compare(equal)


def test_it_goes_no_faster_than_it_may(equal: Pair) -> None:
    pace = Pace(ROWS / 0.8, 10**9)
    compare(equal, pace=pace)
    assert pace.seconds_early(ROWS, 0) == 0
    assert Pace(10**9, 100).seconds_early(0, 50) == pytest.approx(0.5, abs=0.1)


def test_a_part_ends_with_the_key_that_it_names(equal: Pair) -> None:
    table = enlisted(equal.alpha, (equal.schema, "t"))
    [digests] = digests_between(table, equal.config.rules, ("alpha", "beta"), ())
    parts = Parts(equal.alpha, digests)
    first = parts.cut(Ask(Range(), 100), 3)
    assert ([part.last[0] for part in first.parts], first.is_whole) == (["100", "200", "300"], False)
    rest = parts.cut(Ask(Range(("8850", chr(19968 + 8850 % 999)), None), 100), 3)
    assert ([part.sum.rows for part in rest.parts], rest.is_whole) == ([100, 50], True)
    one = Range(first.parts[0].last, first.parts[1].last)
    assert parts.sums([one]) == [first.parts[1].sum]
    assert len(parts.rows(one, 7)) == 7
    assert parts.states([("1", chr(19969)), ("1", "nothing")])[1] is None


def test_what_was_found_is_kept_with_its_age_and_survives_a_look_that_cannot_tell(fresh: Callable[..., Pair]) -> None:
    pair = fresh()
    pair.everywhere(DDL)
    pair.enlist("t")
    cycle, name = Cycle(24, first_after_seconds=0), (pair.schema, "t")
    connection = pair.alpha
    assert verifications.next_due(connection, ["beta"], Cycle(24)) is None, "it has just come under replication"
    assert verifications.next_due(connection, ["beta"], cycle) == ("beta", name)
    verifications.begin(connection, "beta", name)
    assert verifications.next_due(connection, ["beta"], cycle) == ("beta", name), "interrupted"
    verifications.end(connection, "beta", name, Outcome(10, 500, [("1", "x"), ("2", "y")], False, ""))
    assert verifications.next_due(connection, ["beta"], cycle) is None
    verifications.begin(connection, "beta", name)
    verifications.end(connection, "beta", name, Outcome(0, 0, [], False, "nobody answers"))
    [known] = verifications.known(connection)
    assert (known.divergent, known.undecided) == (2, "nobody answers")
    pair.run(connection, "UPDATE kuroshio.capture SET peers = '{beta}'")
    verifications.ask(connection, "chen")
    assert verifications.next_due(connection, ["beta"], cycle) == ("beta", name)
    verifications.begin(connection, "beta", name)
    verifications.end(connection, "beta", name, Outcome(10, 500, [("2", "y")], False, ""))
    assert pair.run(connection, "SELECT key FROM kuroshio.divergent") == [(["2", "y"],)]
    verifications.end(connection, "beta", name, Outcome(10, 500, [], False, ""))
    assert pair.run(connection, "SELECT key FROM kuroshio.divergent") == []
    [known] = verifications.known(connection)
    assert (known.divergent, known.undecided) == (0, "")


def test_a_site_that_has_left_is_forgotten_and_not_asked_about_again(fresh: Callable[..., Pair]) -> None:
    pair = fresh()
    pair.everywhere(DDL)
    pair.enlist("t")
    pair.run(pair.alpha, "INSERT INTO kuroshio.site_number VALUES ('gone', 3)")
    pair.everywhere("UPDATE kuroshio.capture SET peers = ARRAY['alpha', 'beta']")
    verifications.begin(pair.alpha, "gone", (pair.schema, "t"))
    verifications.end(pair.alpha, "gone", (pair.schema, "t"), Outcome(1, 5, [("1", "x")], False, ""))
    verifications.count_letter(pair.alpha, "gone", "")
    leaving.forget(pair.sessions, "gone")
    verifications.ask(pair.alpha, "chen")
    assert "gone" not in {known.peer for known in verifications.known(pair.alpha)}
    for kept in ("divergent", "letters"):
        assert pair.run(pair.alpha, f"SELECT FROM kuroshio.{kept} WHERE peer = 'gone'") == []
