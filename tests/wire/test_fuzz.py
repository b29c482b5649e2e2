"""Both decoders against the fuzzer (its laws: ``tests/wire/fuzz.py``), and that against decoders which are broken."""

import json
import random
import subprocess
import sys
from collections import deque
from functools import partial

import pytest

from deploy.local.layout import ROOT
from replication.wire.message import decode
from replication.wire.pglogical import Decoder
from tests.wire.fuzz import Escaped, Input, Target, play
from tests.wire.mangling import a_message, a_stream

SECONDS = 60
INPUTS = 1000
"""So many at least, on the slowest machine."""


def test_nothing_but_a_decode_error_escapes_in_bounded_time_and_memory() -> None:
    command = [sys.executable, "-m", "tests.wire.fuzz", "--seconds", str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["inputs"] > INPUTS


def careless_stream(payloads: Input) -> None:
    """Without the one place that turns what Python raises into a DecodeError."""
    decoder = Decoder()
    for payload in payloads:
        decoder._readers[payload[0]](payload)


def careless_message(bodies: Input) -> None:
    """Believes that what is well formed is sound."""
    for body in bodies:
        for section in decode(body, lambda *_: None).sections:
            assert all(None not in values for values in section.values[: section.key_count])


@pytest.mark.parametrize(
    "twin", [Target("pglogical", a_stream, careless_stream), Target("message", a_message, careless_message)]
)
def test_a_decoder_that_lets_something_else_escape_is_caught(twin: Target) -> None:
    with pytest.raises(Escaped, match="--seed 1 --first"):
        deque(map(partial(play, twin, 1), range(2000)), maxlen=0)


def test_an_input_is_a_function_of_its_seed_and_number() -> None:
    assert a_message(random.Random("message 3 5")) == a_message(random.Random("message 3 5"))
