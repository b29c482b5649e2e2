"""Answers what peers ask of this site: checks the letter, finds who serves it, says what that says.

1. A letter that no peer has signed, or that is not addressed to this site, is not answered: it is counted, no more.
2. A letter from another hour is refused, and one that was taken before is not answered again: who copied one from the
   line has nothing by it.
3. A service sees what is asked as a model that was checked (``services``), and says no by raising.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import psycopg

from replication import events
from replication.clock import now_us
from replication.errors import DecodeError, InvariantError, KuroshioError
from replication.wire.control import Body, Kind, Letter, Sign, Verify, decode, encode

Service = Callable[[str, Body], Body]
"""(who asks, what) -> the answer."""
Count = Callable[[str, str], None]
"""(peer, why it was refused or empty) -> it is counted."""

FRESH_US = 3600 * 1_000_000
MOST_REMEMBERED = 100_000


@dataclass(slots=True)
class Answerer:
    """One site's answers."""

    own: str
    peers: Collection[str]
    sign: Sign
    verify: Verify
    services: Mapping[str, Service]
    count: Count
    _taken: dict[bytes, int] = field(default_factory=dict)
    """The ids of requests that were taken, oldest first, with when they were sent."""

    def __call__(self, data: bytes) -> bytes | None:
        """The answer to a letter; None where there is none."""
        try:
            letter = decode(data, self.verify)
            self._require_ours(letter)
        except DecodeError as fault:
            self._refused("", str(fault))
            return None
        kind, body = self._answer(letter)
        try:
            answer = self._letter(letter, kind, body)
        except InvariantError as fault:  # what was asked for is larger than a letter may be
            kind, body = _refusal(str(fault))
            answer = self._letter(letter, kind, body)
        self.count(letter.sender, str(body["reason"]) if kind is Kind.REFUSAL else "")
        return answer

    def _letter(self, request: Letter, kind: Kind, body: Body) -> bytes:
        return encode(Letter(self.own, request.sender, kind, request.id, now_us(), body), self.sign)

    def _require_ours(self, letter: Letter) -> None:
        if letter.recipient != self.own or letter.sender not in self.peers or letter.kind is not Kind.REQUEST:
            raise DecodeError(f"a letter from {letter.sender} to {letter.recipient}, which is no request to {self.own}")
        if letter.id in self._taken:
            raise DecodeError(f"a request of {letter.sender} that was taken before")
        self._taken[letter.id] = letter.sent_us
        while len(self._taken) > MOST_REMEMBERED:
            del self._taken[next(iter(self._taken))]

    def _answer(self, letter: Letter) -> tuple[Kind, Body]:
        if abs(now_us() - letter.sent_us) > FRESH_US:
            return _refusal(f"the clocks of {letter.sender} and {self.own} differ by more than an hour")
        service = self.services.get(str(letter.body.get("ask")))
        wanted = letter.body.get("of")
        if service is None or not isinstance(wanted, dict):
            return _refusal(f"{self.own} does not know what is asked: does it run another version?")
        try:
            return Kind.ANSWER, service(letter.sender, wanted)
        except KuroshioError as fault:
            return _refusal(str(fault))
        except psycopg.Error as fault:
            events.logger().warning(events.CONTROL_INTERRUPTED, reason=str(fault).splitlines()[0])
            return _refusal(f"the database of {self.own} cannot answer now")
        except ValueError as fault:
            return _refusal(f"what is asked is malformed: {type(fault).__name__}")

    def _refused(self, peer: str, reason: str) -> None:
        events.logger().warning(events.LETTER_REFUSED, peer=peer, reason=reason)
        self.count(peer, reason)


def _refusal(reason: str) -> tuple[Kind, Body]:
    return Kind.REFUSAL, {"reason": reason}
