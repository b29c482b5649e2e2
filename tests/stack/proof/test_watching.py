"""What the operator looks at, again and again, at four running sites: while a line is cut, and when it is mended."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from deploy.local.layout import ROOT
from deploy.local.wan.client import Lines
from tests.stack.proof.sites import Sites, until

START_SECONDS = 240.0
"""Until the first of these tests sees the sites at work, on a busy machine."""


@contextmanager
def running(sites: Sites, arguments: Sequence[str], out: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that goes on until it is interrupted, which is how one leaves it."""
    command = [sys.executable, "-m", "replication", *arguments, "--config", str(sites.stack.config.directory)]
    program = subprocess.Popen(command, cwd=ROOT, stdout=out, env={**os.environ, "COLUMNS": "110", "LINES": "40"})
    try:
        yield program
    finally:
        program.send_signal(signal.SIGINT)
        assert program.wait(20) == 0
        if program.stdout:
            program.stdout.close()


def test_status_is_streamed_one_object_a_line_and_tells_a_cut_while_it_lasts(sites: Sites) -> None:
    def states(line: bytes) -> dict[tuple[str, str], Any]:
        return {(link["origin"], link["reader"]): link for link in json.loads(line)["links"]}

    with running(sites, ["status", "--watch", "0.5", "--json"], subprocess.PIPE) as program:
        assert program.stdout
        lines = iter(program.stdout.readline, b"")
        until("all is up", lambda: {link["state"] for link in states(next(lines)).values()} == {"up"}, START_SECONDS)
        sites.stack.wan.cut(Lines(site="us", peer="taipei"))
        until("the cut is told", lambda: states(next(lines))["us", "taipei"]["state"] == "cut")
        at_last = states(next(lines))["us", "taipei"]
        assert (at_last["rate"], at_last["catch_up_seconds"]) == (None, None), "nobody knows during a cut"
        sites.stack.wan.heal()
        until("all is up again", lambda: {link["state"] for link in states(next(lines)).values()} == {"up"})


def test_top_draws_one_screen_with_colours_on_a_terminal(sites: Sites) -> None:
    mine, theirs = pty.openpty()
    os.set_blocking(mine, False)
    seen = b""

    def drawn() -> bool:
        nonlocal seen
        with suppress(BlockingIOError):
            seen += os.read(mine, 65536)
        return seen.count(b"\033[J") > 3 and b"\033[32mup" in seen

    with running(sites, ["top", "--every", "0.5"], theirs):
        os.close(theirs)
        until("three screens are drawn, and a link is up", drawn, START_SECONDS)
    os.close(mine)
    assert b"4 of 4 sites answer" in seen
    assert b"us -> taipei" in seen


def test_apply_samples_how_the_links_did(sites: Sites) -> None:
    until("a sample is taken", lambda: sites.value("taipei", "SELECT count(*) FROM kuroshio.link_sample") >= 12)
    sampled = "SELECT DISTINCT origin || ' ' || reader FROM kuroshio.link_sample"
    assert len(sites.run("taipei", sampled)) == 12
