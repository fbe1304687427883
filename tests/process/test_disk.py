"""The disk is full, and later it is not."""

import resource
from pathlib import Path

from ..running_node import RunningNode, message
from ..swarm import Device, Heard, Swarm
from ..until import until

FULL_BYTES = 128 * 1024
"""No file may be written beyond this: enough for the log, not for the store."""


def test_nothing_is_accepted_in_halves_and_it_recovers_by_itself(tmp_path: Path) -> None:
    """503 with a clear error; clients stay, and what was accepted before is delivered all the same."""
    heard: list[str] = []

    def hear(event: Heard) -> bool:
        if event.event == "dropcode":
            heard.append(event.argument["id"])
        return True

    with RunningNode(tmp_path) as node:
        key = node.plugin_key()
        with Swarm(node.port, hear) as swarm:
            device = swarm.add(Device({"apiKey": key.key, "device": "tv"}))
            swarm.wait_joined()
            node.publish_batch([message("nobody", n, delay_ms=3_600_000) for n in range(1_000)])
            node.publish(key.streamer, 1, id="before", ttl_ms=60_000)

            resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (FULL_BYTES, resource.RLIM_INFINITY))
            body = message(key.streamer, 1, id="during", ttl_ms=60_000)
            status, answer = node.backend.call("POST", "/v1/messages", body)
            assert (status, answer["error"]["code"]) == (503, "unavailable")
            status, answer = node.backend.call("POST", "/v1/messages/batch", {"messages": [body]})
            assert (status, answer["error"]["code"]) == (503, "unavailable")
            assert node.backend.call("GET", "/v1/messages/during")[0] == 404
            status, health = node.backend.call("GET", "/healthcheck")
            assert (status, health["status"]) == (200, "degraded")
            assert health["reasons"]
            assert node.backend.call("GET", "/readyz")[0] == 503

            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(node.pid, resource.RLIMIT_FSIZE, unlimited)
            node.wait_ready()
            assert node.backend.call("POST", "/v1/messages", body)[0] == 201
            until(lambda: "during" in heard)
            assert heard == ["before", "during"]
            assert device.joins == 1
