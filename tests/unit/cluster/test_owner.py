"""Answers of another node, read off a connection."""

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from reward_push.cluster.failures import NotAnAnswer
from reward_push.cluster.owner import MAX_HEAD_BYTES, Owner

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nA: 1\r\na:  2 \r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nno\r\n"


class Asked:
    """An owner that was asked, and what came of it."""

    def __init__(self) -> None:
        self.owner = Owner()
        self.transport = StringTransport()
        self.owner.makeConnection(self.transport)
        self.results: list[Any] = []
        self.failures: list[Failure] = []
        self.owner.ask(b"request").addCallbacks(self.results.append, self.failures.append)


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_it_sends_the_request(asked: Asked) -> None:
    assert asked.transport.value() == b"request"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_101_and_what_follows_it(asked: Asked, size: int) -> None:
    """What came in one piece with its end is handed over; later data are the next protocol's."""
    for start in range(0, len(SWITCHING) - 1, size):
        assert asked.results == []
        asked.owner.dataReceived(SWITCHING[start : min(start + size, len(SWITCHING) - 1)])
    asked.owner.dataReceived(b"\n\x00\r\n\r\nframes")
    [(answer, rest)] = asked.results
    assert (answer.status, answer.phrase, answer.body) == (101, b"Switching Protocols", b"")
    assert answer.headers.getRawHeaders(b"a") == [b"1", b"2"]
    assert rest == b"\x00\r\n\r\nframes"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_refusal_with_its_body(asked: Asked, size: int) -> None:
    data = REFUSED + b"more"
    for start in range(0, len(data), size):
        asked.owner.dataReceived(data[start : start + size])
    [(answer, rest)] = asked.results
    assert (answer.status, answer.body, rest) == (400, b"no\r\n", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_HEAD_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * MAX_HEAD_BYTES,
    ],
)
def test_what_is_no_answer(asked: Asked, data: bytes) -> None:
    asked.owner.dataReceived(data)
    asked.owner.dataReceived(b"more")
    asked.owner.connectionLost(Failure(ConnectionDone()))
    assert asked.results == []
    [failure] = asked.failures
    assert failure.check(NotAnAnswer)


def test_a_connection_that_is_lost(asked: Asked) -> None:
    asked.owner.dataReceived(REFUSED[:-1])
    asked.owner.connectionLost(Failure(ConnectionDone()))
    [failure] = asked.failures
    assert failure.check(ConnectionDone)
