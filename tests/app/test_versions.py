"""What becomes of a form whose row has changed since it was shown."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.core.versions import VersionError, version_of, weigh

FIELDS = ("name", "phone", "limit")
ROW = {"name": "陳志明", "phone": "02", "limit": Decimal("1.50")}

values = st.fixed_dictionaries(
    {"name": st.text(max_size=3), "phone": st.text(max_size=2), "limit": st.none() | st.decimals(0, 9, places=1)}
)


def weighed(seen: dict, current: dict, typed: dict):  # type: ignore[no-untyped-def,type-arg]
    return weigh(fields=FIELDS, seen=version_of(FIELDS, seen), current=current, typed=typed)


def test_a_form_sent_back_untouched_changes_nothing() -> None:
    assert not weighed(ROW, ROW, dict(ROW)).changes


def test_only_what_the_person_changed_is_written() -> None:
    assert weighed(ROW, ROW, ROW | {"phone": "03"}).changes == {"phone": "03"}


def test_what_others_changed_meanwhile_is_kept() -> None:
    outcome = weighed(ROW, ROW | {"phone": "04"}, ROW | {"name": "陳大明"})
    assert outcome.changes == {"name": "陳大明"}
    assert outcome.kept == ("phone",)


def test_what_both_changed_differently_is_a_clash() -> None:
    assert weighed(ROW, ROW | {"phone": "04"}, ROW | {"phone": "05"}).clashes == ("phone",)


def test_what_both_changed_alike_is_no_clash() -> None:
    outcome = weighed(ROW, ROW | {"phone": "04"}, ROW | {"phone": "04"})
    assert (outcome.changes, outcome.clashes) == ({}, ())


@given(seen=values, current=values, typed=values)
def test_no_value_of_others_is_ever_overwritten_unseen(seen: dict, current: dict, typed: dict) -> None:  # type: ignore[type-arg]
    outcome = weighed(seen, current, typed)
    for field in outcome.changes:
        assert version_of([field], current) == version_of([field], seen)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.50"), Decimal("1.5")),
        (Decimal("100"), Decimal("1E+2")),
        ("a\r\nb", "a\nb"),
        (None, ""),
        (datetime(2026, 1, 1, 8, 0, 59, tzinfo=UTC), datetime(2026, 1, 1, 8, 0, tzinfo=UTC)),
    ],
)
def test_one_value_spelt_in_two_ways_has_one_version(one: object, other: object) -> None:
    assert version_of(["x"], {"x": one}) == version_of(["x"], {"x": other})


def test_a_version_of_another_form_is_refused() -> None:
    with pytest.raises(VersionError):
        weigh(fields=FIELDS, seen="short", current=ROW, typed=ROW)
