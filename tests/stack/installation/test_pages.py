"""What INSTALL.md tells to type, typed."""

from tests.stack.installation.conftest import SITES
from tests.stack.installation.machine import Machine
from tests.stack.installation.pages import blocks
from tests.stack.installation.sites import Playbook


def test_the_commands_of_the_page_on_installing_do_what_they_are_for(
    hosts: dict[str, Machine], playbook: Playbook
) -> None:
    ran = 0
    for block in blocks("INSTALL.md"):
        if block.where == "here":
            playbook.here(block.commands)
        else:
            for name in SITES:
                hosts[name].run(block.commands)
        ran += 1
    assert ran > 3
