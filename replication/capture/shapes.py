"""What to take out of a decoded row: pure, made once for each relation.

The common case costs one ``itemgetter`` call a row; everything that depends only on the table, or only on which of its
cells are fresh, is worked out beforehand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from replication.core.stamps import GENERATION, KIND_NAMES, MOMENT, cell_key
from replication.errors import InvariantError
from replication.wire.message import Op
from replication.wire.pglogical import UNCHANGED, Relation, Values

Pick = Callable[[Values], tuple[bytes | None, ...]]
Parted = tuple[bool, ...]
"""For each generation of a column: has its state parts?"""


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
    _carried: Mapping[str, Sequence[int]]
    _parted: Mapping[str, Parted]
    parts_at: int | None
    has_generations: bool
    decide: Pick | None = None
    """Picks the values of the deciding columns; None where there are none."""
    _updates: dict[tuple[int, ...], Plan] = field(default_factory=dict)

    def update(self, keys: tuple[int, ...], written: tuple[int, ...] = ()) -> Plan:
        """The plan for an update of the cells with these moment keys, ``written`` in these generations."""
        plan = self._updates.get(keys + written)
        if plan is None:
            found = {self._by_cell[key]: key for key in keys if key in self._by_cell}
            at = dict(zip(keys, written, strict=False))
            parted = tuple(name for name, key in found.items() if self._has_parts(name, at.get(key, 0)))
            plan = _plan("U", self.table, self._key, list(found), self._places, self._carried)
            plan = plan._replace(parted=parted, deciding=self.insert.deciding)
            self._updates[keys + written] = plan
        return plan

    def _has_parts(self, name: str, generation: int) -> bool:
        """Has a cell's state parts that was written in this generation?"""
        by_generation = self._parted.get(name, (False,))
        return by_generation[min(generation, len(by_generation) - 1)]


def written_in(keys: tuple[int, ...], stamps: Sequence[int]) -> tuple[int, ...]:
    """In which generations the cells with these moment keys were written."""
    numbers = dict(zip(stamps[2::2], stamps[3::2], strict=True))
    return tuple(numbers.get(key | GENERATION, 0) for key in keys)


def shape_of(
    relation: Relation,
    key: Sequence[str],
    columns: Sequence[str],
    carried: Mapping[str, Sequence[int]],
    parted: Mapping[str, Parted] = MappingProxyType({}),
    deciding: tuple[str, ...] = (),
) -> Shape:
    """``columns`` are those that travel; ``carried``: the kinds of numbers, besides the moment, that a column's stamp
    may have; ``parted``: in which generations its state has parts; ``deciding``: by what the row holds there, not
    everybody may see all of it."""
    places = {name: index for index, name in enumerate(relation.columns)}
    if "kuroshio" not in places:
        raise InvariantError(f"{relation.schema}.{relation.name} is sent without its stamps")
    table = (relation.schema, relation.name)
    values = [name for name in relation.columns if name in columns and name not in key]
    return Shape(
        table,
        places["kuroshio"],
        _plan("I", table, tuple(key), values, places, carried)._replace(deciding=deciding),
        places,
        tuple(key),
        {cell_key(name): name for name in values},
        carried,
        parted,
        places.get("kuroshio_parts"),
        any(GENERATION in kinds for kinds in carried.values()),
        _picker([places[name] for name in deciding]) if deciding else None,
    )


def _plan(
    op: Op,
    table: tuple[str, str],
    key: tuple[str, ...],
    names: Sequence[str],
    places: dict[str, int],
    carried: Mapping[str, Sequence[int]],
) -> Plan:
    columns = (*key, *names)
    authority = tuple(
        (f"{KIND_NAMES[kind]}:{name}", cell_key(name, kind)) for name in names for kind in carried.get(name, ())
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
