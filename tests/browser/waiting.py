"""Waits on a page with a deadline, saying for what."""

from collections.abc import Callable
from time import monotonic

from playwright.sync_api import Page


def visit_until(page: Page, address: str, what: str, holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Visit a page again and again until something holds on it."""
    deadline = monotonic() + seconds
    while True:
        page.goto(address)
        if holds():
            return
        if monotonic() > deadline:
            raise AssertionError(f"{seconds:.0f} s without this: {what}\n{page.inner_text('body')[:2000]}")


def visit_until_shown(page: Page, address: str, text: str, seconds: float = 30.0) -> None:
    """Visit a page until it shows a text."""
    visit_until(page, address, text, lambda: page.get_by_text(text).count() > 0, seconds)
