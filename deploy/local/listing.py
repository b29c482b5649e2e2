"""What the command line prints: addresses, lines, processes with their memory and their use of a core."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.local.layout import Layout, local_of
from deploy.local.processes import ours
from sitecfg import Config
from sitecfg.shapes import LOOPBACK

MEGABYTE = 2**20


@dataclass(frozen=True)
class Usage:
    """One process: its share of memory, and of one core while it was watched."""

    pid: int
    program: str
    pss_mb: float
    cpu_percent: float
    command: str


def usage(state: Path, seconds: float) -> list[Usage]:
    """Watch the stack's processes; those that end or begin meanwhile are left out."""
    before = {process: process.cpu_seconds() for process in ours(state)}
    time.sleep(seconds)
    return [
        Usage(
            process.pid,
            process.program,
            round(process.pss_bytes() / MEGABYTE, 1),
            round(100 * (process.cpu_seconds() - before[process]) / seconds, 1),
            process.command,
        )
        for process in sorted(ours(state), key=lambda process: (process.program, process.pid))
        if process in before
    ]


def as_json(usage: list[Usage]) -> str:
    """The list, for programs."""
    return json.dumps([asdict(one) for one in usage], indent=1) + "\n"


def as_table(usage: list[Usage]) -> str:
    """The list with its sums, for people."""
    lines = [f"{'pid':>7}  {'MB':>6}  {'% core':>6}  program"]
    lines += [f"{one.pid:7}  {one.pss_mb:6.1f}  {one.cpu_percent:6.1f}  {_what(one)}" for one in usage]
    memory, core = sum(one.pss_mb for one in usage), sum(one.cpu_percent for one in usage)
    return "\n".join([*lines, f"{len(usage):7}  {memory:6.1f}  {core:6.1f}  in all"]) + "\n"


def _what(one: Usage) -> str:
    title = one.command.removeprefix("postgres: ")[:40] if one.command.startswith("postgres: ") else ""
    return f"{one.program} {title}".rstrip()


def addresses(config: Config) -> str:
    """Where the sites are to be found; of sites without web nodes, their databases and brokers."""
    if local_of(config).app:
        rows = [(site.name, site.web_url) for site in config.sites.values()]
    else:
        rows = [
            (site.name, f"PostgreSQL {site.database.port}, RabbitMQ {site.broker.port}")
            for site in config.sites.values()
        ]
    rows += _watching(config)
    width = max(len(name) for name, _ in rows)
    return "\n" + "".join(f"  {name:{width}}  {where}\n" for name, where in rows)


def _watching(config: Config) -> Iterator[tuple[str, str]]:
    local = local_of(config)
    if local.monitoring:
        yield "prometheus", f"http://{LOOPBACK}:{local.monitoring.prometheus_port}"
        yield "alertmanager", f"http://{LOOPBACK}:{local.monitoring.alertmanager_port}"
        yield "mail", str(Layout(local.state).mail)


def lines(links: Mapping[str, Mapping[str, Any]]) -> str:
    """The links that are not as fast and as near as the machine lets them be."""
    shaped = [(name, text) for name, shape in links.items() if (text := _shape(shape))]
    if not shaped:
        return "all lines are up, as fast as this machine\n"
    return "".join(f"{name.replace('>', ' > '):24} {text}\n" for name, text in shaped)


def _shape(shape: Mapping[str, Any]) -> str:
    parts = [f"cut ({shape['cut']})"] if shape["cut"] else []
    if shape["rate_bytes"] is not None:
        parts.append(f"{shape['rate_bytes'] * 8 / 1000:g} kbit/s")
    if shape["delay_seconds"]:
        parts.append(f"{shape['delay_seconds'] * 1000:g} ms")
    return ", ".join(parts)
