"""The servers under test: nodes, and the echo application, as processes of their own."""

import socket
import sys
from pathlib import Path
from typing import Any

from ..free_port import free_port
from ..running_node import RunningNode
from ..running_process import RunningProcess
from . import wire
from .wire import Client, Headers, WebSocket, open_websocket

PING_S, PONG_S, JOIN_S = 1.5, 1.2, 2.5
"""Of a hasty node: between pings, for the answer, and until a client has joined something."""
HASTE = (
    *(f"--ping-interval={PING_S}", f"--ping-timeout={PONG_S}", f"--connect-timeout={JOIN_S}"),
    "--upgrade-timeout=1",
)
"""Short timers, and yet longer than a busy machine lets a client wait for its turn."""
ECHO = Path(__file__).parents[2] / "examples" / "echo.py"


class Node(RunningNode):
    """A node whose memory and log are looked at, and with an honest client."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, *options)
        self.keys = [self.backend_key]
        """Every key ever used with it: none may be seen again."""

    def plugin_key(self, **fields: object) -> Any:
        made = super().plugin_key(**fields)
        self.keys.append(made.key)
        return made

    def authorization(self, **fields: object) -> Headers:
        """Return the header of a new key."""
        return [("Authorization", f"ApiKey {self.plugin_key(**fields).key}")]

    def rss_mib(self) -> float:
        """Return the memory it takes."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def check_secrets(self) -> None:
        """Fail if it ever logged or sent a key, or logged a sid.

        The API's answers with new keys are not looked at.
        """
        log, sent = self.log(), b"".join(wire.RECEIVED)
        for key in self.keys:
            assert key not in log, "a key is in the log"
            assert key.encode() not in sent, "a key is in an answer"
        for sid in wire.SIDS:
            assert sid not in log, "a sid is in the log"


class Honest:
    """A connected client that wants to be served, whatever others do."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._key = node.plugin_key()
        headers = [("Authorization", f"ApiKey {self._key.key}")]
        self._websocket = open_websocket(node.port, headers=headers)
        self._websocket.say("40/dropcodes,")
        self._expect(self._websocket, "40/dropcodes,")
        self._polling = Client(node.port, headers=headers)
        self._polling.say("40/dropcodes,")
        assert self._polling.poll().startswith("40/dropcodes,")
        self._count = 0

    def close(self) -> None:
        self._websocket.close()

    def check(self) -> None:
        """Publish a message: both sessions must get it."""
        self._count += 1
        held = self._polling.hold()
        self._node.publish(self._key.streamer, {"code": f"honest-{self._count}"})
        marker = f'"honest-{self._count}"'
        assert marker in self._expect(self._websocket, "42/dropcodes,")
        while marker.encode() not in (answer := held.answer()).body:
            assert answer.brief == (200, b"2"), answer
            self._polling.say("3")
            held = self._polling.hold()

    @staticmethod
    def _expect(websocket: WebSocket, start: str) -> str:
        while (text := websocket.text()) == "2":
            websocket.say("3")
        assert text.startswith(start), text
        return text


class Echo(RunningProcess):
    """``examples/echo.py``: what the layers do with events that a node neither takes nor sends.

    Args:
        folder: of its log.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, str(ECHO), str(self.port)]
        super().__init__("the echo server", command, folder / "echo.log")

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True
