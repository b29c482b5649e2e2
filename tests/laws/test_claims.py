"""Who holds a unique key, and what a row shows: laws of `replication.core.claims`, and twins that break them."""

from collections.abc import Callable, Collection
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.claims import PLAIN, Appearance, Claim, Hidden, UniqueKey, age, appearance, lost, marked
from replication.core.merge import Row
from replication.core.rules import Cell
from replication.core.stamps import Stamp

Lost = Callable[[Collection[Claim]], dict[tuple[bytes, ...], Claim]]

CLAIMS = st.lists(
    st.builds(
        Claim,
        st.integers(0, 3),
        st.tuples(st.sampled_from([b"1", b"2", b"3", b"4", b"5"])),
        st.integers(1, 4),
    ),
    unique_by=lambda claim: claim.key,
    max_size=5,
)


def row(**cells: tuple[bytes | None, int]) -> Row:
    return Row(1, 1, cells={name: Cell(Stamp(0, 0, at), value) for name, (value, at) in cells.items()})


def one_holds_each_value(decide: Lost, claims: list[Claim]) -> bool:
    losers = decide(claims)
    holding = [claim.value for claim in claims if claim.key not in losers]
    return sorted(holding) == sorted({claim.value for claim in claims})


def order_does_not_matter(decide: Lost, claims: list[Claim]) -> bool:
    return len({tuple(sorted(decide(list(one)).items())) for one in permutations(claims)}) == 1


def nobody_older_loses(decide: Lost, claims: list[Claim]) -> bool:
    own = {claim.key: claim for claim in claims}
    found = decide(claims).items()
    return all(own[key].age >= own[holder.key].age and own[key].value == holder.value for key, holder in found)


def who_lets_go_hurts_nobody(decide: Lost, claims: list[Claim]) -> bool:
    before = decide(claims)
    left = [claim for claim in claims if claim.key in before]
    return all(key in before for key in decide(left))


LAWS = [one_holds_each_value, order_does_not_matter, nobody_older_loses, who_lets_go_hurts_nobody]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_law_holds(law: Callable[[Lost, list[Claim]], bool]) -> None:
    @given(CLAIMS)
    def holds(claims: list[Claim]) -> None:
        assert law(lost, claims)

    holds()


def the_first_to_arrive_holds(claims: Collection[Claim]) -> dict[tuple[bytes, ...], Claim]:
    held: dict[int, Claim] = {}
    return {claim.key: held[claim.value] for claim in claims if held.setdefault(claim.value, claim) is not claim}


def the_younger_holds(claims: Collection[Claim]) -> dict[tuple[bytes, ...], Claim]:
    return lost([claim._replace(age=-claim.age) for claim in claims])


def equals_share(claims: Collection[Claim]) -> dict[tuple[bytes, ...], Claim]:
    return {key: holder for key, holder in lost(claims).items() if holder.age < {c.key: c for c in claims}[key].age}


def everybody_loses(claims: Collection[Claim]) -> dict[tuple[bytes, ...], Claim]:
    return {c.key: c for c in claims if sum(other.value == c.value for other in claims) > 1}


TWINS = [the_first_to_arrive_holds, the_younger_holds, equals_share, everybody_loses]


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.__name__)
def test_a_broken_twin_is_caught(twin: Lost) -> None:
    caught = []

    @given(CLAIMS)
    def look(claims: list[Claim]) -> None:
        caught.append(not all(law(twin, claims) for law in LAWS))

    look()
    assert any(caught)


def test_a_claim_is_as_old_as_the_newest_cell_of_its_key() -> None:
    one = row(mail=(b"a@b", 7), tenant=(b"1", 3), name=(b"x", 9))
    assert age(one, ("mail", "tenant")) == 7
    assert age(one, ("id",)) == 1, "a key column is as old as the row"


MARK, NULL = UniqueKey("u1", ("mail",), "mark", "mail", 12), UniqueKey("u2", ("tax",), "null", "tax")
HIDE = UniqueKey("u3", ("a", "b"), "hide")
ROW = row(mail=(b"chen@example.com", 2), tax=(b"123", 2))


def test_what_a_row_shows_that_lost() -> None:
    assert appearance(ROW, (b"1",)) == PLAIN
    marks = appearance(ROW, (b"1",), lost=[MARK, NULL]).instead
    assert marks == {"mail": marked(b"chen@example.com", (b"1",), 12), "tax": None}
    assert len(marks["mail"] or b"") == 12
    assert appearance(ROW, (b"1",), lost=[HIDE, MARK]) == Appearance(Hidden.UNIQUE)
    assert appearance(ROW, (b"1",), lost=[HIDE], hidden=Hidden.FALLEN) == Appearance(Hidden.FALLEN)
    assert appearance(ROW, (b"1",), unset=["region"]).instead == {"region": None}


@given(st.text(max_size=20), st.lists(st.binary(min_size=1, max_size=4), min_size=2, max_size=2, unique=True))
def test_marks_tell_the_rows_apart(value: str, keys: list[bytes]) -> None:
    first, second = (marked(value.encode(), (key,), 20) for key in keys)
    assert first != second
    assert len(first.decode()) <= 20
    assert first.decode().startswith(value[:11])
