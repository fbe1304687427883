"""Many plugins in one thread: revision 4 over WebSocket, written by hand because it has to be quick.

Each device joins one namespace, answers pings, acknowledges what its owner says, and comes back when it
lost its connection, as a stock client does. What it hears is told to one function, with the wall clock
at the moment it was read.
"""

import heapq
import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import attrs

PATH = "/websockets/?EIO=4&transport=websocket"
RECONNECT_S = 0.05
"""How long a device waits before it comes back."""
TURN_S = 0.02
"""How late a stop, a drop or a return may be noticed."""
START_TIMEOUT_S = 60.0

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_NO_MASK = bytes(4)
"""Clients have to mask; with this mask nothing changes."""


@attrs.frozen
class Heard:
    """An event that a device got."""

    device: "Device"
    event: str
    argument: Any
    """The event's first argument."""
    at_ns: int
    """The wall clock (epoch) when it was read."""
    wants_ack: bool


Hear = Callable[[Heard], bool]
"""Takes an event, in the swarm's thread; returns whether to acknowledge it."""


class Device:
    """One plugin on one device."""

    def __init__(self, auth: Mapping[str, str], namespace: str = "/dropcodes") -> None:
        """``auth`` is what goes with its CONNECT: the key, the device's name and so on."""
        self.auth = auth
        self.namespace = namespace
        self.joined = False
        self.joins = 0
        """How often it has joined its namespace."""
        self.pings = 0
        """How often it was asked whether it is still there, and said so."""
        self.refused: str | None = None
        """Why it may not join, if so; it does not try again."""

    @property
    def name(self) -> str:
        """What it calls itself."""
        return self.auth["device"]


class _Connection:
    """A device's present connection: bytes in, frames out."""

    def __init__(self, swarm: "Swarm", device: Device) -> None:
        self._swarm = swarm
        self._device = device
        self._received = b""
        self._unsent = b""
        self._upgraded = False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(("127.0.0.1", swarm.port))
        self.wants = selectors.EVENT_WRITE
        self._send(
            f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{swarm.port}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def ready(self, mask: int) -> None:
        """The socket can be read or written. Raises OSError when the connection is over."""
        if mask & selectors.EVENT_WRITE:
            self._flush()
        if mask & selectors.EVENT_READ:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError("closed by the node")
            at_ns = time.time_ns()
            self._received += data
            self._read(at_ns)

    def _send(self, data: bytes) -> None:
        self._unsent += data

    def _flush(self) -> None:
        sent = self.socket.send(self._unsent) if self._unsent else 0
        self._unsent = self._unsent[sent:]

    def flush(self) -> int:
        """Write what is to be written; return what to wait for."""
        if self.wants == selectors.EVENT_READ and self._unsent:
            with suppress(BlockingIOError):
                self._flush()
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)

    def _read(self, at_ns: int) -> None:
        if not self._upgraded:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                raise ConnectionRefusedError(head.split(b"\r\n")[0].decode())
            self._upgraded = True
            self._received = rest
        while (frame := self._take_frame()) is not None:
            opcode, payload = frame
            if opcode == _TEXT:
                self._take_text(payload.decode(), at_ns)
            elif opcode == _PING:
                self._send_frame(_PONG, payload)
            elif opcode == _CLOSE:
                raise ConnectionResetError("closed by the node")

    def _take_frame(self) -> tuple[int, bytes] | None:
        data = self._received
        if len(data) < 2:
            return None
        size, start = data[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        if len(data) < max(start, 2) or len(data) - start < size:
            return None
        self._received = data[start + size :]
        return data[0] & 0x0F, data[start : start + size]

    def _send_frame(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._send(bytes([0x80 | opcode]) + length + _NO_MASK + payload)

    def _say(self, text: str) -> None:
        self._send_frame(_TEXT, text.encode())

    def _take_text(self, text: str, at_ns: int) -> None:
        device = self._device
        here = f"{device.namespace},"
        if text == "2":
            self._say("3")
            device.pings += 1
        elif text.startswith("42" + here):
            ack_id, bracket, rest = text[2 + len(here) :].partition("[")
            event, argument = json.loads(bracket + rest)[:2]
            heard = Heard(device, event, argument, at_ns, bool(ack_id))
            if self._swarm.hear(heard) and ack_id:
                self._say(f"43{here}{ack_id}[]")
        elif text.startswith("0{"):
            self._say(f"40{here}{json.dumps(device.auth)}")
        elif text.startswith("40" + here):
            device.joined = True
            device.joins += 1
        elif text.startswith("44" + here):
            device.refused = text
            raise ConnectionRefusedError(text)
        elif text[:1] == "1":
            raise ConnectionResetError("closed by the node")


class Swarm:
    """Runs devices in a thread of its own, from ``with`` to its end.

    Args:
        port: where the node listens, on 127.0.0.1.
        hear: is told of every event.
    """

    def __init__(self, port: int, hear: Hear) -> None:
        self.port = port
        self.hear = hear
        self.devices: list[Device] = []
        self._selector = selectors.DefaultSelector()
        self._connections: dict[Device, _Connection] = {}
        self._returning: list[tuple[float, int, Device]] = []
        self._count = 0
        self._lock = threading.Lock()
        self._to_drop: list[Device] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swarm", daemon=True)
        self.failure: BaseException | None = None
        """What ended the thread, if it was not the end of ``with``."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for connection in self._connections.values():
            connection.socket.close()
        self._selector.close()
        if error is None and self.failure is not None:
            raise self.failure

    def add(self, device: Device, after_s: float = 0.0) -> Device:
        """Let ``device`` connect, and come back whenever it has lost its connection."""
        with self._lock:
            self.devices.append(device)
            self._call_in(after_s, device)
        return device

    def drop(self, device: Device) -> None:
        """Cut its connection, without a word; it comes back."""
        with self._lock:
            self._to_drop.append(device)

    def wait_joined(self) -> None:
        """Wait until all devices are in their namespaces."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not all(device.joined for device in self.devices):
            refused = [device.refused for device in self.devices if device.refused]
            assert not refused, refused
            assert self.failure is None, self.failure
            missing = sum(not device.joined for device in self.devices)
            assert time.monotonic() < deadline, f"{missing} devices have not joined"
            time.sleep(TURN_S)

    def _call_in(self, delay_s: float, device: Device) -> None:
        self._count += 1
        heapq.heappush(self._returning, (time.monotonic() + delay_s, self._count, device))

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._turn()
        except BaseException as error:
            self.failure = error

    def _turn(self) -> None:
        with self._lock:
            drops, self._to_drop = self._to_drop, []
            now = time.monotonic()
            while self._returning and self._returning[0][0] <= now:
                self._connect(heapq.heappop(self._returning)[2])
            wait_s = min(TURN_S, self._returning[0][0] - now) if self._returning else TURN_S
        for device in drops:
            if device in self._connections:
                self._lost(device)
        for key, mask in self._selector.select(max(wait_s, 0)):
            device = key.data
            connection = self._connections[device]
            try:
                connection.ready(mask)
                wanted = connection.flush()
            except BlockingIOError:
                continue
            except OSError:
                self._lost(device)
                continue
            if wanted != connection.wants:
                connection.wants = wanted
                self._selector.modify(connection.socket, wanted, device)

    def _connect(self, device: Device) -> None:
        connection = self._connections[device] = _Connection(self, device)
        self._selector.register(connection.socket, connection.wants, device)

    def _lost(self, device: Device) -> None:
        connection = self._connections.pop(device)
        self._selector.unregister(connection.socket)
        connection.socket.close()
        device.joined = False
        if device.refused is None:
            with self._lock:
                self._call_in(RECONNECT_S, device)
