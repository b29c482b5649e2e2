"""Which rows exist for the sake of others: laws of `replication.core.families`, and twins that break them."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.families import Member, Name, existing
from tests.laws.states import catches

Exist = Callable[[Mapping[Name, Member]], set[Name]]
Family = dict[Name, Member]
NAMES: list[Name] = [(("public", "t"), (b"%d" % number,)) for number in range(5)]


@st.composite
def families(draw: st.DrawFn) -> Family:
    """A few rows that refer to each other in any way."""
    some = st.frozensets(st.sampled_from(NAMES), max_size=2)
    found = {}
    for name in NAMES:
        deleted = draw(st.sampled_from((0, 5, 5, 5, 9)))
        found[name] = Member(
            draw(st.booleans()) if deleted else True,
            draw(st.sampled_from((1, 1, 1, 7))),
            deleted,
            bool(deleted) and draw(st.booleans()),
            draw(some) - {name},
            draw(some) - {name},
        )
    return found


def comes_back(member: Member, family: Family, there: set[Name]) -> bool:
    undone = any(family[name].deleted and family[name].base < member.deleted for name in member.follows)
    return member.cascaded and member.follows <= there and undone


def everybody_has_a_reason(exist: Exist, family: Family) -> None:
    there = exist(family)
    held = {parent for name in there for parent in family[name].holds}
    for name in there:
        assert family[name].lives or name in held or comes_back(family[name], family, there)


def no_reason_is_left_out(exist: Exist, family: Family) -> None:
    there = exist(family)
    held = {parent for name in there for parent in family[name].holds}
    for name, member in family.items():
        assert name in there or not (member.lives or name in held or comes_back(member, family, there))


def nobody_exists_where_nobody_lives(exist: Exist, family: Family) -> None:
    """Nor where those who live refer to nobody: no chain of reasons begins with itself."""
    there = exist(family)
    reasons = {name for name in there if family[name].lives}
    while more := {
        name
        for name in there - reasons
        if name in {parent for one in reasons for parent in family[one].holds}
        or comes_back(family[name], family, reasons)
    }:
        reasons |= more
    assert reasons == there


def more_rows_make_no_row_go(exist: Exist, family: Family) -> None:
    """So the set does not depend on the order in which changes arrive that only bring rows back."""
    for name in NAMES:
        dead = {**family, name: Member(False, 0)}
        revived = {**family, name: Member(True, *_rest(family[name]))}
        assert exist(dead) - {name} <= exist(family) | {name} <= exist(revived) | {name}


def _rest(member: Member) -> tuple[int, int, bool, frozenset[Name], frozenset[Name]]:
    return member.base, member.deleted, member.cascaded, member.holds, member.follows


LAWS = [everybody_has_a_reason, no_reason_is_left_out, nobody_exists_where_nobody_lives, more_rows_make_no_row_go]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_law_holds(law: Callable[[Exist, Family], None]) -> None:
    given(families())(lambda family: law(existing, family))()


def who_is_in_sight_holds(members: Mapping[Name, Member]) -> set[Name]:
    """Begins with everybody, and takes away who has no reason: rows hold each other."""
    family, there = dict(members), set(members)
    while True:
        held = {parent for name in there for parent in family[name].holds}
        left = {n for n in there if family[n].lives or n in held or comes_back(family[n], family, there)}
        if left == there:
            return there
        there = left


def each_is_asked_once(members: Mapping[Name, Member]) -> set[Name]:
    living = {name for name, member in members.items() if member.lives}
    return living | {parent for name in living for parent in members[name].holds}


def children_are_forgotten(members: Mapping[Name, Member]) -> set[Name]:
    return existing({name: Member(one.lives, one.base, one.deleted, holds=one.holds) for name, one in members.items()})


def a_parent_made_anew_brings_all_back(members: Mapping[Name, Member]) -> set[Name]:
    return existing(
        {n: Member(m.lives, m.base, m.deleted or 1, m.cascaded, m.holds, m.follows) for n, m in members.items()}
    )


TWINS = [
    (nobody_exists_where_nobody_lives, who_is_in_sight_holds),
    (no_reason_is_left_out, each_is_asked_once),
    (no_reason_is_left_out, children_are_forgotten),
    (everybody_has_a_reason, a_parent_made_anew_brings_all_back),
]


@pytest.mark.parametrize(("law", "twin"), TWINS, ids=lambda part: part.__name__)
def test_a_broken_twin_is_caught(law: Callable[[Exist, Family], None], twin: Exist) -> None:
    catches(lambda family: law(twin, family), families())
