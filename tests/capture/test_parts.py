"""How much of a large transaction travels at once."""

from pathlib import Path

import pytest

from replication.capture.daemon import part_bytes
from replication.capture.gather import PART_BYTES
from replication.wire.pglogical import Begin, Commit
from sitecfg import load
from sitecfg.example import write
from tests.capture.test_gather import gatherer, insert

SITES = ("taipei", "us", "kaohsiung")


@pytest.mark.parametrize(
    ("rate", "seconds", "expected"),
    [("64kbit", 5, 160_000), ("64kbit", 10, 320_000), ("1kbit", 5, 1 << 16), ("100Mbit", 5, PART_BYTES)],
)
def test_a_part_is_what_the_slowest_line_carries_in_the_time_that_the_limits_say(
    tmp_path: Path, rate: str, seconds: int, expected: int
) -> None:
    write(tmp_path, sites=SITES, base_port=40000, limits=f"message_seconds = {seconds}\n")
    lines = (tmp_path / "sites" / "us.toml").read_text().split("[peers.taipei]")
    (tmp_path / "sites" / "us.toml").write_text(f"{lines[0]}[peers.taipei]{lines[1].replace('100Mbit', rate, 1)}")
    config = load(tmp_path)
    assert part_bytes(config, config.site("taipei")) == expected
    assert part_bytes(config, config.site("us")) == PART_BYTES, "nobody reads it over that line"


def test_a_transaction_is_cut_by_the_bytes_that_a_line_carries() -> None:
    gather = gatherer(part_bytes=160_000)
    gather.feed(Begin(192, 0, 7))
    for number in range(5):
        gather.feed(insert(f"row {number}"), 90_000)
    gather.feed(Commit(192, 200, 5))
    assert [batch.changes for batch in gather.take()] == [2, 2, 1]
