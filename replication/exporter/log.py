"""How far back this site's log reaches. Asking opens a connection to the broker, so it is asked now and then."""

import time
from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import Metric

from replication import metrics
from replication.broker.log import first_message
from replication.broker.names import Lane, stream_name
from replication.clock import to_datetime
from replication.errors import KuroshioError, StreamMissing
from replication.keys import verifier
from replication.postgres import figures
from replication.postgres.connect import Connection
from replication.wire.message import read_header
from sitecfg import Config, Site

EVERY_SECONDS = 300.0
AGAIN_SECONDS = 30.0
ANSWER_SECONDS = 2.0
LANES: tuple[Lane, ...] = ("live", "packed")


class LogCollector:
    """Keeps what it was told, with its age, until it asks again; after a fault it says nothing but that."""

    def __init__(self, config: Config, site: Site) -> None:
        self._site = site
        self._verify = verifier(config, site)
        self._next = 0.0
        self._asked_at = 0.0
        self._oldest: Mapping[tuple[str, ...], float | None] = {}
        self._fault: KuroshioError | None = None

    def collect(self, connection: Connection) -> Iterator[Metric]:
        """When each lane's oldest message was written."""
        if time.monotonic() >= self._next:
            self._ask(connection)
        if self._fault:
            raise self._fault
        yield metrics.LOG_OLDEST.of(self._oldest)
        yield metrics.LOG_ASKED.is_(self._asked_at)

    def _ask(self, connection: Connection) -> None:
        row = figures.site(connection)
        lanes = {(view, lane): (row["incarnation"], lane, view) for view in row["views"] for lane in LANES}
        try:
            self._oldest = {key: self._oldest_of(stream_name(self._site.name, *lane)) for key, lane in lanes.items()}
            self._asked_at, self._fault = row["now"], None
        except KuroshioError as fault:
            self._fault = fault
        is_known = self._fault is None and None not in self._oldest.values()
        self._next = time.monotonic() + (EVERY_SECONDS if is_known else AGAIN_SECONDS)

    def _oldest_of(self, stream: str) -> float | None:
        """None where nothing was written yet, or the stream is not made yet."""
        try:
            body = first_message(self._site.broker_url(), stream, timeout_seconds=ANSWER_SECONDS)
        except StreamMissing:
            return None
        return to_datetime(read_header(body, self._verify)[0].published_us).timestamp() if body else None
