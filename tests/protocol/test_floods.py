"""A client that sends too fast: not read from for a while, then sent away. Answers of its own are free."""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from ..running_node import ONE_ADDRESS, message
from ..scrape import scrape
from ..until import until
from .conftest import running
from .server import Node
from .test_packets import in_dropcodes
from .test_polling import UNKNOWN, joined
from .wire import CLOSE, PING, PONG, TEXT, Client, WebSocket, event_of, frame, packets_of

WINDOW_S = 0.5
"""How long an empty bucket of ``hurried`` takes to be full."""
EVENT = '42/dropcodes,["nothing"]'
REVISIONS = pytest.mark.parametrize("eio", [4, 3])


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node whose clients may send 50 packets at once, and 100 a second."""
    options = (*ONE_ADDRESS, "--event-rate-per-socket=100/50")
    with running(tmp_path_factory.mktemp("hurried"), *options) as node:
        yield node


@pytest.fixture(scope="module")
def stern(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node whose clients may send 50 packets at once, and who sends more is held up for longer than a test lasts."""
    options = (*ONE_ADDRESS, "--event-rate-per-socket=0.1/50")
    with running(tmp_path_factory.mktemp("stern"), *options) as node:
        yield node


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with the default rate of packets."""
    with running(tmp_path_factory.mktemp("default"), *ONE_ADDRESS) as node:
        yield node


def ended(websocket: WebSocket) -> int | None:
    """Read to the end; return the code of the close frame."""
    while True:
        opcode, payload = websocket.frame()
        if opcode == CLOSE:
            return int.from_bytes(payload[:2], "big")


def next_text(websocket: WebSocket) -> str:
    """Answer what asks for an answer; return the first text that does not."""
    while True:
        opcode, payload = websocket.frame()
        if opcode == PING:
            websocket.send_frame(PONG, payload)
        elif payload == b"2":
            websocket.say("3")
        else:
            return payload.decode()


FLOODS = {
    "events": frame(TEXT, EVENT.encode()),
    "joins": frame(TEXT, b"40/nowhere,"),
    "leaves and joins": frame(TEXT, b"41/dropcodes,") + frame(TEXT, b"40/dropcodes,"),
    "empty messages": frame(TEXT, b"6"),
    "acknowledgements of nothing": frame(TEXT, b"43/dropcodes,7[]"),
    "pings": frame(PING, b"x"),
    "pongs": frame(PONG, b"x"),
    "fragments": frame(TEXT, b"6", fin=False) + frame(0, b"", fin=False) * 3 + frame(0, b""),
}


@pytest.mark.parametrize("which", FLOODS)
def test_a_websocket_that_floods_is_slowed_down_and_then_sent_away(
    hurried: Node, which: str
) -> None:
    """With 1001, which brings a stock client back."""
    websocket = in_dropcodes(hurried, 4)
    begin = time.monotonic()
    with suppress(ConnectionError):
        websocket.send(FLOODS[which] * 3000)
    assert ended(websocket) == 1001
    assert time.monotonic() - begin > 1.8 * WINDOW_S


@REVISIONS
def test_a_burst_only_takes_its_time(hurried: Node, eio: int) -> None:
    """Nothing of it is lost, and nothing closed."""
    websocket = in_dropcodes(hurried, eio)
    begin = time.monotonic()
    websocket.say(*[EVENT] * 80, "40/nowhere,")
    assert websocket.text().startswith("44/nowhere,")
    assert time.monotonic() - begin > 0.9 * WINDOW_S
    websocket.say("40/elsewhere,")
    assert websocket.text().startswith("44/elsewhere,")


@REVISIONS
def test_a_post_with_too_many_packets_is_answered_when_all_are_taken(
    hurried: Node, eio: int
) -> None:
    client = joined(hurried, eio)
    begin = time.monotonic()
    client.say(*[EVENT] * 80, "40/nowhere,")
    assert time.monotonic() - begin > 0.9 * WINDOW_S
    while "44/nowhere," not in client.poll():
        pass


@REVISIONS
def test_who_posts_far_too_many_is_sent_away(hurried: Node, eio: int) -> None:
    """With what makes every stock client come back: the session is unknown."""
    client = joined(hurried, eio)
    held = client.hold()
    begin = time.monotonic()
    answer = client.post(packets_of(eio, *[EVENT] * 1000))
    assert time.monotonic() - begin > 1.8 * WINDOW_S
    assert answer.brief == UNKNOWN
    assert held.answer().brief == UNKNOWN
    assert client.get().brief == UNKNOWN


def test_a_post_that_is_held_up_goes_with_its_connection(stern: Node) -> None:
    """A session that loses packets is over."""
    client = joined(stern, 4)
    connection = client.hold_post(packets_of(4, *[EVENT] * 80))
    assert client.alive
    connection.reset()
    until(lambda: not client.alive)
    assert client.get().brief == UNKNOWN


def test_a_second_post_while_one_is_held_up(stern: Node) -> None:
    """Two at once end the session, as ever; the first loses its connection."""
    client = joined(stern, 4)
    connection = client.hold_post(packets_of(4, *[EVENT] * 80))
    assert client.post("6").brief == (400, b"")
    assert connection.rest() == b""
    assert client.get().brief == UNKNOWN


@REVISIONS
def test_answers_to_messages_are_free_however_many_at_once(default: Node, eio: int) -> None:
    """Over a WebSocket; the same on polling, all in one POST, as older clients do."""
    key = default.plugin_key()
    headers = [("Authorization", f"ApiKey {key.key}")]
    websocket = in_dropcodes(default, eio, headers)
    client = Client(default.port, eio, headers=headers)
    client.say("40/dropcodes,")
    default.publish_batch([message(key.streamer, n, ttl_ms=60_000) for n in range(300)])
    acks: list[str] = []
    while len(acks) < 300:
        text = next_text(websocket)
        assert event_of(text)[0] == "dropcode"
        acks.append(f"43/dropcodes,{text[13 : text.index('[')]}[]")
    seen = ""
    while seen.count('"dropcode"') < 300:
        seen += client.poll()
        if "2" in seen.split(" ") and eio == 4:
            client.say("3")
    websocket.say(*acks, "40/nowhere,")
    assert next_text(websocket).startswith("44/nowhere,")
    client.say(*acks, "40/nowhere,")
    page = scrape(default.url, default.backend_key)
    assert page.value("pauses_total") == 0, "somebody was slowed down"


def test_an_honest_plugin_never_meets_a_limit(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Everything as it comes: two namespaces, polling first, an upgrade, acknowledgements, and ten reconnects
    in a row as after a flaky network."""
    with running(tmp_path_factory.mktemp("honest")) as node:
        key = node.plugin_key()
        headers = [("Authorization", f"ApiKey {key.key}"), ("X-Forwarded-For", "203.0.113.5")]
        for number in range(10):
            client = Client(node.port, headers=headers)
            client.say("40/dropcodes,", "40/donations,")
            answers = client.poll()
            while answers.count('"sid"') < 2:
                answers += client.poll()
            websocket = client.websocket([("X-Forwarded-For", "203.0.113.5")])
            websocket.say("2probe")
            assert websocket.text() == "3probe"
            websocket.say("5")
            for again in range(5):
                node.publish(key.streamer, f"{number}-{again}", ttl_ms=60_000)
                text = next_text(websocket)
                websocket.say(f"43/dropcodes,{text[13 : text.index('[')]}[]")
            websocket.reset()
