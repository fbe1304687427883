"""From polling to a WebSocket: each state, and what may go wrong in it."""

import pytest

from ..until import until
from .server import Node
from .test_polling import UNKNOWN, joined, wait_for_hold
from .wire import Client, WebSocket

REVISIONS = pytest.mark.parametrize("eio", [4, 3])
NOOP = {4: b"6", 3: b"1:6"}
BAD_REQUEST = (400, b'{"code":3,"message":"Bad request"}')


def refusal(eio: int, name: str) -> str:
    """Return what comes back for a CONNECT to a namespace that there is not."""
    message = '{"message":"Invalid namespace"}' if eio == 4 else '"Invalid namespace"'
    return f"44/{name},{message}"


def probed(client: Client) -> WebSocket:
    websocket = client.websocket()
    assert websocket.answer_to_upgrade.status == 101
    websocket.say("2probe")
    assert websocket.text() == "3probe"
    return websocket


def goes_on(client: Client) -> None:
    """Assert that the session polls as before, and can be upgraded."""
    held = client.hold()
    wait_for_hold(client)
    client.say("40/x,")
    assert b"44/x," in held.answer().body
    websocket = probed(client)
    websocket.say("5", "40/y,")
    assert websocket.text() == refusal(client.eio or 3, "y")


@REVISIONS
def test_an_upgrade(node: Node, eio: int) -> None:
    """The held poll gets a noop at the probe, and from "5" on the WebSocket is the transport."""
    client = joined(node, eio)
    held = client.hold()
    wait_for_hold(client)
    websocket = probed(client)
    assert held.answer().brief == (200, NOOP[eio])
    websocket.say("5", "40/x,")
    assert websocket.text() == refusal(eio, "x")


@REVISIONS
def test_every_poll_during_an_upgrade_gets_a_noop(node: Node, eio: int) -> None:
    """Not only the one held at the probe: a client may poll again before it reads ``3probe``."""
    client = joined(node, eio)
    websocket = probed(client)
    for _ in range(5):
        assert client.get().brief == (200, NOOP[eio])
    websocket.say("5", "40/x,")
    assert websocket.text() == refusal(eio, "x")


@REVISIONS
def test_polling_works_until_the_probe(node: Node, eio: int) -> None:
    """A WebSocket that says nothing changes nothing, and gets nothing."""
    client = joined(node, eio)
    websocket = client.websocket()
    held = client.hold()
    wait_for_hold(client)
    client.say("40/x,")
    assert b"44/x," in held.answer().body
    websocket.say("2probe")
    assert websocket.text() == "3probe"


@REVISIONS
def test_packets_between_the_probe_and_the_upgrade_are_not_lost(node: Node, eio: int) -> None:
    """They go out with a poll, or on the WebSocket behind ``5``, in order."""
    client = joined(node, eio)
    websocket = probed(client)
    client.say("40/a,")
    assert refusal(eio, "a") in client.poll()
    client.say("40/b,", "40/c,")
    websocket.say("5")
    assert [websocket.text(), websocket.text()] == [refusal(eio, "b"), refusal(eio, "c")]


@REVISIONS
def test_a_poll_held_at_the_upgrade_gets_a_noop(node: Node, eio: int) -> None:
    """Nobody polls on a session that has a WebSocket."""
    client = joined(node, eio)
    websocket = client.websocket()
    held = client.hold()
    wait_for_hold(client)
    websocket.say("2probe", "5", "40/x,")
    assert websocket.text() == "3probe"
    assert held.answer().brief == (200, NOOP[eio])
    assert websocket.text() == refusal(eio, "x")


@REVISIONS
def test_polling_after_the_upgrade(node: Node, eio: int) -> None:
    """GET and POST get code 3; the session is unaffected."""
    client = joined(node, eio)
    websocket = probed(client)
    websocket.say("5", "40/x,")
    assert websocket.text() == refusal(eio, "x")
    assert client.get().brief == BAD_REQUEST
    assert client.post("40/y,").brief == BAD_REQUEST
    assert client.post("4" * 70_000).status == 413
    websocket.say("40/z,")
    assert websocket.text() == refusal(eio, "z")


@pytest.mark.parametrize("upgraded", [False, True])
@REVISIONS
def test_a_second_websocket(node: Node, eio: int, upgraded: bool) -> None:
    """It is accepted and closed at once, while the first is tried and after."""
    client = joined(node, eio)
    first = probed(client)
    if upgraded:
        first.say("5", "40/x,")
        assert first.text() == refusal(eio, "x")
    second = client.websocket()
    assert second.answer_to_upgrade.status == 101
    assert second.close_code() == 1000
    if not upgraded:
        first.say("5")
    first.say("40/y,")
    assert first.text() == refusal(eio, "y")


@pytest.mark.parametrize("packet", ["5", "2", "2other", "3probe", "6", "1", "4x", "40/x,", "0"])
@REVISIONS
def test_another_packet_than_a_probe(node: Node, eio: int, packet: str) -> None:
    """The WebSocket is closed, the session goes on."""
    client = joined(node, eio)
    websocket = client.websocket()
    websocket.say(packet)
    assert websocket.close_code() == 1000
    goes_on(client)


@pytest.mark.parametrize("packet", ["2probe", "2", "6", "1", "4x", "40/x,"])
def test_another_packet_than_the_upgrade(node: Node, packet: str) -> None:
    """The WebSocket is closed, the session goes on."""
    client = joined(node, 4)
    websocket = probed(client)
    websocket.say(packet)
    assert websocket.close_code() == 1000
    goes_on(client)


@pytest.mark.parametrize(
    ("opcode", "payload", "code"), [(1, b"9", 1000), (1, b"", 1000), (1, b"\xff", 1007)]
)
def test_a_broken_packet_on_the_new_websocket(
    node: Node, opcode: int, payload: bytes, code: int
) -> None:
    """It costs the WebSocket, not the session."""
    client = joined(node, 4)
    websocket = client.websocket()
    websocket.send_frame(opcode, payload)
    opcode, reason = websocket.frame()
    assert (opcode, int.from_bytes(reason[:2], "big")) == (8, code)
    goes_on(client)


@pytest.mark.parametrize("after_probe", [False, True])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_new_websocket_that_is_lost(node: Node, how: str, after_probe: bool) -> None:
    """The session goes on polling."""
    client = joined(node, 4)
    websocket = probed(client) if after_probe else client.websocket()
    getattr(websocket, how)()
    wait_for_hold(client)
    goes_on(client)


@pytest.mark.parametrize("after_probe", [False, True])
def test_an_upgrade_that_takes_too_long(hasty: Node, after_probe: bool) -> None:
    """The timer closes the WebSocket; the session goes on polling."""
    client = Client(hasty.port, 3, headers=hasty.authorization())
    websocket = probed(client) if after_probe else client.websocket()
    assert websocket.close_code() == 1000
    client.say("2")
    assert client.poll() in ("2:401:3", "2:40")


@pytest.mark.parametrize("packet", ["1", "42bad"])
def test_a_session_that_ends_during_its_upgrade(node: Node, packet: str) -> None:
    """Its WebSocket is closed."""
    client = joined(node, 4)
    websocket = probed(client)
    client.say(packet)
    assert websocket.close_code() == 1000


@REVISIONS
def test_a_close_packet_on_a_websocket(node: Node, eio: int) -> None:
    """It closes the session, unlike in the reference, and its WebSocket."""
    client = joined(node, eio)
    websocket = probed(client)
    websocket.say("5", "1")
    assert websocket.close_code() == 1000
    assert client.get().brief == UNKNOWN


def test_a_lost_websocket_is_the_end_of_its_session(node: Node) -> None:
    """There is no way back to polling."""
    client = joined(node, 4)
    websocket = probed(client)
    websocket.say("5", "40/x,")
    assert websocket.text() == refusal(4, "x")
    websocket.reset()
    answers = [BAD_REQUEST]

    def is_over() -> bool:
        answers.append(client.get().brief)
        return answers[-1] != BAD_REQUEST

    until(is_over)
    assert answers[-1] == UNKNOWN
