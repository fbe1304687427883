"""The machine's wall clock is set while a node runs."""

import socket
from pathlib import Path

import pytest

from ..running_node import RunningNode
from ..stepped_clock import SteppedClock
from ..swarm import Device, Heard, Swarm
from ..until import until

HEARTBEATS = ("--ping-interval", "0.5", "--ping-timeout", "10")
"""Who has ten seconds for its answer has them on a busy machine, too, and not if the clock is set on by minutes."""
IMPATIENT = ("--ping-interval", "0.5", "--ping-timeout", "0.5")
OBSERVED = 4
"""So many heartbeats."""

UPGRADE = (
    b"GET /websockets/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize("step_s", [-600, 600])
def test_nothing_is_early_or_lost_and_nobody_is_dropped(tmp_path: Path, step_s: int) -> None:
    """Heartbeats go on, messages flow, and the schedule keeps to the clock on the wall."""
    clock = SteppedClock(tmp_path)
    heard: list[str] = []

    def hear(event: Heard) -> bool:
        if event.event == "dropcode":
            heard.append(event.argument["id"])
        return True

    with RunningNode(tmp_path, *HEARTBEATS, environment=clock.environment) as node:
        key = node.plugin_key()
        with Swarm(node.port, hear) as swarm:
            device = swarm.add(Device({"apiKey": key.key, "device": "tv"}))
            swarm.wait_joined()
            node.publish(key.streamer, 1, id="soon", delay_ms=300_000, ttl_ms=600_000)
            clock.step(step_s)
            node.publish(key.streamer, 1, id="now", ttl_ms=60_000)
            expected = ["now"] if step_s < 0 else ["now", "soon"]
            until(lambda: sorted(heard) == expected)
            pings = device.pings
            until(lambda: device.pings >= pings + OBSERVED)
            assert sorted(heard) == expected
            assert device.joins == 1
            clock.step(301)
            until(lambda: sorted(heard) == ["now", "soon"])
            assert device.joins == 1


def test_timers_go_on_when_the_clock_is_set_back(tmp_path: Path) -> None:
    """A client that does not answer its ping is dropped in time, not minutes later."""
    clock = SteppedClock(tmp_path)
    with (
        RunningNode(tmp_path, *IMPATIENT, environment=clock.environment) as node,
        socket.create_connection(("127.0.0.1", node.port), timeout=60) as silent,
    ):
        silent.sendall(UPGRADE)
        received = silent.recv(1000)
        assert received.startswith(b"HTTP/1.1 101 ")
        clock.step(-600)
        # It gets a close frame; as it does not answer that either, the connection is cut.
        while b"\x88" not in received:
            received = silent.recv(1000)
