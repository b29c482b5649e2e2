"""Every command of ours that the runbook names is one that there is, with these options."""

import re
import shlex

import pytest

from deploy.local.layout import ROOT
from replication.cli import parser

RUNBOOK = (ROOT / "deploy" / "RUNBOOK.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", RUNBOOK, re.DOTALL)
OURS = ".venv/bin/python -m replication "
COMMANDS = sorted({line for block in BLOCKS for line in block.splitlines() if line.startswith(OURS)})


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_is_understood(command: str) -> None:
    assert parser().parse_args(shlex.split(command.removeprefix(OURS))).module
