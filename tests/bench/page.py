"""What the console costs who looks at it over a thin line: the time of a whole request, and the bytes that travel."""

import re
import tempfile
import time
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import psycopg

from deploy.local.layout import ROOT
from tests.bench.figures import Measured, median_of
from tests.stack.accounts import PASSWORD, add_user
from tests.stack.stack import running_stack

VISITS = 200
SITES = ("taipei", "kaohsiung", "shanghai", "us")
RULES = ROOT / "sitecfg" / "rules" / "crm.toml"

KEYS = ("status_page_ms", "status_page_bytes")

_A_DAY = """
INSERT INTO kuroshio.link_sample (at, origin, reader, state, lag_seconds, backlog_changes, applied_changes)
SELECT at, o.name, r.name, 'up', random() * 5, random() * 100, extract(epoch FROM at) * 10
  FROM generate_series(date_bin('30 s', now(), '2000-01-01') - interval '1 day', now(), interval '30 s') AS at,
       kuroshio.site_number o, kuroshio.site_number r
 WHERE o.name <> r.name ON CONFLICT DO NOTHING"""


def measure(visits: int) -> Measured:
    """Visit the console of a site whose links are sampled for a day."""
    with tempfile.TemporaryDirectory() as folder, running_stack(
        Path(folder), sites=SITES, rules=RULES.read_text(), app=True
    ) as stack:  # fmt: skip
        add_user(stack, "taipei", "lin", "林怡君", "ops")
        with psycopg.connect(stack.site("taipei").dsn(), autocommit=True) as session:
            session.execute(_A_DAY)
            session.execute("ANALYZE kuroshio.link_sample")
        address = stack.site("taipei").web_url
        browser = _log_in(address)
        seen = [_visit(browser, f"{address}/operations") for _ in range(visits)]
    details = {"visits": visits, "sites": len(SITES)}
    return {
        "status_page_ms": median_of([took for took, _ in seen], details),
        "status_page_bytes": (max(size for _, size in seen), details),
    }


def _log_in(address: str) -> OpenerDirector:
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    with browser.open(f"{address}/log-in", timeout=30) as page:
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())[:1]
    typed = {"username": "lin", "password": PASSWORD, "csrfmiddlewaretoken": token}
    with browser.open(f"{address}/log-in", urlencode(typed).encode(), timeout=30) as page:
        assert not page.url.endswith("/log-in"), "the account is not there"
    return browser


def _visit(browser: OpenerDirector, address: str) -> tuple[float, int]:
    """Milliseconds, and bytes with their headers."""
    begun = time.perf_counter()
    with browser.open(Request(address, headers={"Accept-Encoding": "gzip"}), timeout=30) as page:
        body = page.read()
        took = (time.perf_counter() - begun) * 1000
        assert page.status == 200
        return took, len(body) + sum(len(f"{name}: {value}\r\n") for name, value in page.headers.items())
