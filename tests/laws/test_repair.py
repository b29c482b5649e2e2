"""What a repair plan says, and who sends what: the states that are sent make all sites alike, and nobody sends
what another sends too."""

from collections.abc import Mapping
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.merge import Row, RowRules, merge
from replication.core.rules import Cell
from replication.core.stamps import BOTTOM, Stamp, Stamps, moment
from replication.errors import UsageError
from replication.postgres.states import NOTHING, Local
from replication.repair.plan import Plan, digest, plan_row, read_plan, senders
from tests.laws.states import rows

SITES = ("taipei", "kaohsiung", "us")
NAMES = {1: "taipei", 2: "kaohsiung", 4: "us"}
RULES = RowRules()


def holding(row: Row) -> Local:
    return Local(row, row if row.known and not row.deleted else None, entombed=bool(row.deleted))


def cell(value: str | None, at: int) -> Cell:
    return Cell(Stamp(0, 0, at), None if value is None else value.encode())


def live(**cells: Cell) -> Local:
    return holding(Row(base=BOTTOM, cells=cells))


@given(st.lists(rows(), min_size=3, max_size=3))
def test_what_is_sent_makes_all_sites_alike(states: list[Row]) -> None:
    states = [row if row.known or row.deleted else Row() for row in states]  # what waits is no state of its row
    held = dict(zip(SITES, map(holding, states), strict=True))
    sending = senders(held, RULES)
    everything = reduce(lambda a, b: merge(a, b, RULES), states)
    for site, local in held.items():
        others = [held[one].row for one in sending if one != site]
        becomes = reduce(lambda a, b: merge(a, b, RULES), others, local.row)
        assert digest(holding(becomes)) == digest(holding(everything))
    for one, other in permutations(sending, 2):
        known = held[other].row
        assert digest(holding(merge(known, held[one].row, RULES))) != digest(holding(known)), "sent in vain"


def test_who_holds_the_whole_answer_sends_alone() -> None:
    old, new = moment(1000, 1), moment(2000, 4)
    held = {"taipei": live(a=cell("1", old)), "kaohsiung": live(a=cell("1", old)), "us": live(a=cell("2", new))}
    assert senders(held, RULES) == ["us"]
    assert senders({**held, "us": NOTHING}, RULES) == ["kaohsiung"]


def planned(held: Mapping[str, Local]) -> Plan:
    row = plan_row("public.customer", {"id": "7"}, held, RULES, NAMES, [])
    return Plan("2026-01-01", "chen@hq", "version", [row])


def test_a_plan_says_what_each_site_holds_what_becomes_of_it_and_why() -> None:
    old, new = moment(1000, 1), moment(86_400_000_000, 4)
    held = {
        "taipei": live(name=cell("陳", old), phone=cell('"1"\n', old), note=cell("b", BOTTOM)),
        "kaohsiung": live(name=cell("陳", old), phone=cell(None, old), note=cell("a", BOTTOM)),
        "us": live(name=cell("陳", old), phone=cell("2", new), note=cell("a", BOTTOM)),
    }
    text = planned(held).as_toml()
    assert 'finding = "taipei: there, kaohsiung: there, us: there; note, phone differ"' in text
    assert '"at taipei" = "\\"1\\"\\n"' in text
    assert '"at kaohsiung" = { null = true }' in text
    assert 'why = "written at us, 2000-01-02 00:00:00 UTC; the later write holds"' in text
    assert "from before replication; one write that is not the same everywhere" in text
    assert "陳" not in text, "what is alike is nobody's business"


def test_a_plan_is_read_as_it_was_written() -> None:
    gone = holding(Row(base=5, deleted=moment(3, 1), saw=Stamps(5)))
    plan = planned({"taipei": gone, "us": live(a=cell("x\x7f", moment(1, 1))), "kaohsiung": NOTHING})
    [row] = plan.rows
    assert row.becomes == "deleted"
    assert row.finding.startswith("taipei: deleted, us: there, kaohsiung: missing")
    again = read_plan(plan.as_toml(), "plan.toml")
    assert (again.by, again.rules, again.made) == (plan.by, plan.rules, plan.made)
    assert [(one.table, one.key, one.states, one.finding) for one in again.rows] == [
        (row.table, row.key, row.states, row.finding)
    ]


@pytest.mark.parametrize("text", ["", "format = 9", "[[row]]", "format = 1\nmade = 1\nrow = 3", "no toml at all"])
def test_what_is_no_plan_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"plan\.toml"):
        read_plan(text, "plan.toml")


def test_a_state_is_another_when_anything_of_it_is() -> None:
    one = live(a=cell("x", 9), b=cell("y", 9))
    assert digest(one) == digest(live(b=cell("y", 9), a=cell("x", 9))), "columns may stand in another order"
    others = [
        live(a=cell("x", 9), b=cell("z", 9)),
        live(a=cell("x", 10), b=cell("y", 9)),
        live(a=cell("x", 9)),
        Local(one.row, None, entombed=False),
        NOTHING,
    ]
    assert len({digest(one), *map(digest, others)}) == 1 + len(others)
