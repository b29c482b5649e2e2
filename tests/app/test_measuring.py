"""Pages are timed by the names of their views; the figures are shown at the metrics port and nowhere else."""

import subprocess
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from crm.core.measuring import SEVERAL_WORKERS, OfAllWorkers, with_metrics
from replication import metrics
from tests.app.conftest import LogIn

PORT = 25731
ROOT = Path(__file__).resolve().parents[2]


def counted() -> dict[tuple[str, str, str], float]:
    """How many answers, by view, method and class of status."""
    return {
        (sample.labels["view"], sample.labels["method"], sample.labels["status"]): sample.value
        for metric in metrics.WEB.collect()
        for sample in metric.samples
        if sample.name == "kuroshio_web_request_seconds_count"
    }


def told(before: dict[tuple[str, str, str], float]) -> dict[tuple[str, str, str], float]:
    return {labels: value - before.get(labels, 0) for labels, value in counted().items() if value != before.get(labels)}


def test_an_answer_is_counted_by_its_view_and_nothing_that_tells_of_a_person(log_in: LogIn) -> None:
    client, before = log_in(), counted()
    client.get("/health")
    client.get(f"/customers/{uuid.uuid4()}?q=somebody")
    assert told(before) == {("health", "GET", "2xx"): 1, ("customer_detail", "GET", "4xx"): 1}


def test_what_no_view_answers_is_counted_together(db: None) -> None:
    client, before = Client(), counted()
    client.get("/no/such/page")
    client.get("/neither-this")
    client.get("/static/nothing.css")
    client.generic("BREW", "/log-in")
    assert {(view, method) for view, method, _ in told(before)} == {
        ("none", "GET"), ("static", "GET"), ("log_in", "other")}  # fmt: skip


def ask(port: int | None, asked: int) -> tuple[str, bytes]:
    """The status and body of an answer to a request that came in at a port."""
    statuses: list[str] = []

    def pages(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"a page"]

    environ = {"SERVER_PORT": str(asked), "PATH_INFO": "/metrics", "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    body = with_metrics(pages, port)(environ, lambda status, _headers: statuses.append(status))
    return statuses[0], b"".join(body)


def test_the_figures_are_shown_at_their_own_port_alone() -> None:
    assert ask(PORT, 25801) == ("200 OK", b"a page")
    status, body = ask(PORT, PORT)
    assert status == "200 OK"
    assert b"# TYPE kuroshio_web_request_seconds histogram" in body
    assert b"kuroshio_capture" not in body


WORKER = "from replication import metrics; metrics.WEB_REQUESTS.labels('today', 'GET', '2xx').observe(0.1)"


def test_what_several_workers_counted_adds_up_and_holds_nothing_but_the_node_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SEVERAL_WORKERS, str(tmp_path))
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WORKER], cwd=ROOT, check=True)
    found = {sample.name: sample.value for metric in OfAllWorkers().collect() for sample in metric.samples}
    assert found["kuroshio_web_request_seconds_count"] == 2
    assert all(name.startswith("kuroshio_web_request_seconds") for name in found)


def test_a_node_without_such_a_port_shows_none() -> None:
    assert ask(None, PORT) == ("200 OK", b"a page")
