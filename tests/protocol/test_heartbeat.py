"""Who pings, who answers, and what silence leads to, with the times of :data:`.server.HASTE`."""

import pytest

from ..stopwatch import Stopwatch
from .server import JOIN_S, PING_S, PONG_S, Node
from .test_polling import UNKNOWN
from .wire import Client, WebSocket, open_websocket

LATE_S = 0.4
"""Machines are busy at times."""


class Watch:
    """Measures from its making."""

    def __init__(self) -> None:
        self._stopwatch = Stopwatch()

    def check(self, seconds: float) -> None:
        """Assert that about so much has passed."""
        # The wheel's ticks are never early, clocks of two processes are a little apart.
        assert seconds - 0.05 <= self._stopwatch.passed_s
        assert self._stopwatch.lived_s <= seconds + LATE_S


def in_dropcodes(hasty: Node, eio: int) -> WebSocket:
    websocket = open_websocket(hasty.port, eio, headers=hasty.authorization())
    websocket.say("40/dropcodes,")
    assert websocket.text().startswith("40/dropcodes,")
    return websocket


def test_revision_4_over_a_websocket(hasty: Node) -> None:
    """The server pings so long after the last pong, and gives up on a client that is silent."""
    watch, websocket = Watch(), in_dropcodes(hasty, 4)
    for _ in range(3):
        assert websocket.text() == "2"
        watch.check(PING_S)
        watch = Watch()
        websocket.say("3")
    assert websocket.text() == "2"
    watch = Watch()
    assert websocket.close_code() == 1001
    watch.check(PONG_S)


def test_revision_4_over_polling(hasty: Node) -> None:
    """The ping comes through the poll. A silent client's next poll is failed, so that it comes back."""
    client = Client(hasty.port, headers=hasty.authorization())
    client.say("40/dropcodes,")
    assert client.poll().startswith("40/dropcodes,")
    for _ in range(3):
        assert client.poll() == "2"
        client.say("3")
    assert client.poll() == "2"
    assert client.get().brief == UNKNOWN


def test_revision_4_takes_any_packet_for_life(hasty: Node) -> None:
    """A client that talks is alive, though it owes a pong."""
    websocket = in_dropcodes(hasty, 4)
    for _ in range(4):
        assert websocket.text() == "2"
        websocket.say('42/dropcodes,["x"]')


def test_revision_4_clients_do_not_ping(hasty: Node) -> None:
    """The wrong direction ends the session."""
    websocket = in_dropcodes(hasty, 4)
    websocket.say("2")
    assert websocket.close_code() == 1000


def test_revision_3_over_a_websocket(hasty: Node) -> None:
    """The client pings and is answered at once. Silence for both times together ends it."""
    websocket = in_dropcodes(hasty, 3)
    for ping in ("2", "2", "2probe"):
        websocket.say(ping)
        assert websocket.text() == "3"
    watch = Watch()
    assert websocket.close_code() == 1001
    watch.check(PING_S + PONG_S)


def test_revision_3_over_polling(hasty: Node) -> None:
    """No poll is held for longer than a ping interval; pings are answered through it."""
    client = Client(hasty.port, 3, headers=hasty.authorization())
    client.say("40/dropcodes,")
    answers = ""
    while "40/dropcodes," not in answers:
        answers += client.poll()
    for _ in range(3):
        watch = Watch()
        assert client.poll() == "1:6"
        watch.check(PING_S)
        client.say("2")
        assert client.poll() == "1:3"
    assert client.poll() == "1:6"
    watch = Watch()
    assert client.get().brief == UNKNOWN
    watch.check(PONG_S)


def test_revision_3_takes_any_packet_for_life(hasty: Node) -> None:
    """engine.io 3 counted any packet."""
    client = Client(hasty.port, 3, headers=hasty.authorization())
    client.say("40/dropcodes,")
    answers = ""
    while "40/dropcodes," not in answers:
        answers += client.poll()
    for _ in range(4):
        client.say('42/dropcodes,["x"]')
        assert client.poll() == "1:6"


def test_revision_3_clients_do_not_pong(hasty: Node) -> None:
    """The wrong direction ends the session."""
    websocket = in_dropcodes(hasty, 3)
    websocket.say("3")
    assert websocket.close_code() == 1000


@pytest.mark.parametrize("packet", ["0", "5", "6", "6x"])
@pytest.mark.parametrize("eio", [4, 3])
def test_packets_without_a_meaning_are_ignored(node: Node, eio: int, packet: str) -> None:
    """On the transport that a session has."""
    websocket = open_websocket(node.port, eio, headers=node.authorization())
    websocket.say(packet, "40/x,")
    assert websocket.text().startswith("44/x,")


# Connect time-out


def test_a_client_that_joins_nothing(hasty: Node) -> None:
    """It is in the way: closed, though it answers pings."""
    watch, websocket = Watch(), open_websocket(hasty.port)
    assert websocket.text() == "2"
    websocket.say("3")
    assert websocket.close_code() == 1000
    watch.check(JOIN_S)


def test_a_polling_client_that_joins_nothing(hasty: Node) -> None:
    """It gets a close packet."""
    client = Client(hasty.port)
    assert client.poll() == "2"
    client.say("3")
    assert client.poll() == "1"
    assert client.get().brief == UNKNOWN


def test_a_client_that_is_refused_everywhere(hasty: Node) -> None:
    """A refusal is no join: the time-out goes on."""
    watch, websocket = Watch(), open_websocket(hasty.port)
    websocket.say("40/x,", "40/dropcodes,")
    assert websocket.text().startswith("44/x,")
    assert websocket.text().startswith("44/dropcodes,")
    assert websocket.text() == "2"
    websocket.say("3")
    assert websocket.close_code() == 1000
    watch.check(JOIN_S)


def test_a_client_of_revision_3_without_a_key(hasty: Node) -> None:
    """It may sit in ``/`` until its namespace brings a key or the time-out ends it."""
    watch, client = Watch(), Client(hasty.port, 3)
    assert client.poll() == "2:40"
    assert client.poll() == "1:6"
    client.say("2")
    assert client.poll() == "1:3"
    assert client.poll() == "1:1"
    watch.check(JOIN_S)
    assert client.get().brief == UNKNOWN


def test_a_client_that_has_joined_stays(hasty: Node) -> None:
    """Its time-out is off."""
    websocket = in_dropcodes(hasty, 4)
    for _ in range(3):
        assert websocket.text() == "2"
        websocket.say("3")
