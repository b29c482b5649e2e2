"""The fuzzer of both decoders: ``python -m tests.wire.fuzz --seconds 20``, or ``--inputs 1000000``; ``--seed``.

Behind the signature, where it counts: what a peer that has its key, or a bug of ours, may send. Inputs are real
messages with something changed that a decoder reads as structure (``mangling``).

1. Nothing but :class:`DecodeError` escapes, from bytes to the single changes that the writer merges or parks.
2. One input takes at most ``MOST_SECONDS``, and the process at most ``MOST_MEMORY`` more than it began with.

An input is a function of seed and number: ``--seed 7 --first 1234 --inputs 1`` plays one again.
"""

import argparse
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from replication.apply.sections import changes_of
from replication.core.changes import Author
from replication.errors import DecodeError
from replication.wire.message import decode
from replication.wire.pglogical import Decoder
from replication.wire.soundness import require_sound, require_sound_header
from tests.wire.mangling import a_message, a_stream

MOST_SECONDS = 30.0
MOST_MEMORY = 1 << 30
_SHOWN = 20
AUTHOR = Author("taipei", 1, 0, 1, {})

Input = list[bytes]


@dataclass(frozen=True)
class Target:
    """What is fed, and what makes the input."""

    name: str
    make: Callable[[random.Random], Input]
    feed: Callable[[Input], None]


def feed_message(bodies: Input) -> None:
    """As the reader and the writer take a message whose signature was right."""
    for body in bodies:
        header, sections = decode(body, lambda *_: None)
        require_sound_header(header)
        require_sound(sections)
        for section in sections:
            for change in changes_of(section, AUTHOR, range(min(len(section.moments), _SHOWN))):
                json.dumps(change.to_json(), ensure_ascii=False).encode()


def feed_stream(payloads: Input) -> None:
    """As capture takes what the walsender says; a refused payload does not spoil the decoder for the next."""
    decoder = Decoder()
    for payload in payloads:
        try:
            decoder.feed(payload)
        except DecodeError:
            continue


TARGETS = (Target("message", a_message, feed_message), Target("pglogical", a_stream, feed_stream))


class Escaped(Exception):
    """A decoder did with an input what it must not do."""


def play(target: Target, seed: int, number: int) -> None:
    """Make one input and feed it; raises :class:`Escaped`."""
    given = target.make(random.Random(f"{target.name} {seed} {number}"))
    began = time.process_time()
    fault: BaseException | None = None
    try:
        target.feed(given)
    except DecodeError:
        pass
    except (Exception, MemoryError) as escaped:  # noqa: BLE001  that is what is looked for
        fault = escaped
    seconds = time.process_time() - began
    if fault is not None or seconds > MOST_SECONDS:
        what = repr(fault) if fault else f"took {seconds:.0f} s"
        head = [body[:2000].hex() for body in given[-3:]]
        raise Escaped(f"{target.name}: {what}: --seed {seed} --first {number} --inputs 1: {head}") from fault


def numbers(first: int, inputs: int | None, seconds: float | None) -> Iterator[int]:
    """The inputs' numbers, for as many or as long as asked."""
    end = time.monotonic() + seconds if seconds is not None else None
    for number in count(first):
        if (end is not None and time.monotonic() > end) or (inputs is not None and number >= first + inputs):
            return
        yield number


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.wire.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--inputs", type=int)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    limit = _address_space() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    played = 0
    try:
        for number in numbers(options.first, options.inputs, options.seconds):
            for target in TARGETS:
                play(target, options.seed, number)
                played += 1
    except Escaped as escaped:
        print(escaped, file=sys.stderr)
        return 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps({"inputs": played, "seed": options.seed, "peak_mb": peak}))
    return 0


def _address_space() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123  read before anything may fail
        return int(file.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    raise SystemExit(main())
