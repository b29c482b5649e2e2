"""The names of streams. Everything that a peer may read begins with ``kuroshio.``

The incarnation is part of the name, so that a log that was lost and made anew answers "not found"
to whoever still asks for the old one, and no stored offset is ever used on another log.
"""

from typing import Literal

Lane = Literal["live", "packed"]


def stream_name(site: str, incarnation: str, lane: Lane, view: str = "") -> str:
    """Name the stream of one lane of a site's log, for those who see everything or for those with a narrower view."""
    return f"kuroshio.{site}.{incarnation}.{view}.{lane}" if view else f"kuroshio.{site}.{incarnation}.{lane}"


DIRECTORIES = 10


def directory_name(site: str, number: int = 0) -> str:
    """Name the tiny stream that announces a site's incarnations: the newest message is in force.

    It is numbered because a stream whose log is damaged may be neither read nor deleted: then the next one is used.
    """
    return f"kuroshio.{site}.incarnations.{number}"


def control_name(site: str) -> str:
    """Name the exchange to which peers write what they ask of a site, and the queue where the site finds it."""
    return f"kuroshio.control.{site}"


REPLIES = "amq.rabbitmq.reply-to"
"""Who asks reads the answers here: RabbitMQ's direct reply-to, which needs no queue and no permission, and is nobody
else's (https://www.rabbitmq.com/docs/direct-reply-to)."""
