"""The WebSocket's bytes: however they are cut, the same comes of them, and nothing is kept beyond the limits."""

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.packet import Packet
from reward_push.engineio.revision import V4
from reward_push.transports.reception import limits_for
from reward_push.transports.websocket import WebSocketTransport

from .mutation import mutated, pieces

EXAMPLES = int(os.environ.get("REWARD_PUSH_FUZZ_EXAMPLES", "500"))
LIMIT = 300
KEY = b"\x01\x02\x03\x04"

fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def masked(opcode: int, payload: bytes, *, fin: bool = True, reserved: int = 0) -> bytes:
    """A client's frame."""
    head = bytes([fin << 7 | reserved << 4 | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    else:
        head += b"\xfe" + len(payload).to_bytes(2, "big")
    return head + KEY + bytes(each ^ KEY[i % 4] for i, each in enumerate(payload))


STREAMS = [
    masked(1, b"40/dropcodes,") + masked(1, b"3"),
    masked(1, b'42["a"', fin=False) + masked(9, b"p") + masked(0, b"]"),
    masked(2, b"\x04bytes") + masked(10, b"proof") + masked(8, b"\x03\xe8bye"),
    masked(1, "4€".encode()) + masked(1, b"4\xff"),
    masked(1, b"4" + b"x" * LIMIT) + masked(1, b"4" + b"x" * (LIMIT + 1)),
    masked(0, b"alone") + masked(3, b"reserved") + masked(1, b"4", reserved=4),
    masked(1, b"bAAAA") + masked(2, b""),
    b"\x81\xff" + (1 << 62).to_bytes(8, "big") + KEY,
]


class Told:
    """Notes what a session would be told."""

    revision = V4
    base64 = False

    def __init__(self) -> None:
        self.log: list[Any] = []

    def transport_opened(self, transport: Any) -> None:
        self.log.append("opened")

    def received(self, transport: Any, packet: Packet) -> float:
        assert len(packet.data) <= LIMIT
        self.log.append((packet.type, packet.data))
        return 0.0

    def strained(self, transport: Any) -> float:
        self.log.append("strained")
        return 0.0

    def transport_drained(self, transport: Any) -> None:
        self.log.append("drained")

    def transport_proved(self, transport: Any) -> None:
        self.log.append("proved")

    def transport_lost(self, transport: Any) -> None:
        self.log.append("lost")

    def transport_broken(self, transport: Any, reason: CloseReason) -> None:
        self.log.append(reason)


def fed(stream: list[bytes]) -> tuple[list[Any], bytes]:
    """What the session is told, and what the client gets."""
    told: Any = Told()
    wire = StringTransport()
    protocol = WebSocketTransport(told, limits_for(LIMIT), Clock())
    protocol.open(wire, b"")
    for piece in stream:
        protocol.dataReceived(piece)
        # A frame's head and what the limits allow, no more.
        assert len(protocol.data) <= 4096 + 14
        assert len(protocol._message) <= 4 * LIMIT
    return told.log, wire.value()


@st.composite
def cut(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream of frames, as a whole and as it may come."""
    data = draw(mutated(STREAMS))
    return data, draw(pieces(data))


@fuzz
@given(cut())
def test_frames_mean_the_same_however_they_come(stream: tuple[bytes, list[bytes]]) -> None:
    whole, parts = stream
    assert fed([whole]) == fed(parts)
