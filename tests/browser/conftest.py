"""Two whole sites, a person, and Chromium as that person's browser at either of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from deploy.local.stack import Stack
from tests.stack.accounts import PASSWORD, add_user
from tests.stack.stack import running_stack

ROOT = Path(__file__).resolve().parents[2]
CONTACT = '[table."public.customers_contact"]\n'
FALLS = 'parent.customers_contact_customer_id_b9afc0da_fk_customers_customer_id = "falls"\n'
RULES = (ROOT / "sitecfg" / "rules" / "crm.toml").read_text().replace(CONTACT, CONTACT + FALLS)
"""The CRM's own; and a contact goes with its customer, so that there is one such reference."""
WAIT_MS = 30_000


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Taipei and the US, with their web nodes; "wang" of headquarters and "lin" of operations have accounts."""
    folder = tmp_path_factory.mktemp("sites")
    with running_stack(folder, sites=("taipei", "us"), app=True, rules=RULES) as stack:
        add_user(stack, "taipei", "wang", "王志明", "hq")
        add_user(stack, "taipei", "lin", "林怡君", "ops")
        yield stack


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


OpenAt = Callable[..., Page]


@pytest.fixture
def open_at(stack: Stack, chromium: Browser) -> Iterator[OpenAt]:
    """Gives a page at a site's node, in which somebody has logged in; afterwards none may have complained."""
    complaints: list[str] = []
    contexts = []

    def open_at(site: str, user: str = "wang", *, width: int = 1280) -> Page:
        context = chromium.new_context(base_url=stack.site(site).web_url, viewport={"width": width, "height": 850})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        log_in(page, user)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert [text for text in complaints if "409 (Conflict)" not in text] == []


def log_in(page: Page, user: str) -> None:
    """Log in; at a site where the account has not arrived yet, again until it has."""
    page.goto("/log-in")
    for _ in range(60):
        page.get_by_label("Log-in name").fill(user)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_load_state()
        if not page.url.endswith("/log-in"):
            return
    raise AssertionError("the account did not arrive, or the log-in does not work")
