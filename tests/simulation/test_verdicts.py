"""What seeded histories come to is what the independent referee allows (`tests/referee`)."""

import pytest

from tests.referee.history import End, Record, Rows, Rule, Table, Value, Write
from tests.referee.verdict import judge
from tests.simulation.history import History
from tests.simulation.world import COLUMNS, WRITTEN_BY, Node

HISTORIES = 300
STEPS = 120
OPS = {"I": "insert", "U": "update", "D": "delete"}


def text(value: bytes | None) -> Value:
    return None if value is None else value.decode()


def rows(node: Node) -> Rows:
    visible = {key: row for key, row in node.rows.items() if node.visible(key)}
    return {
        key[0].decode(): {name: text(cell.value) for name, cell in row.cells.items()} for key, row in visible.items()
    }


class Told(History):
    """Every write is told, with what its author's site had applied by then."""

    told: list[Write]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.told = []

    def change_rules(self) -> None:
        """The referee knows of one version of the rules."""

    def write(self) -> None:
        before = {node.name: (len(node.log), rows(node)) for node in self.nodes}
        super().write()
        for node in self.nodes:
            length, then = before[node.name]
            if len(node.log) > length:
                self.tell(node, then)

    def tell(self, node: Node, then: Rows) -> None:
        [change] = node.log[-1].changes
        key = change.key[0].decode()
        write = Write(
            f"{node.name}:{node.log[-1].lsn}",
            node.name,
            OPS[change.op],  # type: ignore[arg-type]
            key,
            frozenset(write.id for write in self.told if self.has(node, write)),
            then.get(key, {}),
            rows(node).get(key, {}),
        )
        self.told.append(write)

    def has(self, node: Node, write: Write) -> bool:
        """Had the site applied it? What waits is not applied."""
        if write.site == node.name:
            return True
        lsn = int(write.id.partition(":")[2])
        waits = any((change.author.origin, change.author.to_lsn) == (write.site, lsn) for change in node.parked)
        return lsn <= node.applied.get(write.site, 0) and not waits

    def end(self) -> End:
        found = {
            Record(record.key[0].decode(), record.column, text(record.loser_value))
            for node in self.nodes
            for record in node.conflicts.values()
        }
        return End({node.name: rows(node) for node in self.nodes}, found)


def verdict(seed: int, node: type[Node] = Node) -> list[str]:
    history = Told(seed, node=node)
    history.play(STEPS)
    columns = {
        name: Rule(rule, "s1" if rule == "site" else "", {f"s{n}": by for n, by in WRITTEN_BY.get(name, {}).items()})
        for name, rule in COLUMNS.items()
    }
    return judge(Table(columns, history.nodes[0].rules.delete, "owner"), history.told, history.end())


@pytest.mark.parametrize("first", range(0, HISTORIES, 100))
def test_what_a_history_comes_to_is_allowed(first: int) -> None:
    for seed in range(first, first + 100):
        assert verdict(seed) == [], f"seed {seed}"


class RecordsNothing(Node):
    """Overwrites silently."""

    def apply(self, origin: Node, message) -> bool:  # type: ignore[no-untyped-def]
        applied = super().apply(origin, message)
        self.conflicts.clear()
        return applied


def test_a_silent_overwrite_is_found() -> None:
    assert any("not on record" in fault for seed in range(20) for fault in verdict(seed, RecordsNothing))
