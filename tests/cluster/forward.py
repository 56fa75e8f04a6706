"""Carry connections from the host into the cluster's network namespace.

A socket belongs to the network namespace it was made in, for life. So the launcher opens the listening
sockets on the host's 127.0.0.1 and hands their descriptors down to the supervisor; what the supervisor
accepts there comes from the host, what it connects to is inside. No second process, no unix socket between,
and the forwarder dies with the cluster because it is part of it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

from tests.cluster.settings import Forward

_CHUNK_BYTES = 1 << 16


def listen() -> socket.socket:
    """A listening socket on a free port of the host, to be inherited."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen(512)
    return sock


async def serve(forwards: Iterable[Forward]) -> list[asyncio.Server]:
    """Start forwarding; the servers run until the loop ends."""
    return [
        await asyncio.start_server(_to(forward.port), sock=socket.socket(fileno=forward.descriptor))
        for forward in forwards
    ]


def _to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            # The component is stopped. A reset is what a client of a dead server would see.
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        finally:
            inner_writer.close()
            writer.close()

    return carry


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender is done, then pass on that it is; the other direction may go on."""
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        # One end broke off: closing the other makes its own pump see the end as well.
        writer.close()
