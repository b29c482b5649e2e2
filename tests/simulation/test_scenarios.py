"""The scenarios, each in every order in which the messages can arrive, every message twice."""

from pathlib import Path

import pytest

from tests.simulation.scenario import SITES, Scenario, delete_rules, files, read

FILES = files(without="on running sites")


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_scenario_ends_as_it_says_in_every_order(file: Path) -> None:
    steps = list(read(file.read_text()))
    for delete in delete_rules(steps):
        scenario = Scenario(delete)
        for words in steps:
            scenario.step(words)
        ends = [node for name in SITES for node in scenario.ends(name)]
        records = {
            (found.key[0].decode(), found.type, found.column, found.winner, found.loser)
            for node in ends
            for found in node.conflicts.values()
        }
        scenario.require(ends, records)
        assert not any(node.parked for node in ends)
        states = [
            {key: (row.life, row.base, row.cells) for key, row in node.rows.items() if node.visible(key)}
            for node in ends
        ]
        assert all(state == states[0] for state in states)


def test_a_scenario_that_expects_something_else_fails() -> None:
    scenario = Scenario("stamp")
    for words in read("taipei inserts 1 name=a\neverywhere 1 name=b\n"):
        scenario.step(words)
    with pytest.raises(AssertionError, match="name is 'a'"):
        scenario.require(list(scenario.ends("us")), set())
