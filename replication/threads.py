"""Threads of one process live and die together."""

import os
import threading


def die_together() -> None:
    """A thread that dies of what nobody expected ends the process: the supervisor starts all of it again."""
    threading.excepthook = _end


def _end(death: threading.ExceptHookArgs) -> None:
    threading.__excepthook__(death)
    os._exit(1)
