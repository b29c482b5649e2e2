"""The console in a browser during a cut: it says by itself what is down and what is not known; and what an operator
does there about a change that a site cannot take."""

import psycopg
from playwright.sync_api import expect

from deploy.local.stack import Stack
from deploy.local.wan.client import Lines
from tests.browser.conftest import OpenAt
from tests.browser.test_travelling import create_customer, edit_phone
from tests.browser.waiting import visit_until_shown

WAIT_MS = 60_000


def test_an_open_console_tells_a_cut_and_its_end_by_itself(stack: Stack, open_at: OpenAt) -> None:
    page = open_at("taipei", "lin")
    page.goto("/operations")
    row = page.locator("#figures tr", has_text="Us → Taipei")
    expect(row).to_contain_text("up", timeout=WAIT_MS)
    stack.wan.cut(Lines(site="us"))
    try:
        expect(row).to_contain_text("cut", timeout=WAIT_MS)
        expect(row).to_contain_text("unknown")
        expect(page.get_by_role("heading", level=1)).to_have_text("One line is down, nothing is lost")
        expect(page.locator("#map line.cut, #map line.unknown").first).to_be_attached(timeout=WAIT_MS)
        expect(row).to_have_class("old", timeout=WAIT_MS)
    finally:
        stack.wan.heal()
    expect(row).to_contain_text("up", timeout=WAIT_MS)
    expect(page.get_by_role("heading", level=1)).to_have_text("All lines are up", timeout=WAIT_MS)
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Us → Taipei")
    expect(page.locator(".past path").first).to_be_attached()


def test_what_a_site_cannot_take_is_mended_there_and_holds_everywhere(stack: Stack, open_at: OpenAt) -> None:
    taipei, us = open_at("taipei"), open_at("us", "lin")
    key = create_customer(taipei, "擱置商行")
    visit_until_shown(us, "/customers", "擱置商行")
    with psycopg.connect(stack.site("us").dsn(), autocommit=True) as session:
        session.execute("ALTER TABLE customers_customer ADD CONSTRAINT no_zeros CHECK (phone <> '000')")
        edit_phone(taipei, key, "000")
        visit_until_shown(us, "/operations/waiting", "no_zeros", 60)
        us.get_by_role("link", name=key).click()
        us.get_by_label("phone", exact=True).fill("+886 2 2345 6789")
        us.get_by_label("Reason").fill("a typo, asked them")
        us.get_by_role("button", name="Write these values").click()
        expect(us.get_by_text("is applied")).to_be_visible(timeout=WAIT_MS)
        expect(us.get_by_text("a typo, asked them")).to_be_visible()
        us.goto("/operations/waiting")
        expect(us.get_by_text("Nothing waits.")).to_be_visible()
        visit_until_shown(taipei, f"/customers/{key}", "+886 2 2345 6789", 60)
        session.execute("ALTER TABLE customers_customer DROP CONSTRAINT no_zeros")
