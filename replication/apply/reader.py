"""Reads one peer's stream, in a thread of its own: finds the log in force, checks what arrives, hands it to the writer.

1. The directory stream names the incarnation in force and those before it; a position outside of that lineage cannot be
   compared, and the origin stops (invariant 1).
2. What a message's signature does not prove is passed over; if it was a true one that was damaged, the next one shows
   the gap. What is signed and cannot be read, or says what cannot be, stops the origin and no other. Both are refused,
   counted and alarmed.
3. What is missing, be it a range or a part of a large transaction, is looked for further back in the log
   (`apply/whence.py`). If it stays away the origin stops, and what is missing is named.
4. What was written under rules that this site has never had waits until it has them (pitfall P13).
5. A reader that is behind takes the packed lane, and changes back by itself.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from replication import events, metrics
from replication.apply.clock_offset import ClockOffset
from replication.apply.incoming import Incoming
from replication.apply.lane import LaneChoice
from replication.apply.round_trip import RoundTrip
from replication.apply.whence import Whence
from replication.broker.log import last_message
from replication.broker.names import DIRECTORIES, directory_name, stream_name
from replication.broker.reader import Delivery, StreamReader, prefetch_for
from replication.broker.session import Offset
from replication.clock import now_us, pause, to_datetime
from replication.core.progress import Step, adopt, format_lsn, step
from replication.errors import (
    DecodeError,
    ForeignError,
    PositionLostError,
    RulesUnknownError,
    StreamDown,
    StreamMissing,
    TransientError,
)
from replication.postgres.applying import Place, Reading
from replication.wire.header import Header
from replication.wire.message import Section, decode_sections, read_header
from replication.wire.soundness import require_sound, require_sound_header
from sitecfg import ConfigError

_CONNECT_SECONDS = 20.0
_HEARTBEAT_SECONDS = 20
_SILENCE_SECONDS = 15.0
_STOPPED_SECONDS = 10.0
_PAUSE_SECONDS = (0.2, 0.5, 1.0, 2.0, 3.0)
_CLOCK_ALARM_SECONDS = 5.0
_LONG_AGO_US, _LOOK_AHEAD_SECONDS = 30_000_000, 120.0


class ChangeLane(Exception):
    """The other lane serves better from here on."""


@dataclass(frozen=True, slots=True)
class Link:
    """The way to one origin."""

    origin: str
    reader: str
    url: Callable[[], str]
    thin: bool
    verify: Callable[[str, bytes, bytes], None]
    rules_known: frozenset[str]
    """The versions of the rules that this site has, or had."""
    view: str = ""
    """The name of what this site may see of the origin (replication/core/views.py): the stream that it reads."""


class Reader(threading.Thread):
    """Runs for ever; ``place`` says where the writer stands with this origin."""

    def __init__(
        self, link: Link, reading: Reading, inbox: queue.Queue[Incoming], place: Callable[[], Place | None]
    ) -> None:
        super().__init__(name=f"read {link.origin}", daemon=True)
        self._link = link
        self._reading = reading
        self._inbox = inbox
        self._place = place
        self._lane = LaneChoice(link.thin)
        self._lsn = self._base_lsn = 0
        self._incarnation = ""
        self._round_trip = RoundTrip(link.origin)
        self._whence = Whence(link.reader)
        self._clock = ClockOffset()
        self._attempt = 0
        self._look_seconds = _SILENCE_SECONDS
        """After so long a silence the directory is looked at."""
        self._next_look_ahead = 0.0
        self._missing: tuple[int, str] = (0, "")
        """In which attempt the writer found that something was missing, and what."""

    def run(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            seconds = self._run_once(failures)
            failures = 0 if time.monotonic() - began > 30 else failures + 1
            pause(seconds)

    def _run_once(self, failures: int) -> float:
        origin, reading = self._link.origin, self._reading
        try:
            self._read()
        except ChangeLane:
            return 0.0
        except (PositionLostError, DecodeError, RulesUnknownError, ConfigError) as fault:
            if isinstance(fault, DecodeError):
                self._refuse(fault)
            reading.state, reading.reason = "stopped", str(fault)
            events.logger().error(events.READING_STOPPED, origin=origin, reason=str(fault))
            return _STOPPED_SECONDS
        except TransientError as fault:
            reading.state, reading.reason = "connecting", str(fault)
            metrics.LINK_INTERRUPTED.labels(origin).inc()
            events.logger().info(events.READING_INTERRUPTED, origin=origin, reason=str(fault))
        finally:
            self._round_trip.forget()
        return _PAUSE_SECONDS[min(failures, len(_PAUSE_SECONDS) - 1)]

    def _read(self) -> None:
        header = self._log_in_force()
        place = self._place()
        lsn = adopt(place.position if place else None, header.lineage)
        if lsn is None:
            assert place is not None
            raise PositionLostError(
                f"the log of {self._link.origin} is now {header.incarnation}, which does not continue"
                f" {place.position.incarnation}: it must be seeded again. Next: python -m replication rejoin"
                f" {self._link.origin}"
            )
        self._lsn, self._base_lsn, self._incarnation = lsn, header.lineage[0].lsn, header.incarnation
        stream = stream_name(self._link.origin, header.incarnation, self._lane.name, self._link.view)
        self._attempt += 1
        self._attach(stream, self._whence.offset(stream, place))

    def _log_in_force(self) -> Header:
        announced = [self._own_header(body)[0] for body in self._announcements()]
        if not announced:
            raise TransientError("the origin has not announced its log yet")
        header = max(announced, key=lambda header: header.published_us)
        if not header.lineage:
            raise DecodeError(f"the directory of {self._link.origin} ends with a message that announces no log")
        require_sound_header(header)
        return header

    def _own_header(self, body: bytes) -> tuple[Header, memoryview]:
        """The header of a message that the origin signed, and the rest."""
        header, rest = read_header(body, self._link.verify)
        if header.origin != self._link.origin:
            raise ForeignError(f"a message of {header.origin} in the stream of {self._link.origin}")
        return header, rest

    def _announcements(self) -> Iterator[bytes]:
        """The newest message of each directory that the origin's broker serves."""
        for number in range(DIRECTORIES):
            name = directory_name(self._link.origin, number)
            try:
                body = last_message(self._link.url(), name, timeout_seconds=_CONNECT_SECONDS)
            except StreamDown:
                continue
            except StreamMissing:
                return
            if body is not None:
                yield body

    def _attach(self, stream: str, offset: Offset) -> None:
        reading, origin = self._reading, self._link.origin
        prefetch = prefetch_for(4096 if self._lane.name == "live" else 32768)
        with StreamReader(
            self._link.url(),
            stream,
            offset,
            prefetch=prefetch,
            heartbeat_seconds=_HEARTBEAT_SECONDS,
            timeout_seconds=_CONNECT_SECONDS,
        ) as reader:
            reading.state, reading.reason, reading.lane = "running", "", self._lane.name
            events.logger().info(events.READING_STARTED, origin=origin, stream=stream, offset=str(offset))
            heard, self._look_seconds = time.monotonic(), _SILENCE_SECONDS
            for delivery in reader.deliveries(1.0):
                self._round_trip.look(reader.ask)
                attempt, missing = self._missing
                if attempt == self._attempt:
                    raise self._whence.again(offset, missing)
                if delivery is not None:
                    heard, self._look_seconds = time.monotonic(), _SILENCE_SECONDS
                    self._deliver(reader, delivery, stream, offset)
                else:
                    self._wait(time.monotonic() - heard)

    def _wait(self, silent_seconds: float) -> None:
        """Look now and then what may be the matter where nothing is heard: first of all, whether the line is cut."""
        if silent_seconds < self._look_seconds:
            return
        self._look_seconds += _SILENCE_SECONDS
        if self._log_in_force().incarnation != self._incarnation:
            raise TransientError("the origin has begun another log")
        if silent_seconds > self._whence.patience_seconds:
            self._lane.silent()
            raise self._whence.silent()

    def _deliver(self, reader: StreamReader, delivery: Delivery, stream: str, offset: Offset) -> None:
        try:
            header, rest = self._own_header(delivery.body)
        except DecodeError as fault:
            self._refuse(fault)
            reader.ack(delivery)
            return
        require_sound_header(header)
        if header.incarnation != self._incarnation:
            raise ForeignError(f"a message of the log {header.incarnation} in that of {self._incarnation}")
        self._heard(header, len(delivery.body))
        self._look_ahead(header.published_us)
        if header.kind == "start":
            reader.ack(delivery)
        else:
            self._take(reader, delivery, (header, rest), stream, offset)

    def _take(
        self, reader: StreamReader, delivery: Delivery, message: tuple[Header, memoryview], stream: str, offset: Offset
    ) -> None:
        """Hand a message to the writer unless it was applied before."""
        header, rest = message
        is_part = header.part is not None and not header.part.is_last
        decision = self._step(header, is_part=is_part)
        if decision is Step.GAP:
            self._gap(header, offset)
        if decision is Step.APPLY and header.kind != "heartbeat":
            self._require_rules(header)
        if decision is Step.DUPLICATE and header.kind != "heartbeat" and header.part is None:
            self._reading.duplicates += 1
            metrics.DUPLICATES.labels(header.origin).inc()
            reader.ack(delivery)
            return
        sections = [] if decision is Step.DUPLICATE else _sections(rest)
        taken = [] if is_part else sections  # a part is staged as it came, now that it can be read
        done, again = partial(reader.ack_threadsafe, delivery), partial(self._lacks, self._attempt)
        place = (delivery.body, stream, delivery.offset, self._base_lsn)
        self._inbox.put(Incoming(header, taken, *place, done, again, self._attempt))
        self._lsn = max(self._lsn, header.to_lsn)
        if decision is Step.APPLY and self._lane.wants_change((now_us() - header.published_us) / 1e6):
            raise ChangeLane

    def _step(self, header: Header, *, is_part: bool) -> Step:
        """A part that is not the last ends where it begins, and is staged; a gap before it is one all the same."""
        decision = step(self._lsn, header.from_lsn, header.to_lsn)
        return Step.APPLY if is_part and decision is Step.DUPLICATE else decision

    def _heard(self, header: Header, size: int) -> None:
        reading, origin = self._reading, self._link.origin
        now = now_us()
        if header.to_lsn > self._lsn or header.part is not None:  # what is read again was said before
            reading.heard_at = to_datetime(now)
        self._know_of(header)
        known = reading.clock_offset_seconds
        reading.clock_offset_seconds = self._clock.hear((header.clock_us - now) / 1e6, time.monotonic())
        if reading.clock_offset_seconds > _CLOCK_ALARM_SECONDS and (known or 0) <= _CLOCK_ALARM_SECONDS:
            events.logger().warning(events.CLOCK_ADRIFT, origin=origin, seconds=round(reading.clock_offset_seconds, 1))
        metrics.RECEIVED_MESSAGES.labels(origin).inc()
        metrics.RECEIVED_BYTES.labels(origin).inc(size)

    def _look_ahead(self, published_us: int) -> None:
        """Who reads what was said long ago asks now and then how much more there is: it would hear of it only at the
        end."""
        now = time.monotonic()
        if now_us() - published_us < _LONG_AGO_US or now < self._next_look_ahead:
            return
        self._next_look_ahead = now + _LOOK_AHEAD_SECONDS
        end = stream_name(self._link.origin, self._incarnation, "live", self._link.view)
        try:
            body = last_message(self._link.url(), end, timeout_seconds=_CONNECT_SECONDS)
            header = self._own_header(body)[0] if body else None
        except (TransientError, DecodeError):
            return  # it is told once it is met in reading
        if header is not None:
            self._know_of(header)

    def _know_of(self, header: Header) -> None:
        self._reading.head_lsn = max(self._reading.head_lsn, header.to_lsn)
        self._reading.head_changes = max(self._reading.head_changes, header.changes_total)

    def _refuse(self, fault: DecodeError) -> None:
        self._reading.refused += 1
        metrics.MESSAGES_REFUSED.labels(self._link.origin, fault.reason).inc()
        events.logger().error(
            events.MESSAGE_REFUSED, origin=self._link.origin, reason=fault.reason, detail=str(fault)[:200]
        )

    def _require_rules(self, header: Header) -> None:
        """What was written under rules that this site has not had waits for them."""
        if header.rules_version not in self._link.rules_known:
            raise RulesUnknownError(
                f"{header.origin} writes under the rules {header.rules_version or '(none)'}, which this site has never"
                " had: put the same files into sitecfg/rules here, then make down and make up"
            )

    def _gap(self, header: Header, offset: Offset) -> None:
        raise self._whence.again(
            offset,
            f"the log of {self._link.origin} begins at {format_lsn(header.from_lsn)}; missing here:"
            f" ({format_lsn(self._lsn)}, {format_lsn(header.from_lsn)}]",
        )

    def _lacks(self, attempt: int, missing: str) -> None:
        """For the writer, in its own thread."""
        self._missing = (attempt, missing)


def _sections(rest: memoryview) -> list[Section]:
    sections = decode_sections(rest)
    require_sound(sections)
    return sections
