"""What is logged: past-tense events with their fields, as JSON lines on standard error. Never a row's values.

``log.info(EVENT, field=…)``; the events are declared here, in one place.
"""

import logging
import sys
from typing import Any

import structlog

CAPTURE_STARTED = "capture_started"
CAPTURE_INTERRUPTED = "capture_interrupted"
CAPTURE_FENCED = "capture_fenced"
LOG_REBUILT = "log_rebuilt"
WAL_BOUND_PASSED = "wal_bound_passed"
APPLY_STARTED = "apply_started"
APPLY_INTERRUPTED = "apply_interrupted"
READING_STARTED = "reading_started"
READING_INTERRUPTED = "reading_interrupted"
READING_STOPPED = "reading_stopped"
MESSAGE_REFUSED = "message_refused"
CHANGE_PARKED = "change_parked"
CLOCK_ADRIFT = "clock_adrift"
BATCH_RETRIED = "batch_retried"
BATCH_BISECTED = "batch_bisected"
WIDENING_SENT = "widening_sent"
CONFLICTS_RECORDED = "conflicts_recorded"
DERIVED_ANEW = "derived_anew"
CONTROL_STARTED = "control_started"
CONTROL_INTERRUPTED = "control_interrupted"
LETTER_REFUSED = "letter_refused"
TABLE_VERIFIED = "table_verified"
ROWS_SENT_AGAIN = "rows_sent_again"
REQUEST_ANSWERED = "request_answered"
ROWS_BURIED = "rows_buried"


def configure(**context: Any) -> None:
    """Log everything of ours in one form; ``context`` stands in every line."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    for library in ("amqp", "kombu"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # what it says, our own events say with the reason
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**context)


def logger() -> Any:
    """The bound logger."""
    return structlog.get_logger()
