"""Bodies on their way."""

from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from reward_push.cluster import body as body_module
from reward_push.cluster.body import LaterBody, read_body, whole_body
from reward_push.cluster.failures import AnswerTooLarge


class Consumer:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


@pytest.mark.parametrize("first", ["head", "data"])
def test_a_body_is_written_when_both_are_there(first: str) -> None:
    """The head, which may have to wait for a connection, and the data, for the client."""
    body, consumer, done = LaterBody(4), Consumer(), []
    assert verifyObject(IBodyProducer, body)
    if first == "data":
        body.complete(b"data")
    assert not body.begun.called
    body.startProducing(consumer).addCallback(done.append)  # type: ignore[arg-type]
    assert body.begun.called
    if first == "head":
        assert (consumer.written, done) == ([], [])
        body.pauseProducing()
        body.complete(b"data")
        body.resumeProducing()
    assert (consumer.written, done) == ([b"data"], [None])


def test_nothing_is_written_once_nobody_wants_it() -> None:
    body, consumer, done = LaterBody(4), Consumer(), []
    body.startProducing(consumer).addCallback(done.append)  # type: ignore[arg-type]
    body.stopProducing()
    body.complete(b"data")
    assert (consumer.written, done) == ([], [])


def test_an_empty_body() -> None:
    assert whole_body(b"") is None
    body, consumer, done = LaterBody(0), Consumer(), []
    body.complete(b"")
    body.startProducing(consumer).addCallback(done.append)  # type: ignore[arg-type]
    assert (consumer.written, done) == ([], [None])


class Response:
    """Delivers to the protocol it is given."""

    def __init__(self) -> None:
        self.closed = 0

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self)

    def loseConnection(self) -> None:
        self.closed += 1


@pytest.fixture
def response() -> Response:
    return Response()


def reading(response: Response) -> list[Any]:
    results: list[Any] = []
    read_body(response).addBoth(results.append)  # type: ignore[arg-type]
    return results


def test_an_answer_is_read_to_its_end(response: Response) -> None:
    results = reading(response)
    for piece in (b"a", b"", b"bc"):
        response.protocol.dataReceived(piece)
    assert results == []
    response.protocol.connectionLost(Failure(ResponseDone()))
    assert results == [b"abc"]


def test_an_answer_that_is_cut_off_is_none(response: Response) -> None:
    results = reading(response)
    response.protocol.dataReceived(b"a")
    response.protocol.connectionLost(Failure(ConnectionLost()))
    [failure] = results
    assert failure.check(ConnectionLost)


def test_an_answer_without_end(response: Response, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "MAX_ANSWER_BYTES", 10)
    results = reading(response)
    response.protocol.dataReceived(b"x" * 10)
    assert results == []
    response.protocol.dataReceived(b"x")
    response.protocol.connectionLost(Failure(ConnectionLost()))
    [failure] = results
    assert failure.check(AnswerTooLarge)
    assert response.closed == 1


def test_giving_up_closes(response: Response) -> None:
    results: list[Any] = []
    read_body(response).addBoth(results.append).cancel()  # type: ignore[arg-type]
    assert response.closed == 1
    assert len(results) == 1
