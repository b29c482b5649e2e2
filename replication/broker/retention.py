"""How long a stream keeps what it holds."""

from typing import Any

from pika.exceptions import ChannelClosedByBroker

_PRECONDITION_FAILED = 406
_RETENTION = ("x-max-length-bytes", "x-max-age", "x-stream-max-segment-size-bytes")


def stream_arguments(*, max_bytes: int, max_age_days: int) -> dict[str, Any]:
    """The arguments of a stream queue. Retention drops whole segments, so these are small parts."""
    segment = max(64 << 10, min(128 << 20, max_bytes // 16))
    return {
        "x-queue-type": "stream",
        "x-max-length-bytes": max_bytes,
        "x-max-age": f"{max_age_days}D",
        "x-stream-max-segment-size-bytes": segment,
    }


def differs_in_retention_only(reason: ChannelClosedByBroker) -> bool:
    """Whether the queue is a stream of ours with another retention, and not some other queue."""
    if reason.reply_code != _PRECONDITION_FAILED or "current is none" in reason.reply_text:
        return False
    return any(f"inequivalent arg '{name}'" in reason.reply_text for name in _RETENTION)
