"""The emulator as a program: for a configuration's sites, or for one port alone.

python -m deploy.local.wan --config DIR
python -m deploy.local.wan --listen 6000 --target 127.0.0.1:5432 --rate 64kbit --delay 200ms
"""

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

from deploy.local.wan import control
from deploy.local.wan.emulator import Emulator, of_config
from deploy.local.wan.relay import Address
from deploy.local.wan.settings import delay_seconds, rate_bytes
from sitecfg import load

CLIENT, SERVER = "client", "server"  # the two sites of a relay that stands alone


def main() -> None:
    """Run until SIGTERM."""
    options = _options()
    emulator, address = _alone(options) if options.listen else _configured(options.config)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run(emulator, address))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.wan", description=__doc__)
    parser.add_argument("--config", type=Path, help="a configuration directory with a local.toml")
    parser.add_argument("--listen", type=int, metavar="PORT", help="relay this port alone")
    parser.add_argument("--target", metavar="HOST:PORT", help="where the port leads")
    parser.add_argument("--rate", type=rate_bytes, help="of both directions, for example 64kbit")
    parser.add_argument("--delay", type=delay_seconds, default=0.0, help="of each direction, for example 200ms")
    parser.add_argument("--control", type=int, metavar="PORT", help="take orders on this loopback port")
    options = parser.parse_args()
    if (options.listen is None) != (options.target is None):
        parser.error("--listen and --target belong together")
    return options


def _configured(directory: Path | None) -> tuple[Emulator, Address]:
    config = load(directory)
    if config.local is None:
        raise SystemExit(f"{config.directory} has no local.toml: its sites are not on this machine")
    keep = config.local.state / "wan" / "links.json"
    keep.parent.mkdir(parents=True, exist_ok=True)
    return of_config(config, keep), config.local.wan_control


def _alone(options: argparse.Namespace) -> tuple[Emulator, Address | None]:
    host, _, port = options.target.rpartition(":")
    emulator = Emulator()
    emulator.add(CLIENT, SERVER, ("127.0.0.1", options.listen), (host, int(port)))
    emulator.shape_all(rate_bytes=options.rate, delay_seconds=options.delay)
    return emulator, ("127.0.0.1", options.control) if options.control else None


async def _run(emulator: Emulator, address: Address | None) -> None:
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None
    loop.add_signal_handler(signal.SIGTERM, this.cancel)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(emulator.run())
        if address:
            tasks.create_task(control.serve(emulator, address))


if __name__ == "__main__":
    main()
