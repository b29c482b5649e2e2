"""One site's clock is ten minutes off: it is shown, later edits elsewhere are not lost, and all are equal in the end.

Every site's clock can be moved here, so that ten minutes pass when the others' clocks are moved after it.
"""

import time
from collections.abc import Iterator

import pytest

from tests.stack.proof.sites import Sites, running_sites, until

SITES = ("taipei", "shanghai", "us")
OFF = "us"
TABLE = "clock.note"
RULES = f'[table."{TABLE}"]'
CREATE = f"CREATE SCHEMA clock; CREATE TABLE {TABLE} (id int PRIMARY KEY, a text, b text)"


@pytest.fixture(scope="module")
def skewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with running_sites(tmp_path_factory.mktemp("clock"), SITES, RULES, CREATE, skewed=SITES) as sites:
        yield sites


def set_clock(sites: Sites, seconds: int, *names: str) -> None:
    """Move these sites' clocks and wait until their databases show it. Each process looks once a second."""
    for name in names:
        sites.stack.layout.clock(name).write_text(f"{seconds:+d}\n")
    for name in names:
        ahead = "SELECT extract(epoch FROM clock_timestamp())::float8"
        until(f"{name} is moved", lambda: abs(sites.value(name, ahead) - time.time() - seconds) < 2, 20)  # noqa: B023


def offset(sites: Sites, reader: str, origin: str) -> float:
    query = "SELECT coalesce(clock_offset_seconds, 0) FROM kuroshio.reading WHERE origin = %s"
    return float(sites.value(reader, query, (origin,)))


def note(sites: Sites, site: str, key: int) -> tuple[str, str] | None:
    rows = sites.run(site, "SELECT a, b FROM clock.note WHERE id = %s", (key,))
    return rows[0] if rows else None


def test_edits_of_a_site_whose_clock_is_behind_are_not_lost(skewed: Sites) -> None:
    """To it all others are ahead, so what they write waits until its clock is right; what it writes itself goes on."""
    skewed.run("taipei", "INSERT INTO clock.note VALUES (1, 'taipei', '')")
    skewed.converge(TABLE)
    set_clock(skewed, -600, OFF)
    skewed.run(OFF, "UPDATE clock.note SET a = 'us, who has seen it' WHERE id = 1")
    skewed.run(OFF, "INSERT INTO clock.note VALUES (2, 'us', '')")
    skewed.converge(TABLE)
    assert note(skewed, "shanghai", 1) == ("us, who has seen it", "")
    until("its daemons see the skew, too", lambda: offset(skewed, OFF, "taipei") > 590)
    skewed.run("shanghai", "UPDATE clock.note SET a = 'shanghai' WHERE id = 2")
    until(
        "the site that is behind lets it wait",
        lambda: {row[1] for row in skewed.parked(OFF)} == {"clock"},
        explain=lambda: str(skewed.parked(OFF)),
    )
    skewed.run(OFF, "UPDATE clock.note SET b = 'us again' WHERE id = 1")
    set_clock(skewed, 0, OFF)
    skewed.converge(TABLE)
    assert note(skewed, OFF, 2) == ("shanghai", "")
    assert note(skewed, "taipei", 1) == ("us, who has seen it", "us again")


def test_edits_elsewhere_after_those_of_a_clock_that_is_a_little_ahead_win(skewed: Sites) -> None:
    """Within the bound: the later edit saw the early one, and so beats it, whatever the clocks say."""
    set_clock(skewed, 40, OFF)
    skewed.run(OFF, "INSERT INTO clock.note VALUES (3, 'us', 'us')")
    skewed.converge(TABLE)
    skewed.run("taipei", "UPDATE clock.note SET a = 'taipei, later' WHERE id = 3")
    skewed.converge(TABLE)
    assert note(skewed, OFF, 3) == ("taipei, later", "us")
    set_clock(skewed, 0, OFF)
    skewed.run(OFF, "UPDATE clock.note SET a = 'us, corrected' WHERE id = 3")
    skewed.converge(TABLE)
    assert note(skewed, "taipei", 3) == ("us, corrected", "us")


def test_what_is_stamped_ten_minutes_ahead_waits_in_the_open_and_no_edit_is_lost_without_a_record(
    skewed: Sites,
) -> None:
    skewed.run("taipei", "INSERT INTO clock.note VALUES (4, 'taipei', 'taipei')")
    skewed.converge(TABLE)
    set_clock(skewed, 600, OFF)
    skewed.run(OFF, "UPDATE clock.note SET a = 'us, from the future' WHERE id = 4")
    skewed.run(OFF, "INSERT INTO clock.note VALUES (5, 'us', '')")

    def explain() -> str:
        return f"{ {name: skewed.parked(name) for name in SITES} }\n{skewed.logs()}"

    for name in ("taipei", "shanghai"):
        until(f"{name} shows the skew", lambda: offset(skewed, name, OFF) > 590)  # noqa: B023
        until(f"{name} lets it wait", lambda: {row[1] for row in skewed.parked(name)} == {"clock"}, explain=explain)  # noqa: B023
    skewed.run("taipei", "UPDATE clock.note SET a = 'taipei, meanwhile', b = 'taipei, meanwhile' WHERE id = 4")
    skewed.run("shanghai", "INSERT INTO clock.note VALUES (6, 'goes on', '')")
    skewed.converge(TABLE, sites=["taipei", "shanghai"])
    until("the site that is ahead goes on, too", lambda: note(skewed, OFF, 6))
    assert note(skewed, "taipei", 5) is None
    set_clock(skewed, 600, "taipei", "shanghai")
    skewed.converge(TABLE)
    assert note(skewed, "shanghai", 4) == ("us, from the future", "taipei, meanwhile")
    assert note(skewed, "taipei", 5) == ("us", "")
    for name in SITES:
        until(f"nothing waits at {name}", lambda: not skewed.parked(name), 20)  # noqa: B023
    recorded = skewed.run("taipei", "SELECT loser_value FROM kuroshio.conflict WHERE column_name = 'a' AND key = '{4}'")
    assert recorded == [("taipei, meanwhile",)], "an edit was overwritten without a record"
