"""A mail server for the local sites: takes whatever is delivered to it and keeps each mail as a file."""

import argparse
import asyncio
import signal
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.layout import Layout, local_of
from sitecfg import load
from sitecfg.shapes import LOOPBACK


class Keeper:
    """Writes mails into a folder, numbered in the order of their arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1 + len(list(folder.iterdir())))

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  (its name)
        path = self._folder / f"{next(self._numbers):06}.eml"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(envelope.original_content or b"")
        fresh.replace(path)
        return "250 kept"


async def serve(folder: Path, port: int) -> None:
    """Take mail until the process is ended."""
    keeper, loop, ended = Keeper(folder), asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: SMTP(keeper, loop=loop), LOOPBACK, port)
    async with server:
        await ended.wait()


def main() -> None:
    """Serve the mailbox that the configuration names."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.mailbox", description="Keep mail in a folder.")
    parser.add_argument("--config", type=Path, metavar="DIR")
    local = local_of(load(parser.parse_args().config))
    if local.monitoring is None:
        parser.error("nothing watches these sites, so nobody writes to them")
    asyncio.run(serve(Layout(local.state.resolve()).mail, local.monitoring.mail_port))


if __name__ == "__main__":
    main()
