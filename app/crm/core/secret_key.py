"""The key that signs cookies and form tokens: a file of the site's own, made once."""

import contextlib
import os
import secrets
from pathlib import Path

from sitecfg.secrets import read_secret


def secret_key(path: Path) -> str:
    """Return the file's key; make the file where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_once(path)
    return read_secret(path)


def _make_once(path: Path) -> None:
    """Write a new key beside the path and link it there: another process may be doing the same."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
