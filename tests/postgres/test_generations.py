"""A rule that is changed begins a new generation: the triggers write what the pure rules say, and a change that does
not say so is refused before anything is done."""

import json
import random
from collections.abc import Callable, Sequence

import psycopg
import pytest

from replication.core.merge import RowRules
from replication.core.rules import Cell, Write
from replication.core.stamps import GENERATION, Stamp, Stamps, cell_id, cell_key
from replication.definitions import require_known
from replication.enlisting import Enlisting
from replication.errors import RulesUnknownError, UsageError
from sitecfg import ColumnRule, Config, Rules, TableRules, load
from tests.postgres.servers import Pair

Fresh = Callable[..., Pair]
NUMBERS = ("0.00", "5.00", "-3.00", "12.50", None)
LISTS = ("{}", "{a}", "{b,a}", "{b,b,NULL}", '{"a b",c}', None)
TEXTS = ("", "a", "ab", "名", None)
CHANGES: list[tuple[str, Sequence[str | None], tuple[str, ...]]] = [
    ("numeric(12,2)", NUMBERS, ("latest", "counter", "latest", "counter")),
    ("numeric(12,2)", NUMBERS, ("counter", "greatest", "least", "counter")),
    ("numeric(12,2)", NUMBERS, ("site", "latest", "greatest", "site")),
    ("numeric(12,2)", NUMBERS, ("frozen", "latest", "frozen")),
    ("text[]", LISTS, ("latest", "set", "latest", "set")),
    ("text", TEXTS, ("latest", "append", "latest", "append")),
]
WRITES = 12


def encoded(value: object) -> bytes | None:
    return None if value is None else str(value).encode()


def read(pair: Pair) -> tuple[bytes | None, Stamps, dict[str, object]]:
    has_parts = pair.run(
        pair.alpha, "SELECT 1 FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'kuroshio_parts'"
    )
    columns = "v::text, kuroshio, " + ("coalesce(kuroshio_parts, '{}')" if has_parts else "'{}'::jsonb")
    [(value, packed, parts)] = pair.run(pair.alpha, f"SELECT {columns} FROM t")
    stamps = Stamps.unpack(packed)  # type: ignore[arg-type]
    assert stamps.pack() == packed, "the stamps are not in their canonical form"
    return encoded(value), stamps, dict(parts)  # type: ignore[call-overload]


def enlist(pair: Pair, kinds: Sequence[str]) -> None:
    rule: dict[str, object] = {"rule": kinds[-1], **({"site": "alpha"} if kinds[-1] == "site" else {})}
    if len(kinds) > 1:
        rule |= {"generation": len(kinds), "was": list(kinds[:-1])}
    pair.enlist("t", {"columns": {"v": rule}})


@pytest.mark.parametrize(("type_", "values", "kinds"), CHANGES, ids=["-".join(kinds) for _, _, kinds in CHANGES])
def test_the_triggers_write_what_the_rules_say_in_every_generation(
    pair: Pair, type_: str, values: Sequence[str | None], kinds: tuple[str, ...]
) -> None:
    dice = random.Random(repr(kinds))
    pair.everywhere(f"CREATE TABLE t (id int PRIMARY KEY, v {type_}, other int)")
    enlist(pair, kinds[:1])
    cell = inserted(pair, kinds[:1], dice.choice(values))
    for generation in range(len(kinds)):
        enlist(pair, kinds[: generation + 1])
        for _ in range(WRITES):
            cell = written(pair, kinds[: generation + 1], cell, dice.choice(values))
    pair.run(pair.alpha, "DELETE FROM t")
    cell = inserted(pair, kinds, values[0])
    written(pair, kinds, cell, values[1])


def inserted(pair: Pair, kinds: Sequence[str], value: str | None) -> Cell:
    rules = RowRules({"v": kinds[-1]}, earlier={"v": kinds[:-1]})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, %s, 0)", (value,))
    shown, stamps, parts = read(pair)
    stamp = stamps.of(cell_id("v"))
    assert (stamp.generation, parts) == (len(kinds) - 1, {})
    assert stamp.epoch == (kinds[-1] == "site")
    return Cell(stamp, shown, rules.unfold("v", {}, shown, stamps.base, stamp.generation))


def written(pair: Pair, kinds: Sequence[str], cell: Cell, value: str | None) -> Cell:
    """Write at alpha, which has the authority; return what the pure rules make of it, which must be there."""
    rules = RowRules({"v": kinds[-1]}, earlier={"v": kinds[:-1]})
    pair.run(pair.alpha, "UPDATE t SET other = other + 1")
    assert read(pair)[0] == cell.value, "what is not written stays as it is"
    if kinds[-1] == "frozen" and cell.value is not None:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is frozen"):
            pair.run(pair.alpha, "UPDATE t SET v = %s", (None if value == cell.value.decode() else value,))
        return cell
    if kinds[-1] == "counter" and value is None:
        return cell
    pair.run(pair.alpha, "UPDATE t SET v = %s", (value,))
    shown, stamps, parts = read(pair)
    stamp = stamps.of(cell_id("v"))
    if stamp.moment > cell.stamp.moment:
        cell = rules.write("v", cell, Write(encoded(value), stamp.moment, authority=kinds[-1] == "site"))
    assert (shown, stamp) == (cell.value, cell.stamp)
    folded = json.loads(json.dumps(rules.fold("v", cell, stamps.base)))
    assert parts == ({"v": folded} if folded else {})
    kept = {key: tuple(part) for key, part in folded.items()}
    assert rules.unfold("v", kept, shown, stamps.base, stamp.generation) == cell.parts
    return cell


def test_a_table_whose_rules_were_never_changed_carries_no_generation(pair: Pair) -> None:
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, v int)")
    pair.enlist("t")
    [(source,)] = pair.run(
        pair.alpha,
        "SELECT string_agg(prosrc, '') FROM pg_proc p JOIN pg_trigger t ON t.tgfoid = p.oid"
        " WHERE t.tgrelid = 't'::regclass",
    )
    assert "generation" not in str(source)
    assert str(cell_key("v", GENERATION)) not in str(source)


# -- what is refused ---------------------------------------------------------------------------------------------------


def configured(pair: Pair, column: str) -> Config:
    """The same sites, under other rules."""
    file = pair.config.directory / "rules" / "rules.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'[table."{pair.schema}.t"]\nowner = "owner"\n[table."{pair.schema}.t".column]\n{column}\n')
    return load(pair.config.directory)


def add(pair: Pair, column: str) -> list[str]:
    config = configured(pair, column)
    return list(Enlisting(config, pair.sessions, list(pair.sessions)).add([f"{pair.schema}.t"]))


REFUSED = [
    (
        'v = "latest"',
        'v = "greatest"',
        'column.v: it was latest and is greatest, both in generation 1: raise its generation to 2, with was = "latest"',
    ),
    (
        'v = { rule = "site", site = "alpha" }',
        'v = { rule = "site", site = "beta" }',
        "it was site alpha and is site beta, both in generation 1: raise its generation to 2",
    ),
    ('v = "counter"', "", "column.v: it was counter and is latest"),
    ('v = { rule = "owner" }', 'v = { rule = "owner", owned_by.alpha = "latest" }', "who has authority changed"),
    ('v = "latest"', 'v = { written_by.beta = "site" }', "who has authority changed, both in generation 1"),
    ('v = { written_by.beta = "site" }', "", "who has authority changed, both in generation 1"),
    ('v = { written_by.beta = "owner" }', 'v = { written_by.alpha = "owner" }', "who has authority changed"),
    ("v = { generation = 2 }", 'v = "latest"', "generation 1 is below the 2 that the database has"),
    (
        'v = "counter"',
        'v = { rule = "latest", generation = 2 }',
        'the database has had counter in generation 1: was = "counter"',
    ),
    (
        'v = { rule = "counter", generation = 2, was = "latest" }',
        'v = { rule = "counter", generation = 2, was = "least" }',
        "both in generation 2",
    ),
]


@pytest.mark.parametrize(("before", "after", "words"), REFUSED)
def test_a_rule_that_changes_without_a_new_generation_is_refused(
    fresh: Fresh, before: str, after: str, words: str
) -> None:
    pair = fresh(rules="")
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, owner text, v numeric(12,2))")
    add(pair, before)
    rules = pair.run(pair.alpha, "SELECT rules FROM kuroshio.replicated_table")
    with pytest.raises(UsageError) as refused:
        add(pair, after)
    assert words in str(refused.value)
    assert "alpha" in str(refused.value)
    assert pair.run(pair.alpha, "SELECT rules FROM kuroshio.replicated_table") == rules


ALLOWED = [
    ('v = "latest"', 'v = { rule = "counter", generation = 2, was = "latest" }'),
    ('v = { rule = "site", site = "alpha" }', 'v = { rule = "site", site = "beta", generation = 2 }'),
    ('v = "counter"', 'v = { generation = 2, was = "counter" }'),
    ('v = "counter"', 'v = { rule = "least", generation = 3, was = ["counter", "latest"] }'),
    ('v = "latest"', "v = { review = true }"),
    (
        'v = { rule = "frozen", generation = 2, was = "latest" }',
        'v = { rule = "frozen", generation = 2, was = ["latest"], review = true }',
    ),
]


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_a_rule_that_changes_with_a_new_generation_is_taken(fresh: Fresh, before: str, after: str) -> None:
    pair = fresh(rules="")
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, owner text, v numeric(12,2))")
    add(pair, before)
    add(pair, after)
    add(pair, after)


def test_a_program_that_has_not_read_the_new_rules_ends(fresh: Fresh) -> None:
    pair = fresh(rules="")
    pair.everywhere("CREATE TABLE t (id int PRIMARY KEY, v numeric(12,2))")
    enlist(pair, ("latest",))
    old = Rules({f"{pair.schema}.t": TableRules(columns={"v": ColumnRule("latest")})})
    require_known(pair.alpha, old)
    enlist(pair, ("latest", "counter"))
    with pytest.raises(RulesUnknownError, match=rf"{pair.schema}\.t were changed \(v\)"):
        require_known(pair.alpha, old)
    new = ColumnRule("counter", generation=2, was=("latest",))
    require_known(pair.alpha, Rules({f"{pair.schema}.t": TableRules(columns={"v": new})}))


def test_the_stamp_of_an_earlier_generation_is_below(pair: Pair) -> None:
    assert Stamp(2**62, 9, 2**62).in_generation(0) < Stamp(0, 0, 1).in_generation(1)
