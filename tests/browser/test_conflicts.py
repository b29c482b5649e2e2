"""What two sites changed during a cut is answered at one of them, and closed at both."""

import psycopg
from playwright.sync_api import Page, expect

from deploy.local.stack import Stack
from deploy.local.wan.client import Lines
from tests.browser.conftest import OpenAt
from tests.browser.test_travelling import create_customer
from tests.browser.waiting import visit_until, visit_until_shown
from tests.stack.accounts import add_user

OPEN = "/conflicts?state=open"


def rename(page: Page, key: str, name: str) -> None:
    page.goto(f"/customers/{key}/edit")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"**/customers/{key}")


def rename_on_both_sides(stack: Stack, taipei: Page, us: Page, names: dict[str, tuple[str, str]]) -> None:
    """During a cut, first in the US and then in Taipei: customer -> the name given there, the name given here."""
    stack.wan.cut(Lines(site="us"))
    try:
        for key, (there, here) in names.items():
            rename(us, key, there)
            rename(taipei, key, here)
    finally:
        stack.wan.heal()


def answer(page: Page, told: str) -> None:
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_text(told)).to_be_visible()


def test_a_conflict_is_answered_at_one_site_and_closed_at_the_other(stack: Stack, open_at: OpenAt) -> None:
    taipei, us = open_at("taipei"), open_at("us")
    key = create_customer(taipei, "衝突商行")
    visit_until_shown(us, "/customers", "衝突商行")
    rename_on_both_sides(stack, taipei, us, {key: ("衝突商行甲", "衝突商行乙")})
    for page in (taipei, us):
        visit_until_shown(page, OPEN, "衝突商行甲", 60)
        visit_until_shown(page, f"/customers/{key}", "衝突商行乙")
    us.goto(OPEN)
    us.get_by_role("link", name="Name").click()
    expect(us.get_by_text("The later edit holds")).to_be_visible()
    us.get_by_role("radio").nth(1).check()
    answer(us, "1 question is answered.")
    visit_until_shown(taipei, OPEN, "No conflict is found.")
    visit_until_shown(taipei, f"/customers/{key}", "衝突商行甲")
    taipei.goto("/conflicts")
    taipei.get_by_role("link", name="Name").first.click()
    expect(taipei.get_by_text("took the other value")).to_be_visible()


def test_whose_edit_lost_is_told_until_they_have_seen_it(stack: Stack, open_at: OpenAt) -> None:
    taipei, us = open_at("taipei"), open_at("us")
    key = create_customer(taipei, "失落商行")
    visit_until_shown(us, "/customers", "失落商行")
    rename_on_both_sides(stack, taipei, us, {key: ("失落商行甲", "失落商行乙")})
    told = us.locator(".clash")
    visit_until(us, "/", "what was lost", lambda: told.count() > 0, 60)
    expect(told).to_contain_text("You wrote “失落商行甲”, Taipei wrote “失落商行乙” without knowing of it.")
    visit_until(us, "/", "one open", lambda: us.locator("nav .tag").all_inner_texts() == ["1"])
    told.get_by_role("link").click()
    answer(us, "1 question is answered.")
    us.goto("/")
    expect(told).to_have_count(0)
    expect(us.locator("nav .tag")).to_have_count(0)


def test_many_are_answered_together(stack: Stack, open_at: OpenAt) -> None:
    taipei, us = open_at("taipei"), open_at("us")
    names = {create_customer(taipei, f"多筆{number}"): (f"丙號{number}", f"丁號{number}") for number in range(3)}
    visit_until_shown(us, "/customers", "多筆2")
    rename_on_both_sides(stack, taipei, us, names)
    visit_until(us, f"{OPEN}&typed=丁號", "three open", lambda: us.locator("#rows tr").count() == 3, 60)
    us.get_by_label("All that are shown").check()
    us.get_by_role("button", name="Take the other values").click()
    answer(us, "3 questions are answered.")
    for key, (there, _here) in names.items():
        visit_until_shown(taipei, f"/customers/{key}", there)


def test_two_people_were_given_one_log_in_name(stack: Stack, open_at: OpenAt) -> None:
    taipei, us = open_at("taipei"), open_at("us")
    stack.wan.cut(Lines(site="us"))
    try:
        add_user(stack, "taipei", "chen", "陳志明")
        add_user(stack, "us", "chen", "Chen Wei")
    finally:
        stack.wan.heal()
    for page in (taipei, us):
        visit_until_shown(page, f"{OPEN}&kind=accounts", "chen~", 60)
    us.get_by_role("link", name="Log-in name").click()
    expect(us.get_by_text("the older claim holds")).to_be_visible()
    us.get_by_label("Give 陳志明 another value").check()
    us.locator(".other").get_by_label("Log-in name").fill("chen.zm")
    answer(us, "1 question is answered.")
    for page in (taipei, us):
        visit_until_shown(page, f"{OPEN}&kind=accounts", "No conflict is found.")
        page.goto("/conflicts?kind=accounts")
        page.get_by_role("link", name="Log-in name").click()
        visit_until_shown(page, page.url, "shows “chen” by now")


def test_what_fell_with_its_customer_comes_back_with_it(stack: Stack, open_at: OpenAt) -> None:
    taipei, us = open_at("taipei"), open_at("us")
    key = create_customer(taipei, "歸來商行")
    visit_until_shown(us, "/customers", "歸來商行")
    stack.wan.cut(Lines(site="us"))
    try:
        us.goto(f"/customers/{key}/contacts/new")
        us.get_by_label("Name", exact=True).fill("陳小姐")
        us.get_by_role("button", name="Save").click()
        us.wait_for_url(f"**/customers/{key}")
        with psycopg.connect(stack.site("taipei").dsn()) as session:
            session.execute("DELETE FROM customers_customer WHERE id = %s", (key,))
    finally:
        stack.wan.heal()
    told = us.locator(".clash")
    visit_until(us, "/", "what fell is told to who wrote it", lambda: told.count() > 0, 60)
    expect(told).to_contain_text("deleted what it belongs to")
    told.get_by_role("link").click()
    expect(us.get_by_text("歸來商行")).to_be_visible()
    us.get_by_label("Bring back what it belongs to").check()
    answer(us, "1 question is answered.")
    for page in (taipei, us):
        visit_until_shown(page, "/customers", "歸來商行", 60)
        visit_until_shown(page, f"/customers/{key}", "陳小姐", 60)
