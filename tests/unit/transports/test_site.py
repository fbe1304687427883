"""The HTTP edge: deadlines, limits, last answers, the log."""

import json
import re
from collections import Counter
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import IDoor
from reward_push.transports.door import OpenDoor
from reward_push.transports.interfaces import IBodyPolicy, IUpload
from reward_push.transports.linger import LINGER_S
from reward_push.transports.options import SiteOptions
from reward_push.transports.site import build_site

from .fakes import FakePolicy, Leaf
from .peers import connect, reactor

PEER = IPv4Address("TCP", "192.0.2.1", 1)
GET = b"GET /x?apiKey=secret HTTP/1.1\r\nHost: h\r\nUser-Agent: evil\r\n\r\n"


def echo(request: Any) -> bytes:
    return b"<" + request.content.read() + b">"


class Connection:
    """A site and one connection to it in memory; the clock stands still until advanced."""

    def __init__(
        self, answer: Any = echo, root: Any = None, door: Any = None, **options: Any
    ) -> None:
        self.clock = Clock()
        self.policy = FakePolicy()
        self.requests: list[Any] = []

        def recorded(request: Any) -> Any:
            self.requests.append(request)
            return answer(request)

        self.site = build_site(
            root or Leaf(recorded),
            SiteOptions(**{"node_id": "n-1", **options}),
            self.policy,
            self.clock,
            door,
        )
        self.site.doStart()
        self.channel: Any = self.site.buildProtocol(PEER)
        self.transport = StringTransport(lenient=True)
        self.transport.protocol = self.channel
        self.channel.makeConnection(self.transport)

    def send(self, data: bytes) -> bytes:
        """Deliver ``data`` to whoever has the connection; return what has been answered to it."""
        self.transport.clear()
        self.transport.protocol.dataReceived(data)
        return self.transport.value()

    def trickle(self, data: bytes, seconds: float) -> int:
        """Send a byte each ``seconds`` until something is answered; return how many that took."""
        self.transport.clear()
        for index in range(len(data)):
            self.transport.protocol.dataReceived(data[index : index + 1])
            self.clock.advance(seconds)
            if self.transport.value() or self.transport.disconnecting:
                return index + 1
        return len(data)

    @property
    def lingering(self) -> bool:
        """Whether the connection has been left to a protocol that forgets its input."""
        return self.transport.protocol is not self.channel

    def lose(self) -> None:
        self.transport.protocol.connectionLost(Failure(ConnectionLost()))


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def check_refusal(answer: bytes, status: int, code: str) -> None:
    """Assert that this is a whole JSON answer of ours that ends the connection."""
    got, headers, body = parsed(answer)
    assert got == status
    assert headers["X-Node-Id"] == "n-1"
    assert headers["Server"] == "reward-push"
    assert headers["Connection"] == "close"
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(body))
    assert json.loads(body)["error"]["code"] == code


# Answers


def test_each_answer_tells_the_node_and_not_the_framework():
    _, headers, body = parsed(Connection().send(GET))
    assert headers["X-Node-Id"] == "n-1"
    assert headers["Server"] == "reward-push"
    assert "Date" in headers
    assert body == b"<>"


def test_a_missing_page_tells_the_node_too():
    def missing(request: Any) -> bytes:
        request.setResponseCode(404)
        return b""

    status, headers, _ = parsed(Connection(missing).send(GET))
    assert (status, headers["X-Node-Id"], headers["Server"]) == (404, "n-1", "reward-push")


@pytest.mark.parametrize("method", [b"TRACE", b"FOO", b"PUT"])
def test_methods_a_resource_has_not_get_405_with_allow(method):
    connection = Connection()
    status, headers, body = parsed(connection.send(GET.replace(b"GET", method)))
    assert status == 405
    assert set(headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert headers["X-Node-Id"] == "n-1"
    assert json.loads(body)["error"]["code"] == "method_not_allowed"
    # The connection is still good.
    assert parsed(connection.send(GET))[0] == 200


def test_head_brings_the_length_and_no_body():
    status, headers, body = parsed(Connection().send(GET.replace(b"GET", b"HEAD")))
    assert (status, headers["Content-Length"], body) == (200, "2", b"")


def test_head_of_a_resource_that_only_knows_get():
    class OnlyGet:
        isLeaf = True  # noqa: N815

        def render(self, request: Any) -> bytes:
            from twisted.web.error import UnsupportedMethod

            if request.method != b"GET":
                raise UnsupportedMethod([b"GET"])
            return b"page"

    connection = Connection(root=Resource())
    connection.site.resource = Resource()
    connection.site.resource.putChild(b"x", OnlyGet())
    status, headers, body = parsed(connection.send(GET.replace(b"GET", b"HEAD")))
    assert (status, headers["Content-Length"], body) == (200, "4", b"")


def test_options_for_the_whole_server():
    status, headers, _ = parsed(Connection().send(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"))
    assert (status, headers["X-Node-Id"]) == (200, "n-1")


def test_forms_are_not_parsed_and_the_query_is():
    seen = []

    def answer(request: Any) -> bytes:
        seen.append((request.args, request.content.read()))
        return b""

    Connection(answer).send(
        b"POST /x?a=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nd=2"
    )
    assert seen == [({b"a": [b"1"]}, b"d=2")]


# A failing resource


@pytest.fixture
def events():
    seen: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(seen.append)
    yield seen
    globalLogPublisher.removeObserver(seen.append)


def text_of(event: dict[str, Any]) -> str:
    from twisted.logger import formatEvent

    failure = event.get("log_failure")
    return formatEvent(event) + (failure.getTraceback() if failure else "")


def fail(request: Any) -> bytes:
    raise ZeroDivisionError(repr(request))


def test_a_failing_resource_gives_a_bare_500_and_a_logged_traceback(events):
    connection = Connection(fail)
    status, headers, body = parsed(connection.send(GET))
    assert status == 500
    assert headers["X-Node-Id"] == "n-1"
    assert json.loads(body) == {"error": {"code": "internal", "message": "internal error"}}
    (failure,) = [event for event in events if "log_failure" in event]
    text = text_of(failure)
    assert "ZeroDivisionError" in text
    assert "GET /x failed" in text
    assert "secret" not in text
    assert parsed(connection.send(GET))[0] == 500


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/keys/rpk_abcdefghijkl_SuperSecret", "/v1/keys/rpk_abcdefghijkl"),
        ("/v1/keys/rpk%5Fabcdefghijkl%5FSuperSecret%0A", "/v1/keys/rpk_abcdefghijkl"),
        ("/a%20b/" + "y" * 300, "/a%20b/yyy"),
    ],
)
def test_a_key_in_a_path_is_not_logged(events, path, shown):
    connection = Connection(fail)
    connection.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    (failure,) = [event for event in events if "log_failure" in event]
    text = text_of(failure)
    assert f"GET {shown}" in text
    assert "SuperSecret" not in text


@pytest.mark.parametrize("answer", [None, "text", 3])
def test_a_resource_that_answers_no_bytes_has_failed(answer, events):
    status, _, body = parsed(Connection(lambda request: answer).send(GET))
    assert (status, json.loads(body)["error"]["code"]) == (500, "internal")


def test_a_resource_that_fails_in_the_midst_of_its_answer_cuts_it_off(events):
    def half(request: Any) -> bytes:
        request.write(b"half")
        raise ZeroDivisionError

    connection = Connection(half)
    answer = connection.send(GET)
    assert answer.endswith(b"4\r\nhalf\r\n")
    assert connection.transport.disconnecting


def test_a_resource_that_fails_after_the_client_left_is_only_logged(events):
    def late(request: Any) -> bytes:
        request.channel.connectionLost(Failure(ConnectionDone()))
        raise ZeroDivisionError

    assert Connection(late).send(GET) == b""
    assert any("log_failure" in event for event in events)


# The log


def test_a_request_that_succeeds_is_not_logged(events):
    Connection().send(GET)
    assert events == []


def test_twisteds_own_access_log_and_its_timer_are_off():
    connection = Connection()
    connection.lose()
    assert connection.clock.getDelayedCalls() == []


# Bodies


def post(path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: h", b"Origin: http://a.example", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def check_413(connection: Connection, answer: bytes) -> None:
    status, headers, body = parsed(answer)
    assert status == 413
    assert headers["Access-Control-Allow-Origin"] == "http://a.example"
    assert headers["X-Node-Id"] == "n-1"
    assert headers["Connection"] == "close"
    assert body == b'{"too":"large"}'
    assert connection.policy.refused == [(b"POST", b"/small?sid=1", [b"http://a.example"])]
    assert connection.requests == []
    assert connection.lingering


@pytest.mark.parametrize("length", [11, 10_000_000_000, 10**40])
def test_a_body_declared_too_large_is_refused_before_it_comes(length):
    connection = Connection()
    answer = connection.send(post(b"/small?sid=1", b"Content-Length: %d" % length))
    check_413(connection, answer)
    assert connection.send(b"x" * 100_000) == b""


def test_a_body_at_the_limit_is_taken():
    answer = Connection().send(post(b"/small", b"Content-Length: 10", body=b"0123456789"))
    assert parsed(answer)[2] == b"<0123456789>"


def test_a_chunked_body_is_refused_where_it_passes_the_limit():
    connection = Connection()
    head = post(b"/small?sid=1", b"Transfer-Encoding: chunked")
    assert connection.send(head + b"6\r\n012345\r\n") == b""
    check_413(connection, connection.send(b"5\r\n67890\r\n0\r\n\r\n" + GET))


@pytest.mark.parametrize(
    "more", [b"5\r\nabcde\r\n" * 3, b"5\r\nabcde\r\n0\r\n\r\n" + GET, b"zz\r\n"], ids=repr
)
def test_chunks_that_come_with_the_one_too_many_change_nothing(more, events):
    connection = Connection()
    head = post(b"/small?sid=1", b"Transfer-Encoding: chunked")
    check_413(connection, connection.send(head + b"b\r\n01234567890\r\n" + more))
    assert [event for event in events if "log_failure" in event] == []


def test_a_huge_chunk_is_refused_with_its_first_bytes():
    connection = Connection()
    head = post(b"/small?sid=1", b"Transfer-Encoding: chunked")
    check_413(connection, connection.send(head + b"fffffff\r\n" + b"x" * 11))


def test_a_chunked_body_at_the_limit_is_taken():
    head = post(b"/small", b"Transfer-Encoding: chunked")
    answer = Connection().send(head + b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n")
    assert parsed(answer)[2] == b"<0123456789>"


def test_no_limit_is_no_limit():
    body = b"x" * 200_000
    connection = Connection()
    answer = connection.send(post(b"/unlimited", b"Content-Length: 200000", body=body))
    assert parsed(answer)[2] == b"<" + body + b">"


def test_the_client_is_not_asked_to_go_on_with_what_will_be_refused():
    connection = Connection()
    answer = connection.send(post(b"/small?sid=1", b"Content-Length: 11", b"Expect: 100-continue"))
    check_413(connection, answer)
    answer = Connection().send(post(b"/small", b"Content-Length: 9", b"Expect: 100-continue"))
    assert answer == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_policy_that_fails_to_refuse_does_not_hinder_the_refusal(events):
    connection = Connection()
    answer = connection.send(post(b"/small/broken", b"Content-Length: 11"))
    check_refusal(answer, 413, "too_large")
    assert any("log_failure" in event for event in events)


def test_the_refusal_of_a_head_request_has_no_body():
    connection = Connection()
    answer = connection.send(b"HEAD /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"\r\n\r\n")


def test_the_policy_may_name_another_type():
    connection = Connection()
    connection.policy.refuse = lambda *_: ([(b"Content-Type", b"text/plain")], b"no")
    _, headers, body = parsed(connection.send(post(b"/small", b"Content-Length: 11")))
    assert (headers["Content-Type"], body) == ("text/plain", b"no")


def test_the_fake_policy_is_a_policy():
    policy = FakePolicy()
    assert verifyObject(IBodyPolicy, policy)
    assert verifyObject(IUpload, policy.receiving(b"POST", b"/", None, lambda: None, ""))


# Bodies that have yet to come


def waiting(*parts: bytes, path: bytes = b"/x") -> tuple[Connection, list[str]]:
    """Return a connection with the head of a POST and some of its body, and what is told of it."""
    connection = Connection()
    connection.send(post(path, b"Content-Length: 8") + parts[0])
    (upload,) = connection.policy.uploads
    for part in parts[1:]:
        connection.send(part)
    return connection, upload.told


def test_a_body_that_came_with_its_head_is_not_waited_for():
    connection = Connection()
    connection.send(GET)
    connection.send(post(b"/x", b"Content-Length: 0"))
    connection.send(post(b"/x", b"Content-Length: 5", body=b"whole" + GET))
    assert connection.policy.uploads == []
    assert len(connection.requests) == 4


def test_the_end_of_a_body_is_told_before_its_request_is_rendered():
    connection, told = waiting(b"", b"0123")
    assert told == []
    connection.site.resource = Leaf(lambda request: b"".join(each.encode() for each in told))
    assert parsed(connection.send(b"4567"))[2] == b"whole"
    connection.lose()
    assert told == ["whole"]


def test_a_chunked_body_is_waited_for():
    connection = Connection()
    connection.send(post(b"/x", b"Transfer-Encoding: chunked") + b"5\r\n01234\r\n")
    (upload,) = connection.policy.uploads
    assert upload.told == []
    connection.send(b"0\r\n\r\n")
    assert upload.told == ["whole"]


def test_a_client_that_leaves_in_mid_body_is_told():
    connection, told = waiting(b"0123")
    connection.lose()
    assert told == ["lost"]


def test_a_body_that_takes_too_long_is_told():
    connection, told = waiting(b"0123")
    connection.clock.advance(20)
    assert told == ["lost"]
    connection.transport.protocol.connectionLost(Failure(ConnectionLost()))
    assert told == ["lost"]


@pytest.mark.parametrize("more", [b"b\r\n01234567890\r\n", b"xyz\r\n"])
def test_a_body_that_is_refused_half_way_is_told(more):
    connection = Connection()
    connection.send(post(b"/small", b"Transfer-Encoding: chunked"))
    (upload,) = connection.policy.uploads
    connection.send(more)
    assert upload.told == ["lost"]


def test_a_body_can_be_cut_off():
    connection, told = waiting(b"0123")
    connection.policy.uploads[0].drop()
    assert connection.transport.disconnecting
    connection.lose()
    assert told == ["lost"]


# What must never be parsed in two ways


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: +5"],
        [b"Content-Length: -5"],
        [b"Content-Length: 0x5"],
        [b"Content-Length: 5_0"],
        [b"Content-Length: "],
        [b"Content-Length : 5"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"X: a\x00b"],
        [b"no colon"],
    ],
    ids=repr,
)
def test_ambiguous_requests_are_refused_whole(headers):
    connection = Connection()
    answer = connection.send(post(b"/x", *headers, body=b"0\r\n\r\n" + GET))
    check_refusal(answer, 400, "invalid_request")
    assert connection.requests == []
    assert connection.lingering


@pytest.mark.parametrize(
    "body", [b"+5\r\nhello\r\n", b"5 \r\nhello\r\n", b"5\r\nhelloX", b"g\r\n", b"\r\n"], ids=repr
)
def test_malformed_chunks_are_refused(body):
    connection = Connection()
    answer = connection.send(post(b"/x", b"Transfer-Encoding: chunked", body=body + GET))
    check_refusal(answer, 400, "invalid_request")
    assert connection.requests == []


@pytest.mark.parametrize(
    "line",
    [b"GET / HTTP/2.0", b"GET  / HTTP/1.1", b"GET /", b"G@T / HTTP/1.1", b"\x16\x03\x01\x02"],
    ids=repr,
)
def test_malformed_request_lines_are_refused(line):
    check_refusal(Connection().send(line + b"\r\nHost: h\r\n\r\n"), 400, "invalid_request")


def test_nothing_after_a_bad_header_is_parsed():
    connection = Connection()
    connection.send(b"GET /x HTTP/1.1\r\nbad\r\nHost: h\r\n\r\n" + GET)
    assert connection.requests == []


# Sizes of the head


def test_a_request_line_too_long_is_told_so():
    check_refusal(Connection().send(b"GET /" + b"x" * 16_400), 414, "too_large")


def test_a_header_too_long_is_told_so():
    answer = Connection().send(b"GET / HTTP/1.1\r\nX: " + b"x" * 16_400)
    check_refusal(answer, 431, "too_large")


def test_headers_too_large_together_are_told_so():
    answer = Connection().send(b"GET / HTTP/1.1\r\n" + b"X: %s\r\n" % (b"x" * 1000) * 17)
    check_refusal(answer, 431, "too_large")


def test_too_many_headers_are_told_so():
    answer = Connection().send(b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 502)
    check_refusal(answer, 431, "too_large")


# Deadlines


def test_a_head_that_trickles_is_cut_off_after_its_total_time():
    connection = Connection()
    assert connection.trickle(GET, 1) == 10
    check_refusal(connection.transport.value(), 408, "timeout")
    assert connection.lingering
    assert connection.site.refusals == {408: 1}


def test_the_first_heads_time_runs_from_accept():
    connection = Connection()
    connection.clock.advance(9)
    connection.send(b"G")
    connection.clock.advance(0.9)
    assert connection.transport.value() == b""
    connection.clock.advance(0.1)
    check_refusal(connection.transport.value(), 408, "timeout")


def test_a_later_heads_time_runs_from_its_first_byte():
    connection = Connection()
    connection.send(GET)
    connection.clock.advance(100)
    assert connection.trickle(GET, 1) == 10
    check_refusal(connection.transport.value(), 408, "timeout")


def test_a_client_that_sends_nothing_is_closed_without_a_word():
    connection = Connection()
    connection.clock.advance(10)
    assert connection.transport.disconnecting
    assert connection.transport.value() == b""


def test_a_body_that_trickles_is_cut_off_after_its_total_time():
    connection = Connection()
    connection.send(post(b"/x", b"Content-Length: 500"))
    assert connection.trickle(b"x" * 500, 1) == 20
    check_refusal(connection.transport.value(), 408, "timeout")
    assert connection.requests == []


def test_a_chunked_body_that_trickles_is_cut_off_too():
    connection = Connection()
    connection.send(post(b"/x", b"Transfer-Encoding: chunked"))
    assert connection.trickle(b"1\r\nx\r\n" * 20, 1) == 20
    check_refusal(connection.transport.value(), 408, "timeout")


def test_the_bodys_time_is_its_own():
    """A slow head leaves the body its whole time, and the answer none of it."""
    connection = Connection()
    connection.trickle(post(b"/x", b"Content-Length: 500")[:-1], 0.1)
    connection.send(b"\n")
    connection.clock.advance(19)
    answer = connection.send(b"x" * 500)
    assert parsed(answer)[0] == 200


def test_an_idle_connection_is_kept_longer_than_the_balancer_does():
    connection = Connection(idle_timeout_s=120)
    connection.send(GET)
    connection.clock.advance(134.9)
    assert not connection.transport.disconnecting
    connection.send(GET)
    connection.clock.advance(134.9)
    assert not connection.transport.disconnecting
    connection.transport.clear()
    connection.clock.advance(0.1)
    assert connection.transport.disconnecting
    assert connection.transport.value() == b""


def test_an_idle_connection_that_will_not_close_is_cut():
    connection = Connection()
    connection.send(GET)
    connection.clock.advance(135)
    assert not connection.transport.disconnected
    connection.clock.advance(15)
    assert connection.transport.disconnected


def test_a_client_that_asked_for_the_close_and_takes_nothing_is_cut():
    connection = Connection()
    connection.send(GET.replace(b"Host", b"Connection: close\r\nHost"))
    assert connection.transport.disconnecting
    connection.clock.advance(134)
    assert not connection.transport.disconnected
    connection.clock.advance(1)
    assert connection.transport.disconnected


def test_a_held_request_has_no_deadline():
    connection = Connection(lambda request: NOT_DONE_YET)
    connection.send(GET)
    connection.clock.pump([10.0] * 1000)
    assert not connection.transport.disconnecting
    connection.requests[0].finish()
    connection.clock.advance(134)
    assert not connection.transport.disconnecting
    connection.clock.advance(1)
    assert connection.transport.disconnecting


@pytest.mark.parametrize(
    ("option", "before", "seconds"),
    [
        ("header_timeout_s", b"", 10_000),
        ("header_timeout_s", b"GET", 10_000),
        ("body_timeout_s", post(b"/x", b"Content-Length: 5"), 10_000),
        ("idle_timeout_s", GET, 10_000),
    ],
)
def test_zero_switches_a_limit_off(option, before, seconds):
    connection = Connection(**{option: 0})
    connection.send(before)
    connection.clock.pump([100.0] * (seconds // 100))
    assert not connection.transport.disconnecting
    assert not connection.lingering


def test_a_lost_connection_leaves_no_timer():
    for data in (b"", b"GET", GET, post(b"/x", b"Content-Length: 5")):
        connection = Connection()
        connection.send(data)
        connection.lose()
        assert connection.clock.getDelayedCalls() == []


def test_a_refused_connection_leaves_no_timer_once_it_is_closed():
    connection = Connection()
    connection.send(b"bad\r\n\r\n")
    assert len(connection.clock.getDelayedCalls()) == 1
    connection.lose()
    assert connection.clock.getDelayedCalls() == []


def test_a_refused_client_that_never_closes_is_cut():
    connection = Connection()
    connection.send(b"bad\r\n\r\n")
    connection.clock.advance(LINGER_S)
    assert connection.transport.disconnected


# Requests ahead of their turn, clients that leave


def test_a_request_sent_ahead_waits_for_the_held_one():
    connection = Connection(lambda request: NOT_DONE_YET)
    connection.send(GET + GET)
    (first,) = connection.requests
    first.write(b"one")
    first.finish()
    _, second = connection.requests
    second.write(b"two")
    second.finish()
    assert connection.transport.value().count(b"HTTP/1.1 200 OK") == 2
    assert connection.transport.value().index(b"one") < connection.transport.value().index(b"two")


def test_half_a_request_sent_ahead_has_its_deadline_from_its_turn_on():
    connection = Connection(lambda request: NOT_DONE_YET)
    connection.send(GET + b"GET")
    connection.clock.advance(100)
    (first,) = connection.requests
    first.finish()
    connection.clock.advance(9.9)
    assert not connection.lingering
    connection.transport.clear()
    connection.clock.advance(0.1)
    check_refusal(connection.transport.value(), 408, "timeout")


def test_a_refused_request_sent_ahead_comes_after_the_first_answer():
    connection = Connection(lambda request: NOT_DONE_YET)
    assert connection.send(GET + b"bad\r\n\r\n") == b""
    connection.requests[0].finish()
    answers = connection.transport.value()
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"400"]


def test_a_client_that_leaves_is_noticed_by_the_held_request():
    connection = Connection(lambda request: NOT_DONE_YET)
    connection.send(GET)
    gone: list[Failure] = []
    connection.requests[0].notifyFinish().addErrback(gone.append)
    connection.lose()
    assert gone[0].check(ConnectionLost)


def test_input_after_our_close_is_not_parsed():
    """In TLS a connection is read until both sides have closed."""
    connection = Connection(lambda request: NOT_DONE_YET)
    connection.send(GET)
    connection.requests[0].loseConnection()
    connection.send(GET)
    assert len(connection.requests) == 1


def test_only_http_1_1_is_offered_in_tls():
    assert Connection().site.acceptableProtocols() == [b"http/1.1"]


# Over real sockets


class Serving:
    """A site on a port of loopback."""

    def __init__(self, answer: Any) -> None:
        site = build_site(Leaf(answer), SiteOptions(node_id="n-1"), FakePolicy(), reactor())
        self.port = reactor().listenTCP(0, site, interface="127.0.0.1")

    async def request(self, data: bytes) -> Any:
        endpoint = TCP4ClientEndpoint(reactor(), "127.0.0.1", self.port.getHost().port)
        return await connect(endpoint, data)

    async def stop(self, *peers: Any) -> None:
        for peer in peers:
            if peer.ended is None:
                peer.transport.abortConnection()
            await peer.until(lambda peer=peer: peer.ended)
        await self.port.stopListening()


@pytest.mark.parametrize(
    "request_head",
    [
        post(b"/small?sid=1", b"Content-Length: 3000000"),
        post(b"/small?sid=1", b"Transfer-Encoding: chunked") + b"2dc6c0\r\n",
    ],
    ids=["declared", "chunked"],
)
@pytest_twisted.ensureDeferred
async def test_the_413_reaches_a_client_that_is_still_sending(request_head):
    """Three megabytes are on their way when it is written: a plain close would reset."""
    serving = Serving(echo)
    peer = await serving.request(request_head + b"x" * 3_000_000)
    await peer.until(lambda: peer.ended)
    status, _, body = parsed(peer.received)
    assert (status, body) == (413, b'{"too":"large"}')
    assert peer.ended.check(ConnectionDone)
    await serving.stop(peer)


@pytest_twisted.ensureDeferred
async def test_a_bad_requests_answer_reaches_a_client_that_is_still_sending():
    serving = Serving(echo)
    peer = await serving.request(b"bad\r\n\r\n" + b"x" * 3_000_000)
    await peer.until(lambda: peer.ended)
    assert parsed(peer.received)[0] == 400
    await serving.stop(peer)


@pytest_twisted.ensureDeferred
async def test_a_client_that_drops_a_held_request_is_noticed_at_once():
    seen: list[Any] = []
    gone: Deferred[list[Failure]] = Deferred()

    def hold(request: Any) -> int:
        request.notifyFinish().addErrback(lambda failure: gone.callback([failure]))
        seen.append(request)
        return NOT_DONE_YET

    serving = Serving(hold)
    peer = await serving.request(GET)
    peer.transport.loseConnection()
    (failure,) = await gone.addTimeout(10, reactor())
    assert failure.check(ConnectionDone, ConnectionLost)
    assert len(seen) == 1
    await serving.stop(peer)


# Who has connected


@implementer(IDoor)
class CountingDoor(OpenDoor):
    """Counts who is there."""

    def __init__(self) -> None:
        super().__init__()
        self.there: Counter[Any] = Counter()
        self.wants = True

    def arrive(self, peer: Any) -> bool:
        self.there[peer] += self.wants
        return self.wants

    def depart(self, peer: Any) -> None:
        self.there[peer] -= 1


@pytest.mark.parametrize(
    "end",
    [
        lambda connection: connection.lose(),
        lambda connection: connection.send(b"nonsense\r\n\r\n"),
        lambda connection: connection.clock.advance(10) or connection.lose(),
        lambda connection: (connection.send(b"nonsense\r\n\r\n"), connection.lose()),
        lambda connection: connection.channel.hand_over(Protocol()),
    ],
    ids=["lost", "refused", "too slow", "refused and lost", "handed over"],
)
def test_each_connection_is_counted_until_it_is_over(end: Any) -> None:
    door = CountingDoor()
    connection = Connection(door=door)
    assert door.there == {PEER: 1}
    connection.send(GET)
    assert door.there == {PEER: 1}
    end(connection)
    assert door.there[PEER] == 0


def test_who_is_not_wanted_is_not_talked_to() -> None:
    door = CountingDoor()
    door.wants = False
    site = Connection(door=OpenDoor()).site
    site.door = door
    assert site.buildProtocol(PEER) is None
    assert verifyObject(IDoor, door)
