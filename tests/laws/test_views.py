"""Who may see what: by columns of the row itself, and the same at every site."""

from pathlib import Path

import pytest

from replication.audience import view_for, views_in_use
from replication.core.masking import HASH_CHARACTERS, conceal
from replication.core.rules import CELL_RULES, Cell
from replication.core.stamps import Stamp, Stamps, cell_id
from replication.core.views import EVERYTHING, Mask, Sight, changes_for, deciding_columns
from sitecfg import Config, load
from sitecfg.example import write

RULES = """
[table."public.customer"]
owner = "owner"
share = { column = "owner", map = { shanghai = ["shanghai", "taipei"], secret = ["taipei"] } }
[table."public.customer".column]
email = { share = { column = "owner", map = { taipei = ["taipei"] } }, mask = "hash" }
card = { share = ["taipei"], mask = { part = 4 } }
[table."public.note"]
share = ["taipei", "us"]
[table."public.region"]
"""
CUSTOMER, NOTE = ("public", "customer"), ("public", "note")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    rules = RULES.replace(', secret = ["taipei"]', "")
    return load(write(tmp_path, sites=("taipei", "shanghai", "us", "kaohsiung"), base_port=26_000, rules=rules))


def test_where_nothing_is_declared_everybody_sees_everything_by_one_view_without_a_name(tmp_path: Path) -> None:
    config = load(write(tmp_path, sites=("a", "b", "c"), base_port=26_000, rules='[table."public.customer"]\n'))
    assert views_in_use(config, "a") == [EVERYTHING]
    assert EVERYTHING.name == ""


def test_a_row_reaches_the_sites_that_its_own_column_names_and_all_for_another_value(config: Config) -> None:
    view = view_for(config.rules, "us").of(CUSTOMER)
    assert not view.sight({"owner": b"shanghai"}).admits
    assert view.sight({"owner": b"us"}).admits
    assert view.sight({"owner": None}).admits
    assert view_for(config.rules, "taipei").of(CUSTOMER).sight({"owner": b"shanghai"}).admits


def test_a_column_is_hidden_by_a_list_of_sites_or_by_what_the_row_holds(config: Config) -> None:
    view = view_for(config.rules, "us").of(CUSTOMER)
    assert view.sight({"owner": b"taipei"}) == Sight(True, frozenset({"email", "card"}))
    assert view.sight({"owner": b"us"}) == Sight(True, frozenset({"card"}))
    assert view.deciding == {"owner"}


def test_a_table_for_some_sites_is_not_for_the_others(config: Config) -> None:
    assert view_for(config.rules, "us").of(NOTE).sight({}).admits
    assert not view_for(config.rules, "kaohsiung").of(NOTE).sight({}).admits


def test_sites_that_may_see_the_same_share_a_view_and_its_name_at_every_site(config: Config, tmp_path: Path) -> None:
    rules = '[table."public.note"]\nshare = ["taipei"]\n'
    config = load(write(tmp_path / "2", sites=("taipei", "us", "shanghai"), base_port=26_000, rules=rules))
    us, shanghai = (view_for(config.rules, site) for site in ("us", "shanghai"))
    assert us.name == shanghai.name != ""
    assert views_in_use(config, "taipei") == [us]
    assert views_in_use(config, "us") == [EVERYTHING, us]


def test_a_move_concerns_those_who_see_more_or_less_by_it(config: Config) -> None:
    us, kaohsiung = (view_for(config.rules, site).of(CUSTOMER) for site in ("us", "kaohsiung"))
    assert changes_for(us, [{"owner": b"us"}], {"owner": b"shanghai"})
    assert changes_for(kaohsiung, [{"owner": b"us"}], {"owner": b"taipei"}), "its e-mail is hidden now"
    assert not changes_for(kaohsiung, [{"owner": b"us"}], {"owner": b"kaohsiung"})
    assert deciding_columns([view_for(config.rules, "us")], CUSTOMER) == ("owner",)


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        (Mask("nothing"), b"secret", None),
        (Mask("part", 4), b"4111111111111234", b"1234"),
        (Mask("part", 2), "王小明".encode(), "小明".encode()),
        (Mask("part", 4), b"1234", b""),
        (Mask("hash"), None, None),
    ],
)
def test_what_a_mask_shows(mask: Mask, value: bytes | None, shown: bytes | None) -> None:
    assert conceal(value, mask, b"key", None) == shown


def test_a_hash_tells_equal_values_of_one_site_and_nothing_without_its_key() -> None:
    one, again, other = (conceal(value, Mask("hash"), b"key", None) for value in (b"a@b", b"a@b", b"a@c"))
    assert one == again != other
    assert one != conceal(b"a@b", Mask("hash"), b"another key", None)
    assert len(one or b"") == HASH_CHARACTERS
    assert len(conceal(b"a@b", Mask("hash"), b"key", None, longest=5) or b"") == 5


@pytest.mark.parametrize("rule", ["latest", "site", "owner", "frozen"])
def test_a_value_beats_its_masks_and_a_mask_is_as_new_as_its_value(rule: str) -> None:
    value, mask = Cell(Stamp(0, 0, 5), b"value"), Cell(Stamp(0, 0, 5), b"zzz", masked=True)
    join = CELL_RULES[rule].join
    assert join(value, mask) == join(mask, value) == value
    later = Cell(Stamp(0, 0, 9), b"later", masked=True)
    assert join(value, later) == join(later, value) == (value if rule == "frozen" else later)


def test_marks_survive_packing_and_are_of_the_cell() -> None:
    stamps = Stamps(7, 5, 1, {cell_id("a"): Stamp(0, 0, 9)}, frozenset({cell_id("a"), cell_id("b")}))
    found = Stamps.unpack(stamps.pack())
    assert found.masked == stamps.masked
    assert (found.of(cell_id("a")), found.of(cell_id("b"))) == (Stamp(0, 0, 9), Stamp(0, 0, 7))
