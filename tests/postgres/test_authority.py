"""Who has authority over what it writes: the generated triggers against core.authority, for each rule and clause."""

import random
from collections.abc import Iterable
from itertools import product
from typing import Any

from replication.core.authority import Authority, Owner
from replication.core.merge import RowRules
from replication.core.rules import Cell, Write
from replication.core.stamps import Stamp, Stamps, cell_id, moment
from sitecfg.rules import STAMP_ORDERED
from tests.postgres.servers import Pair, as_applied
from tests.postgres.stamped import stamps_of

HERE, SITES, BETA = "alpha", ("alpha", "beta"), 2
STEPS = 60
RULES = [Authority("latest"), Authority("site", "alpha"), Authority("site", "beta"), Authority("owner")]
OWNED = [{}, {"beta": Authority("owner")}, {"alpha": Authority("site", "alpha"), "beta": Authority()}]
WRITTEN = [{}, *({HERE: rule} for rule in sorted(STAMP_ORDERED)), {"beta": "owner"}, {"beta": "site"}]
COLUMNS = {
    f"v{number}": Authority(rule.rule, rule.site, owned, written)
    for number, (rule, owned, written) in enumerate(product(RULES, OWNED, WRITTEN))
}


def definition(authority: Authority) -> dict[str, Any]:
    """As the triggers have it."""
    column: dict[str, Any] = {"rule": authority.rule}
    column |= {"site": authority.site} if authority.site else {}
    column |= {"written_by": authority.written_by} if authority.written_by else {}
    owned = {name: definition(other) for name, other in authority.owned_by.items()}
    return {**column, "owned_by": owned} if owned else column


def test_a_local_write_has_the_authority_that_the_rule_and_its_clauses_give(pair: Pair) -> None:
    dice = random.Random("authority")
    columns = ", ".join(f"{name} int DEFAULT 0" for name in COLUMNS)
    pair.everywhere(f"CREATE TABLE t (id int PRIMARY KEY, keeper text, {columns})")
    rules = {name: definition(authority) for name, authority in COLUMNS.items()}
    pair.enlist("t", {"owner": "keeper", "columns": rules})
    pair.run(pair.alpha, "INSERT INTO t VALUES (1, 'alpha')")
    owner, cells = seen(pair)
    assert {name: cell.stamp.epoch for name, cell in cells.items()} == {
        name: authority.of(HERE, owner).authority for name, authority in COLUMNS.items()
    }
    for _ in range(STEPS):
        some = dice.sample(sorted(COLUMNS), len(COLUMNS) // 2)
        match dice.choice(["write", "write", "move", "hear"]):
            case "hear":
                hear(pair, dice, some)
            case "move":
                pair.run(pair.alpha, "UPDATE t SET keeper = %s", (dice.choice(SITES),))
            case _:
                write(pair, some)


def write(pair: Pair, names: Iterable[str]) -> None:
    """Write at alpha: what the pure rules make of it must be there."""
    owner, before = seen(pair)
    pair.run(pair.alpha, f"UPDATE t SET {', '.join(f'{name} = {name} + 1' for name in names)}")
    _, after = seen(pair)
    for name in names:
        standing, rules = COLUMNS[name].of(HERE, owner), RowRules({name: COLUMNS[name].rule})
        typed = Write(after[name].value, after[name].stamp.moment, standing.authority, standing.term)
        expected = rules.write(name, before[name], typed, by=standing.rule)
        assert after[name] == expected, f"{definition(COLUMNS[name])} in a row of {owner}"


def seen(pair: Pair) -> tuple[Owner, dict[str, Cell]]:
    """What somebody at alpha has before him."""
    [(keeper, *values)] = pair.run(pair.alpha, f"SELECT keeper, {', '.join(COLUMNS)} FROM t")
    stamps = Stamps.unpack(stamps_of(pair, pair.alpha, "id = 1"))
    shown = dict(zip(COLUMNS, values, strict=True))
    cells = {name: Cell(stamps.of(cell_id(name)), str(value).encode()) for name, value in shown.items()}
    moved = stamps.of(cell_id("keeper")).moment
    return Owner(str(keeper), 0 if moved == stamps.base else moved), cells


def hear(pair: Pair, dice: random.Random, names: Iterable[str]) -> None:
    """A peer's writes arrive: it may know of a later owner, and of more authority."""
    stamps = Stamps.unpack(stamps_of(pair, pair.alpha, "id = 1"))
    later = moment((stamps.newest >> 10) + dice.randint(1, 5), BETA)
    cells = dict(stamps.cells)
    for name in names:
        before = stamps.of(cell_id(name))
        cells[cell_id(name)] = Stamp(dice.choice([before.term, later - 1024]), before.epoch + dice.randint(0, 2), later)
    packed = Stamps(stamps.base, later, stamps.life, cells).pack()
    with as_applied(pair.alpha):
        pair.run(pair.alpha, "UPDATE t SET kuroshio = %s", (packed,))
