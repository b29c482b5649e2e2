"""Two records that claim one value of a unique key: told in plain words, and answered by giving either another."""

from uuid import UUID

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from crm.accounts.models import User
from crm.history.models import Edit
from crm.reviews.gathering import gather
from crm.reviews.models import Settlement
from crm.reviews.over_keys import KeyQuestion
from crm.reviews.selectors import count_open, get_with_mates
from tests.app.conftest import LogIn
from tests.app.kuroshio import NOW, claim, conflict, marked, take_away
from tests.app.make import make_customer, make_user
from tests.app.reviewing import answer, edited, listed, page

pytestmark = pytest.mark.usefixtures("conflicts")
USERNAME = "username"


@pytest.fixture
def holder() -> User:
    return make_user(username="chen", display_name="陳志明")


@pytest.fixture
def waiting(holder: User) -> User:
    user = make_user(display_name="陈伟", name_lang="zh-Hans", owner_site="us")
    marked(user, USERNAME, "chen")
    return user


@pytest.fixture
def key(waiting: User) -> UUID:
    return claim(waiting, USERNAME, "chen")


def choose(client: Client, key: UUID, decision: str, typed: str = "", *, of_holder: bool = False) -> int:
    (question,) = gather(get_with_mates([key]), make_user(role="hq"))
    name = f"{question.prefix}-holder-username" if of_holder else f"{question.prefix}-username"
    sent = {"id": [str(key)], f"{question.prefix}-version": question.version, name: typed}
    response = client.post(reverse("conflict_answer"), sent | {f"{question.prefix}-decision": decision})
    return response.status_code


def test_it_waits_in_the_inbox_where_the_key_asks_a_person(key: UUID, waiting: User) -> None:
    quiet = claim(waiting, USERNAME, "chen", lost_at=NOW.replace(hour=7), index="another_key")
    assert listed(state="open") == [key]
    assert listed(state="closed") == [quiet]
    cache.clear()
    assert count_open() == 1


def test_the_list_says_who_holds_it_and_what_the_other_shows(log_in: LogIn, key: UUID) -> None:
    text = page(log_in(), "conflict_list")
    for told in ("Log-in name", "陳志明", "陈伟", "chen~1a2b3c4d", "Older claim", "Account"):
        assert told in text
    assert listed(kind="accounts") == listed(rule="unique") == listed(site="us") == [key]
    assert listed(rule="latest") == listed(kind="customers") == []


def test_its_page_says_in_plain_words_who_holds_and_who_claims(log_in: LogIn, key: UUID, holder: User) -> None:
    edited(holder, make_user(display_name="王小明"), site="taipei", at=NOW.replace(hour=5, minute=57))
    text = page(log_in("hq"), "conflict_detail", key)
    assert "Taipei and United States gave “chen” to two records, neither knowing of the other." in text
    assert "the older claim holds: that of United States came 3 min later" in text
    assert "shows “chen~1a2b3c4d” meanwhile" in text
    for told in ("陳志明", "陈伟", "王小明", "Give 陈伟 another value"):
        assert told in text


def test_the_one_that_waits_is_given_another_by_an_ordinary_edit(log_in: LogIn, key: UUID, waiting: User) -> None:
    assert choose(log_in("hq", display_name="林怡君"), key, "edit", "chen.wei") == 303
    waiting.refresh_from_db()
    assert waiting.username == "chen.wei"
    (edit,) = Edit.objects.filter(record=waiting.pk)
    assert (edit.columns, edit.person.display_name) == (["username"], "林怡君")
    assert Settlement.objects.get().pk == key
    assert listed(state="open") == []


def test_the_holder_is_given_another_so_that_the_other_gets_this_one(log_in: LogIn, key: UUID, holder: User) -> None:
    client = log_in("hq")
    assert choose(client, key, "other", "chen.zm", of_holder=True) == 303
    holder.refresh_from_db()
    assert holder.username == "chen.zm"
    assert "gave the holder another value" in page(client, "conflict_detail", key)


def test_leaving_it_closes_it_and_writes_nothing(log_in: LogIn, key: UUID, waiting: User, holder: User) -> None:
    assert answer(log_in("hq"), key).status_code == 303
    assert listed(state="open") == []
    assert set(User.objects.filter(pk__in=[waiting.pk, holder.pk]).values_list("username", flat=True)) == {
        "chen",
        "chen~1a2b3c4d",
    }


@pytest.mark.parametrize("typed", ["chen", "chen~1a2b3c4d", ""])
def test_what_another_has_or_it_shows_already_is_no_other_value(log_in: LogIn, key: UUID, typed: str) -> None:
    assert choose(log_in("hq"), key, "edit", typed) == 409
    assert Settlement.objects.count() == 0


def test_who_changed_meanwhile_is_asked_about_again(log_in: LogIn, key: UUID, holder: User) -> None:
    (question,) = gather(get_with_mates([key]), make_user(role="hq"))
    User.objects.filter(pk=holder.pk).update(username="someone")
    sent = {"id": [str(key)], f"{question.prefix}-version": question.version, f"{question.prefix}-decision": "accept"}
    assert log_in("hq").post(reverse("conflict_answer"), sent).status_code == 409
    assert Settlement.objects.count() == 0


@pytest.mark.parametrize("role", ["staff", "ops"])
@pytest.mark.parametrize("decision", ["accept", "edit", "other"])
def test_only_who_may_edit_accounts_settles_it(log_in: LogIn, key: UUID, role: str, decision: str) -> None:
    client = log_in(role)
    text = page(client, "conflict_detail", key)
    assert "Your role does not change this" in text
    assert 'type="radio"' not in text
    assert choose(client, key, decision, "new", of_holder=decision == "other") == 409
    assert Settlement.objects.count() == 0


def test_who_waits_is_told_on_the_start_page_until_it_is_seen(log_in: LogIn, key: UUID, waiting: User) -> None:
    client = log_in()
    client.force_login(waiting)
    text = page(client, "today")
    assert "“chen” is held by another record, from Taipei; yours shows “chen~1a2b3c4d”." in text
    page(client, "conflict_detail", key)
    assert "did not hold" not in page(client, "today")


def test_who_made_the_record_that_waits_is_told(log_in: LogIn, key: UUID, waiting: User) -> None:
    client, author = log_in(), make_user()
    client.force_login(author)
    edited(waiting, author, site="us", at=NOW)
    assert "is held by another record" in page(client, "today")


def test_what_has_got_its_value_by_now_is_told_so_and_nobody_is_told_of_it(log_in: LogIn) -> None:
    user = make_user(username="chen")
    key = claim(user, USERNAME, "chen")
    client = log_in()
    client.force_login(user)
    assert "did not hold" not in page(client, "today")
    text = page(client, "conflict_detail", key)
    assert "shows “chen” by now" in text
    assert "meanwhile" not in text


def test_a_record_that_waits_hidden_breaks_no_page(log_in: LogIn, holder: User) -> None:
    hidden = make_user(display_name="陈伟", username="chen-2")
    key = claim(hidden, USERNAME, "chen", outcome="hide")
    take_away(hidden, "unique")
    client = log_in("hq")
    assert "out of sight" in page(client, "conflict_list")
    text = page(client, "conflict_detail", key)
    assert "陈伟" in text
    assert "out of sight meanwhile" in text
    assert "Give 陈伟 another value" not in text
    assert "Give 陳志明 another value" in text
    assert choose(client, key, "edit", "new") == 409
    assert choose(client, key, "other", "new", of_holder=True) == 303
    page(client, "conflict_detail", key)


def test_a_holder_that_is_not_here_breaks_no_page(log_in: LogIn, key: UUID, holder: User) -> None:
    holder.delete()
    client = log_in("hq")
    assert "a record that is not here any more" in page(client, "conflict_detail", key)
    page(client, "conflict_list")
    assert choose(client, key, "edit", "chen.wei") == 303


def test_a_claim_and_an_edit_of_the_same_field_are_two_questions(key: UUID, waiting: User) -> None:
    edit = conflict(waiting, USERNAME, holds="a", lost="b")
    questions = gather(get_with_mates([key, edit]), make_user(role="hq"))
    assert {type(question).__name__ for question in questions} == {"KeyQuestion", "FieldQuestion"}
    assert len({question.prefix for question in questions}) == 2


def test_a_claim_of_a_key_that_nobody_types_can_be_left(log_in: LogIn) -> None:
    customer = make_customer(name="甲")
    key = claim(customer, "source_ref", "x")
    (question,) = gather(get_with_mates([key]), make_user(role="hq"))
    assert isinstance(question, KeyQuestion)
    assert not question.forms
    page(log_in("hq"), "conflict_detail", key)
    page(log_in("hq"), "conflict_list")


# --- accounts, as any record


def test_an_edit_of_an_account_at_two_sites_is_told_and_answered(log_in: LogIn) -> None:
    user = make_user(display_name="甲")
    key = conflict(user, "display_name", holds="甲", lost="乙", rule="generation")
    client = log_in("hq")
    assert answer(client, key, decision="other").status_code == 303
    user.refresh_from_db()
    assert user.display_name == "乙"


def test_the_password_is_no_field_of_it(log_in: LogIn) -> None:
    user = make_user()
    conflict(user, "password", holds="md5$1", lost="md5$2")
    assert listed() == []
    assert "md5$" not in page(log_in("hq"), "conflict_list")


def test_people_answer_for_their_own_account(log_in: LogIn) -> None:
    client, user = log_in(), make_user(display_name="甲")
    client.force_login(user)
    key = conflict(user, "display_name", holds="甲", lost="乙", rule="generation")
    other = conflict(make_user(), "display_name", holds="甲", lost="乙", rule="generation")
    assert answer(client, key, decision="other").status_code == 303
    assert answer(client, other, decision="other").status_code == 409


def test_headquarters_edit_accounts_and_others_do_not(log_in: LogIn, waiting: User) -> None:
    address = reverse("account_edit", args=[waiting.pk])
    assert log_in("staff").get(address).status_code == 403
    client = log_in("hq")
    text = page(client, "account_edit", waiting.pk)
    assert "chen~1a2b3c4d" in text
    assert "may log in" in text.lower()
