"""A whole node over the connections that it may be given."""

import time

from ..certificates import Authority
from ..running_node import RunningNode
from ..running_redis import RunningRedis
from ..running_sentinels import RunningSentinels

WITHIN_S = 20.0


def wait_for(condition) -> float:
    """Wait for other processes: there is nothing to wait on but what they say."""
    began_s = time.monotonic()
    while not condition():
        assert time.monotonic() - began_s < WITHIN_S
        time.sleep(0.02)
    return time.monotonic() - began_s


def ready(node: RunningNode) -> bool:
    return node.backend.call("GET", "/readyz")[0] == 200


def test_over_tls_with_a_password(tmp_path):
    certificate = Authority(tmp_path).certificate()
    with (
        RunningRedis(tmp_path, password="SECRET-WORD", tls=certificate) as redis,
        RunningNode(tmp_path, "--redis-url", redis.url) as node,
    ):
        wait_for(lambda: ready(node))
        key = node.plugin_key()
        assert node.publish(key.streamer, {"code": "00123"})["data"] == {"code": "00123"}
        redis.kill()
        wait_for(lambda: not ready(node))
        health = node.backend.call("GET", "/healthcheck")
        assert health[0] == 200
        assert health[1]["status"] == "degraded"
        redis.start()
        wait_for(lambda: ready(node))
        assert "SECRET-WORD" not in node.log() + str(health)


def test_a_failover_by_sentinels(tmp_path):
    with RunningSentinels(tmp_path, password="SECRET-WORD") as trio:
        wait_for(trio.acquainted)
        with RunningNode(tmp_path, "--redis-url", trio.url) as node:
            wait_for(lambda: ready(node))
            key = node.plugin_key()
            before = node.publish(key.streamer, {"code": "before"})["id"]
            wait_for(lambda: trio.second.call("EXISTS", f"rp:m:{before}"))
            trio.first.kill()
            wait_for(lambda: trio.named() == {trio.second.port})
            wait_for(lambda: ready(node))
            after = node.publish(key.streamer, {"code": "after"})["id"]
            for each in (before, after):
                assert node.backend.call("GET", f"/v1/messages/{each}")[0] == 200
            assert "SECRET-WORD" not in node.log()
            assert "lost its data" not in node.log()
