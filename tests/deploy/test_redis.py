"""What Redis is told: a real one takes it, and real nodes need no more rights than it gives them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.protocol import wire
from tests.redis_client import RedisClient, ReplyError
from tests.running_node import RunningNode
from tests.running_redis import RunningRedis
from tests.until import until

FOLDER = Path(__file__).parents[2] / "deploy" / "redis"
CONFIGURATION = FOLDER / "reward-push.conf"
USERS = FOLDER / "users.acl"
PASSWORD = "Sup3rS3cret"


class DeployedRedis(RunningRedis):
    """A Redis with the files of ``deploy/redis``, and a user beside the nodes' who may look at everything."""

    def __init__(self, folder: Path) -> None:
        users = folder / "users.acl"
        users.write_text(
            USERS.read_text().replace("PASSWORD", PASSWORD) + "user watcher on >w ~* &* +@all\n"
        )
        super().__init__(folder, "--include", str(CONFIGURATION), "--aclfile", str(users))

    def url_of(self, user: str, password: str) -> str:
        return f"redis://{user}:{password}@127.0.0.1:{self.port}/0"

    def watch(self, *words: str) -> object:
        """Ask as the user who may."""
        with self.client() as client:
            client.call("AUTH", "watcher", "w")
            return client.call(*words)

    def denied(self) -> list[object]:
        """What the nodes' user was denied."""
        log = self.watch("ACL", "LOG")
        assert isinstance(log, list)
        entries = [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in log]
        return [entry for entry in entries if entry["username"] == "reward-push"]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[DeployedRedis]:
    with DeployedRedis(tmp_path) as server:
        yield server


def start(redis: DeployedRedis, folder: Path, stack: ExitStack, **more: str) -> RunningNode:
    """A node on this Redis, ready."""
    environment = {"REWARD_PUSH_REDIS_URL": redis.url_of("reward-push", PASSWORD), **more}
    name = f"node-{len(list(folder.glob('node-*')))}"
    node = RunningNode(folder, "--drain", "0", name=name, environment=environment)
    stack.enter_context(node)
    node.wait_ready()
    return node


def plugin(node: RunningNode, query: str) -> wire.WebSocket:
    """A plugin of revision 4 in ``/dropcodes``."""
    websocket = wire.open_websocket(node.port, 4, query)
    websocket.say("40/dropcodes,")
    assert websocket.text().startswith("40/dropcodes,")
    return websocket


def test_nodes_work_with_the_rights_they_are_given(redis: DeployedRedis, tmp_path: Path) -> None:
    """Publish, deliver on another node, acknowledge, revoke, list, disconnect: nothing is denied."""
    with ExitStack() as stack:
        first = start(redis, tmp_path, stack)
        second = start(redis, tmp_path, stack)
        # The key of the settings is each node's own; those in the store are everybody's.
        key = first.plugin_key()
        socket = plugin(second, f"&apiKey={key.key}&device=d1")

        posted = first.publish(key.streamer, "now", ttl_ms=60_000)
        event, message = wire.event_of(socket.text())
        assert (event, message["id"]) == ("dropcode", posted["id"])
        first.publish(key.streamer, "soon", delay_ms=200, ttl_ms=60_000)
        assert wire.event_of(socket.text())[1]["data"] == "soon"
        assert first.backend.call("DELETE", f"/v1/messages/{posted['id']}")[0] == 200
        assert wire.event_of(socket.text())[0] == "revoke"

        assert len(first.backend.call("GET", "/v1/messages?limit=10")[1]["items"]) == 2
        assert first.backend.call("GET", f"/v1/messages/{posted['id']}")[0] == 200
        until(lambda: len(first.backend.call("GET", "/v1/nodes")[1]["items"]) == 2)
        status, online = first.backend.call("GET", f"/v1/streamers/{key.streamer}")
        assert (status, online["online"]) == (200, True)
        assert len(first.backend.call("GET", "/v1/keys")[1]["items"]) == 1
        closed = first.backend.call("POST", f"/v1/streamers/{key.streamer}/disconnect")
        assert closed == (200, {"closed": 1})
        socket.close()
        [made] = first.backend.call("GET", "/v1/keys")[1]["items"]
        assert first.backend.call("DELETE", f"/v1/keys/{made['key_id']}")[0] == 200
    assert redis.denied() == []


def test_the_log_of_what_is_denied_is_not_empty_for_lack_of_looking(redis: DeployedRedis) -> None:
    """The test before can fail; and what nodes never do, they may not do."""
    with redis.client() as client:
        client.call("AUTH", "reward-push", PASSWORD)
        for words in (("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("GET", "other")):
            with pytest.raises(ReplyError, match="NOPERM"):
                client.call(*words)
    assert len(redis.denied()) == 4


def test_nobody_else_is_let_in(redis: DeployedRedis) -> None:
    """The default user is off, for all the rights it has: Redis reads its append-only file with them."""
    with RedisClient(redis.port) as client:
        with pytest.raises(ReplyError, match="NOAUTH"):
            client.call("GET", "rp:epoch")
        for password in ("", PASSWORD):
            with pytest.raises(ReplyError, match="WRONGPASS"):
                client.call("AUTH", "default", password)


def test_what_was_accepted_outlives_a_restart(redis: DeployedRedis, tmp_path: Path) -> None:
    """Redis is killed, and comes back with it.

    With a default user who has no rights it would not: Redis 7 replays what scripts have done as that user.
    """
    with ExitStack() as stack:
        node = start(redis, tmp_path, stack)
        key = node.plugin_key()
        posted = node.publish(key.streamer, "kept", ttl_ms=600_000)
        redis.restart()
        until(lambda: node.backend.call("GET", f"/v1/messages/{posted['id']}")[0] == 200)
        node.wait_ready()
        assert node.backend.call("GET", f"/v1/messages/{posted['id']}")[1]["state"] == "live"
        socket = plugin(node, f"&apiKey={key.key}")
        assert wire.event_of(socket.text())[1]["id"] == posted["id"]
        socket.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maxmemory-policy", "noeviction"),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("timeout", "0"),
        ("client-output-buffer-limit", "pubsub 67108864 16777216 30"),
    ],
)
def test_redis_understands_its_settings(redis: DeployedRedis, name: str, value: str) -> None:
    """As it shows them itself."""
    found = redis.watch("CONFIG", "GET", name)
    assert isinstance(found, list)
    assert value in json.dumps(found)
