"""What to take out of a decoded row: pure, made once for each relation.

The common case costs one ``itemgetter`` call a row; everything that depends only on the table, or only on which of its
cells are fresh, is worked out beforehand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from replication.core.stamps import EPOCH, MOMENT, TERM, cell_key
from replication.errors import InvariantError
from replication.wire.message import Op
from replication.wire.pglogical import UNCHANGED, Relation, Values

Pick = Callable[[Values], tuple[bytes | None, ...]]


class Plan(NamedTuple):
    """A kind of change: its table, operation and columns, and how to pick their values from a decoded row."""

    table: tuple[str, str]
    op: Op
    columns: tuple[str, ...]
    key_count: int
    pick: Pick
    authority: tuple[tuple[str, int], ...]
    """Extra integers that these cells may carry: (name on the wire, key in the row's stamps)."""
    parted: tuple[str, ...] = ()
    """Those of an update's cells that have parts."""
    deciding: tuple[str, ...] = ()
    """The columns of the row that say who may see it; a buffer keeps their values beside its rows."""
    is_whole: bool = False
    """Rows as they stand, for those who may see more or less of them than before."""


@dataclass(slots=True)
class Shape:
    """A relation of a replicated table."""

    table: tuple[str, str]
    stamps_at: int
    insert: Plan
    _places: dict[str, int]
    _key: tuple[str, ...]
    _by_cell: dict[int, str]
    _ruled: frozenset[str]
    _parted: frozenset[str]
    parts_at: int | None
    decide: Pick | None = None
    """Picks the values of the deciding columns; None where there are none."""
    _updates: dict[tuple[int, ...], Plan] = field(default_factory=dict)

    def update(self, keys: tuple[int, ...]) -> Plan:
        """The plan for an update of the cells with these moment keys."""
        plan = self._updates.get(keys)
        if plan is None:
            names = [self._by_cell[key] for key in keys if key in self._by_cell]
            parted = tuple(name for name in names if name in self._parted)
            plan = _plan("U", self.table, self._key, names, self._places, self._ruled)
            plan = plan._replace(parted=parted, deciding=self.insert.deciding)
            self._updates[keys] = plan
        return plan


def shape_of(
    relation: Relation,
    key: Sequence[str],
    columns: Sequence[str],
    ruled: frozenset[str],
    parted: frozenset[str] = frozenset(),
    deciding: tuple[str, ...] = (),
) -> Shape:
    """``columns`` are those that travel; ``ruled``: the rule may raise an epoch; ``parted``: the state has parts;
    ``deciding``: by what the row holds there, not everybody may see all of it."""
    places = {name: index for index, name in enumerate(relation.columns)}
    if "kuroshio" not in places:
        raise InvariantError(f"{relation.schema}.{relation.name} is sent without its stamps")
    table = (relation.schema, relation.name)
    values = [name for name in relation.columns if name in columns and name not in key]
    return Shape(
        table,
        places["kuroshio"],
        _plan("I", table, tuple(key), values, places, ruled)._replace(deciding=deciding),
        places,
        tuple(key),
        {cell_key(name): name for name in values},
        ruled,
        parted,
        places.get("kuroshio_parts"),
        _picker([places[name] for name in deciding]) if deciding else None,
    )


def _plan(
    op: Op,
    table: tuple[str, str],
    key: tuple[str, ...],
    names: Sequence[str],
    places: dict[str, int],
    ruled: frozenset[str],
) -> Plan:
    columns = (*key, *names)
    authority = tuple(
        (f"{kind_name}:{name}", cell_key(name, kind))
        for name in names
        if name in ruled
        for kind_name, kind in (("epoch", EPOCH), ("term", TERM))
    )
    return Plan(table, op, columns, len(key), _picker([places[name] for name in columns]), authority)


def _picker(places: Sequence[int]) -> Pick:
    if len(places) == 1:
        only = places[0]
        return lambda values: (values[only],)  # type: ignore[return-value]
    return itemgetter(*places)


def fresh_keys(stamps: Sequence[int], at: int) -> tuple[int, ...]:
    """The moment keys of the cells written at ``at``, in order."""
    return tuple(
        key for key, number in zip(stamps[2::2], stamps[3::2], strict=True) if number == at and key & 3 == MOMENT
    )


def require_values(row: tuple[object, ...], plan: Plan) -> None:
    """A fresh cell whose value was not sent would be lost: stop before anything is published."""
    if UNCHANGED in row:
        column = plan.columns[row.index(UNCHANGED)]
        raise InvariantError(f"{'.'.join(plan.table)}: column {column} has a fresh stamp and no value in the WAL")
