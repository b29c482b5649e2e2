"""How many conflicts wait for a person, and since when, for Prometheus."""

from collections.abc import Iterator

from django.db import Error, close_old_connections
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from crm.reviews.selectors import count_open, get_oldest_open
from replication import metrics


class Reviews(Collector):
    """Asks the node's own database at each scrape, outside of any page; says nothing where it does not answer."""

    def collect(self) -> Iterator[Metric]:
        close_old_connections()
        try:
            number, oldest = count_open(), get_oldest_open()
        except Error:
            return
        yield metrics.REVIEWS_OPEN.is_(number)
        yield metrics.REVIEWS_OLDEST.is_(oldest.timestamp() if oldest else None)
