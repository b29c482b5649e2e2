"""A change of the rules that lets a site have more: what it is owed, and by whom."""

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from replication.core.views import ALWAYS, NEVER, Mask, Reach, TableView, Values
from replication.core.widening import Audience, Widening, as_data, from_data

SITES = ("taipei", "shanghai", "us", "kaohsiung")
VALUES = (b"taipei", b"shanghai", b"us", None)
HIDES = {"card": (NEVER, Mask("part", 4))}

reaches = st.one_of(
    st.just(ALWAYS),
    st.just(NEVER),
    st.frozensets(st.sampled_from(VALUES[:3]), min_size=1).map(lambda refused: Reach(column="owner", refused=refused)),
)
cells = st.dictionaries(st.sampled_from(("card", "email")), st.tuples(reaches, st.just(Mask("hash"))))
views = st.builds(TableView, reaches, cells)
audiences = st.fixed_dictionaries(dict.fromkeys(SITES, views))


def widening(own: str, now: Audience, *earlier: Audience) -> Widening:
    return Widening(own, SITES, earlier, now)


def everybody(**others: TableView) -> Audience:
    return {site: others.get(site, TableView()) for site in SITES}


def rows() -> Iterator[Values]:
    yield from ({"owner": value} for value in VALUES)


def senders(now: Audience, earlier: Sequence[Audience], values: Values) -> dict[str, list[str]]:
    """Site -> who sends it a row with these values."""
    found = {own: widening(own, now, *earlier).owed(values) for own in SITES}
    return {site: [own for own in SITES if site in found[own]] for site in SITES}


@given(audiences, audiences)
def test_who_sees_more_of_a_row_than_before_is_sent_it_and_nobody_else_is(now: Audience, before: Audience) -> None:
    for values in rows():
        for site, sending in senders(now, [before], values).items():
            had, has = before[site].sight(values), now[site].sight(values)
            sees_more = has.admits and (not had.admits or bool(had.hidden - has.hidden))
            assert bool(sending) == sees_more, (values, site)


@given(audiences, audiences)
def test_one_site_sends_that_has_it_all_or_every_other_does(now: Audience, before: Audience) -> None:
    for values in rows():
        for site, sending in senders(now, [before], values).items():
            wanted = now[site].sight(values)
            had = [before[own].sight(values) for own in sending]
            assert len(sending) in (0, 1, len(SITES) - 1)
            if len(sending) == 1:
                assert had[0].admits
                assert had[0].hidden <= wanted.hidden


@given(audiences, st.lists(audiences, max_size=3), audiences)
def test_what_is_owed_stays_owed_however_often_the_rules_change_meanwhile(
    first: Audience, meanwhile: list[Audience], now: Audience
) -> None:
    for own in SITES:
        for values in rows():
            once = widening(own, now, first).owed(values)
            assert set(once) <= set(widening(own, now, first, *meanwhile).owed(values))


@given(audiences, st.lists(audiences, min_size=1, max_size=2))
def test_who_may_have_to_send_anything_is_told_without_looking_at_rows(now: Audience, earlier: list[Audience]) -> None:
    for own in SITES:
        found = widening(own, now, *earlier)
        assert set(found.owing) == {site for values in rows() for site in found.owed(values)}


@given(audiences)
def test_an_audience_is_kept_as_data_and_read_again(audience: Audience) -> None:
    assert from_data(as_data(audience)) == audience


def test_taking_something_away_is_owed_to_nobody() -> None:
    narrower = everybody(us=TableView(NEVER), kaohsiung=TableView(cells=HIDES))
    assert [widening(own, narrower, everybody()).owing for own in SITES] == [[], [], [], []]


def test_a_mask_that_is_taken_off_is_made_good_by_the_first_who_has_the_values() -> None:
    before = everybody(taipei=TableView(cells=HIDES), us=TableView(cells=HIDES))
    now = everybody(taipei=TableView(cells=HIDES))
    assert senders(now, [before], {}) == {"taipei": [], "shanghai": [], "us": ["shanghai"], "kaohsiung": []}


def test_a_site_that_is_new_is_owed_nothing_by_a_change_of_the_rules() -> None:
    before = {site: TableView() for site in SITES if site != "us"}
    assert [widening(own, everybody(), before).owing for own in SITES] == [[], [], [], []]
