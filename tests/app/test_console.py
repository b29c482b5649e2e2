"""The console tells what is true now with its age, how long catching up takes, and takes an operator's wishes."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse

import crm
from crm.core.session import database
from crm.ops import words
from crm.ops.rows import rows_of
from crm.ops.sealed import SEALED
from crm.ops.spark import HEIGHT, draw_chart, draw_spark, round_up
from replication.requests import Action, Command, Ended, Outcome
from replication.status import Deed, LinkView, Series, Stretch, deeds
from tests.app.conftest import LogIn
from tests.app.kuroshio import NOW
from tests.app.make import make_customer, make_user
from tests.app.operating import compare, hear, hear_all, park, sample_once

LINK = LinkView("us", "taipei", "up", 0.4, None, 0, 0, NOW, NOW)


def test_all_that_is_put_on_record_has_words() -> None:
    assert {*get_args(Command), *Action} <= words.ACTIONS.keys()
    assert {*get_args(Ended), *Outcome} <= words.OUTCOMES.keys()


def html(client: Client, address: str, query: dict[str, str] | None = None, target: str = "") -> str:
    return client.get(address, query, headers={"accept-encoding": "", "HX-Target": target}).content.decode()


def text(client: Client, name: str, *args: object, **query: str) -> str:
    page = html(client, reverse(name, args=args), query)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main")[2]))


def record() -> list[Deed]:
    return deeds(database())


def written() -> dict[str, str | None]:
    """What the newest request has apply write."""
    with connection.cursor() as cursor:
        cursor.execute("select cells::text from kuroshio.request order by asked_at desc limit 1")
        return dict(json.loads(cursor.fetchone()[0]))


def answer(outcome: str, detail: str = "") -> None:
    """As apply answers."""
    with connection.cursor() as cursor:
        cursor.execute("update kuroshio.request set outcome = %s, detail = %s, answered_at = now()", [outcome, detail])


def send(client: Client, parked: int, action: str, request: str = "", **typed: str) -> int:
    values = {"action": action, "request": request or str(uuid.uuid4()), **typed}
    return client.post(reverse("ops_change", args=[parked]), values).status_code


# -- the links --------------------------------------------------------------------------------------------------------


def test_every_page_says_that_the_node_is_not_replicated(log_in: LogIn) -> None:
    client = log_in("ops")
    assert "Replication is not initialised at this node" in text(client, "ops")
    assert "Nothing waits." in text(client, "ops_waiting")
    assert "Nobody has done anything yet." in text(client, "ops_log")
    for name in ("ops_positions", "ops_figures", "ops_past"):
        assert client.get(reverse(name)).status_code == 200


@pytest.mark.usefixtures("conflicts")
def test_a_link_tells_its_rate_and_how_long_catching_up_takes(log_in: LogIn) -> None:
    hear("taipei", "us", behind=600, age=60)
    sample_once("us", "taipei", ago=61, backlog=1200, applied=400)
    page = text(log_in("ops"), "ops")
    (late,) = re.findall(r"United States → Taipei behind (.*?) ago", page)
    lag, _s, rate, waits, *_, ahead, unit, _age, _s2 = late.split()
    assert (lag, rate, waits, f"{ahead} {unit}") == ("60", "10", "600", "60 s")


@pytest.mark.usefixtures("conflicts")
def test_what_is_not_known_is_said_to_be_unknown(log_in: LogIn) -> None:
    hear("taipei", "us", behind=600, age=60)
    page = text(log_in("ops"), "ops")
    (late,) = re.findall(r"United States → Taipei behind (.*?) ago", page)
    assert "unknown" in late
    (unheard,) = re.findall(r"United States → Shanghai unknown (.*?) never", page)
    assert unheard.split() == ["–", "–", "–", "unknown"]


@pytest.mark.usefixtures("conflicts")
def test_what_was_true_once_is_not_shown_as_if_it_were_now(log_in: LogIn) -> None:
    hear("taipei", "us", heard=300, behind=40, age=400)
    hear("shanghai", "us", heard=180, age=190)
    page = text(log_in("ops"), "ops")
    (cut,) = re.findall(r"United States → Taipei cut (.*?) ago", page)
    assert "40" in cut
    assert "then" in cut
    assert cut.endswith("5 min")
    (unknown,) = re.findall(r"United States → Shanghai unknown (.*?) ago", page)
    assert unknown.startswith("– –"), "neither its lag nor its rate is known now"
    assert unknown.endswith("3 min")


def test_a_figure_is_old_after_a_quarter_of_a_minute() -> None:
    (fresh,), (old,) = (rows_of([LINK], {}, NOW + timedelta(seconds=seconds)) for seconds in (3, 16))
    assert (fresh.is_old, old.is_old) == (False, True)


@pytest.mark.usefixtures("conflicts")
@pytest.mark.parametrize("span", ["1h", "6h", "24h", "30d", "nonsense"])
def test_a_link_has_a_page_with_its_history(log_in: LogIn, span: str) -> None:
    hear_all()
    for minutes in range(0, 50, 5):
        sample_once("us", "taipei", ago=minutes * 60, backlog=minutes, applied=100_000 - minutes * 60)
    page = text(log_in("ops"), "ops_link", "us", "taipei", span=span)
    assert "Lag at most 20 s" in page
    assert "Nothing is known of this time." not in page.partition("Changes applied a second")[0]
    assert log_in("ops").get(reverse("ops_link", args=["us", "atlantis"])).status_code == 404


@pytest.mark.usefixtures("conflicts")
def test_positions_tell_up_to_where_and_of_which_log(log_in: LogIn) -> None:
    hear("taipei", "us")
    page = text(log_in("ops"), "ops_positions")
    assert "0/1000" in page
    assert "f00dfeedf00dfeed" in page
    assert "+0.02 s" in page
    assert "1 s ago" in page, "and when that was heard"


@pytest.mark.usefixtures("conflicts")
def test_what_capture_said_is_told_with_its_age(log_in: LogIn) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update kuroshio.capture set state = 'running', updated_at = now() - interval '5 minutes'")
        assert cursor.rowcount == 1
    assert "running 5 min ago" in text(log_in("ops"), "ops_positions")


def series(*lags: float | None, state: str = "up") -> Series:
    stretches = [None if lag is None else Stretch(state, lag, None, None) for lag in lags]  # type: ignore[arg-type]
    return Series(NOW, timedelta(minutes=1), stretches)


def test_a_gap_breaks_the_line_and_the_greatest_value_reaches_the_top() -> None:
    spark = draw_spark(series(7.0, 0.0, None, 7.0), lambda stretch: stretch.lag_seconds, 4)
    assert spark.line == f"M0 0h.5L1 {HEIGHT}M3 0h.5"
    assert (spark.top, spark.last, spark.down) == (7.0, 7.0, "")


def test_a_stretch_in_which_the_link_was_down_is_marked() -> None:
    assert draw_spark(series(9.0, 70.0, state="cut"), lambda stretch: stretch.lag_seconds, 2).down == "M0 0h.5L1 0"


def test_a_chart_ends_at_a_round_number_and_without_samples_is_empty() -> None:
    chart = draw_chart(series(5.0, 15.0), lambda stretch: stretch.lag_seconds, 2, 100)
    assert (chart.axis, chart.line) == (20, "M0 75h.5L1 25")
    empty = draw_chart(None, lambda stretch: stretch.lag_seconds, 2, 100)
    assert (empty.top, empty.line) == (None, "")
    assert [round_up(value) for value in (0.3, 1, 3, 11, 60, 99_000)] == [1, 1, 5, 20, 100, 100_000]


def test_figures_are_said_to_be_old_after_any_failure_and_until_one_succeeds() -> None:
    script = (Path(crm.__file__).parent / "static" / "app.js").read_text()
    for failure in ("htmx:sendError", "htmx:timeout", "htmx:responseError"):
        assert failure in script
    assert "if (event.detail.successful) quiet(false)" in script
    assert "afterOnLoad" not in script, "it is fired for an answer of 500 too"


# -- comparing ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("conflicts")
def test_what_differs_comes_first_with_its_rows_and_what_could_not_be_told_says_why(log_in: LogIn) -> None:
    compare("us", "sales_order", told_at=NOW, began_at=NOW, ended_at=NOW, compared=40)
    compare("us", "customers_customer", told_at=NOW, began_at=NOW, ended_at=NOW, compared=1_240, divergent=2)
    compare("shanghai", "sales_order", began_at=NOW, ended_at=NOW, undecided="shanghai does not answer")
    compare("kaohsiung", "sales_order", began_at=NOW, compared=17)
    with connection.cursor() as cursor:
        cursor.execute("insert into kuroshio.divergent values ('us', 'public', 'customers_customer', '{k1}')")
    page = text(log_in("ops"), "ops_comparing")
    tables = re.findall(r"public\.\w+ (\w+)", page)
    assert tables == ["United", "Shanghai", "Kaohsiung", "United"]
    assert "public.customers_customer United States 2 k1" in page
    assert "Shanghai unknown The last look could not tell: shanghai does not answer" in page
    assert "17 / 17" in page


@pytest.mark.usefixtures("conflicts")
def test_an_operator_has_the_tables_compared_and_it_is_on_record(log_in: LogIn) -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into kuroshio.replicated_table values ('public', 'sales_order', '{id}')")
        cursor.execute("insert into kuroshio.site_number values ('taipei', 1), ('us', 4)")
    client = log_in("ops", username="lin")
    assert "Nothing is compared yet." in text(client, "ops_comparing")
    assert client.post(reverse("ops_comparing")).status_code == 303
    assert "asked for" in text(client, "ops_comparing")
    assert [(deed.by, deed.action) for deed in record()] == [("lin", "compare")]
    assert "Asked to compare" in text(client, "ops_log")
    assert log_in("hq").post(reverse("ops_comparing")).status_code == 403


# -- what waits --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("conflicts")
def test_what_waits_is_listed_by_its_reason(log_in: LogIn) -> None:
    customer = make_customer()
    park(customer, NOW, name="甲", detail="23514: small")
    park(make_customer(), NOW, reason="parent", name="乙")
    client = log_in("ops")
    page = text(client, "ops_waiting")
    assert "All 2" in page
    assert "Set aside 1 Belongs to another row 1" in page
    assert "23514: small" in page
    assert "23514: small" not in text(client, "ops_waiting", reason="parent")


@pytest.mark.usefixtures("conflicts")
def test_a_change_is_shown_beside_what_the_row_holds_here(log_in: LogIn) -> None:
    parked = park(make_customer(name="這裡的名字"), NOW, name="那裡的名字", phone=None, detail="23514: small")
    page = text(log_in("ops"), "ops_change", parked)
    assert "here now: “這裡的名字”" in page
    assert "this database refuses it 23514: small" in page
    assert (
        "那裡的名字"
        in log_in("ops").get(reverse("ops_change", args=[parked]), headers={"accept-encoding": ""}).content.decode()
    )


@pytest.mark.usefixtures("conflicts")
@pytest.mark.parametrize(
    ("table", "sealed"),
    [
        ("accounts_user", {"password": "pbkdf2_theirs", "role": "headquarters"}),
        ("customers_customer", {"credit_limit": "7e9"}),
    ],
)
def test_what_headquarters_alone_grants_is_neither_shown_to_operators_nor_written_by_them(
    log_in: LogIn, table: str, sealed: dict[str, str]
) -> None:
    row = make_user() if table == "accounts_user" else make_customer()
    parked = park(row, NOW, email="a@b.tw", **sealed)
    client = log_in("ops")
    page = html(client, reverse("ops_change", args=[parked]))
    assert f"Headquarters alone sees and edits: {', '.join(sorted(sealed))}" in page
    assert "cell_email" in page, "what is not sealed is shown"
    for column, value in sealed.items():
        assert f"cell_{column}" not in page
        assert value not in page.partition("<main")[2]
    assert getattr(row, "password", "pbkdf2_theirs") not in page, "nor what is here"
    typed = {f"cell_{column}": "staff" for column in sealed}
    assert send(client, parked, "edit", **typed) == 422, "nothing was changed that an operator may change"
    assert send(client, parked, "edit", cell_email="c@d.tw", **typed) == 303
    assert written() == {"email": "c@d.tw"}


def test_what_is_sealed_is_in_its_table() -> None:
    tables = {f"public.{model._meta.db_table}": model for model in apps.get_models()}
    for table, columns in SEALED.items():
        assert columns <= {field.column for field in tables[table]._meta.local_concrete_fields}


@pytest.mark.usefixtures("conflicts")
def test_a_row_that_is_not_here_is_said_not_to_be_and_only_a_new_one_can_be_written(log_in: LogIn) -> None:
    customer = make_customer()
    update, insert = park(customer, NOW, name="甲"), park(customer, NOW, op="I", name="甲")
    with connection.cursor() as cursor:
        cursor.execute("delete from customers_customer")
    client = log_in("ops")
    assert "the row is not here" in text(client, "ops_change", update)
    assert "Write these values" not in text(client, "ops_change", update)
    assert "Write these values" in text(client, "ops_change", insert)


@pytest.mark.usefixtures("conflicts")
def test_an_operator_asks_and_the_log_tells_who_what_why_and_what_came_of_it(log_in: LogIn) -> None:
    parked = park(make_customer(), NOW, name="甲", phone="1", note=None)
    client = log_in("ops", username="lin")
    assert send(client, parked, "retry") == 303
    assert "not obeyed yet" in text(client, "ops_log")
    answer("waits", "refused: 23514: small")
    assert "Tried again public.customers_customer" in text(client, "ops_log")
    assert "waits on refused: 23514: small" in text(client, "ops_log")
    typed = {"cell_name": "乙", "cell_phone": "1", "cell_note": "", "none_phone": "on"}
    assert send(client, parked, "edit", why="typo", **typed) == 303
    deed = record()[0]
    assert (deed.by, deed.action, deed.why, deed.parked) == ("lin", "edit", "typo", parked)
    assert written() == {"name": "乙", "phone": None}, "only what was changed"
    assert deed.columns == ("name", "phone")
    page = text(client, "ops_log")
    assert "name, phone" in page
    assert "乙" not in page, "who did what is told to more than may see the row"


@pytest.mark.usefixtures("conflicts")
def test_a_discard_needs_a_reason_and_can_be_taken_back(log_in: LogIn) -> None:
    parked = park(make_customer(), NOW, name="甲")
    client = log_in("ops", username="lin")
    assert send(client, parked, "discard", why="  ") == 422
    assert record() == []
    assert send(client, parked, "discard", why="不是我們的") == 303
    answer("discarded")
    assert "不是我們的" in text(client, "ops_log")
    discarded = record()[0].id
    assert client.post(reverse("ops_restore", args=[discarded])).status_code == 303
    assert [deed.action for deed in record()] == ["restore", "discard"]
    assert client.post(reverse("ops_restore", args=[uuid.uuid4()])).status_code == 303
    assert len(record()) == 2


@pytest.mark.usefixtures("conflicts")
def test_a_form_sent_twice_asks_once_and_nonsense_asks_nothing(log_in: LogIn) -> None:
    parked, request = park(make_customer(), NOW, name="甲"), str(uuid.uuid4())
    client = log_in("ops")
    assert [send(client, parked, "retry", request) for _ in range(2)] == [303, 303]
    assert len(record()) == 1
    assert send(client, parked, "edit", cell_name="甲") == 422, "nothing was changed"
    assert send(client, parked, "destroy") == 422
    assert send(client, parked, "retry", "not an id") == 422
    assert len(record()) == 1


@pytest.mark.usefixtures("conflicts")
def test_what_does_not_wait_any_more_is_said_not_to(log_in: LogIn) -> None:
    client = log_in("ops")
    assert send(client, 4711, "retry") == 303
    assert (
        "This change does not wait any more."
        in client.get(reverse("ops_waiting"), headers={"accept-encoding": ""}).content.decode()
    )


@pytest.mark.usefixtures("conflicts")
@pytest.mark.parametrize("role", ["staff", "hq"])
def test_nobody_else_may_ask(log_in: LogIn, role: str) -> None:
    parked = park(make_customer(), NOW, name="甲")
    client = log_in(role)
    assert send(client, parked, "discard", why="x") == 403
    assert client.post(reverse("ops_restore", args=[uuid.uuid4()])).status_code == 403
    assert record() == []


@pytest.mark.usefixtures("conflicts")
def test_lists_are_paged(log_in: LogIn) -> None:
    client = log_in("ops")
    for number in range(30):
        parked = park(make_customer(), datetime(2026, 3, 1, 0, number, tzinfo=UTC), name="甲")
        send(client, parked, "retry")
    for name in ("ops_waiting", "ops_log"):
        page = html(client, reverse(name))
        assert page.count("<tr><td>") == 25
        (more,) = re.findall(r'hx-get="(\?[^"]*after=[^"]*)"', page)
        rest = html(client, reverse(name) + more.replace("&amp;", "&"), target="more")
        assert rest.count("<tr><td>") == 5
