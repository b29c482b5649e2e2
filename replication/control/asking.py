"""Asks this site's peers, each over its own broker, and waits for what they answer."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

from replication import events
from replication.broker.bus import Line
from replication.clock import now_us, pause
from replication.errors import BrokerUnavailable, DecodeError, RefusedError
from replication.keys import signer, verifier
from replication.wire.control import ID_SIZE, Body, Kind, Letter, Sign, Verify, decode, encode
from sitecfg import Config, Site

ASK_SECONDS = 180.0
TRIES = 3
"""Each may take its part of the time: on a thin line an answer may stand behind the changes that are on their way."""
_PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Peers:
    """The lines to the peers. Used by one thread, as a context."""

    own: str
    sign: Sign
    verify: Verify
    lines: Mapping[str, Line]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    def rest(self) -> None:
        """Close the lines; who asks opens them again."""
        for line in self.lines.values():
            line.close()

    def ask(self, peer: str, what: str, body: Body, *, seconds: float = ASK_SECONDS) -> Body:
        """What a peer answers; it may be asked more than once, so a request must bear that.

        Raises :class:`RefusedError` with its reason, and :class:`BrokerUnavailable` where nobody answers in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._ask_once(peer, {"ask": what, "of": body}, seconds / TRIES)
            except BrokerUnavailable:
                if time.monotonic() + _PAUSE_SECONDS > deadline:
                    raise
            pause(_PAUSE_SECONDS)

    def _ask_once(self, peer: str, body: Body, seconds: float) -> Body:
        letter = Letter(self.own, peer, Kind.REQUEST, os.urandom(ID_SIZE), now_us(), body)
        answer = self.lines[peer].ask(encode(letter, self.sign), partial(self._read, letter), seconds)
        if answer.kind is Kind.REFUSAL:
            raise RefusedError(f"{peer}: {answer.body.get('reason', 'no reason given')}")
        return answer.body

    def _read(self, asked: Letter, data: bytes) -> Letter | None:
        """A letter, if it is the answer to this one; an earlier one's comes too late."""
        try:
            letter = decode(data, self.verify)
        except DecodeError as fault:
            events.logger().warning(events.LETTER_REFUSED, peer=asked.recipient, reason=str(fault))
            return None
        wanted = (asked.recipient, self.own, asked.id)
        fits = (letter.sender, letter.recipient, letter.id) == wanted and letter.kind is not Kind.REQUEST
        return letter if fits else None


def peers_of(config: Config, site: Site) -> Peers:
    """The lines to all of a site's peers."""
    lines = {peer: Line(partial(site.peer_url, peer), peer) for peer in site.peers}
    return Peers(site.name, signer(site), verifier(config, site), lines)
