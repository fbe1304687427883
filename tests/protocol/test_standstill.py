"""A node that stood still for a while: a frozen process, or a machine that was moved."""

import time

from .server import PONG_S, Node
from .test_heartbeat import in_dropcodes

STANDSTILL_S = PONG_S + 1.5


def test_a_client_that_has_answered_in_time_stays(hasty: Node) -> None:
    """Its pong waits to be read, while the time for it is over."""
    websocket = in_dropcodes(hasty, 4)
    assert websocket.text() == "2"
    hasty.pause()
    websocket.say("3")
    time.sleep(STANDSTILL_S)
    hasty.resume()
    for _ in range(2):
        assert websocket.text() == "2"
        websocket.say("3")
