"""A bad line to the service: connections that are cut in mid-request or in mid-answer, as a seed decides."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_CHUNK_BYTES: Final = 16_384


@dataclass(slots=True)
class LossyLine:
    """A relay on the loopback that cuts so many of a hundred reads; `cuts` counts them. While `perfect`, none."""

    target: str
    dice: random.Random
    cut_percent: int
    perfect: bool = False
    cuts: Counter[str] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def relaying(self) -> AsyncIterator[str]:
        """The address at which the service is found through this line."""
        connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections[task] = writer
            try:
                await self._relay(reader, writer)
            finally:
                del connections[task]
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for writer in connections.values():
                writer.transport.abort()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self.target)
        try:
            to_reader, to_writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            return
        ways = (
            asyncio.create_task(self._pump("request", reader, to_writer)),
            asyncio.create_task(self._pump("answer", to_reader, writer)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_writer.close()

    async def _pump(self, what: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on; now and then only the first part of them, and then the connection ends."""
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK_BYTES):
                if not self.perfect and self.dice.randrange(100) < self.cut_percent:
                    self.cuts[what] += 1
                    writer.write(chunk[: self.dice.randrange(len(chunk))])
                    await writer.drain()
                    return
                writer.write(chunk)
                await writer.drain()
