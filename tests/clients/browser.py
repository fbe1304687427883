"""Stock clients in a real browser: headless Chromium, and for each client a page of its own origin."""

import http.client
import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from .stock_client import StockClient

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # Pages beside the one in front must not have their timers slowed down.
    *("--disable-background-timer-throttling", "--disable-renderer-backgrounding"),
    "--disable-backgrounding-occluded-windows",
)
START_TIMEOUT_S = 60.0
COMMAND_WAIT_S = 20.0
_DEVTOOLS = re.compile(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/")


class Browser:
    """A running Chromium; :meth:`open` and :meth:`close_page` need no more than its HTTP end."""

    def __init__(self, executable: Path) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [
                str(executable),
                *FLAGS,
                "--remote-debugging-port=0",
                f"--user-data-dir={self._profile.name}",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._ports: queue.Queue[int | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        port = self._ports.get(timeout=START_TIMEOUT_S)
        assert port is not None, "Chromium ended at its start"
        self._port = port

    def open(self, url: str) -> str:
        """Open a page in a new tab; return the tab's id."""
        return str(json.loads(self._ask("PUT", f"/json/new?{quote(url)}"))["id"])

    def close_page(self, tab: str) -> None:
        """Close a tab."""
        self._ask("GET", f"/json/close/{tab}")

    def close(self) -> None:
        """End Chromium with all its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._profile.cleanup()

    def _ask(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=START_TIMEOUT_S)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (method, path, response.status, body)
            return body
        finally:
            connection.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                if found := _DEVTOOLS.search(line):
                    self._ports.put(int(found[1]))
        self._ports.put(None)


class PageDriver:
    """A page that runs ``driver.js`` with a client's browser build, and joins it to ``client``.

    The page's own server hands it the commands and takes its reports. It has a port, and so an
    origin, of its own: every request to a node crosses origins.
    """

    def __init__(self, browser: Browser, drivers: Path, build: Path, client: StockClient) -> None:
        self._commands: queue.Queue[object] = queue.Queue()
        self._files = {
            "/": ("text/html", drivers / "page.html"),
            "/driver.js": ("text/javascript", drivers / "driver.js"),
            "/client.js": ("text/javascript", build),
        }
        self._browser = browser
        self._server = _PageServer(self._commands, self._files, client)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        client.attach(self)
        self._thread.start()
        self._tab = browser.open(f"http://127.0.0.1:{self._server.server_port}/")

    def send(self, command: Mapping[str, object]) -> None:
        """Have the page's next or waiting request answered with the command."""
        self._commands.put(command)

    def close(self) -> None:
        """Close the tab and its server."""
        self._browser.close_page(self._tab)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def last_words(self) -> str:
        """Nothing: a page reports its uncaught errors as events."""
        return ""


class _PageServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        commands: queue.Queue[object],
        files: Mapping[str, tuple[str, Path]],
        client: StockClient,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _PageRequest)
        self.commands = commands
        self.files = files
        self.client = client


class _PageRequest(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _PageServer

    def do_GET(self) -> None:
        if self.path == "/commands":
            commands = []
            with suppress(queue.Empty):
                commands.append(self.server.commands.get(timeout=COMMAND_WAIT_S))
            self._answer("application/json", json.dumps(commands).encode())
        elif self.path in self.server.files:
            kind, file = self.server.files[self.path]
            self._answer(kind, file.read_bytes())
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for report in json.loads(body):
            self.server.client.reported(json.dumps(report))
        self._answer("text/plain", b"")

    def log_message(self, *args: object) -> None:
        """Write no access log."""

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
