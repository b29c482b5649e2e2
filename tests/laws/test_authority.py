"""A rule that differs by who owns or who writes a row: all sites join a cell alike, whoever wrote it, and a clause says
only whether a write has authority.

The law must catch the twin in which a clause of a writer's brings a lattice of its own.
"""

from collections.abc import Callable, Mapping
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.authority import Authority, Owner, Standing
from replication.core.merge import RowRules
from replication.core.rules import CELL_RULES, Cell, Write
from replication.core.stamps import moment
from sitecfg.rules import STAMP_ORDERED
from tests.laws.histories import SITES, Step, born, first_value, newest, steps
from tests.laws.states import catches

Clauses = Mapping[str, str]
ONE_LATTICE = sorted(STAMP_ORDERED)
CLAUSES = [dict(zip("12", both, strict=True)) for both in product(ONE_LATTICE, repeat=2)]
OWNER = Owner("1", moment(5, 2))


def play(rule: str, clauses: Clauses, history: list[Step], join: Callable[[int], str] | None = None) -> dict[int, Cell]:
    """What each site holds in the end; ``join``: by which rule a site joins, if not by the column's."""
    joined_by = join or (lambda _: rule)
    authority = Authority(rule, "1", {}, clauses)
    held = dict.fromkeys(SITES, born(CELL_RULES[rule], first_value("greatest")))
    for number, (kind, site, what) in enumerate(history):
        before = held[site]
        if kind == "hear":
            held[site] = CELL_RULES[joined_by(site)].join(before, held[what])
        elif what != before.value:
            at = moment(max(10 + number, (newest(before) >> 10) + 1), site)
            standing = authority.of(str(site), OWNER)
            write = Write(what, at, standing.authority, standing.term)
            held[site] = RowRules({"c": rule}).write("c", before, write, by=standing.rule)
            assert CELL_RULES[rule].join(before, held[site]) == held[site], "a write is above what its author saw"
    return held


def check_all_end_alike(
    rule: str, clauses: Clauses, history: list[Step], join: Callable[[int], str] | None = None
) -> None:
    joined_by, held, ends = join or (lambda _: rule), play(rule, clauses, history, join), []
    for site, order in product(SITES, permutations(SITES)):
        end = held[site]
        for other in order:
            end = CELL_RULES[joined_by(site)].join(end, held[other])
        ends.append(end)
    assert all(end == ends[0] for end in ends)


@pytest.mark.parametrize("clauses", CLAUSES, ids=lambda clauses: "-".join(clauses.values()))
@pytest.mark.parametrize("rule", ONE_LATTICE)
def test_all_sites_end_alike_whatever_the_clauses_of_a_lattice(rule: str, clauses: Clauses) -> None:
    given(steps("greatest"))(lambda history: check_all_end_alike(rule, clauses, history))()


@pytest.mark.parametrize("other", sorted({"greatest", "least", "frozen"}))
@pytest.mark.parametrize("rule", ONE_LATTICE)
def test_a_writer_with_a_lattice_of_its_own_is_caught(rule: str, other: str) -> None:
    catches(
        lambda history: check_all_end_alike(rule, {}, history, lambda site: other if site == 2 else rule),
        steps("greatest"),
    )


@given(st.sampled_from(ONE_LATTICE), st.lists(st.sampled_from([("write", 3, b"8"), ("write", 3, b"9")]), max_size=5))
def test_what_a_writer_with_authority_writes_beats_all_that_is_concurrent(rule: str, history: list[Step]) -> None:
    clauses = {"2": "site", "3": "latest"}
    held = play(rule, clauses, [("write", 2, b"7"), *history])
    assert CELL_RULES[rule].join(held[2], held[3]).value == b"7"
    later = play(rule, clauses, [("write", 2, b"7"), ("hear", 3, 2), *history])
    assert CELL_RULES[rule].join(later[2], later[3]) == later[3], "who has seen it may write over it"


# -- what a clause means -----------------------------------------------------------------------------------------------

US, MOVED = Owner("us"), Owner("us", 7)
BY_OWNER = {"us": Authority("site", "taipei")}


@pytest.mark.parametrize(
    ("authority", "here", "owner", "standing"),
    [
        (Authority(), "us", US, Standing("latest", False, 0)),
        (Authority("site", "us"), "us", US, Standing("site", True, 0)),
        (Authority("site", "us"), "taipei", MOVED, Standing("site", False, 0)),
        (Authority("owner"), "us", MOVED, Standing("owner", True, 7)),
        (Authority("owner"), "taipei", MOVED, Standing("owner", False, 7)),
        (Authority("latest", None, BY_OWNER), "taipei", US, Standing("site", True, 0)),
        (Authority("latest", None, BY_OWNER), "taipei", Owner("taipei"), Standing("latest", False, 0)),
        # a clause for the writer takes the place of the rule, and of what differs by owner
        (Authority(written_by={"us": "site"}), "us", MOVED, Standing("site", True, 0)),
        (Authority(written_by={"us": "site"}), "taipei", US, Standing("latest", False, 0)),
        (Authority("site", "taipei", written_by={"us": "site"}), "taipei", US, Standing("site", True, 0)),
        (Authority("latest", None, BY_OWNER, {"taipei": "latest"}), "taipei", US, Standing("latest", False, 0)),
        # the term is the column's: no clause takes it away, and one alone brings it to all
        (Authority("owner", written_by={"us": "latest"}), "us", MOVED, Standing("site", False, 7)),
        (Authority("owner", written_by={"taipei": "site"}), "taipei", MOVED, Standing("site", True, 7)),
        (Authority(written_by={"us": "owner"}), "taipei", MOVED, Standing("site", False, 7)),
        (Authority(written_by={"us": "owner"}), "us", MOVED, Standing("owner", True, 7)),
    ],
)
def test_a_clause_says_who_has_authority_and_the_column_under_which_term(
    authority: Authority, here: str, owner: Owner, standing: Standing
) -> None:
    assert authority.of(here, owner) == standing
