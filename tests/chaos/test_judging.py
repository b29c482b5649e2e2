"""What a run of chaos takes for a fault, and where its figures go."""

import threading
from typing import Any, cast

import psycopg

from tests.bench.__main__ import FILE, TRIED
from tests.chaos.__main__ import file_for
from tests.chaos.run import MINUTES
from tests.stack.proof.load import Writer
from tests.stack.proof.sites import Sites


class Hung(Writer):
    """One whose write never ends, until it is let go."""

    def __init__(self) -> None:
        super().__init__(cast("Sites", None), "taipei", 1, threading.Event(), 0)
        self.let_go = threading.Event()

    def run(self) -> None:
        self.let_go.wait()

    def _write(self, connection: psycopg.Connection[Any]) -> None:
        raise NotImplementedError


def test_a_write_that_hangs_for_ever_is_a_fault_and_no_stall_of_nought() -> None:
    writer = Hung()
    writer.start()
    writer.finish(0.01)
    assert isinstance(writer.fault, TimeoutError)
    writer.let_go.set()


def test_one_that_ends_is_none() -> None:
    writer = Hung()
    writer.start()
    writer.let_go.set()
    writer.finish()
    assert writer.fault is None


def test_figures_of_a_shorter_run_do_not_stand_for_those_of_a_whole_one() -> None:
    assert file_for(MINUTES) == FILE
    assert file_for(5) == TRIED
