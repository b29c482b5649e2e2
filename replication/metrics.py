"""Every metric, declared in one place: base units, bounded labels (sites, tables, types), never a key or an LSN."""

from prometheus_client import Counter, Gauge, Histogram, start_http_server

CHANGES_CAPTURED = Counter("kuroshio_capture_changes", "Changes published.", ["lane"])
TRANSACTIONS_CAPTURED = Counter("kuroshio_capture_transactions", "Transactions published.")
CAPTURE_BYTES = Counter("kuroshio_capture_published_bytes", "Bytes of messages published.", ["lane"])
CAPTURE_LAST_COMMIT = Gauge(
    "kuroshio_capture_last_commit_timestamp_seconds", "Commit time of the newest change published."
)
SLOT_RETAINED = Gauge("kuroshio_capture_slot_retained_bytes", "WAL that the slot holds.")
SLOT_ACTIVE = Gauge("kuroshio_capture_slot_active", "1 while the slot is read.")
CAPTURE_FENCED = Gauge("kuroshio_capture_fenced", "1 when capture refuses to run and a person must look.")
WAL_BOUND_PASSED = Gauge(
    "kuroshio_capture_wal_bound_passed", "1 while the slot follows the broker instead of the peers."
)

LINK_UP = Gauge("kuroshio_link_up", "1 while the origin's stream is read.", ["origin"])
LINK_STOPPED = Gauge("kuroshio_link_stopped", "1 when reading the origin stopped and a person must look.", ["origin"])
LAST_HEARD = Gauge(
    "kuroshio_link_last_heard_timestamp_seconds", "When a message of the origin last arrived.", ["origin"]
)
CLOCK_OFFSET = Gauge("kuroshio_link_clock_offset_seconds", "The origin's clock minus ours.", ["origin"])
MESSAGES_REFUSED = Counter(
    "kuroshio_link_refused_messages", "Messages not signed by the origin that they name.", ["origin"]
)
RECEIVED_BYTES = Counter("kuroshio_link_received_bytes", "Bytes of messages received.", ["origin"])

CHANGES_APPLIED = Counter("kuroshio_apply_changes", "Changes applied.", ["origin", "path"])
APPLIED_COMMIT = Gauge(
    "kuroshio_apply_last_origin_commit_timestamp_seconds",
    "Commit time, at the origin, of the newest change applied.",
    ["origin"],
)
COMMIT_LATENCY = Histogram(
    "kuroshio_apply_commit_latency_seconds",
    "From the commit at the origin to the commit here, by the two clocks.",
    ["origin"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 3600, 86400),
)
DUPLICATES = Counter("kuroshio_apply_duplicate_messages", "Messages that were applied before.", ["origin"])
RETRIES = Counter("kuroshio_apply_retries", "Batches tried again.", ["reason"])
CONFLICTS = Counter("kuroshio_conflicts", "Conflicts decided.", ["type", "resolution"])
PARKED = Gauge("kuroshio_parked_changes", "Changes that wait.", ["reason"])
TOMBSTONES = Gauge("kuroshio_tombstones", "Deleted rows that some site may not have passed yet.")


def serve(port: int) -> None:
    """Answer scrapes on loopback, from a thread of its own."""
    start_http_server(port, addr="127.0.0.1")
