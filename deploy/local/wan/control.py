"""Orders to the emulator over a loopback socket: one JSON object a line, one answer a line."""

import asyncio
import json
from typing import Any

from deploy.local.wan.emulator import Emulator
from deploy.local.wan.relay import Address


async def serve(emulator: Emulator, address: Address) -> None:
    """Answer orders until cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(_answer(emulator, line)).encode() + b"\n")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, *address) as server:
        await server.serve_forever()


def _answer(emulator: Emulator, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise ValueError("an order is a JSON object")
        return emulator.order(request)
    except (ValueError, TypeError) as error:
        return {"error": str(error)}
