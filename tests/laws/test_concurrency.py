"""Pitfall P16: "the author had seen it" is said only when it is sure; otherwise the two are concurrent, and recorded.

The model knows the truth: one origin commits versions at rising moments and LSNs, which its messages bundle into
passages; an author had applied that origin up to some LSN when it wrote.
"""

from hypothesis import given
from hypothesis import strategies as st

from replication.core.concurrency import Passage, had, holder
from replication.core.stamps import moment
from tests.laws.states import catches

ORIGIN, AUTHOR = 1, 2


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Passage], dict[int, int], int]:
    """Passages of the origin, the LSN of each of its versions, and up to where the author had applied them."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    clock = iter(draw(st.permutations(range(1, 100))))
    lsn, passages, versions = 0, list[Passage](), dict[int, int]()
    for size in sizes:
        first = lsn
        moments = []
        for _ in range(size):
            lsn += 1
            moments.append(moment(next(clock), ORIGIN))  # transactions commit in another order than they begin
            versions[moments[-1]] = lsn
        passages.append(Passage(ORIGIN, min(moments), max(moments), first, lsn, {}))
    return passages, versions, draw(st.integers(0, lsn))


def check_never_wrongly_sure(history: tuple[list[Passage], dict[int, int], int], had_: object = had) -> None:
    passages, versions, applied = history
    author = Passage(AUTHOR, 1, 10**9, 0, 1, {ORIGIN: applied})
    for version, lsn in versions.items():
        if had_(author, version, passages):  # type: ignore[operator]
            assert lsn <= applied


@given(histories())
def test_an_author_is_never_said_to_have_seen_what_it_had_not(
    history: tuple[list[Passage], dict[int, int], int],
) -> None:
    check_never_wrongly_sure(history)


def _by_first_passage(author: Passage, version: int, passages: list[Passage]) -> bool:
    """The twin: takes the first passage that may hold the version."""
    return any(p.low <= version <= p.high and p.to_lsn <= author.applied[ORIGIN] for p in passages)


def test_the_law_catches_a_guess() -> None:
    catches(lambda history: check_never_wrongly_sure(history, _by_first_passage), histories())


@given(histories())
def test_an_author_that_had_applied_all_had_all(history: tuple[list[Passage], dict[int, int], int]) -> None:
    passages, versions, _ = history
    author = Passage(AUTHOR, 1, 10**9, 0, 1, {ORIGIN: max(versions.values())})
    assert all(had(author, version, passages) for version in versions)


def test_an_author_had_what_its_own_site_wrote_before() -> None:
    author = Passage(AUTHOR, moment(5, AUTHOR), moment(9, AUTHOR), 0, 1, {})
    assert had(author, moment(7, AUTHOR), [])
    assert not had(author, moment(10, AUTHOR), [])
    assert not had(None, moment(7, AUTHOR), [])


def test_the_holder_is_the_passage_that_had_applied_least() -> None:
    little, much = (Passage(ORIGIN, 1, 9, 0, 5, {AUTHOR: applied}) for applied in (1, 8))
    assert holder(5, [much, little]) is little
    assert holder(10, [much, little]) is None
