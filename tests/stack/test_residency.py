"""Who receives what, on running sites: what may not leave a site is in no byte that does, and what moves arrives whole.

A *canary* is a value that stands nowhere else; it is looked for in all that a stream holds, decoded, and in the text of
every row of a peer's database: the tables, the tombstones, the conflicts, what waits.
"""

import time
from collections.abc import Iterator

import psycopg
import pytest

from deploy.local.programs import names
from deploy.local.say import Say
from deploy.local.stack import Stack
from replication.audience import view_for, views_in_use
from replication.broker.log import last_message
from replication.broker.names import Lane, stream_name
from replication.broker.reader import StreamReader
from replication.errors import BrokerUnavailable, StreamDown, StreamMissing
from replication.wire.message import decode
from sitecfg import load
from tests.stack.proof.sites import Sites, running_sites, until

HERE, FAR, HEADQUARTERS = "shanghai", "us", "taipei"
TABLE = "public.person"
LANES: tuple[Lane, Lane] = ("live", "packed")
RULES = f"""
[table."{TABLE}"]
owner = "owner"
share = {{ column = "owner", map = {{ shanghai = ["shanghai", "taipei"] }} }}
[table."{TABLE}".column]
email = {{ share = {{ column = "owner", map = {{ taipei = ["taipei", "shanghai"] }} }}, mask = "hash" }}
card = {{ share = ["shanghai"], mask = {{ part = 4 }} }}
born = {{ rule = "frozen", share = ["shanghai"], mask = "nothing" }}
grade = {{ share = ["shanghai"], mask = "nothing" }}
[table."public.plain"]
"""
CREATE = f"""
CREATE TABLE {TABLE} (id text PRIMARY KEY, owner text NOT NULL, name text, email text NOT NULL DEFAULT '',
  card text, born text, grade text NOT NULL DEFAULT 'none', note text);
CREATE TABLE public.plain (id text PRIMARY KEY, note text)"""


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with running_sites(tmp_path_factory.mktemp("residency"), (HEADQUARTERS, HERE, FAR), RULES, CREATE) as sites:
        yield sites


def is_there(url: str, stream: str) -> bool:
    try:
        last_message(url, stream)
    except (StreamMissing, StreamDown):  # it is not made yet, or is being made
        return False
    return True


def test_a_peer_cannot_read_what_is_made_for_another(sites: Sites) -> None:
    full = stream_name(HEADQUARTERS, str(sites.value(HEADQUARTERS, "SELECT incarnation FROM kuroshio.site")), "live")
    own = sites.stack.site(HERE).peer_url(HEADQUARTERS)
    until("it is there", lambda: is_there(own, full))
    with (
        pytest.raises(BrokerUnavailable, match="ACCESS_REFUSED"),
        StreamReader(sites.stack.site(FAR).peer_url(HEADQUARTERS), full, "first", prefetch=1, timeout_seconds=10),
    ):
        pass


def insert(sites: Sites, site: str, key: str, owner: str, **values: str) -> None:
    columns, marks = ["id", "owner", *values], ["%s"] * (len(values) + 2)
    sites.run(
        site, f"INSERT INTO {TABLE} ({', '.join(columns)}) VALUES ({', '.join(marks)})", (key, owner, *values.values())
    )


def row(sites: Sites, site: str, key: str, columns: str) -> tuple[object, ...] | None:
    found = sites.run(site, f"SELECT {columns} FROM {TABLE} WHERE id = %s", (key,))
    return found[0] if found else None


def shows(sites: Sites, site: str, key: str, columns: str, *values: object) -> None:
    """Wait until a site shows this of a row; nothing: until it has none."""
    wanted = values or None
    until(
        f"{site} shows {wanted} of {key}",
        lambda: row(sites, site, key, columns) == wanted,
        explain=lambda: f"it shows {row(sites, site, key, columns)}, parked {sites.parked(site)}\n{sites.logs()}",
    )


def settled(sites: Sites) -> None:
    """All that was committed is applied everywhere, also what was passed on."""
    for _ in range(2):
        waited = sites.replication("wait", "--timeout", "60")
        assert waited.returncode == 0, waited.stdout + waited.stderr + sites.logs()
        moved = "SELECT 1 FROM kuroshio.moved"
        until("all is passed on", lambda: not any(sites.run(n, moved) for n in sites.names))  # noqa: B023


def stored(url: str, stream: str) -> Iterator[bytes]:
    """All messages of a stream, up to the one that is the last now."""
    last = last_message(url, stream)
    with StreamReader(url, stream, "first", prefetch=500, timeout_seconds=10) as reader:
        for delivery in reader.deliveries(20.0):
            assert delivery is not None, f"{stream} ends before its last message"
            reader.ack(delivery)
            yield delivery.body
            if delivery.body == last:
                return


def sent(sites: Sites, origin: str, reader: str) -> str:
    """All that the streams which a peer may read of an origin hold, decoded."""
    incarnation = str(sites.value(origin, "SELECT incarnation FROM kuroshio.site"))
    view = view_for(sites.stack.config.rules, reader).name
    found = []
    for lane in LANES:
        name = stream_name(origin, incarnation, lane, view)
        for body in stored(sites.stack.site(origin).broker_url(), name):
            found.append(body)
            found += [
                value or b""
                for section in decode(body, lambda *_: None).sections
                for column in (*section.values, *section.blobs.values())
                for value in column
            ]
    return b"\n".join(found).decode(errors="replace")


def kept(sites: Sites, site: str) -> str:
    """The text of every row of a site's database that replication wrote."""
    tables = sites.run(
        site,
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('kuroshio', 'public')",
    )
    return "\n".join(str(line) for (table,) in tables for (line,) in sites.run(site, f"SELECT t::text FROM {table} t"))


def test_the_streams_are_those_of_the_views_in_use_and_no_other(sites: Sites) -> None:
    config = sites.stack.config
    for site in sites.names:
        views = [view.name for view in views_in_use(config, site)]
        query = "SELECT views FROM kuroshio.capture"
        until(f"{site} has its streams", lambda: sites.value(site, query) == views)  # noqa: B023
    assert "" not in [view.name for view in views_in_use(config, HERE)]
    full = stream_name(HERE, str(sites.value(HERE, "SELECT incarnation FROM kuroshio.site")), "live")
    assert not is_there(sites.stack.site(HERE).broker_url(), full), "nobody may see everything, so it is not there"


def meet(sites: Sites, *writes: tuple[str, str]) -> None:
    """What these sites write is concurrent."""
    daemons = names(sites.stack.config, "apply")
    sites.stack.supervisor.stop_programs(daemons)
    for site, statement in writes:
        sites.run(site, statement)
        time.sleep(0.01)  # in this order by any clock
    sites.stack.supervisor.start_programs(daemons)


def test_what_may_not_leave_a_site_is_in_no_byte_that_does(sites: Sites) -> None:
    secret = {"card": "CANARYCARD1234", "born": "CANARYBORN", "grade": "CANARYGRADE"}
    insert(sites, HERE, "c-key", HERE, name="first", email="CANARYMAIL@x", **secret)
    insert(sites, HERE, "c2", HEADQUARTERS, name="second", email="open@x", **secret)
    shows(sites, HEADQUARTERS, "c-key", "name, email, card, born, grade", "first", "CANARYMAIL@x", "1234", None, "none")
    shows(sites, FAR, "c2", "name, card, born, grade", "second", "1234", None, "none")
    hashed = str(sites.value(FAR, f"SELECT email FROM {TABLE} WHERE id = 'c2'"))
    assert len(hashed) == 16
    assert "@" not in hashed
    assert row(sites, FAR, "c-key", "*") is None

    # Old values, a conflict, a delete: what is kept of them holds no more than the row did.
    meet(
        sites,
        (HERE, f"UPDATE {TABLE} SET card = 'CANARYNEXT5678', name = 'here' WHERE id = 'c2'"),
        (FAR, f"UPDATE {TABLE} SET name = 'far' WHERE id = 'c2'"),
    )
    shows(sites, FAR, "c2", "card", "5678")
    shows(sites, HERE, "c2", "name", "far")
    sites.run(HERE, f"DELETE FROM {TABLE} WHERE id IN ('c-key', 'c2')")
    shows(sites, FAR, "c2", "1")
    shows(sites, HEADQUARTERS, "c-key", "1")
    settled(sites)

    assert all(canary in kept(sites, HERE) for canary in secret.values()), "the search finds what is there"
    for peer in (FAR, HEADQUARTERS):
        for canary in ("CANARYCARD", "CANARYNEXT", "CANARYBORN", "CANARYGRADE"):
            assert canary not in sent(sites, HERE, peer), (peer, canary)
            assert canary not in kept(sites, peer), (peer, canary)
    assert "CANARYMAIL" in sent(sites, HERE, HEADQUARTERS)
    assert "CANARYMAIL" not in sent(sites, HERE, FAR) + kept(sites, FAR)
    assert "c-key" not in sent(sites, HERE, FAR), "not even its key"


def test_a_masked_cell_is_read_only_and_the_others_of_its_row_are_not(sites: Sites) -> None:
    insert(sites, HERE, "r1", HEADQUARTERS, card="4111222233334444", name="one")
    shows(sites, FAR, "r1", "card", "4444")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="column card of public"):
        sites.run(FAR, f"UPDATE {TABLE} SET card = 'x' WHERE id = 'r1'")
    sites.run(FAR, f"UPDATE {TABLE} SET card = card, name = 'two' WHERE id = 'r1'")
    shows(sites, HERE, "r1", "name, card", "two", "4111222233334444")
    sites.run(HERE, f"UPDATE {TABLE} SET card = '4111222233339999' WHERE id = 'r1'")
    shows(sites, FAR, "r1", "card, name", "9999", "two")


def test_what_a_site_writes_itself_into_a_column_that_is_not_its_own_arrives_where_it_is(sites: Sites) -> None:
    insert(sites, FAR, "w1", FAR, card="5555666677778888")
    shows(sites, HERE, "w1", "card", "5555666677778888")
    shows(sites, HEADQUARTERS, "w1", "card", "8888")


def test_a_table_without_such_rules_travels_as_ever(sites: Sites) -> None:
    sites.run(HERE, "INSERT INTO public.plain VALUES ('p', 'for all')")
    sites.run(FAR, "INSERT INTO public.plain SELECT g::text, 'many' FROM generate_series(1, 6000) g")
    sites.converge("public.plain")
    sites.run(FAR, "DELETE FROM public.plain WHERE id <> 'p'")
    sites.converge("public.plain")


def test_a_row_that_becomes_shared_arrives_whole_and_one_that_ceases_to_be_is_withdrawn(sites: Sites) -> None:
    insert(sites, HERE, "m1", HERE, name="moves", email="m1@x", note="n" * 9000)
    shows(sites, HEADQUARTERS, "m1", "name", "moves")
    sites.run(HEADQUARTERS, f"UPDATE {TABLE} SET name = 'named' WHERE id = 'm1'")
    shows(sites, HERE, "m1", "name", "named")
    assert row(sites, FAR, "m1", "1") is None
    sites.run(HERE, f"UPDATE {TABLE} SET owner = '{FAR}' WHERE id = 'm1'")
    shows(sites, FAR, "m1", "owner, name, email, length(note)", FAR, "named", "m1@x", 9000)
    sites.run(FAR, f"UPDATE {TABLE} SET email = 'm1-new@x' WHERE id = 'm1'")
    shows(sites, HERE, "m1", "email", "m1-new@x")
    sites.run(HERE, f"UPDATE {TABLE} SET owner = '{HERE}', name = 'back' WHERE id = 'm1'")
    shows(sites, FAR, "m1", "1")
    assert not sites.run(FAR, "SELECT FROM kuroshio.tombstone WHERE key = '{m1}'"), "it was not deleted"
    assert "m1-new@x" not in kept(sites, FAR)
    shows(sites, HEADQUARTERS, "m1", "owner, name", HERE, "back")
    sites.run(HERE, f"UPDATE {TABLE} SET owner = '{FAR}' WHERE id = 'm1'")
    shows(sites, FAR, "m1", "name, email, length(note)", "back", "m1-new@x", 9000)


def test_a_site_that_gives_a_row_away_does_not_keep_it(sites: Sites) -> None:
    insert(sites, FAR, "g1", FAR, name="given away", email="g1@x")
    shows(sites, HERE, "g1", "name", "given away")
    sites.run(FAR, f"UPDATE {TABLE} SET owner = '{HERE}' WHERE id = 'g1'")
    shows(sites, FAR, "g1", "1")
    shows(sites, HERE, "g1", "owner, email", HERE, "g1@x")
    shows(sites, HEADQUARTERS, "g1", "owner, email", HERE, "g1@x")


def test_an_edit_made_before_hearing_of_the_move_reaches_the_new_readers(sites: Sites) -> None:
    insert(sites, HERE, "e1", HERE, name="first", note="first")
    shows(sites, HEADQUARTERS, "e1", "name", "first")
    meet(
        sites,
        (HERE, f"UPDATE {TABLE} SET owner = '{FAR}' WHERE id = 'e1'"),
        (HEADQUARTERS, f"UPDATE {TABLE} SET note = 'from headquarters' WHERE id = 'e1'"),
    )
    shows(sites, FAR, "e1", "owner, name, note", FAR, "first", "from headquarters")


def test_a_late_older_change_does_not_bring_a_withdrawn_row_back(sites: Sites) -> None:
    insert(sites, HEADQUARTERS, "l1", HEADQUARTERS, name="first")
    shows(sites, FAR, "l1", "name", "first")
    shows(sites, HERE, "l1", "name", "first")
    [reading] = [n for n in names(sites.stack.config, "apply") if n.startswith(FAR)]
    sites.stack.supervisor.stop_programs([reading])
    sites.run(HEADQUARTERS, f"UPDATE {TABLE} SET note = 'CANARYLATE' WHERE id = 'l1'")
    shows(sites, HERE, "l1", "note", "CANARYLATE")
    sites.run(HERE, f"UPDATE {TABLE} SET owner = '{HERE}' WHERE id = 'l1'")
    shows(sites, HEADQUARTERS, "l1", "owner", HERE)
    sites.stack.supervisor.start_programs([reading])
    shows(sites, FAR, "l1", "1")
    settled(sites)
    assert row(sites, FAR, "l1", "1") is None
    until("nothing waits", lambda: not sites.parked(FAR), explain=lambda: str(sites.parked(FAR)))
    assert "CANARYLATE" not in kept(sites, FAR)


def test_of_two_concurrent_moves_everybody_who_had_the_row_hears_the_one_that_holds(sites: Sites) -> None:
    insert(sites, HEADQUARTERS, "t1", HEADQUARTERS, name="contested")
    for site in (HERE, FAR):
        shows(sites, site, "t1", "name", "contested")
    meet(
        sites,
        (FAR, f"UPDATE {TABLE} SET owner = '{FAR}' WHERE id = 't1'"),
        (HERE, f"UPDATE {TABLE} SET owner = '{HERE}' WHERE id = 't1'"),
    )
    shows(sites, FAR, "t1", "1")
    for site in (HERE, HEADQUARTERS):
        shows(sites, site, "t1", "owner, name", HERE, "contested")


def test_a_delete_that_did_not_know_of_the_move_reaches_the_new_readers(sites: Sites) -> None:
    insert(sites, HERE, "d1", HERE, name="to be deleted")
    shows(sites, HEADQUARTERS, "d1", "name", "to be deleted")
    meet(
        sites,
        (HERE, f"UPDATE {TABLE} SET owner = '{FAR}' WHERE id = 'd1'"),
        (HEADQUARTERS, f"DELETE FROM {TABLE} WHERE id = 'd1'"),
    )
    for site in (HERE, HEADQUARTERS):
        shows(sites, site, "d1", "1")
    settled(sites)
    shows(sites, FAR, "d1", "1")


def test_what_a_column_hides_follows_the_row_and_comes_back_with_it(sites: Sites) -> None:
    insert(sites, HEADQUARTERS, "h1", FAR, email="h1@x")
    shows(sites, FAR, "h1", "email", "h1@x")
    sites.run(HEADQUARTERS, f"UPDATE {TABLE} SET owner = '{HEADQUARTERS}' WHERE id = 'h1'")
    until("the hash stands there", lambda: len(str((row(sites, FAR, "h1", "email") or [""])[0])) == 16)
    assert "h1@x" not in kept(sites, FAR)
    sites.run(HEADQUARTERS, f"UPDATE {TABLE} SET owner = '{FAR}' WHERE id = 'h1'")
    shows(sites, FAR, "h1", "email", "h1@x")


def test_a_site_that_holds_masks_may_move_a_row_and_the_values_are_sent_by_who_holds_them(sites: Sites) -> None:
    """Pitfall P8."""
    insert(sites, HEADQUARTERS, "p1", HEADQUARTERS, email="p1@x", name="masked there")
    shows(sites, FAR, "p1", "name", "masked there")
    sites.run(FAR, f"UPDATE {TABLE} SET owner = '{FAR}' WHERE id = 'p1'")
    shows(sites, FAR, "p1", "email", "p1@x")
    shows(sites, HEADQUARTERS, "p1", "owner, email", FAR, "p1@x")


def test_what_a_site_writes_for_others_alone_does_not_stay_there(sites: Sites) -> None:
    insert(sites, FAR, "s1", HERE, name="for shanghai")
    for site in (HERE, HEADQUARTERS):
        shows(sites, site, "s1", "owner, name", HERE, "for shanghai")
    shows(sites, FAR, "s1", "1")


def test_a_transaction_in_parts_arrives_as_far_as_it_is_shared(sites: Sites) -> None:
    sites.run(
        HERE,
        f"INSERT INTO {TABLE} (id, owner, card) SELECT 'large' || g, CASE g % 2 WHEN 0 THEN '{HERE}' ELSE '{FAR}' END,"
        " 'CANARYLARGE' || g FROM generate_series(1, 11000) g",
    )
    count = f"SELECT count(*) FROM {TABLE} WHERE id LIKE 'large%'"
    until("the shared half is there", lambda: sites.value(FAR, count) == 5500)
    until("all is there", lambda: sites.value(HEADQUARTERS, count) == 11000)
    assert "CANARYLARGE" not in sent(sites, HERE, FAR) + kept(sites, FAR)
    sites.run(HERE, f"UPDATE {TABLE} SET owner = '{HERE}' WHERE id LIKE 'large%'")
    until("all is withdrawn", lambda: sites.value(FAR, count) == 0)
    settled(sites)
    sites.run(HERE, f"DELETE FROM {TABLE} WHERE id LIKE 'large%'")
    until("all is gone", lambda: sites.value(HEADQUARTERS, count) == 0)


def obey(sites: Sites) -> None:
    """Put the configuration as it is now into force, at all sites."""
    sites.stack.down()
    sites.close()
    sites.stack = Stack(load(sites.stack.config.directory), Say())
    sites.stack.up(infrastructure_only=True)
    sites.add_tables(TABLE, "public.plain")
    sites.stack.up()


def test_a_rule_that_comes_later_takes_back_what_it_does_not_share(sites: Sites) -> None:
    sites.run(HEADQUARTERS, "INSERT INTO public.plain VALUES ('late', 'CANARYRULE'), ('other', 'CANARYRULE')")
    sites.converge("public.plain")
    [file] = (sites.stack.config.directory / "rules").glob("*.toml")
    rules = file.read_text()
    share = f'share = ["{HEADQUARTERS}", "{HERE}"], mask = "nothing"'
    file.write_text(
        rules.replace('"public.plain"]', f'"public.plain"]\n[table."public.plain".column]\nnote = {{ {share} }}')
    )
    obey(sites)
    query = "SELECT note FROM public.plain WHERE id = 'late'"
    until("the value is taken back", lambda: sites.value(FAR, query) is None, explain=sites.logs)
    sites.run(HEADQUARTERS, "UPDATE public.plain SET note = 'CANARYNEW' WHERE id = 'late'")
    until("it goes on", lambda: sites.value(HERE, query) == "CANARYNEW", explain=sites.logs)
    settled(sites)
    assert "CANARYNEW" not in kept(sites, FAR)
    assert "CANARYRULE" not in kept(sites, FAR)


def test_verify_holds_each_site_to_what_it_is_entitled_to(sites: Sites) -> None:
    settled(sites)
    until("all is settled", lambda: not any(sites.parked(name) for name in sites.names))
    sites.wait_and_verify()
