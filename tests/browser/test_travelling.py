"""What is written at one node is seen at another; during a cut both work and say so."""

import signal

from playwright.sync_api import Page

from deploy.local.stack import Stack
from deploy.local.wan.client import Lines
from tests.browser.conftest import OpenAt
from tests.browser.waiting import visit_until, visit_until_shown


def create_customer(page: Page, name: str) -> str:
    """Type in a customer; returns the address of its page."""
    page.goto("/customers/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Latin form").fill("Ningbo Chengyi")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/customers/*-*")
    return page.url.partition("/customers/")[2]


def edit_phone(page: Page, key: str, phone: str) -> None:
    page.goto(f"/customers/{key}/edit")
    page.locator("#id_phone").fill(phone)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"**/customers/{key}")


def test_a_customer_edited_in_taipei_is_seen_in_the_us(open_at: OpenAt) -> None:
    taipei, us = open_at("taipei"), open_at("us")
    key = create_customer(taipei, "基隆順風船務")
    visit_until_shown(us, "/customers", "基隆順風船務")
    edit_phone(taipei, key, "+886 2 1234 5678")
    visit_until_shown(us, f"/customers/{key}", "+886 2 1234 5678")
    assert us.get_by_role("heading", level=1).inner_text() == "基隆順風船務"


def test_during_a_cut_both_nodes_work_and_say_what_is_missing(stack: Stack, open_at: OpenAt) -> None:
    taipei, us = open_at("taipei"), open_at("us")
    key = create_customer(taipei, "高雄港務")
    visit_until_shown(us, "/customers", "高雄港務")
    stack.wan.cut(Lines(site="us"))
    try:
        visit_until_shown(us, "/", "The line to Taipei has been down since", 60)
        assert us.locator("#pill .dot.cut").count() == 1
        edit_phone(us, key, "+1 555 010 9999")
        us.goto("/health")
        assert us.get_by_role("heading", level=1).inner_text() == "One line is down, nothing is lost"
        us.goto("/reports/global")
        assert us.get_by_text("what came after is missing").count() > 0
    finally:
        stack.wan.heal()
    visit_until_shown(taipei, f"/customers/{key}", "+1 555 010 9999", 60)
    visit_until(us, "/", "no note any more", lambda: us.locator("#note .note").count() == 0, 60)


def test_what_both_sides_edited_is_shown_to_the_person_who_saves_last(open_at: OpenAt) -> None:
    taipei, us, witness = open_at("taipei"), open_at("us"), open_at("us")
    key = create_customer(taipei, "陳記")
    visit_until_shown(us, "/customers", "陳記")
    us.goto(f"/customers/{key}/edit")
    us.locator("#id_phone").fill("+1 1")
    edit_phone(taipei, key, "+886 1")
    visit_until_shown(witness, f"/customers/{key}", "+886 1")
    us.get_by_role("button", name="Save").click()
    us.get_by_role("heading", name="Somebody else changed the same").wait_for()
    us.get_by_label("Yours").check()
    us.get_by_role("button", name="Save").click()
    us.wait_for_url(f"**/customers/{key}")
    assert us.get_by_text("+1 1").count() > 0


# The row of Us → Taipei is no longer up, or says by being pale that its figures are more than 15 s old.
AGED = """() => [...document.querySelectorAll('#figures tbody tr')]
    .filter(row => row.innerText.includes('Us → Taipei'))
    .some(row => row.classList.contains('old') || !row.querySelector('.dot.up'))"""


def test_a_peer_whose_daemons_hang_is_seen_by_the_age_of_its_figures(stack: Stack, open_at: OpenAt) -> None:
    page = open_at("taipei")
    visit_until(page, "/health", "the line from the US is up", lambda: not page.evaluate(AGED))
    daemons = ("us-capture", "us-apply")
    for daemon in daemons:
        stack.kill(daemon, signal.SIGSTOP)
    try:
        page.wait_for_function(AGED, timeout=15_000)
    finally:
        for daemon in daemons:
            stack.kill(daemon, signal.SIGCONT)
