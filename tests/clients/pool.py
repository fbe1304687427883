"""Lends stock clients to tests, and keeps their processes for the next one."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import parts

from .browser import Browser, PageDriver
from .process_driver import ProcessDriver
from .setups import Client, Runtime
from .stock_client import StockClient

HERE = Path(__file__).parent
DRIVERS = HERE / "drivers"


class ClientPool:
    """Clients by kind. A process serves one test at a time; threads may share the pool."""

    def __init__(self) -> None:
        self._idle: defaultdict[Client, list[StockClient]] = defaultdict(list)
        self._browser: Browser | None = None
        self._lock = threading.Lock()
        self.with_cookies = False
        """Whether clients that have to be told keep cookies, as a balancer's stickiness needs."""

    @contextmanager
    def lend(self, kind: Client) -> Iterator[StockClient]:
        """A client with a fresh connection slot; skips or fails the test when a part is missing.

        One that has not ended its connection properly afterwards is not used again.
        """
        with self._lock:
            idle = self._idle[kind]
            client = idle.pop() if idle else None
        if client is None:
            client = self._start(kind)
        client.with_cookies = self.with_cookies
        try:
            yield client
        finally:
            if client.reset():
                with self._lock:
                    idle.append(client)
            else:
                client.close()

    def close(self) -> None:
        """End every process."""
        for clients in self._idle.values():
            for client in clients:
                client.close()
        if self._browser is not None:
            self._browser.close()

    def _start(self, kind: Client) -> StockClient:
        client = StockClient(kind)
        if kind.runtime is Runtime.PAGE:
            with self._lock:
                build = parts.js_packages(HERE) / kind.package / "dist" / "socket.io.js"
                if self._browser is None:
                    self._browser = Browser(parts.chromium())
            PageDriver(self._browser, DRIVERS, build, client)
        else:
            with self._lock:
                command = _command(kind)
            ProcessDriver(command, client)
        return client


def _command(kind: Client) -> list[str]:
    if kind.runtime is Runtime.NODE:
        package = parts.js_packages(HERE) / kind.package
        return [str(parts.node().node), str(DRIVERS / "driver.js"), str(package)]
    interpreter = parts.python_environment(HERE / f"{kind.package}.txt")
    mode = "sync" if kind.runtime is Runtime.PYTHON else "asyncio"
    return [str(interpreter), str(DRIVERS / "driver.py"), mode]
