"""Every metric of ours, declared in one place: base units, bounded labels (sites, tables, types), no key and no LSN.

1. What a process does is counted in it, in a registry of its own: what it knows nothing of it does not show as nought.
2. What the database holds outlives the processes, so it is read from there at each scrape (:class:`Figure`), by a
   process that does nothing else (replication/exporter/): it is there to be seen when capture or apply is not.
3. Knowledge has an age. Whatever is a site's or a peer's word comes with the time when it was true, by the clock of the
   database that holds it, which is shown too: an age is the difference of the two, whatever other clocks say.
4. What may have happened by the first scrape is shown as nought before: an increase is seen only from a number on.

What the rules and dashboards in monitoring/ use stands here, or in another exporter's list; a test compares them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from replication.errors import REFUSALS

ADDRESS = "127.0.0.1"
disable_created_metrics()  # type: ignore[no-untyped-call]  # the process' own start says as much
CAPTURE, APPLY, CONTROL, WEB, SITE = (CollectorRegistry() for _ in range(5))


class Figure(NamedTuple):
    """A metric that is read where it lies and not counted here; one whose name ends in ``_total`` only grows."""

    name: str
    text: str
    labels: tuple[str, ...] = ()

    def of(self, samples: Mapping[tuple[str, ...], float | None]) -> Metric:
        """With these samples, by the values of their labels; what is not known is left out."""
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(self.name, self.text, labels=self.labels)
        for labels, value in samples.items():
            if value is not None:
                family.add_metric(labels, float(value))
        return family

    def is_(self, value: float | None) -> Metric:
        """Without labels."""
        return self.of({(): value})


# -- capture -----------------------------------------------------------------------------------------------------------

CHANGES_CAPTURED = Counter("kuroshio_capture_changes", "Changes published.", registry=CAPTURE)
TRANSACTIONS_CAPTURED = Counter("kuroshio_capture_transactions", "Transactions published.", registry=CAPTURE)
MESSAGES_PUBLISHED = Counter("kuroshio_capture_published_messages", "Messages published.", ["lane"], registry=CAPTURE)
CAPTURE_BYTES = Counter(
    "kuroshio_capture_published_bytes", "Bytes of messages published, heartbeats too.", ["lane"], registry=CAPTURE
)
CAPTURE_INTERRUPTED = Counter(
    "kuroshio_capture_interruptions", "Sessions that ended by a fault that time mends.", registry=CAPTURE
)
UNCONFIRMED_BYTES = Gauge(
    "kuroshio_capture_unconfirmed_bytes", "Bytes published that the broker has not confirmed.", registry=CAPTURE
)
BROKER_BLOCKED = Gauge(
    "kuroshio_capture_broker_blocked", "1 while the broker takes no messages: its memory or disk.", registry=CAPTURE
)
WAL_BOUND_PASSED = Gauge(
    "kuroshio_capture_wal_bound_passed", "1 while the slot follows the broker instead of the peers.", registry=CAPTURE
)

# -- apply -------------------------------------------------------------------------------------------------------------

RECEIVED_MESSAGES = Counter("kuroshio_link_received_messages", "Messages received.", ["origin"], registry=APPLY)
RECEIVED_BYTES = Counter("kuroshio_link_received_bytes", "Bytes of messages received.", ["origin"], registry=APPLY)
MESSAGES_REFUSED = Counter(
    "kuroshio_link_refused_messages",
    f"Messages that were refused: {', '.join(REFUSALS)}.",
    ["origin", "reason"],
    registry=APPLY,
)
DUPLICATES = Counter(
    "kuroshio_link_redelivered_messages", "Messages that were applied before.", ["origin"], registry=APPLY
)
LINK_INTERRUPTED = Counter(
    "kuroshio_link_interruptions", "Readings that ended by a fault that time mends.", ["origin"], registry=APPLY
)
ROUND_TRIP = Gauge(
    "kuroshio_link_round_trip_seconds",
    "Until the origin's broker answers, behind all that is on its way from there; none while it is not connected.",
    ["origin"],
    registry=APPLY,
)
CHANGES_APPLIED = Counter(
    "kuroshio_apply_changes", "Changes applied: set-wise, or merged row by row.", ["origin", "path"], registry=APPLY
)
COMMIT_LATENCY = Histogram(
    "kuroshio_apply_commit_latency_seconds",
    "From the commit at the origin to the commit here, by the two clocks.",
    ["origin"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 3600, 86400),
    registry=APPLY,
)
RETRIES = Counter("kuroshio_apply_retries", "Batches tried again.", ["reason"], registry=APPLY)
CONFLICTS = Counter(
    "kuroshio_apply_conflicts",
    "Conflicts decided and recorded since apply began.",
    ["table", "type", "rule", "resolution"],
    registry=APPLY,
)

# -- the web nodes -----------------------------------------------------------------------------------------------------

WEB_REQUESTS = Histogram(
    "kuroshio_web_request_seconds",
    "From a request's arrival to its answer's first byte; the page by the name of its view.",
    ["view", "method", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=WEB,
)
REVIEWS_OPEN = Figure("kuroshio_reviews_open", "Conflicts that wait for a person's answer, counted up to a bound.")
REVIEWS_OLDEST = Figure(
    "kuroshio_reviews_oldest_timestamp_seconds", "When the oldest of those was recorded; none while nothing waits."
)

# -- what the database holds: this site --------------------------------------------------------------------------------

BUILD = Figure("kuroshio_build_info", "1: the version of these programs.", ("version",))
RULES = Figure("kuroshio_rules_info", "1: the version of the rules under which this site writes.", ("version",))
SCHEMA = Figure("kuroshio_schema_info", "1: a digest of the replicated tables' columns.", ("version",))
PART_READ = Figure("kuroshio_exporter_part_read", "1 where this part of the figures could be read.", ("part",))
PART_SECONDS = Figure("kuroshio_exporter_part_seconds", "How long reading it took.", ("part",))
CLOCK = Figure("kuroshio_clock_timestamp_seconds", "Now, by this site's database.")
WAL_POSITION = Figure("kuroshio_wal_bytes_total", "WAL written since this site's database was made.")

SLOT_ACTIVE = Figure("kuroshio_slot_active", "1 while the slot is read; 0 also where there is none.")
SLOT_LOST = Figure("kuroshio_slot_lost", "1 where the slot is gone, or has lost WAL that it needs.")
SLOT_RETAINED = Figure("kuroshio_slot_retained_bytes", "WAL that the slot holds.")
SLOT_BOUND = Figure("kuroshio_slot_bound_bytes", "WAL that is held for peers before the broker's confirm must do.")
CAPTURE_STATE = Figure("kuroshio_capture_state", "1 for the state that capture is in.", ("state",))
CAPTURE_RECORDED = Figure("kuroshio_capture_recorded_timestamp_seconds", "When capture last wrote its record.")
CAPTURED_CHANGES = Figure("kuroshio_captured_changes_total", "Changes of this site's life that the broker has.")
CAPTURED_COMMIT = Figure("kuroshio_captured_commit_timestamp_seconds", "Commit time of the newest of them.")
LOG_OLDEST = Figure(
    "kuroshio_log_oldest_message_timestamp_seconds", "When the log's oldest message was written.", ("view", "lane")
)
LOG_ASKED = Figure("kuroshio_log_asked_timestamp_seconds", "When the broker was last asked for it.")
LOG_RETENTION = Figure("kuroshio_log_retention_seconds", "For how long the log is kept, where its size allows it.")

# -- the links: from each origin to this site, by this site's own record -----------------------------------------------

APPLY_RECORDED = Figure("kuroshio_apply_recorded_timestamp_seconds", "When apply last wrote its record.")
LINK_STATE = Figure("kuroshio_link_state", "1 for the state that the link is in.", ("origin", "state"))
LINK_HEARD = Figure("kuroshio_link_heard_timestamp_seconds", "When a message of the origin last arrived.", ("origin",))
LINK_LAG = Figure(
    "kuroshio_link_lag_seconds", "How far behind this site is: small while the origin has nothing to say.", ("origin",)
)
LINK_BACKLOG = Figure("kuroshio_link_backlog_changes", "Changes known of that are not applied here.", ("origin",))
LINK_BACKLOG_BYTES = Figure("kuroshio_link_backlog_bytes", "The origin's WAL up to where it is known of.", ("origin",))
CLOCK_OFFSET = Figure(
    "kuroshio_link_clock_offset_seconds", "By how much the origin's clock is ahead of ours, at least.", ("origin",)
)
APPLIED_POSITION = Figure(
    "kuroshio_applied_position_bytes",
    "Up to where the origin's WAL is applied; moves while it is idle, too.",
    ("origin",),
)
APPLIED_COMMIT = Figure(
    "kuroshio_applied_commit_timestamp_seconds", "The origin's commit time of the newest change applied.", ("origin",)
)
APPLIED_CHANGES = Figure("kuroshio_applied_changes_total", "Changes of the origin's life applied here.", ("origin",))
ORIGIN_RULES = Figure(
    "kuroshio_origin_rules_info", "1: the rules under which the origin writes.", ("origin", "version")
)

# -- and from this site to each peer, by the peer's last word ----------------------------------------------------------

PEER_HEARD = Figure("kuroshio_peer_heard_timestamp_seconds", "When the peer last said so.", ("reader",))
PEER_POSITION = Figure("kuroshio_peer_position_bytes", "Up to where it has applied this site's WAL.", ("reader",))
PEER_COMMIT = Figure(
    "kuroshio_peer_commit_timestamp_seconds", "What this site had committed by then is applied there.", ("reader",)
)

# -- what was compared, and asked --------------------------------------------------------------------------------------

VERIFIED = Figure(
    "kuroshio_verified_timestamp_seconds",
    "When it could last be told how a table compares with the peer's; until then, when it came under replication.",
    ("peer", "table"),
)
VERIFY_CYCLE = Figure("kuroshio_verify_cycle_seconds", "How often that is to be told.")
DIVERGENT = Figure("kuroshio_divergent_rows", "Rows that differed then, at least.", ("peer", "table"))
LETTERS_ANSWERED = Figure("kuroshio_answered_letters_total", "What a peer asked and was answered.", ("peer",))
LETTERS_REFUSED = Figure(
    "kuroshio_refused_letters_total", "What was refused; of `nobody`: what no site has signed.", ("peer",)
)

# -- what waits --------------------------------------------------------------------------------------------------------

PARKED = Figure("kuroshio_parked_changes", "Changes that wait; `refused`: for a person.", ("reason",))
PARKED_OLDEST = Figure(
    "kuroshio_parked_oldest_timestamp_seconds",
    "Since when the oldest of them waits; none while none does.",
    ("reason",),
)
TOMBSTONES = Figure("kuroshio_tombstones", "Rows that are not in their tables, by how far they have gone.", ("stage",))
TOMBSTONE_HORIZON = Figure(
    "kuroshio_tombstone_horizon_timestamp_seconds", "When the oldest of them was deleted.", ("stage",)
)
CONFLICTS_RECORDED = Figure("kuroshio_conflicts_recorded_total", "Conflicts recorded at this site.")
VOLUME_FREE = Figure("kuroshio_volume_free_bytes", "Free for the database, where it lies.", ("volume",))
VOLUME_SIZE = Figure("kuroshio_volume_size_bytes", "The size of that file system.", ("volume",))
CERTIFICATE_EXPIRY = Figure(
    "kuroshio_certificate_expiry_timestamp_seconds",
    "Until when the certificate holds that the site shows its peers, and its authority's.",
    ("certificate",),
)


def expect(peers: Iterable[str]) -> None:
    """Show as nought what apply may count of these (4)."""
    for origin in peers:
        for counted in (RECEIVED_MESSAGES, RECEIVED_BYTES, DUPLICATES, LINK_INTERRUPTED):
            counted.labels(origin)
        for reason in REFUSALS:
            MESSAGES_REFUSED.labels(origin, reason)
        for path in ("set", "merge"):
            CHANGES_APPLIED.labels(origin, path)
        COMMIT_LATENCY.labels(origin)


def serve(port: int, registry: CollectorRegistry) -> None:
    """Answer scrapes on loopback, from a thread of its own."""
    ProcessCollector(registry=registry)
    start_http_server(port, addr=ADDRESS, registry=registry)


def declared() -> Iterator[str]:
    """The names of all metrics, as they are shown."""
    for known in globals().values():
        if isinstance(known, Figure):
            yield known.name
        elif isinstance(known, Counter | Gauge | Histogram):
            for metric in known.describe():
                yield from _shown(metric)


def _shown(metric: Metric) -> Iterator[str]:
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(metric.type, ("",))
    yield from (metric.name + suffix for suffix in suffixes)
