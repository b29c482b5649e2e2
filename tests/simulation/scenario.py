"""Scenario files that a person can read, played in the simulation in every order in which the messages can arrive.

A line is a step; ``#`` begins a comment, and the first one says what the scenario is for. ::

    by stamp|wins|loses                      the table's delete rule (first line; any of them otherwise)
    SITE inserts KEY COLUMN=VALUE …          columns that are not named are empty
    SITE sets KEY COLUMN=VALUE …
    SITE deletes KEY
    SITE changes rules                       it gets the next version of the rules (world.GENERATIONS)
    SITE hears SITE                          all that the other has written so far
    everybody hears everything
    SITE vacuums                             VACUUM (FREEZE); to a site in memory it is nothing
    SITE shows KEY COLUMN=VALUE …            what a reader sees there now
    SITE lacks KEY
    clock +5s                                time passes
    clock SITE +600s                         this site's clock is so far ahead from here on
    everywhere KEY COLUMN=VALUE …            how it must end at every site, in whatever order the rest arrives
    everywhere KEY is gone
    on record KEY TYPE[|TYPE] [COLUMN] [N]   some site has recorded such a conflict (N of them)
    on record KEY nothing

``random:1000`` as a value stands for 1000 random letters, the same wherever it is written.

A file that says ``in memory`` is not played on running sites. One that says ``on running sites`` has steps that sites
in memory do not know (`tests/stack/scenarios/play.py`)::

    SITE refuses COLUMN=VALUE                a CHECK of this site's own
    SITE has set aside KEY                   and shows why
    SITE takes COLUMN=VALUE                  the CHECK is gone
"""

import random
import string
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from replication.core.rules import DELETES
from tests.simulation.world import COLUMNS, Message, Node

FOLDER = Path(__file__).parent / "scenarios"
SITES = {"taipei": 1, "kaohsiung": 2, "shanghai": 3, "us": 4}
START_US = 1_000_000_000
_EMPTY: dict[str, bytes | None] = {"stock": b"0.00", "tags": b"{}"}
Shown = Mapping[str, Mapping[str, str | None]]
"""Key -> column -> value, as a reader sees it."""
Recorded = tuple[str, str, str, int, int]
"""Key, type, column, winner, loser."""
MOST_ORDERS = 2000
"""Of one site. With more messages than that allows, the first so many."""


@dataclass
class Scenario:
    """The sites after the steps, before the rest is heard; and what is expected then."""

    delete: str
    nodes: dict[str, Node] = field(init=False)
    clock_us: int = START_US
    ahead_us: dict[str, int] = field(default_factory=dict)
    expected: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nodes = {name: Node(name, number, SITES, (self.delete,)) for name, number in SITES.items()}

    def step(self, words: list[str]) -> None:
        """Take one step."""
        match words:
            case ["by", _] | ["in", "memory"] | [_, "vacuums"]:
                pass
            case ["everybody", "hears", "everything"]:
                self._everybody_hears()
            case [site, "hears", other]:
                self._hear(self.nodes[site], self.nodes[other])
            case ["clock", *_]:
                self._set_clock(words[1:])
            case ["everywhere" | "on", *_]:
                self.expected.append(words)
            case [site, "shows" | "lacks", *_]:
                require_now(site, words, shown(self.nodes[site]))
            case [site, verb, key, *values]:
                self._write(self.nodes[site], verb, (key.encode(),), values)
            case _:
                raise ValueError(f"no such step: {' '.join(words)}")

    def _set_clock(self, words: Sequence[str]) -> None:
        *sites, seconds = words
        for site in sites:
            self.ahead_us[site] = _us(seconds)
        self.clock_us += 0 if sites else _us(seconds)

    def _write(self, node: Node, verb: str, key: tuple[bytes], values: Sequence[str]) -> None:
        now = self.clock_us + self.ahead_us.get(node.name, 0)
        typed = {name: value.encode() for name, value in typed_values(values).items()}
        if verb == "inserts":
            node.insert(key, {name: typed.get(name, _EMPTY.get(name)) for name in COLUMNS}, now)
        elif verb == "sets":
            node.update(key, typed, now)
        elif verb == "deletes":
            node.delete(key, now)
        elif verb == "changes":
            node.change_rules()
        else:
            raise ValueError(f"nobody {verb}")

    @staticmethod
    def _hear(reader: Node, origin: Node) -> None:
        for message in reader.unread(origin):
            reader.apply(origin, message)
        reader.retry()

    def _everybody_hears(self) -> None:
        for reader, origin in product(self.nodes.values(), repeat=2):
            if reader is not origin:
                self._hear(reader, origin)
        for node in self.nodes.values():
            node.retry()

    # -- the end -------------------------------------------------------------------------------------------------------

    def ends(self, name: str) -> Iterator[Node]:
        """One site after everything was heard, for every order in which that can happen; each message comes twice."""
        unread = [
            [(origin, message) for message in origin.log[self.nodes[name].applied.get(origin.name, 0) :]]
            for origin in self.nodes.values()
            if origin.name != name
        ]
        for number, order in enumerate(interleavings(unread)):
            if number == MOST_ORDERS:
                return
            node = deepcopy(self.nodes[name])
            for origin, message in order:
                node.apply(origin, message)
                node.apply(origin, message)
            node.retry()
            yield node

    def require(self, ends: Sequence[Node], records: Collection[Recorded]) -> None:
        """Every end is as expected, and what is on record is."""
        require(self.expected, [(node.name, shown(node)) for node in ends], records)


def shown(node: Node) -> Shown:
    """What a reader sees at a site in memory."""
    return {
        key[0].decode(): {name: None if cell.value is None else cell.value.decode() for name, cell in row.cells.items()}
        for key, row in node.rows.items()
        if node.visible(key)
    }


def require(
    expected: Sequence[Sequence[str]], ends: Sequence[tuple[str, Shown]], records: Collection[Recorded]
) -> None:
    """Every site shows what is expected, and what is on record is."""
    for words in expected:
        match words:
            case ["everywhere", key, "is", "gone"]:
                assert not any(key in rows for _, rows in ends)
            case ["everywhere", key, *values]:
                for name, rows in ends:
                    _require_values(name, rows, key, values)
            case ["on", "record", key, "nothing"]:
                assert not [record for record in records if record[0] == key]
            case ["on", "record", key, types, *more]:
                column, count = (more[0] if more else ""), (int(more[1]) if len(more) > 1 else 1)
                found = [r for r in records if r[0] == key and r[1] in types.split("|") and column in ("", r[2])]
                assert len(found) >= count, f"{words}: on record is {records}"


def require_now(name: str, words: Sequence[str], rows: Shown) -> None:
    """A site shows this row so, or not at all."""
    _, verb, key, *values = words
    if verb == "lacks":
        assert key not in rows, f"{name} shows {key}"
    else:
        _require_values(name, rows, key, values)


def _require_values(name: str, rows: Shown, key: str, values: Sequence[str]) -> None:
    assert key in rows, f"{name} does not show {key}"
    for column, value in typed_values(values).items():
        assert rows[key][column] == value, f"{name}: {column} is {_short(rows[key][column])}"


def _short(value: str | None) -> str:
    return f"{value!r:.60}"


def typed_values(words: Sequence[str]) -> dict[str, str]:
    """COLUMN=VALUE …"""
    return {name: _text(value) for name, _, value in (word.partition("=") for word in words)}


def _text(value: str) -> str:
    if not value.startswith("random:"):
        return value
    count = int(value.removeprefix("random:"))
    return "".join(random.Random(count).choices(string.ascii_letters + string.digits, k=count))


def interleavings(logs: Sequence[Sequence[tuple[Node, Message]]]) -> Iterator[list[tuple[Node, Message]]]:
    """Every way to merge the logs, each in its own order."""
    left = [log for log in logs if log]
    if not left:
        yield []
    for place, log in enumerate(left):
        for rest in interleavings([*left[:place], log[1:], *left[place + 1 :]]):
            yield [log[0], *rest]


def _us(seconds: str) -> int:
    return int(float(seconds.strip("+s")) * 1_000_000)


def read(text: str) -> Iterator[list[str]]:
    """The steps of a file, in words."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words:
            yield words


def delete_rules(steps: Sequence[list[str]]) -> list[str]:
    """Under which delete rules a scenario is to be played."""
    by = [words[1] for words in steps if words[0] == "by"]
    return by or sorted(DELETES)


def files(without: str) -> list[Path]:
    """The scenario files but those that say this of themselves."""
    return [file for file in sorted(FOLDER.glob("*.txt")) if without.split() not in read(file.read_text())]
