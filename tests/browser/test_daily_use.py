"""The pages in a real browser: by keyboard, on a phone, without a complaint."""

import pytest
from playwright.sync_api import Page, expect

from deploy.local.stack import Stack
from tests.browser.conftest import OpenAt
from tests.browser.test_travelling import create_customer
from tests.stack.accounts import manage

PAGES = [
    "/",
    "/customers",
    "/customers/new",
    "/activities",
    "/orders",
    "/products",
    "/reports/global",
    "/conflicts",
    "/health",
    "/preferences",
]
SMALL = """() => [...document.querySelectorAll('button, .btn, input:not([type=hidden]), select, nav a, summary')]
    .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
    .filter(([_, box]) => box.width && (box.height < 43.5 || box.width < 43.5)).map(([html]) => html)
    .filter(html => !html.includes('type="checkbox"') && !html.includes('type="radio"'))"""


def test_a_slash_searches_and_finds_across_scripts_as_one_types(open_at: OpenAt) -> None:
    page = open_at("taipei")
    create_customer(page, "寧波誠意機械有限公司")
    page.goto("/customers")
    page.keyboard.press("/")
    page.keyboard.type("诚意机械有限")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert page.locator("#rows [lang=zh-Hant]").first.inner_text() == "寧波誠意機械有限公司"
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


MANY = """
from uuid import uuid4
from crm.customers.services import create_customer
blank = dict.fromkeys(("latin_name", "tax_id", "email", "city", "phone"), "")
for number in range(27):
    create_customer(key=uuid4(), values=blank | {"name": f"更多{number}號", "currency": "TWD"}, by=None)
"""


def test_more_rows_are_added_below(stack: Stack, open_at: OpenAt) -> None:
    manage(stack, "taipei", "shell", "-c", MANY)
    page = open_at("taipei")
    page.goto("/customers?q=更多")
    expect(page.locator("#rows tr")).to_have_count(25)
    page.get_by_role("link", name="Show more").click()
    expect(page.locator("#rows tr")).to_have_count(27)
    assert page.get_by_role("link", name="Show more").count() == 0


def test_an_order_is_written_line_by_line(open_at: OpenAt) -> None:
    page = open_at("taipei")
    page.goto("/products/new")
    page.get_by_label("Name", exact=True).fill("Ratchet wrench")
    page.get_by_label("Code").fill("82001")
    page.get_by_label("List price").fill("12.50")
    page.get_by_label("Currency").select_option("USD")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/products/*-*")
    key = create_customer(page, "棘輪客戶")
    page.goto(f"/customers/{key}/orders/new")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/orders/*-*")
    page.get_by_label("Add a product").fill("wrench")
    suggestion = page.locator("#suggestions form")
    suggestion.get_by_label("Quantity").fill("3")
    suggestion.get_by_role("button", name="Add").click()
    expect(page.locator("tfoot")).to_contain_text("USD 37.50")
    page.get_by_role("link", name="Edit").nth(1).click()
    page.get_by_label("Discount").fill("7.50")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("tfoot")).to_contain_text("USD 30.00")


OVERLAPS = """() => {
    const boxes = [...document.querySelectorAll('.bar > *, .bar nav a')].filter(e => e.tagName !== 'NAV')
        .map(e => [e.className || e.textContent, e.getBoundingClientRect()]).filter(([_, box]) => box.width);
    return boxes.flatMap(([a, one], i) => boxes.slice(i + 1)
        .filter(([_, other]) => one.right > other.left + 1 && other.right > one.left + 1
            && one.bottom > other.top + 1 && other.bottom > one.top + 1)
        .map(([b]) => `${a} over ${b}`));
}"""


@pytest.mark.parametrize("width", [1440, 1280, 1100, 900, 821, 600, 390, 320])
def test_nothing_in_the_head_covers_anything_else(open_at: OpenAt, width: int) -> None:
    page = open_at("taipei", width=width)
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("address", PAGES)
def test_on_a_phone_nothing_overflows_and_targets_are_large(open_at: OpenAt, address: str) -> None:
    page = open_at("taipei", width=390)
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(SMALL) == []


def test_the_head_is_renewed_while_a_page_stays_open(open_at: OpenAt) -> None:
    page = open_at("taipei")
    page.clock.install()
    page.goto("/")
    with page.expect_response(lambda response: response.url.endswith("/lines")) as answer:
        page.clock.fast_forward("00:21")
    assert answer.value.ok
    expect(page.locator("#pill")).to_have_count(1)


def test_every_field_has_a_name_that_is_read_out(open_at: OpenAt) -> None:
    page: Page = open_at("taipei")
    for address in ("/customers/new", "/preferences", "/products/new"):
        page.goto(address)
        unnamed = page.evaluate(
            "() => [...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]"
            ".filter(e => !e.labels.length && !e.getAttribute('aria-label')).map(e => e.name)"
        )
        assert unnamed == [], address
