"""A complete, private configuration of any few sites, for tests and benchmarks.

`write` makes the directory that `load` reads; nothing in it touches the project's own sites. All
ports lie in `base_port + 1` to `base_port + 394`:

| from base_port | what listens there |
|---|---|
| 1 to 9 | the sites' PostgreSQL, by site number |
| 101 to 109, 131 to 139 | the sites' brokers, for themselves and for peers; 121 to 129: distribution ports |
| 212, 213, 221 … | the WAN emulator's doors: client's number, server's number |
| 301 to 309 | the web nodes |
| 311 to 319, 321 to 329 | the metrics of capture, of apply |
| 331, 341, 351, 361, 371 … | where they are watched: those of the site, the web node, PostgreSQL, RabbitMQ, control |
| 390, 391 | epmd, the WAN emulator's control |
| 392 to 394 | where they are watched: Prometheus, Alertmanager, the mailbox |
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from .shapes import LOOPBACK

MOST_SITES = 9


def write(
    directory: Path,
    *,
    sites: Sequence[str],
    base_port: int,
    state: Path | None = None,
    rules: str = "",
    app: bool = False,
    rate: str = "100Mbit",
    database: str = "crm",
    watched: int = 0,
    limits: str = "",
) -> Path:
    """Write a configuration and return its directory.

    The first site is headquarters; numbers follow the order given. `state` is where a local stack
    keeps its files: `directory / "state"` if not given. `rules` is the text of the one rules file,
    `rate` every line's speed, `database` the name of each site's database. `watched`: by Prometheus,
    so many times faster than in earnest. `limits`: the lines of every site's table of that name.
    """
    if not 1 <= len(sites) <= MOST_SITES:
        raise ValueError(f"1 to {MOST_SITES} sites, not {len(sites)}")
    state = (state or directory / "state").resolve()
    layout = _Layout(list(sites), base_port, state, rate, database, watched, limits)
    for part in ("sites", "rules"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    for name in sites:
        _put(directory / "sites" / f"{name}.toml", layout.site(name, app=app))
    _put(directory / "rules" / "rules.toml", [rules])
    _put(directory / "local.toml", layout.local(app=app))
    return directory


class _Layout:
    """Where everything of the example lies."""

    def __init__(
        self, sites: list[str], base_port: int, state: Path, rate: str, database: str, watched: int, limits: str
    ) -> None:
        self.sites, self.base_port, self.state = sites, base_port, state
        self.rate, self.database, self.watched, self.limits = rate, database, watched, limits

    def local(self, *, app: bool) -> Iterator[str]:
        """Yield the lines of `local.toml`."""
        yield _line("state", str(self.state))
        yield f"app = {str(app).lower()}"
        yield _line("epmd_port", self.base_port + 390)
        yield _line("wan_control_port", self.base_port + 391)
        if self.watched:
            yield "[monitoring]"
            yield _line("hurry", self.watched)
            for place, name in enumerate(("prometheus", "alertmanager", "mail"), 392):
                yield _line(f"{name}_port", self.base_port + place)

    def site(self, name: str, *, app: bool) -> Iterator[str]:
        """Yield the lines of a site's file."""
        number = self._number(name)
        yield _line("name", name)
        yield _line("number", number)
        yield _line("role", "headquarters" if number == 1 else "branch")
        yield f"title = {{ en = {json.dumps(name.title())} }}"
        yield 'time_zone = "UTC"\nlanguages = ["en"]\ncurrency = "USD"'
        yield from self._endpoint("database", number, user="postgres", secret=f"{name}.postgres")
        yield _line("name", self.database)
        yield "[database.roles]"
        for role in ("capture", "apply", "control", "ops", "read"):
            yield _line(role, str(self.state / "secrets" / f"{name}.{role}"))
        yield from self._endpoint("broker", 100 + number, user="kuroshio", secret=f"{name}.broker")
        yield _line("tls_port", self.base_port + 130 + number)
        yield from self._endpoint("web", 300 + number)
        yield "[metrics]"
        for place, kind in self._metrics(app=app):
            yield _line(f"{kind}_port", self.base_port + place + number)
        yield "[keys]"
        yield _line("directory", str(self.state / "keys" / name))
        if self.limits:
            yield f"[limits]\n{self.limits}"
        yield from self._peers(name)

    def _metrics(self, *, app: bool) -> Iterator[tuple[int, str]]:
        yield from ((310, "capture"), (320, "apply"))
        if self.watched:
            yield from ((330, "site"), (350, "database"), (360, "broker"), (370, "control"))
        if self.watched and app:
            yield 340, "web"

    def _peers(self, name: str) -> Iterator[str]:
        for peer in self.sites:
            if peer != name:
                door = 200 + 10 * self._number(name) + self._number(peer)
                yield from self._endpoint(f"peers.{peer}", door, user=name, secret=f"{peer}.{name}")
                yield _line("rate", self.rate)

    def _endpoint(self, table: str, port: int, user: str | None = None, secret: str | None = None) -> Iterator[str]:
        yield f"[{table}]"
        yield _line("host", LOOPBACK)
        yield _line("port", self.base_port + port)
        if user and secret:
            yield _line("user", user)
            yield _line("password_file", str(self.state / "secrets" / secret))

    def _number(self, name: str) -> int:
        return self.sites.index(name) + 1


def _line(key: str, value: str | int) -> str:
    """Write a key; JSON's strings are TOML's."""
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _put(path: Path, lines: Iterator[str] | list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
