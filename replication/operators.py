"""Who works at this machine, as far as it knows: what is kept beside what they had done."""

import getpass
import socket


def who() -> str:
    """``user@host``."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
