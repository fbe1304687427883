"""Connecting and dropping without end, in every way there is: nothing is left behind."""

import random

from ..protocol.wire import UPGRADE, WebSocket, request_bytes
from .siege import Siege, Watch
from .size import LONG, pick
from .sockets import Attacker, addresses, dial, flood, open_polling, reset, session_request

SEED = 5
HALF = request_bytes("GET", "/websockets/?EIO=4&transport=websocket", UPGRADE)[:-20]


class _Upgrading(WebSocket):
    """A WebSocket for a session that began with polling."""

    def __init__(self, port: int, source: str, sid: str) -> None:
        self._source = source
        super().__init__(port, f"/websockets/?EIO=4&transport=websocket&sid={sid}")

    def _connect(self, port: int) -> None:
        self._socket = dial(port, self._source)


def connect_and_drop(siege: Siege, source: str, kind: str) -> None:
    """Come and go once."""
    port, connect = siege.port, "/notifications," + siege.gateway("passing")
    if kind == "nothing":
        reset(dial(port, source))
    elif kind == "half a handshake":
        connection = dial(port, source)
        connection.sendall(HALF)
        reset(connection)
    elif kind.startswith("websocket"):
        attacker = Attacker(port, source, connect if "joined" in kind else None)
        if kind.endswith("closed"):
            attacker.send_frame(8, b"\x03\xe8")
            attacker.rest()
            attacker.close()
        else:
            attacker.reset()
    else:
        sid = open_polling(port, source)
        join = session_request("POST", sid, (), f"40{connect}".encode())
        flood(port, iter([source]), [join])
        if kind == "polling, upgraded":
            upgrading = _Upgrading(port, source, sid)
            upgrading.say("2probe")
            assert upgrading.text() == "3probe"
            upgrading.say("5")
            upgrading.reset()
        elif kind == "polling, left":
            flood(port, iter([source]), [session_request("POST", sid, (), b"1")])


KINDS = [
    "nothing",
    "half a handshake",
    "websocket, dropped",
    "websocket, joined, dropped",
    "websocket, joined, closed",
    "polling, left",
    "polling, upgraded",
    # Such a session is there until its heartbeat is overdue: 45 s.
    *(["polling, forgotten"] if LONG else []),
]


def test_connections_that_come_and_go(siege: Siege, watch: Watch) -> None:
    """After tens of thousands no session, timer, file or counter of who is there is left; memory does not grow."""
    count = pick(2_000, 100_000)
    sources = addresses(count // 30 + 1)
    kinds = random.Random(SEED)
    done: dict[str, int] = dict.fromkeys(KINDS, 0)
    for _ in range(count):
        kind = kinds.choice(KINDS)
        connect_and_drop(siege, next(sources), kind)
        done[kind] += 1
    siege.quiet()
    sessions = count - done["nothing"] - done["half a handshake"]
    assert watch.counted("handshakes_total") == sessions
    assert watch.counted("sessions_closed_total") == sessions
    assert watch.counted("addresses") == 0
    assert watch.counted("queue_clients") <= len(siege.crowd)
