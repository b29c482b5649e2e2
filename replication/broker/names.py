"""The names of streams. Everything that a peer may read begins with ``kuroshio.``

The incarnation is part of the name, so that a log that was lost and made anew answers "not found"
to whoever still asks for the old one, and no stored offset is ever used on another log.
"""

from typing import Literal

Lane = Literal["live", "packed"]


def stream_name(site: str, incarnation: str, lane: Lane) -> str:
    """Name the stream of one lane of a site's log."""
    return f"kuroshio.{site}.{incarnation}.{lane}"


def directory_name(site: str) -> str:
    """Name the tiny stream that announces a site's incarnations: the newest message is in force."""
    return f"kuroshio.{site}.incarnations"
