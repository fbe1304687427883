"""Closing on a peer that is still sending."""

import pytest_twisted
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock

from reward_push.transports.linger import LINGER_S, linger

from .peers import Accepting, connect, reactor


class Closing:
    """A connection whose server has written ``bye`` and lingers."""

    async def start(self, **options: int) -> "Closing":
        self.clock = Clock()
        accepting = Accepting()
        self.port = reactor().listenTCP(0, accepting, interface="127.0.0.1")
        address = self.port.getHost()
        self.peer = await connect(TCP4ClientEndpoint(reactor(), "127.0.0.1", address.port))
        await accepting.until(lambda: accepting.made)
        self.end = accepting.made[0]
        self.transport = self.end.transport
        self.transport.write(b"bye")
        linger(self.transport, self.clock, **options)
        return self

    async def stop(self) -> None:
        if self.peer.ended is None:
            self.peer.transport.abortConnection()
        await self.peer.until(lambda: self.peer.ended)
        await self.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_the_peer_reads_the_last_words_although_it_goes_on_sending():
    """A megabyte nobody reads would reset the connection and destroy ``bye``."""
    closing = await Closing().start()
    closing.peer.transport.write(b"x" * 1_000_000)
    await closing.peer.until(lambda: closing.peer.ended)
    assert closing.peer.received == b"bye"
    closing.peer.ended.trap(ConnectionDone)
    await closing.stop()


@pytest_twisted.ensureDeferred
async def test_the_old_protocol_gets_nothing_more():
    closing = await Closing().start()
    closing.peer.transport.write(b"more")
    await closing.peer.until(lambda: closing.peer.ended)
    assert closing.end.received == b""
    assert closing.end.ended is None
    await closing.stop()


class Stubborn:
    """What a peer that never closes looks like from the server, in memory."""

    producer = None
    reading = True
    aborted = False

    def resumeProducing(self) -> None:
        self.reading = True

    def pauseProducing(self) -> None:
        self.reading = False

    def abortConnection(self) -> None:
        self.aborted = True


def test_reading_ends_after_so_many_bytes():
    transport = Stubborn()
    linger(transport, Clock(), 5, 1000)
    transport.protocol.dataReceived(b"x" * 1000)
    assert transport.reading
    transport.protocol.dataReceived(b"x")
    assert not transport.reading
    assert not transport.aborted


def test_the_connection_is_cut_in_the_end():
    transport = Stubborn()
    clock = Clock()
    linger(transport, clock)
    clock.advance(LINGER_S - 0.1)
    assert not transport.aborted
    clock.advance(0.1)
    assert transport.aborted


def test_no_timer_is_left_when_the_peer_closes():
    transport = Stubborn()
    clock = Clock()
    linger(transport, clock)
    transport.protocol.connectionLost()
    assert clock.getDelayedCalls() == []
