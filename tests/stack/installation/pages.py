"""The commands of a page, as who reads it would type them: each `sh` block says in its first line where it belongs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.local.layout import ROOT

Where = Literal["here", "at a host"]


@dataclass(frozen=True)
class Block:
    """One block of commands."""

    where: Where
    commands: str


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page of `deploy/` in their order; one that does not say where it belongs is the page's fault."""
    text = Path(ROOT / "deploy" / page).read_text()
    for found in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        first, _, commands = found.partition("\n")
        where = first.removeprefix("# ")
        if where not in ("here", "at a host"):
            raise AssertionError(f"{page}: a block does not say where it is to be run: {first}")
        yield Block(where, commands)
