"""Passwords and keys, each in a file of its own that only its owner may read.

A file is opened when its password is used and at no other time, so that a configuration can be
checked where no secret is.
"""

import os
import stat
from pathlib import Path

from .errors import ConfigError, Fault

HIDDEN = "********"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_secret(path: Path) -> str:
    """Return the only line of `path`; refuse one that group or others may open."""
    try:
        with path.open(encoding="utf-8") as file:
            _refuse_open_mode(path, stat.S_IMODE(os.fstat(file.fileno()).st_mode))
            secret = file.read().rstrip("\r\n")
    except OSError as error:
        raise _fault(path, error.strerror or str(error), f"make {path} with mode 0600") from error
    except UnicodeDecodeError as error:
        raise _fault(path, "not UTF-8", "write the password as one line of text") from error
    if not secret or "\n" in secret or "\0" in secret:
        raise _fault(path, "not exactly one line", "write the password as one line of text")
    return secret


def require_private(path: Path, hint: str) -> None:
    """Refuse a file of keys that is not there, or that group or others may open."""
    try:
        _refuse_open_mode(path, stat.S_IMODE(path.stat().st_mode))
    except OSError as error:
        raise _fault(path, error.strerror or str(error), hint) from error


def _refuse_open_mode(path: Path, mode: int) -> None:
    if mode & OTHERS:
        raise _fault(path, f"group or others have access (mode {mode:04o})", f"chmod 600 {path}")


def _fault(path: Path, message: str, hint: str) -> ConfigError:
    return ConfigError([Fault(str(path), "", message, hint)])
