"""As whom a program runs: PostgreSQL refuses root, and its own user may not enter a 0700 folder."""

import os
import pwd
import re
import shutil
from functools import cache
from pathlib import Path

from deploy.local.say import StackError

SERVER_USER = "postgres"  # Debian's package makes it
# https://man7.org/linux/man-pages/man7/capabilities.7.html
CAPABILITIES = {"dac_read_search": 1 << 2, "dac_override": 1 << 1}


def is_root() -> bool:
    """Whether PostgreSQL needs another user than this one."""
    return os.getuid() == 0


@cache
def unprivileged() -> list[str]:
    """What to put before a PostgreSQL command: nothing, or for root a change to PostgreSQL's user.

    That user keeps one capability: to pass through the folders above the state folder, which may be
    closed to it. Inside, it owns its cluster and can write nothing else.
    """
    if not is_root():
        return []
    keep = _capability()
    program = shutil.which("setpriv") or "setpriv"
    change = [program, f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups"]
    return [*change, f"--inh-caps=+{keep}", f"--ambient-caps=+{keep}"] if keep else change


def _capability() -> str | None:
    """The weakest that lets pass and that root has here: some containers keep the first from it."""
    status = Path("/proc/self/status").read_text()
    held = re.search(r"^CapPrm:\s*([0-9a-f]+)$", status, re.MULTILINE)
    permitted = int(held[1], 16) if held else 0
    return next((name for name, bit in CAPABILITIES.items() if permitted & bit), None)


def hand_over(folder: Path) -> None:
    """Give PostgreSQL's user a folder of its own."""
    if is_root():
        try:
            user = pwd.getpwnam(SERVER_USER)
        except KeyError:
            raise StackError(f"no user {SERVER_USER}: run deploy/packages.sh") from None
        os.chown(folder, user.pw_uid, user.pw_gid)
