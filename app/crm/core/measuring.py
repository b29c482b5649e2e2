"""How long the pages take, for Prometheus: by the name of the view, never by address, person or record.

The figures are shown at the node's metrics address, which is the machine's own: gunicorn listens there beside the
public one, and what arrives there never reaches the pages, nor the other way round. With several workers
PROMETHEUS_MULTIPROC_DIR names an empty folder through which they add up.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from replication import metrics

SEVERAL_WORKERS = "PROMETHEUS_MULTIPROC_DIR"
METHODS = {"GET", "HEAD", "POST"}

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Measured:
    """Times every answer, also those that other middleware gives."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "other"
        status = f"{response.status_code // 100}xx"
        metrics.WEB_REQUESTS.labels(_view(request), method, status).observe(time.perf_counter() - begun)
        return response


def _view(request: HttpRequest) -> str:
    if request.resolver_match:
        return request.resolver_match.view_name
    return "static" if request.path.startswith(settings.STATIC_URL) else "none"


def with_metrics(pages: Application, port: int | None, *figures: Collector) -> Application:
    """The pages everywhere but at this port; there the metrics, and what these collectors read."""
    if port is None:
        return pages
    shown = make_wsgi_app(_registry(figures))

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        application = shown if environ["SERVER_PORT"] == str(port) else pages
        return application(environ, start_response)

    return answer


def _registry(figures: Iterable[Collector]) -> CollectorRegistry:
    registry = CollectorRegistry()
    counted = OfAllWorkers() if os.environ.get(SEVERAL_WORKERS) else metrics.WEB
    for collector in (counted, *figures):
        registry.register(collector)
    ProcessCollector(registry=registry)
    return registry


class OfAllWorkers(Collector):
    """What all workers have counted, in the files that they share."""

    def collect(self) -> Iterator[Metric]:
        ours = {metric.name for metric in metrics.WEB.collect()}
        everything = MultiProcessCollector(None).collect()  # type: ignore[no-untyped-call]  # it carries no types
        yield from (metric for metric in everything if metric.name in ours)
