"""Large bodies: asked about before they come, and so many at a time."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.web.server import NOT_DONE_YET

from reward_push.transports.large import LARGE_BYTES, MAX_LARGE, LargeBodies, Unwelcome

from .test_site import GET, Connection, check_refusal, parsed

UNWELCOME = Unwelcome(401, ((b"WWW-Authenticate", b"ApiKey"),), b'{"no":"key"}')
LARGE = LARGE_BYTES + 1


CHUNK = b"%x\r\n%b\r\n" % (LARGE_BYTES, b"x" * LARGE_BYTES)
MORE = b"5\r\nabcde\r\n"


def head(length: int | None, path: bytes = b"/unlimited") -> bytes:
    how = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return b"POST " + path + b" HTTP/1.1\r\nHost: h\r\n" + how + b"\r\n\r\n"


def connection_with(verdict: Any, **more: Any) -> Connection:
    connection = Connection(**more)
    connection.policy.verdict = verdict
    return connection


def check_unwelcome(connection: Connection, answer: bytes) -> None:
    status, headers, body = parsed(answer)
    assert (status, body) == (401, b'{"no":"key"}')
    assert headers["WWW-Authenticate"] == "ApiKey"
    assert headers["Connection"] == "close"
    assert connection.requests == []
    assert connection.lingering
    assert connection.site.large.now == 0


@pytest.mark.parametrize("length", [LARGE, None])
def test_who_is_not_welcome_is_told_before_the_body_has_come(length: int | None) -> None:
    connection = connection_with(succeed(UNWELCOME))
    if length is None:
        assert connection.send(head(None) + CHUNK) == b""
        check_unwelcome(connection, connection.send(MORE * 5))
    else:
        check_unwelcome(connection, connection.send(head(length)))
        assert connection.policy.uploads == []
    assert connection.send(b"x" * 100_000) == b""
    assert len(connection.policy.vetted) == 1


@pytest.mark.parametrize("length", [LARGE, None])
def test_the_body_comes_while_the_verdict_is_awaited(length: int | None) -> None:
    verdict: Deferred[Any] = Deferred()
    connection = connection_with(verdict)
    some = CHUNK + MORE if length is None else b"abcde"
    assert connection.send(head(length) + some) == b""
    assert connection.site.large.now == 1
    connection.transport.clear()
    verdict.callback(UNWELCOME)
    check_unwelcome(connection, connection.transport.value())
    assert [upload.told for upload in connection.policy.uploads] == [["lost"]]


def test_a_welcome_body_is_taken_as_ever() -> None:
    for verdict in (None, succeed(None)):
        connection = connection_with(verdict)
        body = b"x" * LARGE
        answer = connection.send(head(LARGE) + body[:1000])
        assert answer == b""
        assert parsed(connection.send(body[1000:]))[2] == b"<" + body + b">"
        assert connection.site.large.now == 0


def test_small_bodies_are_not_asked_about() -> None:
    connection = connection_with(succeed(UNWELCOME))
    body = b"x" * LARGE_BYTES
    assert parsed(connection.send(head(LARGE_BYTES) + body))[0] == 200
    assert parsed(connection.send(head(None) + CHUNK + b"0\r\n\r\n"))[0] == 200
    connection.send(GET)
    assert connection.policy.vetted == []


def test_a_verdict_that_comes_late_changes_nothing() -> None:
    """The request is there by then, and whoever serves it asks again; or its client is gone."""
    for end in ("whole", "gone"):
        verdict: Deferred[Any] = Deferred()
        connection = connection_with(verdict, answer=lambda request: NOT_DONE_YET)
        connection.send(head(None) + CHUNK + MORE + (b"0\r\n\r\n" if end == "whole" else b""))
        if end == "gone":
            connection.lose()
        connection.transport.clear()
        verdict.callback(UNWELCOME)
        assert connection.transport.value() == b""
        assert not connection.lingering


def test_there_are_only_so_many_at_a_time() -> None:
    """Until the answer is written, or the client has gone."""
    connections = []
    first = connection_with(succeed(None), answer=lambda request: NOT_DONE_YET)
    for _ in range(MAX_LARGE):
        connection = connection_with(succeed(None), answer=lambda request: NOT_DONE_YET)
        connection.channel.site = first.site
        connections.append(connection)
    first.site.policy.verdict = succeed(None)
    for connection in connections:
        assert connection.send(head(None) + CHUNK + MORE + b"0\r\n\r\n") == b""
    assert first.site.large.now == MAX_LARGE
    answer = first.send(head(LARGE))
    check_refusal(answer, 503, "unavailable")
    assert parsed(answer)[1]["Retry-After"] == "1"
    assert first.site.refusals == {503: 1}
    connections[0].lose()
    first_request = connections[1].channel.requests[0]
    first_request.finish()
    assert first.site.large.now == MAX_LARGE - 2


def test_several_on_one_connection_count_one_after_the_other() -> None:
    connection = connection_with(succeed(None))
    for _ in range(3 * MAX_LARGE):
        assert parsed(connection.send(head(None) + CHUNK + MORE + b"0\r\n\r\n"))[0] == 200
    assert connection.site.large.now == 0


def test_the_refusal_of_one_that_is_too_large_gives_its_place_back() -> None:
    connection = connection_with(succeed(None))
    connection.channel.body_limit = 0
    connection.policy.limit = lambda *_: 2 * LARGE_BYTES  # type: ignore[method-assign]
    connection.send(head(None) + CHUNK + MORE)
    assert connection.site.large.now == 1
    answer = connection.send(CHUNK)
    assert parsed(answer)[0] == 413
    assert json.loads(parsed(answer)[2]) == {"too": "large"}
    assert connection.site.large.now == 0


def test_counting() -> None:
    bodies = LargeBodies(2)
    assert [bodies.begin() for _ in range(4)] == [True, True, False, False]
    assert bodies.now == 2
    bodies.end()
    assert bodies.begin()
