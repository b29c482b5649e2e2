"""People with accounts at a running stack's web nodes."""

import os
import subprocess
import sys

from deploy.local.layout import ROOT
from deploy.local.stack import Stack

PASSWORD = "a long pass phrase"


def manage(stack: Stack, site: str, *arguments: str) -> None:
    """Run a command of the application at a site."""
    environment = {**os.environ, "KUROSHIO_CONFIG": str(stack.config.directory), "KUROSHIO_SITE": site}
    command = [sys.executable, "app/manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120, stdout=subprocess.DEVNULL)


def add_user(stack: Stack, site: str, name: str, display_name: str, role: str = "staff") -> None:
    """Somebody can log in; the row travels from that site."""
    secret = stack.config.directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD + "\n")
    manage(stack, site, "add_user", name, "--name", display_name, "--role", role, "--password-file", str(secret))
