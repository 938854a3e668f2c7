"""A server whose connections can end in the middle of a request, as real ones do."""

from __future__ import annotations

import asyncio
import socket
import struct

import uvicorn


class LoopbackServer(uvicorn.Server):
    """Ends at once, instead of at the next tenth of a second; can end a connection as well."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for the end."""
        await self.ending.wait()

    def cut_off(self, client: tuple[str, int], *, reset: bool) -> None:
        """End a connection in the middle of a request, as a network does it."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) != client:
                continue
            if reset:  # what lingers for no time is reset
                held = connection.transport.get_extra_info("socket")
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.transport.abort()
