"""Two connections made one: pressure, ends, and the order of both."""

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from reward_push.cluster.splice import CLOSE_TIMEOUT_S, End, Splice


class FakeTransport:
    """Records what is done to it. ``half``: it can close its write side alone."""

    def __init__(self, half: bool = True) -> None:
        self.written = b""
        self.done: list[str] = []
        self.producer: Any = None
        self.protocol: Any = None
        if half:
            self.loseWriteConnection = lambda: self._do("half")

    def _do(self, what: str) -> None:
        assert what not in ("half", "close") or self.producer is None, (
            "it would wait for its producer"
        )
        self.done.append(what)

    def write(self, data: bytes) -> None:
        assert not {"half", "close", "cut"} & set(self.done)
        self.written += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.done.append("pause")

    def resumeProducing(self) -> None:
        self.done.append("resume")

    def loseConnection(self) -> None:
        self._do("close")

    def abortConnection(self) -> None:
        self.done.append("cut")


class Joined:
    """A splice of two fakes."""

    def __init__(self, client: FakeTransport | None = None) -> None:
        self.clock = Clock()
        self.ended = 0
        self.splice = Splice(self.clock, self._end)
        self.client, self.owner = client or FakeTransport(), FakeTransport()
        self.splice.client.take(self.client)
        self.splice.owner.take(self.owner)
        self.splice.join(b"101", b"early")

    def _end(self) -> None:
        self.ended += 1

    def lost(self, end: End, reason: Exception | None = None) -> None:
        end.connectionLost(Failure(reason or ConnectionDone()))


@pytest.fixture
def joined() -> Joined:
    return Joined()


def test_an_end_hears_of_half_closes(joined: Joined) -> None:
    assert verifyObject(IHalfCloseableProtocol, joined.splice.client)
    assert joined.client.protocol is joined.splice.client


def test_bytes_pass_in_both_directions(joined: Joined) -> None:
    """Behind what was to go first."""
    joined.splice.owner.dataReceived(b" down")
    joined.splice.client.dataReceived(b" up")
    assert (joined.client.written, joined.owner.written) == (b"101 down", b"early up")


def test_pressure_goes_through(joined: Joined) -> None:
    """Each side's buffer says whether the other is read."""
    joined.client.producer.pauseProducing()
    assert (joined.owner.done, joined.client.done) == (["pause"], [])
    joined.client.producer.resumeProducing()
    joined.owner.producer.pauseProducing()
    assert (joined.owner.done, joined.client.done) == (["pause", "resume"], ["pause"])


@pytest.mark.parametrize("first", ["client", "owner"])
def test_half_closes(joined: Joined, first: str) -> None:
    """One after the other; both make an end."""
    near = getattr(joined.splice, first)
    far = near.other
    near.readConnectionLost()
    assert (far.transport.done, near.transport.done) == (["half"], [])
    far.dataReceived(b"still")
    assert near.transport.written.endswith(b"still")
    far.writeConnectionLost()
    far.readConnectionLost()
    assert "close" in near.transport.done
    assert "close" in far.transport.done
    joined.lost(near)
    joined.lost(far)
    assert joined.ended == 1
    assert joined.clock.getDelayedCalls() == []


def test_a_half_closed_side_does_not_last(joined: Joined) -> None:
    joined.splice.owner.readConnectionLost()
    joined.clock.advance(CLOSE_TIMEOUT_S - 0.1)
    assert "cut" not in joined.client.done
    joined.clock.advance(0.1)
    assert joined.client.done[-1] == joined.owner.done[-1] == "cut"


def test_a_side_that_cannot_half_close_is_closed() -> None:
    """TLS says goodbye for both directions at once."""
    client = FakeTransport(half=False)
    joined = Joined(client)
    joined.splice.owner.readConnectionLost()
    assert client.done == ["close"]


@pytest.mark.parametrize("first", ["client", "owner"])
def test_a_clean_end_lets_the_rest_out(joined: Joined, first: str) -> None:
    near = getattr(joined.splice, first)
    joined.lost(near)
    assert near.other.transport.done == ["close"]
    assert joined.ended == 0
    joined.clock.advance(CLOSE_TIMEOUT_S)
    assert near.other.transport.done == ["close", "cut"]
    joined.lost(near.other, ConnectionLost())
    assert joined.ended == 1


@pytest.mark.parametrize("first", ["client", "owner"])
def test_a_cut_cuts(joined: Joined, first: str) -> None:
    near = getattr(joined.splice, first)
    joined.lost(near, ConnectionLost())
    assert near.other.transport.done == ["cut"]
    joined.lost(near.other, ConnectionLost())
    assert joined.ended == 1
    assert joined.clock.getDelayedCalls() == []


def test_it_is_closed_from_here(joined: Joined) -> None:
    joined.splice.close()
    assert (joined.client.done, joined.owner.done) == (["close"], ["close"])
    joined.lost(joined.splice.owner)
    joined.lost(joined.splice.client)
    assert joined.ended == 1
    joined.splice.close()
    assert joined.clock.getDelayedCalls() == []
