"""Where things lie in the state folder, and how they come to lie there.

Each site has `<site>/pg`, `<site>/rabbitmq`, `<site>/log`; beside them `secrets/`, `keys/`, `authority/`,
`supervisor/`, `wan/`, `monitoring/` and `rabbitmq/`, the brokers' program. Nothing outside is written, but the
socket of a supervisor whose own folder has too long a name for one.
"""

import hashlib
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.say import StackError
from sitecfg import Config
from sitecfg.local import Local

ROOT = Path(__file__).resolve().parents[2]
RESERVED = {"authority", "keys", "monitoring", "rabbitmq", "secrets", "supervisor", "wan"}  # folders beside the sites'
SOCKET_PATH_BYTES = 100  # sockaddr_un holds 107; supervisor appends its pid while it makes one


@dataclass(frozen=True)
class Layout:
    """Names of files in one state folder."""

    state: Path

    def site(self, name: str) -> Path:
        return self.state / name

    def cluster(self, name: str) -> Path:
        return self.site(name) / "pg"

    def broker(self, name: str) -> Path:
        return self.site(name) / "rabbitmq"

    def log(self, name: str) -> Path:
        return self.site(name) / "log"

    def clock(self, name: str) -> Path:
        """The file by which libfaketime skews a site's clock while it runs."""
        return self.site(name) / "clock"

    def secret(self, name: str) -> Path:
        return self.state / "secrets" / name

    @property
    def authority(self) -> Path:
        """Of the certificate authority: on this machine alone it lies beside the sites."""
        return self.state / "authority"

    @property
    def demo_shown(self) -> Path:
        """Is there once sample data has been replayed."""
        return self.supervisor / "demo-shown"

    @property
    def prepared(self) -> Path:
        """Remembers for what the databases were prepared."""
        return self.supervisor / "prepared"

    @property
    def broker_home(self) -> Path:
        return self.state / "rabbitmq"

    @property
    def monitoring(self) -> Path:
        return self.state / "monitoring"

    @property
    def mail(self) -> Path:
        """Where the mail arrives that alarms are told by."""
        return self.monitoring / "mail"

    @property
    def supervisor(self) -> Path:
        return self.state / "supervisor"

    @property
    def socket(self) -> Path:
        """The supervisor's socket; a short private folder's, where the state folder's name is long."""
        path = self.supervisor / "socket"
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
            return path
        digest = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"kuroshio-{os.getuid()}-{digest}" / "socket"

    def make(self, sites: list[str]) -> None:
        """Make the folders; raises StackError where that is not ours to do."""
        if RESERVED & set(sites):
            raise StackError(f"a local site cannot be called {', '.join(sorted(RESERVED & set(sites)))}")
        try:
            for folder in self._folders(sites):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.socket.parent.mkdir(mode=0o700, exist_ok=True)
            self._check_socket_folder()
        except PermissionError as error:
            raise StackError(f"{error.filename} belongs to somebody else: stop the sites as that user") from error

    def _folders(self, sites: list[str]) -> list[Path]:
        shared = [self.state, self.supervisor, self.state / "wan", self.state / "secrets"]
        return [*shared, *(part for name in sites for part in (self.site(name), self.broker(name), self.log(name)))]

    def _check_socket_folder(self) -> None:
        """Somebody else may have made the folder in a place that all can write to."""
        found = self.socket.parent.lstat()
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise StackError(f"{self.socket.parent} is not private to this user: remove it")


def local_of(config: Config) -> Local:
    """The configuration's local part; raises StackError if it has none."""
    if config.local is None:
        raise StackError(f"{config.directory} has no local.toml: its sites are not on this machine")
    return config.local


def is_taken(port: int) -> bool:
    """Whether somebody listens on this port of the machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def put(path: Path, text: str, *, mode: int = 0o600) -> bool:
    """Write a file unless it says so already, at once; returns whether it changed."""
    if path.exists() and path.read_text() == text:
        return False
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=mode)
    fresh.write_text(text)
    fresh.replace(path)
    return True
