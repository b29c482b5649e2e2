"""Foreign keys that lead round in a circle in which one falls and one returns are refused; others are not."""

from collections.abc import Sequence

import pytest

from sitecfg import Rules, TableRules
from sitecfg.circles import Reference, circle_faults
from sitecfg.database.judgement import database_faults
from sitecfg.database.relations import Column, ForeignKey, Relation

FROM, TO = Reference("transfer", "f", "account", "returns"), Reference("transfer", "t", "account", "falls")
UP, BOSS = Reference("team", "up", "team", "falls"), Reference("team", "boss", "team", "returns")
LINK, ITEM, HOUSE = (
    Reference("link", "l", "house", "falls"),
    Reference("link", "i", "item", "returns"),
    Reference("item", "h", "house", "returns"),
)


@pytest.mark.parametrize(
    ("references", "named"),
    [
        ([FROM, TO], ["t"]),
        ([UP, BOSS], ["up"]),
        ([LINK, ITEM, HOUSE], ["l"]),
        ([FROM, TO, LINK, ITEM], ["t"]),
        ([LINK, ITEM], []),
        ([LINK, ITEM, HOUSE._replace(rule="null")], []),
        ([UP], []),
        ([FROM, TO._replace(rule="returns")], []),
        ([FROM._replace(rule="falls"), TO], []),
        ([Reference("line", "o", "order", "falls"), Reference("order", "c", "customer", "returns")], []),
    ],
)
def test_a_circle_in_which_one_falls_and_one_returns_is_found(
    references: Sequence[Reference], named: list[str]
) -> None:
    assert [wrong.key for _, wrong in circle_faults(references)] == [f"parent.{name}" for name in named]


def test_it_says_what_where_and_how_to_mend_it() -> None:
    columns = {name: Column("integer") for name in ("id", "f", "t")}
    keys = tuple(ForeignKey(name, (name,), "public.account") for name in ("f", "t"))
    relations = {
        "public.account": Relation(columns, key=("id",)),
        "public.transfer": Relation(columns, key=("id",), foreign_keys=keys),
    }
    rules = Rules({"public.account": TableRules(), "public.transfer": TableRules(parents={"t": "falls"})})
    [(table, wrong)] = database_faults(rules, ["here"], relations)
    assert (table, wrong.key) == ("public.transfer", "parent.t")
    assert 'in a circle with "returns" (f of public.transfer)' in wrong.message
    assert 'say "null"' in wrong.hint
    assert "public.account, public.transfer" in wrong.hint
