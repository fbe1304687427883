"""A whole node over the connections that it may be given."""

from ..certificates import Authority
from ..running_node import RunningNode
from ..running_redis import RunningRedis
from ..running_sentinels import RunningSentinels
from ..until import until


def test_over_tls_with_a_password(tmp_path):
    certificate = Authority(tmp_path).certificate()
    with (
        RunningRedis(tmp_path, password="SECRET-WORD", tls=certificate) as redis,
        RunningNode(tmp_path, "--redis-url", redis.url) as node,
    ):
        node.wait_ready()
        key = node.plugin_key()
        assert node.publish(key.streamer, {"code": "00123"})["data"] == {"code": "00123"}
        redis.kill()
        node.wait_for("/readyz", lambda status, _: status == 503)
        health = node.backend.call("GET", "/healthcheck")
        assert health[0] == 200
        assert health[1]["status"] == "degraded"
        redis.start()
        node.wait_ready()
        assert "SECRET-WORD" not in node.log() + str(health)


def test_a_failover_by_sentinels(tmp_path):
    with RunningSentinels(tmp_path, password="SECRET-WORD") as trio:
        until(trio.acquainted)
        with RunningNode(tmp_path, "--redis-url", trio.url) as node:
            node.wait_ready()
            key = node.plugin_key()
            before = node.publish(key.streamer, {"code": "before"})["id"]
            until(lambda: trio.second.call("EXISTS", f"rp:m:{before}"))
            trio.first.kill()
            until(lambda: trio.named() == {trio.second.port})
            node.wait_ready()
            after = node.publish(key.streamer, {"code": "after"})["id"]
            for each in (before, after):
                assert node.backend.call("GET", f"/v1/messages/{each}")[0] == 200
            assert "SECRET-WORD" not in node.log()
            assert "lost its data" not in node.log()
