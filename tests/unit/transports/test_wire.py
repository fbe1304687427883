"""Frames as bytes, and the fast write."""

import errno
import socket
import struct
from typing import Any

import pytest
import pytest_twisted
from autobahn.websocket.protocol import WebSocketProtocol
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import WrappingFactory

from reward_push.engineio.outgoing import Outgoing, message
from reward_push.engineio.packet import Packet, PacketType
from reward_push.transports.proxied import ProxiedFactory
from reward_push.transports.sockets import descriptor_under, plain_tcp, set_protocol
from reward_push.transports.wire import (
    BINARY,
    SMALL,
    TEXT,
    SmallFrame,
    close_frame,
    frame,
    frames_encoder,
    message_frame,
    parse_small,
    write,
)

from .fakes import REVISION, FakeRevision
from .peers import Accepting, Peer, connect, reactor

# Frames


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "8100"),
        (125, "817d"),
        (126, "817e007e"),
        (65535, "817effff"),
        (65536, "817f0000000000010000"),
    ],
)
def test_length_takes_the_shortest_of_three_forms(size, head):
    assert frame(TEXT, b"x" * size) == bytes.fromhex(head) + b"x" * size


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("4hello", b"\x81\x064hello"),
        ("4€", b"\x81\x044\xe2\x82\xac"),
        (b"\x04\x01", b"\x82\x02\x04\x01"),
        ("", b"\x81\x00"),
    ],
)
def test_text_and_binary(payload, expected):
    assert message_frame(payload) == expected


def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_joined():
    assert message_frame("4\ud83d") == b"\x81\x044\xef\xbf\xbd"
    assert message_frame("4\ud83d\ude00") == b"\x81\x054\xf0\x9f\x98\x80"


def test_close_frames():
    assert close_frame(1001) == b"\x88\x02\x03\xe9"
    assert close_frame(1000, b"bye") == b"\x88\x05\x03\xe8bye"


def test_encoder_joins_the_frames_of_a_unit():
    unit = Outgoing(
        Packet(PacketType.MESSAGE, '51-["a",{"_placeholder":true,"num":0}]'),
        Packet(PacketType.MESSAGE, b"\x01\x02"),
    )
    expected = b'\x81\x27451-["a",{"_placeholder":true,"num":0}]\x82\x02\x01\x02'
    assert unit.encoded(frames_encoder(REVISION, False)) == expected
    assert unit.encoded(frames_encoder(REVISION, True)).endswith(b"\x81\x05b0102")


def test_encoder_is_one_object_for_each_revision_and_base64():
    assert frames_encoder(REVISION, False) is frames_encoder(REVISION, False)
    other = FakeRevision()
    assert (
        len({frames_encoder(revision, b64) for revision in (REVISION, other) for b64 in (0, 1)})
        == 4
    )


def test_a_unit_is_encoded_once_for_all_its_receivers():
    unit = message("hello")
    encoder = frames_encoder(REVISION, False)
    assert unit.encoded(encoder) is unit.encoded(encoder)


# The short way in


def masked(first: int, payload: bytes, mask: bytes = b"\x37\xfa\x21\x3d") -> bytes:
    hidden = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes([first, 0x80 | len(payload)]) + mask + hidden


@given(st.binary(max_size=SMALL), st.booleans(), st.binary(min_size=4, max_size=4), st.binary())
def test_small_frames_come_out_as_they_went_in(payload, is_binary, mask, rest):
    data = masked(0x80 | (BINARY if is_binary else TEXT), payload, mask)
    assert parse_small(data + rest, SMALL) == SmallFrame(payload, is_binary, len(data))
    assert all(parse_small(data[:end], SMALL) is None for end in range(len(data)))


def test_example_of_the_rfc():
    data = bytes.fromhex("818537fa213d7f9f4d5158")
    assert parse_small(data, SMALL) == SmallFrame(b"Hello", False, 11)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(masked(0x01, b"4hi"), id="first fragment"),
        pytest.param(masked(0x80, b"4hi"), id="continuation"),
        pytest.param(masked(0x88, b"\x03\xe8"), id="close"),
        pytest.param(masked(0x89, b"ping"), id="ping"),
        pytest.param(masked(0xC1, b"4hi"), id="reserved bit"),
        pytest.param(masked(0x83, b"4hi"), id="reserved opcode"),
        pytest.param(b"\x81\x034hi" + b"x" * 9, id="unmasked"),
        pytest.param(b"\x81\xfe\x00\x7eaaaa" + b"x" * 126, id="two length bytes"),
        pytest.param(b"\x81\xff" + b"\x00" * 90, id="eight length bytes"),
        pytest.param(masked(0x81, b"4" * 11), id="over the limit"),
    ],
)
def test_everything_else_is_left_to_the_long_way(data):
    assert parse_small(data, 10) is None


def test_constants_are_autobahns():
    assert WebSocketProtocol.MESSAGE_TYPE_TEXT == TEXT
    assert WebSocketProtocol.MESSAGE_TYPE_BINARY == BINARY


# The fast write, over real connections


class Pair:
    """A client and the server's transport to it."""

    def __init__(self, peer: Peer, end: Peer, port: Any) -> None:
        self.peer = peer
        self.end = end
        self.transport: Any = end.transport
        self.port = port

    async def close(self) -> None:
        for protocol in (self.peer, self.end):
            if protocol.ended is None:
                protocol.transport.abortConnection()
        await self.peer.until(lambda: self.peer.ended)
        await self.end.until(lambda: self.end.ended)
        await self.port.stopListening()


async def pair(wrap: Any = lambda factory: factory, first: bytes = b"") -> Pair:
    accepting = Accepting()
    port = reactor().listenTCP(0, wrap(accepting), interface="127.0.0.1")
    endpoint = TCP4ClientEndpoint(reactor(), "127.0.0.1", port.getHost().port)
    peer = await connect(endpoint, first)
    await accepting.until(lambda: accepting.made)
    return Pair(peer, accepting.made[0], port)


def buffered(transport: Any) -> int:
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


@pytest_twisted.ensureDeferred
async def test_small_data_leaves_at_once():
    each = await pair()
    assert write(each.transport, b"hello") is True
    assert buffered(each.transport) == 0
    assert each.transport not in reactor()._writes
    await each.peer.until(lambda: each.peer.received == b"hello")
    await each.close()


@pytest_twisted.ensureDeferred
async def test_a_partial_write_is_completed_in_order():
    """More than the kernel takes: the rest, and what is written after it, follows."""
    each = await pair()
    each.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    large = bytes(range(256)) * 2_000
    assert write(each.transport, large) is False
    left = buffered(each.transport)
    assert 0 < left < len(large)
    assert write(each.transport, b"after") is False
    assert buffered(each.transport) == left + len(b"after")
    await each.peer.until(lambda: len(each.peer.received) >= len(large) + 5)
    assert each.peer.received == large + b"after"
    await each.close()


@pytest_twisted.ensureDeferred
async def test_a_full_socket_takes_nothing_and_order_holds():
    """EAGAIN: everything goes to the buffer, nothing overtakes."""
    each = await pair()
    each.peer.transport.pauseProducing()
    sent = 0
    while write(each.transport, b"%08d" % sent * 1000):
        sent += 1
    for number in range(sent + 1, sent + 20):
        assert write(each.transport, b"%08d" % number * 1000) is False
    each.peer.transport.resumeProducing()
    expected = b"".join(b"%08d" % number * 1000 for number in range(sent + 20))
    await each.peer.until(lambda: len(each.peer.received) >= len(expected))
    assert each.peer.received == expected
    await each.close()


class RefusingSocket:
    """A socket whose ``send`` fails, or takes only so many bytes."""

    def __init__(self, real: Any, outcome: Any) -> None:
        self._real = real
        self._outcome = outcome
        self.calls = 0

    def send(self, data: bytes) -> int:
        self.calls += 1
        if self.calls > 1:
            return self._real.send(data)
        if isinstance(self._outcome, int):
            return self._real.send(data[: self._outcome])
        raise self._outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(
    "outcome",
    [
        BlockingIOError(errno.EAGAIN, "again"),
        InterruptedError(errno.EINTR, "interrupted"),
        OSError(errno.ENOBUFS, "no buffers"),
        0,
        1,
        4,
    ],
    ids=repr,
)
@pytest_twisted.ensureDeferred
async def test_what_send_did_not_take_follows_by_the_ordinary_way(outcome):
    each = await pair()
    each.transport.socket = RefusingSocket(each.transport.socket, outcome)
    assert write(each.transport, b"hello") is False
    await each.peer.until(lambda: each.peer.received == b"hello")
    await each.close()


@pytest_twisted.ensureDeferred
async def test_a_reset_connection_is_found_by_twisted_and_nothing_raises():
    """ECONNRESET and EPIPE: the protocol is told that the connection is lost, once."""
    each = await pair()
    linger = struct.pack("ii", 1, 0)
    each.peer.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    each.peer.transport.abortConnection()
    await each.peer.until(lambda: each.peer.ended)
    results = {write(each.transport, b"x") for _ in range(3)}
    assert False in results
    await each.end.until(lambda: each.end.ended)
    assert write(each.transport, b"x") is False
    await each.close()


@pytest_twisted.ensureDeferred
async def test_buffered_data_is_never_overtaken():
    """What ``transport.write`` holds for the next turn of the reactor goes first."""
    each = await pair()
    each.transport.write(b"first ")
    assert write(each.transport, b"second") is False
    await each.peer.until(lambda: each.peer.received == b"first second")
    await each.close()


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_on_a_connection_being_closed():
    each = await pair()
    each.transport.write(b"last")
    each.transport.loseConnection()
    write(each.transport, b" too late")
    await each.peer.until(lambda: each.peer.ended)
    assert each.peer.received.startswith(b"last")
    await each.close()


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_after_an_abort():
    each = await pair()
    real = each.transport.socket
    each.transport.abortConnection()
    each.transport.socket = RefusingSocket(real, AssertionError("sent"))
    assert write(each.transport, b"x") is False
    each.transport.socket = real
    await each.end.until(lambda: each.end.ended)
    await each.close()


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_after_the_write_side_was_closed():
    each = await pair()
    each.transport.loseWriteConnection()
    real = each.transport.socket
    each.transport.socket = RefusingSocket(real, AssertionError("sent"))
    assert write(each.transport, b"x") is False
    each.transport.socket = real
    await each.close()


@pytest_twisted.ensureDeferred
async def test_under_the_proxy_protocol_the_connection_itself_is_written_to():
    each = await pair(ProxiedFactory, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nhi")
    await each.end.until(lambda: each.end.received == b"hi")
    inner = plain_tcp(each.transport)
    assert inner is each.transport.transport
    assert descriptor_under(each.transport) is inner
    assert write(inner, b"hello") is True
    await each.peer.until(lambda: each.peer.received == b"hello")
    await each.close()


@pytest_twisted.ensureDeferred
async def test_an_unknown_wrapper_is_written_to_itself():
    each = await pair(WrappingFactory)
    assert plain_tcp(each.transport) is None
    assert descriptor_under(each.transport) is each.transport.transport
    assert write(each.transport, b"hello") is False
    await each.peer.until(lambda: each.peer.received == b"hello")
    await each.close()


@pytest_twisted.ensureDeferred
async def test_unix_connections_take_the_ordinary_way(tmp_path):
    accepting = Accepting()
    port = reactor().listenUNIX(str(tmp_path / "s"), accepting)
    peer = await connect(UNIXClientEndpoint(reactor(), str(tmp_path / "s")))
    await accepting.until(lambda: accepting.made)
    each = Pair(peer, accepting.made[0], port)
    assert plain_tcp(each.transport) is None
    assert descriptor_under(each.transport) is each.transport
    assert write(each.transport, b"hello") is False
    await each.peer.until(lambda: each.peer.received == b"hello")
    await each.close()


def test_a_protocol_is_put_on_the_innermost_wrapper():
    """TLS started on a connection is its protocol; TLS of an endpoint is its transport."""
    new = Peer()
    transport = StringTransport()
    set_protocol(transport, new)
    assert transport.protocol is new
    factory = WrappingFactory(Accepting())
    wrapper = factory.buildProtocol(None)
    transport.protocol = wrapper
    for place in (transport, wrapper):
        wrapper.wrappedProtocol = None
        set_protocol(place, new)
        assert (transport.protocol, wrapper.wrappedProtocol) == (wrapper, new)


def test_transports_in_memory_take_the_ordinary_way():
    transport = StringTransport()
    assert plain_tcp(transport) is None
    assert descriptor_under(transport) is None
    assert write(transport, b"hello") is False
    assert transport.value() == b"hello"
