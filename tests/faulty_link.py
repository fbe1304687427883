"""A TCP connection that fails on demand: a port that forwards to another, and can be cut, stalled or slowed."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from .free_port import free_port

CALL_TIMEOUT_S = 60.0
_CHUNK = 65_536


class FaultyLink:
    """Forwards connections from ``port`` to another port of loopback, both ways, in a thread of its own.

    Args:
        target_port: where it forwards to. Nobody needs to listen there yet.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._loop: asyncio.AbstractEventLoop
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay_s = 0.0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._forwarding: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()
        try:
            self._call(self._listen())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def cut(self) -> None:
        """Break what there is, without a word, and refuse new connections."""
        self._call(self._cut())

    def stall(self) -> None:
        """Keep back all bytes, both ways, of connections old and new: each end thinks that the other is there."""
        self._call(self._set(self._flows.clear))

    def freeze(self) -> None:
        """Stall the connections there are, for good; new ones work. Nobody is told: they are half-open."""
        self._call(self._set(self._freeze))

    def slow(self, delay_s: float) -> None:
        """Keep back what comes for ``delay_s`` seconds."""
        self._delay_s = delay_s

    def restore(self) -> None:
        """Forward as at first; what was kept back goes on its way."""
        self._delay_s = 0.0
        self._call(self._set(self._flows.set))
        self._call(self._listen())

    def _stop(self) -> None:
        try:
            self._call(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _set(self, change: Callable[[], None]) -> None:
        change()

    def _freeze(self) -> None:
        self._flows, frozen = asyncio.Event(), self._flows
        frozen.clear()
        self._flows.set()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _end(self) -> None:
        await self._cut()
        await self._drop()
        # Connections that are just being taken: there was nobody yet to close them.
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        await self._drop()

    async def _drop(self) -> None:
        dropped = list(self._forwarding)
        for each in dropped:
            each.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        forwarding = asyncio.create_task(self._join(reader, writer))
        self._forwarding.add(forwarding)
        forwarding.add_done_callback(self._forwarding.discard)
        # A task that is cancelled before its first step does nothing at all.
        forwarding.add_done_callback(lambda _: self._abort(writer))

    def _abort(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flows = self._flows
        try:
            await flows.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            return
        self._writers.add(back)
        try:
            # What one direction waits for may never come once the other is broken: they end together.
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(reader, back, flows))
                both.create_task(self._forward(there, writer, flows))
        except* OSError:
            pass
        finally:
            self._abort(back)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event
    ) -> None:
        """Pass on what comes, until an end is gone; raises OSError when it broke."""
        while data := await reader.read(_CHUNK):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await flows.wait()
            writer.write(data)
            await writer.drain()
        await flows.wait()
        with suppress(OSError):
            writer.write_eof()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)
