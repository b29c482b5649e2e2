"""What one narrower view of a batch holds: nothing that the view may not see, and all that it may."""

import json
from collections.abc import Mapping, Sequence

from replication.capture.deletes import Deletes
from replication.capture.gather import Batch, Gatherer
from replication.capture.narrowing import Narrower
from replication.capture.outlets import Outlet
from replication.capture.shapes import Shape, shape_of
from replication.capture.wholes import Wholes
from replication.core.masking import conceal
from replication.core.stamps import Stamp, Stamps, cell_id, moment, term_in
from replication.core.views import EVERYTHING, NEVER, Mask, Reach, TableView, View
from replication.wire.message import Section
from replication.wire.pglogical import Begin, Commit, Insert, Relation, Update, Values
from tests.capture.test_lanes import Log

TABLE = ("public", "person")
PERSON = Relation(1, "public", "person", ("id", "owner", "card", "kuroshio"), (0,))
TOMBSTONE = Relation(
    2,
    "kuroshio",
    "tombstone",
    ("nspname", "relname", "key", "life", "deleted", "saw", "referential", "cells"),
    (0, 1, 2),
)
WHOLE = Relation(
    3, "kuroshio", "whole", ("nspname", "relname", "key", "life", "deleted", "stamps", "cells", "parts", "before"), (0,)
)
BASE, EDIT = moment(1_000, 1), moment(2_000, 1)
ROWS = Reach(column="owner", refused=frozenset({b"shanghai"}))
VIEW = View({TABLE: TableView(ROWS, {"card": (NEVER, Mask("part", 2))})})


def stamps(seen: int = 0, **cells: int) -> bytes:
    packed = Stamps(BASE, seen, 1, {cell_id(name): Stamp(0, 0, at) for name, at in cells.items()}).pack()
    return ("{" + ",".join(map(str, packed)) + "}").encode()


def insert(key: str, owner: str, card: str | None = "secret99") -> Insert:
    return Insert(PERSON, (key.encode(), owner.encode(), card.encode() if card else None, stamps()))


def gathered(*events: object) -> Batch:
    def shape(relation: Relation) -> Shape | None:
        return shape_of(relation, ("id",), ("id", "owner", "card"), {}, deciding=("owner",))

    def key_of(schema: str, name: str) -> tuple[str, ...]:
        return ("id",)

    deletes = Deletes(key_of, lambda _: ("owner",))
    wholes = Wholes(key_of, lambda _: ("owner",), lambda _: frozenset(), deletes)
    gatherer = Gatherer(shape, deletes, 1000, wholes)
    gatherer.feed(Begin(92, 0, 7))
    for event in events:
        gatherer.feed(event)
    gatherer.feed(Commit(92, 100, 5))
    (batch,) = gatherer.take()
    return batch


def narrower(view: View = VIEW) -> Narrower:
    return Narrower(view, ["us"], lambda table, column, mask, value: conceal(value, mask, b"key", None))


def seen(*events: object, view: View = VIEW) -> list[Section]:
    return narrower(view).narrow(gathered(*events)).sections()


def whole(
    owner: str, before: Sequence[Mapping[str, str] | str], card: str = "secret99", base: int = BASE, term: int = 0
) -> Insert:
    packed = Stamps(base, 0, 1, {cell_id("owner"): Stamp(term, 0, EDIT)}).pack()
    values: Values = (
        b"public",
        b"person",
        b"{a}",
        b"1",
        None,
        ("{" + ",".join(map(str, packed)) + "}").encode(),
        json.dumps({"owner": owner, "card": card}).encode(),
        None,
        json.dumps(before).encode(),
    )
    return Insert(WHOLE, values)


def test_rows_that_are_not_shared_are_left_out_and_hidden_columns_are_masked_and_marked() -> None:
    [section] = seen(insert("a", "shanghai"), insert("b", "us"), insert("c", "us", None))
    assert section.values == [[b"b", b"c"], [b"us", b"us"], [b"99", None]]
    assert section.extra == {"mask:card": [1, 1]}
    assert section.moments == [BASE, BASE]


def test_an_update_is_decided_by_the_row_and_not_by_what_changed() -> None:
    edit = stamps(BASE, card=EDIT)
    events = [
        Update(PERSON, None, (key, owner, b"secret42", edit)) for key, owner in ((b"a", b"shanghai"), (b"b", b"us"))
    ]
    [section] = seen(*events)
    assert (section.op, section.columns, section.values) == ("U", ("id", "card"), [[b"b"], [b"42"]])
    assert section.extra == {"mask:card": [1]}


def test_a_delete_is_decided_by_the_image_of_its_tombstone() -> None:
    def delete(key: str, owner: str) -> Insert:
        image = json.dumps({"owner": owner, "card": "secret"}).encode()
        values = (b"public", b"person", f"{{{key}}}".encode(), b"1", str(EDIT).encode(), b"{1,0}", b"f", image)
        return Insert(TOMBSTONE, values)

    [section] = seen(delete("a", "shanghai"), delete("b", "us"))
    assert (section.op, section.values) == ("D", [[b"b"]])


def test_a_table_that_is_seen_in_full_is_not_copied() -> None:
    batch = gathered(insert("a", "shanghai"))
    narrowed = narrower(View({("public", "other"): TableView(NEVER)})).narrow(batch)
    assert [buffer is batch.buffers[key] for key, buffer in narrowed.buffers.items()] == [True]


def test_a_row_that_becomes_shared_goes_whole_with_each_cells_own_stamp() -> None:
    [section] = seen(whole("us", [{"owner": "shanghai"}]))
    assert (section.op, section.columns, section.values) == ("I", ("id", "card", "owner"), [[b"a"], [b"99"], [b"us"]])
    assert section.moments == [BASE]
    assert section.extra == {"mask:card": [1], "moment:owner": [EDIT], "whole": [1]}


def test_to_who_sees_a_row_no_more_goes_the_deciding_cell_and_nothing_else() -> None:
    [section] = seen(whole("shanghai", [{"owner": "us"}]))
    assert (section.op, section.columns, section.values) == ("U", ("id", "owner"), [[b"a"], [b"shanghai"]])
    assert section.moments == [EDIT]
    assert section.extra == {}


def test_who_saw_a_row_and_sees_it_still_gets_no_whole_one_and_who_never_did_hears_nothing() -> None:
    assert seen(whole("us", [{"owner": "taipei"}])) == []
    assert seen(whole("shanghai", [{"owner": "shanghai"}])) == []


def test_who_sees_more_or_less_of_the_columns_gets_the_row_whole() -> None:
    by_owner = Reach(column="owner", refused=frozenset({b"taipei"}))
    view = View({TABLE: TableView(cells={"card": (by_owner, Mask("part", 2))})})
    [opened] = seen(whole("us", [{"owner": "taipei"}]), view=view)
    assert (opened.values[1], opened.extra.get("mask:card")) == ([b"secret99"], None)
    [closed] = seen(whole("taipei", [{"owner": "us"}]), view=view)
    assert (closed.values[1], closed.extra["mask:card"]) == ([b"99"], [1])


def test_who_has_no_row_to_send_sends_none_but_can_say_that_it_moved() -> None:
    assert seen(whole("us", [{"owner": "shanghai"}], base=0)) == []
    assert [section.op for section in seen(whole("shanghai", [{"owner": "us"}], base=0))] == ["U"]


def test_whole_rows_are_not_for_those_who_see_everything_and_are_nobodys_writes() -> None:
    assert seen(whole("us", [{"owner": "shanghai"}]), view=EVERYTHING) == []
    assert gathered(whole("us", [{"owner": "shanghai"}])).moments() == (0, 0)


def test_where_the_rules_changed_a_row_goes_whole_to_the_sites_that_it_names_and_to_no_other() -> None:
    [section] = seen(whole("us", ["us", "taipei"]))
    assert (section.values, section.extra["whole"]) == ([[b"a"], [b"99"], [b"us"]], [1])
    assert seen(whole("shanghai", ["us"])) == [], "what it may not see it does not get, whoever names it"
    assert seen(whole("us", ["taipei"])) == []
    [section] = seen(whole("us", ["us"]), view=EVERYTHING)
    assert section.values == [[b"a"], [b"secret99"], [b"us"]]


def test_what_holds_nothing_for_a_view_is_passed_over_and_its_range_is_covered_later() -> None:
    log = Log()
    outlet = Outlet("v", log.lanes, narrower())
    outlet.put(gathered(insert("a", "us")), 2_000_000)
    hidden = gathered(insert("b", "shanghai"))
    hidden.end_lsn = 200
    outlet.put(hidden, 2_000_001)
    assert log.ranges("live") == [(0, 100)]
    shown = gathered(insert("c", "us"))
    shown.end_lsn = 300
    outlet.put(shown, 2_000_002)
    assert log.ranges("live") == [(0, 100), (100, 300)]
    hidden.end_lsn = 400
    outlet.put(hidden, 9_000_000)
    assert log.ranges("live")[-1] == (300, 400), "who reads it must know how far it is"
    assert log.lanes.changes == 4


def test_what_moves_keeps_the_generation_of_its_cells() -> None:
    for owner, before in (("us", "shanghai"), ("shanghai", "us")):
        [section] = seen(whole(owner, [{"owner": before}], term=term_in(2, 7)))
        assert section.extra["generation:owner"] == [2]
        assert section.extra["term:owner"] == [7]
