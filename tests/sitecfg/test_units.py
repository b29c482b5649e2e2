"""Sizes and rates mean what PostgreSQL and line speeds mean, and nothing else is taken."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sitecfg.units import RATES, SIZES, rate_bits, size_bytes

numbers = st.integers(min_value=1, max_value=10**12)


@given(numbers, st.sampled_from(sorted(SIZES)))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert size_bytes(f"{number}{unit}") == number * SIZES[unit]


@given(numbers, st.sampled_from(sorted(RATES)))
def test_a_rate_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert rate_bits(f"{number}{unit}") == number * RATES[unit]


@given(numbers, st.text(min_size=1, max_size=4))
def test_a_unit_that_is_not_known_is_refused(number: int, unit: str) -> None:
    assume(unit.strip() not in RATES and not unit[0].isdigit())
    with pytest.raises(ValueError, match=r"unit|not a rate"):
        rate_bits(f"{number}{unit}")


@given(st.one_of(st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.text())))
def test_what_is_not_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a size"):
        size_bytes(value)


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1.5GB", "4gb", "4 G B", "٤GB", "0MB", "4GB\n", "1e3B"])
def test_what_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|unit"):
        size_bytes(text)


def test_sizes_count_as_postgresql_does_and_rates_as_lines_do() -> None:
    assert size_bytes("4GB") == 4 * 1024**3
    assert rate_bits("64kbit") == 64_000
