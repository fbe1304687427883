"""Drives a stock python-socketio client by commands, and reports whatever happens to it.

``python driver.py sync|asyncio``. The commands, the reports and their meaning are those of
``driver.js``; ``extra`` are more arguments of the client's constructor. The client acknowledges a
message by returning from its handler, so ``acked`` is not reported.

The client for threads runs each handler in a thread of its own, in no certain order. So that a test
can see the order of arrival, each Engine.IO message is reported as ``received`` too, with its text:
that much the client tells a logger it is given.
"""

import asyncio
import inspect
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

import socketio

Job = Coroutine[Any, Any, None]
_output = threading.Lock()


def report(connection: int | None, namespace: str | None, event: str, *args: object) -> None:
    """Write one report."""
    content = {"c": connection, "ns": namespace, "event": event, "args": args}
    line = json.dumps({**content, "acked": False, "t": time.time() * 1000})
    with _output:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


async def finished(result: Any) -> None:
    """Wait for ``result`` if it is one of asyncio's: both kinds of client share their code here."""
    if inspect.isawaitable(result):
        await result


class Arrivals(logging.Handler):
    """Reports what python-engineio logs of the messages it receives, in the thread that reads."""

    def __init__(self, connection: int) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Report one log entry if it is about a message."""
        if str(record.msg).startswith("Received packet") and isinstance(record.args, tuple):
            kind, text = record.args[:2]
            if kind == "MESSAGE":
                report(self._connection, None, "received", str(text))


def arrivals_logger(connection: int) -> logging.Logger:
    """A logger for a client of this connection."""
    logger = logging.getLogger(f"connection {connection}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(Arrivals(connection))
    return logger


class Driver:
    """One client at a time.

    Args:
        client_class: ``socketio.Client`` or ``socketio.AsyncClient``.
        start: runs a job beside what is running already.
    """

    def __init__(self, client_class: Any, start: Callable[[Job], None]) -> None:
        self._client_class = client_class
        self._start = start
        self._client: Any = None
        self._connection = 0

    def handle(self, command: dict[str, Any]) -> None:
        """Carry out one command."""
        self._start(getattr(self, f"_do_{command['do']}")(command))

    async def _do_connect(self, command: dict[str, Any]) -> None:
        connection = self._connection = command["c"]
        client = self._client = self._client_class(
            engineio_logger=arrivals_logger(connection),
            reconnection_delay=command["reconnectionDelay"] / 1000,
            reconnection_delay_max=command["reconnectionDelay"] * 5 / 1000,
            randomization_factor=command["reconnectionDelay"] / 2000,
            **command["extra"],
        )
        for namespace in {*command["namespaces"], "/"}:
            for event in ("connect", "disconnect", "connect_error", *command["listen"]):
                client.on(event, self._handler(client, connection, namespace, event), namespace)
        url = command["url"]
        if command["query"]:
            url += "?" + urlencode(command["query"])
        more = {"auth": command["auth"], "wait_timeout": 10} if command["eio"] == 4 else {}
        try:
            await finished(
                client.connect(
                    url,
                    headers=command["headers"],
                    transports=command["transports"],
                    namespaces=command["namespaces"],
                    socketio_path=command["path"].strip("/"),
                    **more,
                )
            )
        except socketio.exceptions.ConnectionError as error:
            report(connection, None, "connect_failed", str(error))

    def _handler(
        self, client: Any, connection: int, namespace: str, event: str
    ) -> Callable[..., None]:
        def handler(*args: object) -> None:
            if connection != self._connection:
                return
            if event == "connect":
                report(connection, None, "transport", client.eio.transport())
            report(connection, namespace, event, *args)

        return handler

    async def _do_emit(self, command: dict[str, Any]) -> None:
        args = tuple(command["args"])
        await finished(self._client.emit(command["event"], args, namespace=command["ns"]))

    async def _do_disconnect(self, command: dict[str, Any]) -> None:
        await finished(self._client.disconnect())

    async def _do_reset(self, command: dict[str, Any]) -> None:
        client, self._client, self._connection = self._client, None, 0
        if client is not None:
            if not client.connected or client.eio.transport() == "polling":
                # Reconnecting cannot be stopped by a call, and leaving a poll lasts until it ends.
                os._exit(0)
            await finished(client.disconnect())
        report(None, None, "closed")


def read_commands(driver: Driver) -> None:
    """Carry out commands until the input ends, then end the process, whatever is still running."""
    for line in sys.stdin:
        driver.handle(json.loads(line))
    os._exit(0)


def drive_sync() -> None:
    """Drive the client for threads: each command in a thread of its own."""

    def start(job: Job) -> None:
        threading.Thread(target=asyncio.run, args=(job,), daemon=True).start()

    read_commands(Driver(socketio.Client, start))


async def drive_asyncio() -> None:
    """Drive the client for asyncio, in the main thread; the input is read in another."""
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()

    async def watched(job: Job) -> None:
        try:
            await job
        except Exception as error:
            failed.set_exception(error)

    def start(job: Job) -> None:
        asyncio.run_coroutine_threadsafe(watched(job), loop)

    driver = Driver(socketio.AsyncClient, start)
    threading.Thread(target=read_commands, args=(driver,), daemon=True).start()
    await failed


if sys.argv[1] == "sync":
    drive_sync()
else:
    asyncio.run(drive_asyncio())
