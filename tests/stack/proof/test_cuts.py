"""Every way to cut the six lines between four sites, and each direction alone: work goes on, and all meet again."""

from collections.abc import Iterable
from itertools import combinations, permutations, product

import pytest

from deploy.local.wan.client import Lines
from tests.stack.proof.sites import Sites, until

TABLE = "cuts.note"
VERIFIED_EVERY = 16


@pytest.fixture(scope="module")
def table(four_sites: Sites) -> str:
    four_sites.everywhere(
        "CREATE SCHEMA cuts; CREATE TABLE cuts.note (site text, pattern int, said text, PRIMARY KEY (site, pattern));"
        " CREATE TABLE cuts.shared (pattern int PRIMARY KEY, taipei int, kaohsiung int, shanghai int, us int)"
    )
    four_sites.add_tables(TABLE, "cuts.shared")
    return TABLE


def write_everywhere(sites: Sites, pattern: int) -> None:
    """Each site writes a row of its own, its own column of a shared row, and the row that it wrote before."""
    for number, site in enumerate(sites.names):
        sites.run(site, "INSERT INTO cuts.note VALUES (%s, %s, 'first')", (site, pattern))
        sites.run(site, "UPDATE cuts.note SET said = said || %s WHERE pattern = %s - 1", (site[0], pattern))
        sites.run(site, f"UPDATE cuts.shared SET {site} = %s WHERE pattern = %s - 1", (pattern + number, pattern))
    sites.run(sites.names[pattern % len(sites.names)], "INSERT INTO cuts.shared VALUES (%s)", (pattern,))


def has_note(sites: Sites, reader: str, author: str, pattern: int) -> bool:
    return bool(sites.run(reader, "SELECT 1 FROM cuts.note WHERE site = %s AND pattern = %s", (author, pattern)))


def await_notes(sites: Sites, pairs: Iterable[tuple[str, str]], pattern: int) -> None:
    for reader, author in pairs:
        until(f"{reader} has what {author} wrote", lambda: has_note(sites, reader, author, pattern))  # noqa: B023


def meet(sites: Sites, pattern: int) -> None:
    sites.stack.wan.heal()
    await_notes(sites, permutations(sites.names, 2), pattern)
    if pattern % VERIFIED_EVERY == 0:
        sites.converge(TABLE, "cuts.shared")


def test_all_patterns_of_cut_lines_let_every_site_work_and_all_meet_again(sites: Sites, table: str) -> None:
    lines = list(combinations(sites.names, 2))
    for pattern, cuts in enumerate(product((False, True), repeat=len(lines)), start=1):
        cut = [line for line, is_cut in zip(lines, cuts, strict=True) if is_cut]
        for site, peer in cut:
            sites.stack.wan.cut(Lines(site=site, peer=peer), mode="reset" if pattern % 8 == 0 else "silence")
        write_everywhere(sites, pattern)
        await_notes(
            sites, (pair for pair in permutations(sites.names, 2) if not {pair, pair[::-1]} & set(cut)), pattern
        )
        for site, peer in cut:
            assert not has_note(sites, site, peer, pattern), f"{peer} reached {site} over a line that is cut"
            assert not has_note(sites, peer, site, pattern), f"{site} reached {peer} over a line that is cut"
        meet(sites, pattern)
    assert pattern == 64
    sites.converge(table, "cuts.shared")
    assert sites.value(sites.names[0], "SELECT count(*) FROM cuts.note") == 4 * 64
    assert sites.value(sites.names[0], "SELECT count(*) FROM cuts.shared") == 64


def test_each_direction_cut_by_itself_silences_its_readers_and_all_meet_again(sites: Sites, table: str) -> None:
    """What crosses the other lines is not stopped by it."""
    for pattern, (sender, receiver) in enumerate(permutations(sites.names, 2), start=101):
        sites.stack.wan.cut(Lines(sender=sender, receiver=receiver))
        write_everywhere(sites, pattern)
        open_ways = [pair for pair in permutations(sites.names, 2) if set(pair) != {sender, receiver}]
        await_notes(sites, open_ways, pattern)
        assert not has_note(sites, receiver, sender, pattern)
        meet(sites, pattern)
    assert pattern == 112
    sites.converge(table, "cuts.shared")
