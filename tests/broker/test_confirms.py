"""The ledger of confirms, without a broker."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from replication.broker.confirms import Ledger


def test_a_token_settles_only_when_everything_before_it_has() -> None:
    ledger = Ledger()
    for token in (10, 20, 30):
        ledger.published("a", token, 1)

    assert ledger.confirmed(2, multiple=False) == []
    assert ledger.confirmed(1, multiple=False) == [("a", 20)]
    assert ledger.unconfirmed_bytes == 1


def test_a_token_of_several_messages_settles_with_the_last_of_them() -> None:
    ledger = Ledger()
    for token in (10, 20, 20):
        ledger.published("a", token, 1)

    assert ledger.confirmed(2, multiple=True) == [("a", 10)]
    assert ledger.confirmed(3, multiple=False) == [("a", 20)]


def test_one_confirm_may_settle_several_streams() -> None:
    ledger = Ledger()
    for stream in "abab":
        ledger.published(stream, 5, 1)

    assert ledger.confirmed(4, multiple=True) == [("a", 5), ("b", 5)]


def test_a_confirm_for_nothing_that_waits_settles_nothing() -> None:
    assert Ledger().confirmed(3, multiple=True) == []
    assert Ledger().confirmed(3, multiple=False) == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2))), st.randoms())
def test_whatever_the_order_of_confirms_no_token_settles_early_and_all_settle_in_the_end(
    published: list[tuple[str, int]], random: Random
) -> None:
    ledger, token = Ledger(), 0
    waiting: dict[int, tuple[str, int]] = {}
    for tag, (stream, step) in enumerate(published, 1):
        token += step
        ledger.published(stream, token, 1)
        waiting[tag] = (stream, token)
    last = dict(waiting.values())
    settled: dict[str, int] = {}
    while waiting:
        tag = random.choice(list(waiting))
        multiple = random.random() < 0.3
        for each in [each for each in waiting if each == tag or (multiple and each < tag)]:
            del waiting[each]
        settled.update(ledger.confirmed(tag, multiple=multiple))
        assert not any(settled.get(name, -1) >= token for name, token in waiting.values())
    assert settled == last
    assert ledger.unconfirmed_bytes == 0
