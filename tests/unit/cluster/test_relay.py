"""What is passed on at all."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock
from twisted.web.http_headers import Headers
from twisted.web.server import NOT_DONE_YET
from twisted.web.test.requesthelper import DummyRequest
from zope.interface.verify import verifyObject

from reward_push.cluster.member import Member
from reward_push.cluster.reach import Reach
from reward_push.cluster.relay import Relay
from reward_push.cluster.secret import SharedSecret
from reward_push.cluster.signature import Sender, Signer
from reward_push.transports.interfaces import IForeignSessions, IUpload

OTHER = Member("other", "1", 1, "10.0.0.2:99", "0.1", 0, 0, "ok")
SID = "other" + "x" * 22
UNKNOWN = b'{"code":1,"message":"Session ID unknown"}'


class FakeDirectory:
    """Knows one other node, or finds another instance when asked anew."""

    def __init__(self) -> None:
        self.member: Member | None = OTHER
        self.anew: Member | None = OTHER
        self.waiting: list[Deferred[Member | None]] = []
        self.slow = False

    def ask(self, node_id: str, *, anew: bool = False) -> "Deferred[Member | None]":
        if self.slow:
            self.waiting.append(Deferred())
            return self.waiting[-1]
        known = self.anew if anew else self.member
        return succeed(known if node_id == "other" else None)


class Request(DummyRequest):  # type: ignore[misc]
    """A request as far as the relay looks at one."""

    def __init__(self, method: bytes = b"GET", body: bytes = b"") -> None:
        super().__init__([b""])
        self.method, self.uri = method, b"/websockets/?sid=" + SID.encode()
        self.content = type("Content", (), {"read": lambda _: body})()
        self.clientproto = b"HTTP/1.1"

    def write(self, data: bytes) -> None:
        self.written.append(data)


class Wired:
    """A relay on a reactor that connects nowhere."""

    def __init__(self, **options: Any) -> None:
        self.reactor = MemoryReactorClock()
        self.directory = FakeDirectory()
        signer = Signer(SharedSecret("s"), Sender("here", "1"), lambda: 0)
        reach = Reach(self.directory, signer, self.reactor)  # type: ignore[arg-type]
        self.relay = Relay("here", reach, answer_timeout_s=30.0, **options)

    def ask(self, sid: str = SID, request: Any = None) -> Any:
        request = request or Request()
        assert self.relay.relay(request, sid) == NOT_DONE_YET
        return request

    def refuse_connection(self) -> None:
        *_, factory, _, _ = self.reactor.tcpClients.pop(0)
        factory.clientConnectionFailed(None, _failure(Refused()))


def _failure(error: Exception) -> Any:
    from twisted.python.failure import Failure

    return Failure(error)


@pytest.fixture
def wired() -> Wired:
    return Wired()


def test_it_is_one(wired: Wired) -> None:
    assert verifyObject(IForeignSessions, wired.relay)
    upload = wired.relay.receiving(b"POST", b"/", Headers(), lambda: None, "", SID)
    assert verifyObject(IUpload, upload)


@pytest.mark.parametrize("sid", ["", "x", "x" * 22, "here" + "x" * 22])
def test_what_names_no_other_node(wired: Wired, sid: str) -> None:
    """A sid of this node's own that is unknown to it is unknown to all."""
    assert wired.relay.relay(Request(), sid) is None
    assert wired.relay.receiving(b"POST", b"/", Headers(), lambda: None, "", sid) is None
    wired.relay.too_large(b"POST", b"/", Headers({b"Content-Length": [b"9"]}), sid)
    assert len(wired.relay) == 0


def test_a_node_that_nobody_knows(wired: Wired) -> None:
    request = wired.ask("nobody" + "x" * 22)
    assert (request.responseCode, request.written) == (400, [UNKNOWN])
    assert len(wired.relay) == 0


def test_where_it_connects(wired: Wired) -> None:
    """To the address of the record, within a second."""
    wired.ask()
    [(host, port, _, timeout_s, _)] = wired.reactor.tcpClients
    assert (host, port, timeout_s) == ("10.0.0.2", 99, 1.0)
    assert len(wired.relay) == 1


@pytest.mark.parametrize("upgrade", [False, True])
def test_a_node_that_is_elsewhere_by_now(wired: Wired, upgrade: bool) -> None:
    """It is looked for once more, when it cannot be connected to."""
    request = Request()
    if upgrade:
        request.requestHeaders.setRawHeaders(b"Upgrade", [b"websocket"])
    wired.directory.anew = Member("other", "2", 1, "10.0.0.3:99", "0.1", 0, 0, "ok")
    wired.ask(request=request)
    wired.refuse_connection()
    assert request.written == []
    assert wired.reactor.tcpClients[0][:2] == ("10.0.0.3", 99)
    wired.refuse_connection()
    assert (request.responseCode, request.written) == (400, [UNKNOWN])
    assert len(wired.relay) == 0


@pytest.mark.parametrize("anew", [None, OTHER])
def test_a_node_that_is_nowhere(wired: Wired, anew: Member | None) -> None:
    wired.directory.anew = anew
    request = wired.ask()
    wired.refuse_connection()
    assert (request.responseCode, request.written) == (400, [UNKNOWN])
    assert wired.reactor.tcpClients == []


def test_who_is_gone_is_given_up(wired: Wired) -> None:
    """But not what is asked of its successor, or still being looked for."""
    first = wired.ask()
    wired.directory.slow = True
    second = wired.ask()
    wired.relay.owner_gone(OTHER)
    assert (first.written, second.written) == ([UNKNOWN], [])
    successor = Member("other", "2", 1, "10.0.0.3:99", "0.1", 0, 0, "ok")
    wired.directory.waiting[0].callback(successor)
    wired.relay.owner_gone(OTHER)
    assert second.written == []
    wired.relay.owner_gone(successor)
    assert second.written == [UNKNOWN]
    assert wired.relay.counts.cut_off == 2
    assert len(wired.relay) == 0


def test_nobody_waits_for_ever(wired: Wired) -> None:
    request = wired.ask()
    wired.directory.slow = True
    another = wired.ask()
    wired.reactor.advance(31)
    assert (request.written, another.written) == ([UNKNOWN], [UNKNOWN])
    assert len(wired.relay) == 0


def test_a_client_that_leaves_takes_its_request_along(wired: Wired) -> None:
    request = wired.ask()
    request.processingFailed(_failure(Refused()))
    assert len(wired.relay) == 0
    assert request.written == []


def test_a_limit(logged_failures: list[str]) -> None:
    """Posts under way and upgrades count, too; refused ones get 503."""
    wired = Wired(limit=2)
    wired.ask()
    assert wired.relay.receiving(b"POST", b"/", Headers(), lambda: None, "", SID) is not None
    request = wired.ask()
    assert request.responseCode == 503
    assert request.responseHeaders.getRawHeaders(b"Retry-After") == [b"1"]
    assert wired.relay.receiving(b"POST", b"/", Headers(), lambda: None, "", SID) is None
    wired.relay.too_large(b"POST", b"/", Headers({b"Content-Length": [b"9"]}), SID)
    assert (len(wired.relay), wired.relay.counts.full) == (2, 3)
    wired.relay.stop()
    assert (len(wired.relay), logged_failures) == (0, [])


def test_after_the_end(wired: Wired) -> None:
    request = wired.ask()
    wired.relay.stop()
    assert request.written == [UNKNOWN]
    assert wired.relay.relay(Request(), SID) is None


# Posts whose bodies come later


class Upload:
    """One of them."""

    def __init__(self, wired: Wired) -> None:
        self.wired = wired
        self.dropped = 0
        self.request = Request(b"POST", b"4x")
        made = wired.relay.receiving(
            b"POST", self.request.uri, self.request.requestHeaders, self._drop, "1.2.3.4", SID
        )
        assert made is not None
        self.upload: Any = made

    def _drop(self) -> None:
        self.dropped += 1

    def whole(self) -> None:
        self.upload.whole()
        self.wired.ask(request=self.request)


def test_a_post_that_has_nowhere_to_go_is_answered_when_it_is_whole(wired: Wired) -> None:
    """As a node answers for sessions that it never had."""
    wired.directory.member = None
    upload = Upload(wired)
    assert len(wired.relay) == 0
    upload.whole()
    assert upload.request.written == [UNKNOWN]
    assert upload.dropped == 0


def test_a_post_is_one_request(wired: Wired) -> None:
    """Its head and its body are one request to the other node."""
    upload = Upload(wired)
    upload.whole()
    assert len(wired.reactor.tcpClients) == 1
    assert wired.relay.counts.requests == 1
    wired.refuse_connection()
    assert upload.request.written == [UNKNOWN]


def test_a_post_that_is_lost_before_it_went_on(wired: Wired) -> None:
    """It ends with its connection."""
    upload = Upload(wired)
    upload.upload.lost()
    wired.refuse_connection()
    assert len(wired.relay) == 0
    assert upload.dropped == 0
