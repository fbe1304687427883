"""The WebSocket transport: take-over, frames both ways, back-pressure, every way to end."""

import gc
import json
import weakref
from typing import Any

import pytest
import pytest_twisted
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ISession, ITransport
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import PING, PONG, Outgoing, message
from reward_push.engineio.packet import Packet, PacketType
from reward_push.transports.acceptor import WebSocketAcceptor
from reward_push.transports.options import SiteOptions
from reward_push.transports.proxied import ProxiedFactory
from reward_push.transports.site import build_site
from reward_push.transports.websocket import (
    CLOSE_TIMEOUT_S,
    CLOSING_BYTES,
    LINGER_S,
    WebSocketTransport,
)

from .certificate import server_options
from .clients import UPGRADE, Frame, after_handshake, client_frame, server_frames, text
from .fakes import FakePolicy, FakeSession, Leaf
from .peers import Peer, Waiting, connect, reactor

# Twisted's own use of pyOpenSSL, when TLS is set up.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

LIMIT = 100


class Serving:
    """A site whose every upgrade request becomes the WebSocket of a new recording session."""

    def __init__(self, clock: Any, options: EngineOptions, **site: float) -> None:
        self.acceptor = WebSocketAcceptor(options, clock)
        self.sessions: list[FakeSession] = []
        self.prepare: Any = lambda session: None
        self.hold = False
        self.held: list[Any] = []
        settings = SiteOptions(**{"node_id": "n-1", **site})
        self.site = build_site(Leaf(self.render), settings, FakePolicy(), clock)

    def render(self, request: Any) -> Any:
        reason = self.acceptor.validate(request)
        if reason is not None:
            request.setResponseCode(400)
            return json.dumps({"code": 3, "message": reason}).encode()
        if self.hold:
            self.held.append(request)
            return NOT_DONE_YET
        return self.accept(request)

    def accept(self, request: Any) -> int:
        session = FakeSession()
        self.sessions.append(session)
        self.prepare(session)
        return self.acceptor.accept(request, session)


class Memory(Serving):
    """The same with one connection in memory and a clock that stands still."""

    def __init__(self, limit: int = LIMIT, **site: float) -> None:
        self.clock = Clock()
        super().__init__(self.clock, EngineOptions(max_packet_bytes=limit), **site)
        self.channel = self.site.buildProtocol(None)
        self.transport = StringTransport(lenient=True)
        self.transport.protocol = self.channel
        self.channel.makeConnection(self.transport)

    @property
    def session(self) -> FakeSession:
        (session,) = self.sessions
        return session

    @property
    def told(self) -> list[Any]:
        return self.session.told[1:]

    def open(self) -> "Memory":
        self.send(UPGRADE)
        assert self.transport.value().startswith(b"HTTP/1.1 101 ")
        assert self.session.told == [("opened",)]
        self.transport.clear()
        return self

    def send(self, *data: bytes) -> list[Frame]:
        """Deliver each of ``data``; return the frames that are answered."""
        self.transport.clear()
        for each in data:
            self.transport.protocol.dataReceived(each)
        answer = self.transport.value()
        return [] if b" 400 " in answer[:13] else server_frames(answer)

    def lose(self) -> None:
        self.transport.protocol.connectionLost(Failure(ConnectionLost()))

    @property
    def lingering(self) -> bool:
        return not isinstance(self.transport.protocol, WebSocketTransport)


def packet(data: str | bytes) -> tuple[str, Packet]:
    return ("received", Packet(PacketType.MESSAGE, data))


# Opening


def test_the_answer_is_a_101_of_this_node():
    memory = Memory()
    memory.send(UPGRADE)
    head, _, rest = memory.transport.value().partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    assert status == b"HTTP/1.1 101 Switching Protocols"
    assert b"X-Node-Id: n-1" in lines
    assert b"Server: reward-push" in lines
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in lines
    assert not [line for line in lines if line.startswith(b"Sec-WebSocket-Extensions")]
    assert rest == b""


def test_headers_and_cookies_of_the_request_go_out_with_the_101():
    memory = Memory()
    memory.hold = True
    memory.send(UPGRADE)
    (request,) = memory.held
    request.setHeader(b"X-More", b"1")
    request.addCookie(b"io", b"s")
    memory.accept(request)
    assert b"\r\nX-More: 1\r\n" in memory.transport.value()
    assert b"\r\nSet-Cookie: io=s\r\n" in memory.transport.value()


def test_the_first_frames_go_out_in_one_piece_with_the_101():
    memory = Memory()
    memory.prepare = lambda session: setattr(
        session, "on_opened", lambda transport: transport.send([PING, PONG])
    )
    written: list[bytes] = []
    memory.transport.write = written.append
    memory.send(UPGRADE)
    (data,) = written
    assert data.startswith(b"HTTP/1.1 101 ")
    assert data.endswith(b"\r\n\r\n\x81\x012\x81\x013")


def test_a_session_may_close_at_once():
    memory = Memory()
    memory.prepare = lambda session: setattr(
        session, "on_opened", lambda transport: transport.close()
    )
    memory.send(UPGRADE)
    (closing,) = after_handshake(memory.transport.value())
    assert closing.code == 1000


@pytest.mark.parametrize(
    "change",
    [
        (b"Connection: Upgrade", b"Connection: keep-alive"),
        (b"Version: 13", b"Version: 8"),
        (b"Key: dGhlIHNhbXBsZSBub25jZQ==", b"Key: short"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"GET", b"POST"),
    ],
)
def test_bad_upgrades_are_left_to_the_resource(change):
    memory = Memory()
    memory.send(UPGRADE.replace(*change))
    answer = memory.transport.value()
    assert b" 400 " in answer[:13]
    assert b'{"code": 3' in answer
    assert memory.sessions == []


def test_frames_sent_with_the_request_are_not_lost():
    memory = Memory()
    memory.send(UPGRADE + text("4early") + text("4bird"))
    assert memory.told == [packet("early"), packet("bird")]


def test_frames_sent_with_a_request_that_has_a_body_are_not_lost_and_the_body_is_no_frame():
    memory = Memory()
    request = UPGRADE.replace(b"Host", b"Content-Length: 5\r\nHost")
    memory.send(request + b"hello" + text("4early"))
    assert memory.told == [packet("early")]


def test_frames_sent_while_the_request_is_held_are_not_lost():
    memory = Memory()
    memory.hold = True
    memory.send(UPGRADE, text("4early"))
    memory.accept(memory.held[0])
    assert memory.told == [packet("early")]


def test_too_much_sent_ahead_pauses_reading_until_the_socket_is_taken_over():
    memory = Memory(limit=50_000)
    memory.hold = True
    memory.send(UPGRADE, text("4" + "x" * 20_000))
    assert memory.transport.producerState == "paused"
    memory.accept(memory.held[0])
    assert memory.transport.producerState == "producing"
    assert memory.told == [packet("x" * 20_000)]


def test_a_client_that_left_while_its_request_was_held():
    memory = Memory()
    memory.hold = True
    memory.send(UPGRADE)
    memory.held[0].notifyFinish().addErrback(lambda failure: None)
    memory.lose()
    memory.accept(memory.held[0])
    assert memory.session.told == [("lost",)]


def test_a_session_that_fails_to_open_is_logged_and_cut_off():
    def fail(transport: Any) -> None:
        raise ZeroDivisionError

    memory = Memory()
    memory.prepare = lambda session: setattr(session, "on_opened", fail)
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        memory.send(UPGRADE)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert memory.transport.disconnected
    assert [event for event in events if "log_failure" in event]


def test_no_timer_of_http_touches_the_websocket():
    memory = Memory(idle_timeout_s=1, header_timeout_s=1, body_timeout_s=1).open()
    assert memory.clock.getDelayedCalls() == []
    memory.clock.advance(1000)
    assert memory.send(text("4hi")) == []
    assert memory.told == [packet("hi")]


def test_it_is_a_transport_and_the_fake_a_session():
    memory = Memory().open()
    assert verifyObject(ITransport, memory.session.transport)
    assert verifyObject(ISession, memory.session)


# Receiving


@pytest.mark.parametrize("size", [0, 1, 98, 99])
@pytest.mark.parametrize("slices", [1, 3, 100])
def test_messages_come_whole_however_they_are_cut(size, slices):
    """Text and binary, short and long way, whole segments and single bytes."""
    for limit in (LIMIT, 70_000):
        memory = Memory(limit).open()
        body = "é"[: size % 2] + "x" * ((size - 1) * limit // LIMIT)
        data = text("4" + body) + client_frame(2, body.encode()) + text("3")
        memory.send(*(data[i::1][: len(data) // slices + 1] for i in starts(data, slices)))
        assert memory.told == [
            packet(body),
            packet(body.encode()),
            ("received", Packet(PacketType.PONG)),
        ]


def starts(data: bytes, slices: int) -> range:
    return range(0, len(data), len(data) // slices + 1)


def test_fragments_are_joined_and_control_frames_may_come_between():
    memory = Memory().open()
    answers = memory.send(
        client_frame(1, b"4a\xc3", fin=False),
        client_frame(9, b"ping"),
        client_frame(0, b"\xa9b", fin=False),
        client_frame(0, b"", fin=False),
        client_frame(0, b"c"),
        text("4next"),
    )
    assert answers == [Frame(10, b"ping")]
    assert memory.told == [packet("aébc"), packet("next")]


def test_many_frames_in_one_segment():
    memory = Memory().open()
    memory.send(b"".join(text(f"4{number}") for number in range(3000)))
    assert memory.told == [packet(str(number)) for number in range(3000)]


def test_a_bad_packet_is_a_parse_error_and_the_session_decides():
    memory = Memory().open()
    frames = memory.send(text("nonsense"))
    assert memory.told == [("broken", CloseReason.PARSE_ERROR)]
    assert [frame.code for frame in frames] == [1000]


@pytest.mark.parametrize("payload", [b"", b"abc", b"x" * 125])
def test_pings_are_answered(payload):
    memory = Memory().open()
    assert memory.send(client_frame(9, payload)) == [Frame(10, payload)]
    assert memory.told == []


def test_a_pong_counts_when_it_was_asked_for():
    """Once for each ping; pongs may come unasked, and mean nothing then."""
    memory = Memory().open()
    assert memory.send(client_frame(10, b"unasked")) == []
    assert memory.send(client_frame(10, b"proof")) == []
    assert memory.told == []
    memory.session.transport.ping()
    assert memory.transport.value() == b"\x89\x05proof"
    memory.send(client_frame(10, b"other"))
    assert memory.told == []
    memory.send(client_frame(10, b"proof") + client_frame(10, b"proof"))
    assert memory.told == [("proved",)]


def test_nothing_is_received_after_the_session_has_closed():
    memory = Memory().open()
    memory.session.on_received = lambda transport, packet: transport.close()
    memory.send(text("4one") + text("4two") + client_frame(1, b"4" + b"x" * 90) + text("4"))
    assert memory.told == [packet("one")]


# Limits


@pytest.mark.parametrize(
    "frame",
    [
        text("4" + "x" * LIMIT),
        client_frame(2, b"x" * LIMIT),
        client_frame(1, b"b" + b"A" * 4 * (LIMIT // 3)),
    ],
    ids=["text", "binary", "base64"],
)
def test_messages_at_the_limit_are_taken(frame):
    memory = Memory().open()
    assert memory.send(frame) == []
    assert [what for what, *_ in memory.told] == ["received"]


@pytest.mark.parametrize(
    "frames",
    [
        [text("4" + "x" * (LIMIT + 1))],
        [text("4" + "x" * LIMIT * 10)],
        [client_frame(2, b"x" * (LIMIT + 1))],
        [client_frame(2, b"x" * LIMIT * 10)],
        [client_frame(1, b"b" + b"A" * 4 * (LIMIT // 3 + 1))],
        [client_frame(1, b"b" + b"A" * 4 * (LIMIT // 3 + 2))],
        # Nothing but the head: the declared length is enough.
        [b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask"],
        [b"\x82\xfe\xff\xffmask"],
        [client_frame(2, b"x" * 60, fin=False), client_frame(0, b"x" * 60)],
        [client_frame(2, b"x" * 99, fin=False)] + [client_frame(0, b"x", fin=False)] * 3,
        [client_frame(1, b"4", fin=False)] + [client_frame(0, b"x" * 10, fin=False)] * 20,
    ],
    ids=range(11),
)
def test_messages_over_the_limit_are_1009(frames):
    memory = Memory().open()
    (closing,) = memory.send(*frames)
    assert closing.code == 1009
    assert memory.told == [("broken", CloseReason.TRANSPORT_ERROR)]
    assert memory.lingering


def test_no_limit():
    memory = Memory(limit=0).open()
    memory.send(text("4" + "x" * 300_000))
    assert memory.told == [packet("x" * 300_000)]


def test_a_limit_below_a_small_frame_holds_too():
    memory = Memory(limit=5).open()
    memory.send(text("4" + "x" * 5))
    (closing,) = memory.send(text("4" + "x" * 6))
    assert closing.code == 1009
    assert memory.told == [packet("xxxxx"), ("broken", CloseReason.TRANSPORT_ERROR)]


def test_endless_empty_fragments_take_no_room():
    memory = Memory().open()
    memory.send(client_frame(1, b"4", fin=False))
    protocol = memory.session.transport
    memory.send(client_frame(0, b"", fin=False) * 1000)
    sizes = [len(value) for value in vars(protocol).values() if hasattr(value, "__len__")]
    assert max(sizes) < 10


# What the client may not do


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([text(b"4\xff")], 1007),
        ([text(b"4\xed\xa0\x80")], 1007),
        ([text(b"4\xc3")], 1007),
        ([client_frame(1, b"4\xc3", fin=False), client_frame(0, b"x")], 1007),
        ([text(b"4" + b"x" * 95 + b"\xff")], 1007),
        ([b"\x81\x034hi"], 1002),
        ([client_frame(1, b"4hi", rsv=4)], 1002),
        ([client_frame(1, b"4hi", rsv=1)], 1002),
        ([client_frame(3, b"hi")], 1002),
        ([client_frame(11, b"hi")], 1002),
        ([client_frame(0, b"hi")], 1002),
        ([client_frame(1, b"4", fin=False), client_frame(1, b"4")], 1002),
        ([client_frame(9, b"x" * 126)], 1002),
        ([client_frame(9, b"x", fin=False)], 1002),
        ([client_frame(8, b"\x03")], 1002),
        ([client_frame(8, b"\x03\xec")], 1002),
        ([client_frame(8, b"\x03\xe8\xff")], 1007),
        ([b"\x81\xfe\x00\x05" + b"mask" + b"hello"], 1002),
        ([b"\x89\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask"], 1002),
    ],
    ids=range(19),
)
@pytest.mark.parametrize("slices", [1, 1000])
def test_breaking_the_protocol_is_told_and_ends_it(frames, code, slices):
    memory = Memory().open()
    data = b"".join(frames) + text("4after")
    step = len(data) if slices == 1 else 1
    (closing,) = memory.send(*(data[i : i + step] for i in range(0, len(data), step)))
    assert closing.code == code
    reason = CloseReason.PARSE_ERROR if code == 1007 else CloseReason.TRANSPORT_ERROR
    assert memory.told == [("broken", reason)]
    assert memory.lingering
    memory.lose()
    assert memory.told == [("broken", reason)]
    assert memory.clock.getDelayedCalls() == []


def test_a_client_that_broke_the_protocol_and_stays_is_cut():
    memory = Memory().open()
    memory.send(b"\x81\x034hi")
    memory.clock.advance(LINGER_S)
    assert memory.transport.disconnected


# Clients that are too fast


def after(count: int, pause_s: float) -> Any:
    """Pause once, after so many things."""
    counted = iter(range(1, 1 << 30))
    return lambda: pause_s if next(counted) == count else 0.0


@pytest.mark.parametrize("segments", [1, 7, 500])
@pytest.mark.parametrize("size", [1, 150])
def test_a_client_that_is_too_fast_is_not_read_from_for_a_while(segments, size):
    """What has come is kept as it is, and parsed afterwards: nothing is lost, nothing comes early."""
    memory = Memory(limit=200).open()
    memory.session.pause = after(10, 1.5)
    packets = [f"{number}-".ljust(size, "x") for number in range(500)]
    data = b"".join(text(f"4{each}") for each in packets)
    step = len(data) // segments + 1
    memory.send(*(data[i : i + step] for i in range(0, len(data), step)))
    assert memory.told == [packet(each) for each in packets[:10]]
    assert memory.transport.producerState == "paused"
    memory.clock.advance(1.4)
    assert len(memory.told) == 10
    memory.clock.advance(0.1)
    assert memory.told == [packet(each) for each in packets]
    assert memory.transport.producerState == "producing"
    assert memory.clock.getDelayedCalls() == []


def test_it_may_have_to_pause_again_and_again():
    memory = Memory().open()
    memory.session.pause = lambda: 1.0 if len(memory.told) % 10 == 0 else 0.0
    memory.send(b"".join(text(f"4{number}") for number in range(35)))
    for count in (10, 20, 30):
        assert len(memory.told) == count
        assert memory.transport.producerState == "paused"
        memory.clock.advance(1.0)
    assert len(memory.told) == 35
    assert memory.transport.producerState == "producing"


@pytest.mark.parametrize(
    ("frames", "strains"),
    [
        ([client_frame(9, b"ping")], 1),
        ([client_frame(10, b"unasked")], 1),
        ([client_frame(1, b"4", fin=False), *[client_frame(0, b"", fin=False)] * 9], 10),
        ([client_frame(1, b"4a", fin=False), client_frame(0, b"b")], 1),
        ([text("4whole"), client_frame(2, b"whole")], 0),
    ],
)
def test_what_is_no_packet_makes_work_too(frames, strains):
    memory = Memory().open()
    memory.send(*frames)
    assert memory.session.strains == strains


def test_a_flood_of_pings_is_paused_like_one_of_packets():
    memory = Memory().open()
    memory.session.pause = after(10, 1.5)
    assert len(memory.send(client_frame(9, b"ping") * 100)) == 10
    assert memory.transport.producerState == "paused"
    memory.transport.clear()
    memory.clock.advance(1.5)
    assert len(server_frames(memory.transport.value())) == 90


def test_the_proof_that_was_asked_for_is_none_of_it():
    memory = Memory().open()
    memory.session.transport.ping()
    memory.send(client_frame(10, b"proof"))
    assert memory.session.strains == 0


def test_a_pause_in_the_middle_of_a_message():
    memory = Memory().open()
    memory.session.pause = after(2, 1.0)
    memory.send(
        client_frame(1, b"4a", fin=False) + client_frame(0, b"b", fin=False) + client_frame(0, b"c")
    )
    assert memory.told == []
    memory.clock.advance(1.0)
    assert memory.told == [packet("abc")]


def test_who_sends_too_much_is_not_parsed_any_more():
    """The session has closed it; its last words are read before the connection is cut."""
    memory = Memory().open()

    def end() -> float:
        memory.session.transport.fail()
        return float("inf")

    memory.session.pause = end
    (closing,) = memory.send(text("4one") + text("4two") * 1000)
    assert closing.code == 1001
    assert memory.told == [packet("one")]
    assert memory.lingering
    assert memory.transport.producerState == "producing"
    memory.clock.advance(LINGER_S)
    assert memory.transport.disconnected
    memory.lose()
    assert memory.clock.getDelayedCalls() == []


def test_a_client_that_goes_during_a_pause():
    memory = Memory().open()
    memory.session.pause = lambda: 1.0
    memory.send(text("4one") + text("4two"))
    memory.lose()
    assert memory.told == [packet("one"), ("lost",)]
    assert memory.clock.getDelayedCalls() == []


def test_a_close_during_a_pause_is_answered_at_once():
    memory = Memory().open()
    memory.session.pause = lambda: 1.0
    memory.send(text("4one") + text("4two") + client_frame(8, b"\x03\xe8"))
    memory.session.transport.close()
    memory.clock.advance(0)
    assert memory.transport.disconnecting
    memory.lose()
    assert memory.clock.getDelayedCalls() == []


def test_no_end_of_frames_while_a_close_is_awaited():
    memory = Memory(limit=1000).open()
    memory.session.transport.close()
    frame = text("4" + "x" * 900)
    for _ in range(CLOSING_BYTES // len(frame)):
        memory.send(frame)
    assert memory.transport.producerState == "producing"
    memory.send(frame)
    assert memory.transport.producerState == "paused"
    memory.clock.advance(CLOSE_TIMEOUT_S)
    assert memory.transport.disconnected


# Sending


def test_units_are_written_as_one_piece():
    memory = Memory().open()
    written: list[bytes] = []
    memory.transport.write = written.append
    memory.session.transport.send(
        [message("a"), Outgoing(Packet(PacketType.MESSAGE, b"\x01"), Packet(PacketType.PING))]
    )
    assert written == [b"\x81\x024a\x82\x01\x01\x81\x012"]
    memory.session.transport.send([])
    assert written[1:] in ([], [b""])


# Ending


@pytest.mark.parametrize(("how", "code"), [("close", 1000), ("fail", 1001)])
def test_closing_awaits_the_clients_answer(how, code):
    memory = Memory().open()
    transport = memory.session.transport
    transport.send([message("last")])
    getattr(transport, how)()
    assert server_frames(memory.transport.value()) == [
        Frame(1, b"4last"),
        Frame(8, code.to_bytes(2, "big")),
    ]
    assert not memory.transport.disconnecting
    assert not transport.writable
    assert memory.send(client_frame(8, code.to_bytes(2, "big"))) == []
    assert memory.transport.disconnecting
    assert not memory.transport.disconnected
    memory.lose()
    assert memory.told == []
    assert memory.clock.getDelayedCalls() == []


@pytest.mark.parametrize("how", ["close", "fail"])
def test_a_client_that_does_not_answer_the_close_is_cut(how):
    memory = Memory().open()
    getattr(memory.session.transport, how)()
    memory.send(text("4still here"))
    memory.clock.advance(CLOSE_TIMEOUT_S - 0.1)
    assert not memory.transport.disconnecting
    memory.clock.advance(0.1)
    assert memory.transport.disconnected
    memory.lose()
    assert memory.told == []


def test_pings_are_not_answered_while_closing():
    memory = Memory().open()
    memory.session.transport.close()
    assert memory.send(client_frame(9, b"ping")) == []


def test_the_request_is_out_of_the_game_after_the_take_over():
    memory = Memory()
    memory.hold = True
    memory.send(UPGRADE)
    memory.accept(memory.held[0])
    memory.held[0].loseConnection()
    assert not memory.transport.disconnecting
    memory.transport.clear()
    memory.send(text("4hi"))
    assert memory.told == [packet("hi")]


def test_only_the_first_end_counts():
    memory = Memory().open()
    transport = memory.session.transport
    transport.close()
    transport.fail()
    transport.close()
    transport.send([message("late")])
    assert [frame.opcode for frame in server_frames(memory.transport.value())] == [8]


def test_a_violation_while_closing_ends_it_at_once():
    memory = Memory().open()
    memory.session.transport.close()
    assert memory.send(b"\x81\x034hi") == []
    assert memory.lingering
    assert memory.told == []
    memory.lose()
    assert memory.clock.getDelayedCalls() == []


@pytest.mark.parametrize("body", [b"", b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa0own"])
def test_the_clients_close_is_answered_and_told_once(body):
    memory = Memory().open()
    (closing,) = memory.send(client_frame(8, body))
    assert closing.code == 1000
    assert memory.transport.disconnecting
    assert memory.told == [("lost",)]
    memory.session.transport.close()
    memory.session.transport.send([message("late")])
    assert len(server_frames(memory.transport.value())) == 1
    memory.lose()
    assert memory.told == [("lost",)]
    assert memory.clock.getDelayedCalls() == []


def test_a_client_that_closes_and_takes_nothing_is_cut():
    memory = Memory().open()
    memory.send(client_frame(8))
    assert not memory.transport.disconnected
    memory.clock.advance(CLOSE_TIMEOUT_S)
    assert memory.transport.disconnected


def test_a_lost_connection_is_told_once():
    memory = Memory().open()
    memory.lose()
    assert memory.told == [("lost",)]
    transport = memory.session.transport
    assert not transport.writable
    transport.send([message("late")])
    transport.close()
    transport.fail()
    assert memory.told == [("lost",)]
    assert memory.transport.value() == b""
    assert memory.clock.getDelayedCalls() == []


# A transport that is no socket asks to pause


def test_in_memory_the_transports_own_pauses_count():
    memory = Memory().open()
    transport = memory.session.transport
    memory.transport.producer.pauseProducing()
    assert not transport.writable
    assert memory.send(client_frame(9, b"a"), client_frame(9, b"b")) == []
    memory.transport.producer.resumeProducing()
    assert server_frames(memory.transport.value()) == [Frame(10, b"b")]
    assert memory.told == [("drained",)]


def test_in_memory_nothing_is_told_after_the_close():
    memory = Memory().open()
    producer = memory.transport.producer
    producer.pauseProducing()
    memory.session.transport.close()
    producer.resumeProducing()
    assert memory.told == []
    assert not memory.session.transport.writable


# What Autobahn would have set


def test_whatever_autobahn_sets_up_for_a_connection_has_a_value_here():
    """The class stands in for ``_connectionMade`` and the handshake, which are not run."""
    factory = WebSocketServerFactory()
    factory.protocol = WebSocketServerProtocol
    theirs = factory.buildProtocol(None)
    theirs.makeConnection(StringTransport())
    theirs.dataReceived(UPGRADE)
    assert theirs.state == theirs.STATE_OPEN
    theirs.dataReceived(text("hi"))
    theirs.dataReceived(client_frame(9, b"ping"))
    not_read_after_the_handshake = {
        "is_closed", "is_open", "_valid_events", "_transport_details", "peer", "versions",
        "webStatus", "maskServerFrames", "perMessageCompressionAccept", "serveFlashSocketPolicy",
        "flashSocketPolicy", "allowedOrigins", "allowedOriginsPatterns", "allowNullOrigin",
        "maxConnections", "trustXForwardedFor", "openHandshakeTimeout", "openHandshakeTimeoutCall",
        "tcpNoDelay", "connected", "http_request_data", "http_status_line", "http_headers",
        "http_request_uri", "http_request_path", "http_request_params", "http_request_host",
        "websocket_protocols", "websocket_origin", "websocket_extensions", "_wskey",
        "websocket_protocol_in_use", "websocket_extensions_in_use", "http_response_data",
        # Replaced with what used them: sending, closing, assembling messages.
        "autoFragmentSize", "send_state", "send_queue", "triggered", "logOctets", "trackTimings",
        "maxFramePayloadSize", "maxMessagePayloadSize", "closeHandshakeTimeout",
        "autoPingInterval", "autoPingTimeout", "autoPingSize", "autoPingRestartOnAnyTraffic",
        "autoPingPendingCall", "autoPingPendingSeq", "autoPingPendingSent", "utf8validator",
        "wasMaxFramePayloadSizeExceeded", "wasMaxMessagePayloadSizeExceeded", "failedByMe",
        "closedByMe", "droppedByMe", "wasNotCleanReason", "wasServerConnectionDropTimeout",
        "wasOpenHandshakeTimeout", "wasCloseHandshakeTimeout", "wasServingFlashSocketPolicyFile",
        "localCloseCode", "localCloseReason", "message_is_binary", "message_data",
        "message_data_total_length", "frame_length", "frame_data",
        # Set before they are read, frame by frame.
        "remoteCloseCode", "remoteCloseReason", "wasClean", "control_frame_data",
        "utf8validateIncomingCurrentMessage", "utf8validateLast", "_isMessageCompressed",
    }  # fmt: skip
    ours = set(dir(Memory().open().session.transport))
    missing = set(vars(theirs)) - ours - not_read_after_the_handshake
    assert missing == set()


# Over real connections


class Port(Serving, Waiting):
    """A site on a real port of one of the kinds a node can listen on."""

    def __init__(self, kind: str, tmp_path: Any, limit: int = 1_000_000) -> None:
        Waiting.__init__(self)
        super().__init__(reactor(), EngineOptions(max_packet_bytes=limit))
        self.peers: list[Peer] = []
        self.first = b""
        net = reactor()
        if kind == "unix":
            self.port = net.listenUNIX(str(tmp_path / "s"), self.site)
            self.endpoint: Any = UNIXClientEndpoint(net, str(tmp_path / "s"))
            return
        if kind == "ssl":
            self.port = net.listenSSL(0, self.site, server_options(), interface="127.0.0.1")
            self.endpoint = SSL4ClientEndpoint(
                net, "127.0.0.1", self.port.getHost().port, CertificateOptions(verify=False)
            )
            return
        factory = ProxiedFactory(self.site) if kind == "haproxy" else self.site
        if kind == "haproxy":
            self.first = b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"
        self.port = net.listenTCP(0, factory, interface="127.0.0.1")
        self.endpoint = TCP4ClientEndpoint(net, "127.0.0.1", self.port.getHost().port)

    async def open(self, more: bytes = b"") -> tuple[Peer, FakeSession]:
        peer = await connect(self.endpoint, self.first + UPGRADE + more)
        self.peers.append(peer)
        count = len(self.peers)
        await peer.until(lambda: b"\r\n\r\n" in peer.received)
        session = self.sessions[count - 1]
        session.on_received = lambda *_: self.changed()
        session.on_ended = self.changed
        return peer, session

    async def stop(self) -> None:
        for peer in self.peers:
            if peer.ended is None:
                peer.transport.abortConnection()
            await peer.until(lambda peer=peer: peer.ended)
        await self.port.stopListening()


MANY = 300
KINDS = ["tcp", "haproxy", "unix", "ssl"]


@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_messages_both_ways(kind, tmp_path):
    port = Port(kind, tmp_path)
    peer, session = await port.open(text("4early"))
    await port.until(lambda: packet("early") in session.told)
    peer.transport.write(text("4hello") + client_frame(9, b"are you there"))
    await port.until(lambda: packet("hello") in session.told)
    await peer.until(lambda: Frame(10, b"are you there") in after_handshake(peer.received))
    await peer.until(lambda: session.transport.writable)
    session.transport.send([message("hi")])
    await peer.until(lambda: Frame(1, b"4hi") in after_handshake(peer.received))
    session.transport.close()
    await peer.until(lambda: after_handshake(peer.received)[-1].opcode == 8)
    peer.transport.write(client_frame(8, b"\x03\xe8"))
    await peer.until(lambda: peer.ended)
    assert peer.ended.check(ConnectionDone)
    assert ("lost",) not in session.told
    await port.stop()


@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_read_makes_it_unwritable_until_it_does(kind, tmp_path):
    port = Port(kind, tmp_path)
    peer, session = await port.open()
    drained: Waiting = Waiting()
    session.on_drained = drained.changed
    await drained.until(lambda: session.transport.writable)
    peer.transport.pauseProducing()
    sent = 0

    def fill() -> None:
        nonlocal sent
        while session.transport.writable and sent < MANY:
            session.transport.send([message(f"{sent:08d}" * 10_000)])
            sent += 1

    fill()
    session.on_drained = lambda transport: (fill(), drained.changed())
    stuck: Deferred[None] = Deferred()
    reactor().callLater(0, stuck.callback, None)
    await stuck
    first_stop = sent
    assert first_stop < MANY, "the client reads nothing and yet everything went out"
    peer.transport.resumeProducing()
    await drained.until(lambda: sent == MANY)
    expected = [Frame(1, b"4" + b"%08d" % number * 10_000) for number in range(MANY)]
    size = len(peer.received.partition(b"\r\n\r\n")[0]) + 4 + MANY * (10 + 1 + 80_000)
    await peer.until(lambda: len(peer.received) >= size)
    assert after_handshake(peer.received) == expected
    # Idle again, nothing is left registered.
    await drained.until(lambda: session.transport.writable)
    watched = session.transport._watched
    assert watched.producer is None
    await port.stop()


@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_pings_of_a_client_that_does_not_read_do_not_pile_up(kind, tmp_path):
    port = Port(kind, tmp_path)
    peer, session = await port.open()
    await peer.until(lambda: session.transport.writable)
    peer.transport.pauseProducing()
    while session.transport.writable:
        session.transport.send([message("x" * 100_000)])
    peer.transport.write(client_frame(9, b"x" * 125) * 10_000 + text("4done"))
    await port.until(lambda: packet("done") in session.told)
    watched = session.transport._watched
    assert len(watched.dataBuffer) + watched._tempDataLen < 500_000
    await port.stop()


@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_the_1009_reaches_a_client_that_is_still_sending(kind, tmp_path):
    port = Port(kind, tmp_path, limit=1000)
    peer, session = await port.open(client_frame(1, b"4" + b"x" * 500_000))
    await peer.until(lambda: after_handshake(peer.received))
    (closing,) = after_handshake(peer.received)
    assert closing.code == 1009
    assert session.told == [("opened",), ("broken", CloseReason.TRANSPORT_ERROR)]
    if kind in ("tcp", "haproxy"):
        await peer.until(lambda: peer.ended)
        assert peer.ended.check(ConnectionDone)
    await port.stop()


@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_a_dropped_connection_is_told(kind, tmp_path):
    port = Port(kind, tmp_path)
    peer, session = await port.open()
    peer.transport.abortConnection()
    await port.until(lambda: ("lost",) in session.told)
    assert session.told.count(("lost",)) == 1
    await port.stop()


@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_what_http_needed_is_freed_at_once(kind, tmp_path):
    """Channel and request go without waiting for the garbage collector."""
    port = Port(kind, tmp_path)
    remembered: list[Any] = []
    render = port.site.resource._answer

    def remember(request: Any) -> Any:
        remembered.extend([weakref.ref(request), weakref.ref(request.channel)])
        return render(request)

    port.site.resource._answer = remember
    gc.disable()
    try:
        await port.open()
        assert [each() for each in remembered] == [None, None]
    finally:
        gc.enable()
    await port.stop()


@pytest_twisted.ensureDeferred
async def test_an_idle_connection_keeps_few_attributes(tmp_path):
    port = Port("tcp", tmp_path)
    _, session = await port.open(text("4hi") + client_frame(9) + text("4" + "x" * 500))
    await port.until(lambda: len(session.told) == 3)
    # Up to 30 are kept in the instance itself, without a dictionary.
    assert len(vars(session.transport)) <= 20
    assert session.transport.current_frame_masker is None
    assert not session.transport.data
    assert not session.transport._message
    await port.stop()
