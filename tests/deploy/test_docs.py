"""What docs/deploy.md says in numbers and rules is what is there."""

import re
from pathlib import Path

import pytest

from reward_push.engineio.heartbeat import OVERDUE_S
from reward_push.settings import load
from reward_push.transports.options import SiteOptions
from tests.redis_client import ReplyError
from tests.running_redis import RunningRedis

from .test_redis import USERS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "deploy.md").read_text()


@pytest.mark.parametrize(("column", "idle_s"), [(0, 60), (1, 120)])
def test_the_table_of_numbers(column: int, idle_s: int) -> None:
    """As a node computes them."""
    rows = re.findall(r"^\|.*\| (\d+) \| (\d+) \|$", TEXT, re.MULTILINE)
    settings = load({}, {"REWARD_PUSH_IDLE_TIMEOUT": str(idle_s)})
    interval_s, timeout_s = settings.engine.ping_interval_s, settings.engine.ping_timeout_s
    keep_alive_s = SiteOptions("n", idle_timeout_s=settings.http.idle_timeout_s).keep_alive_s
    numbers = [interval_s, interval_s + OVERDUE_S, interval_s + timeout_s, keep_alive_s]
    assert [float(row[column]) for row in rows] == numbers


def users() -> list[str]:
    """The lines of ACL files in it."""
    return re.findall(r"^user .*$", TEXT, re.MULTILINE)


def test_the_users_of_redis_are_those_of_the_file() -> None:
    """Two for nodes; two more where emitters are listened to."""
    assert users()[:2] == USERS.read_text().splitlines()
    assert [line.split()[1] for line in users()[2:]] == ["reward-push", "emitter"]


def test_emitters_may_publish_where_nodes_listen_and_nothing_else(tmp_path: Path) -> None:
    """The lines for ``emitter_compat``, in a real Redis."""
    file = tmp_path / "users.acl"
    default, _, node, emitter = users()
    file.write_text(f"{default}\n{node}\n{emitter}\n")
    with RunningRedis(tmp_path, "--aclfile", str(file)) as redis:
        with redis.client() as listening:
            listening.call("AUTH", "reward-push", "PASSWORD")
            assert listening.call("PSUBSCRIBE", "socket.io#*")[0] == "psubscribe"
            assert listening.call("SUBSCRIBE", "socketio")[0] == "subscribe"
            with pytest.raises(ReplyError, match="NOPERM"):
                listening.call("SUBSCRIBE", "others")
        with redis.client() as emitting:
            emitting.call("AUTH", "emitter", "EMITTER")
            assert emitting.call("PUBLISH", "socket.io#/dropcodes#", "x") == 0
            assert emitting.call("PUBLISH", "socketio", "x") == 0
            for words in (("PUBLISH", "rp:nodes", "x"), ("GET", "rp:epoch"), ("SET", "x", "1")):
                with pytest.raises(ReplyError, match="NOPERM"):
                    emitting.call(*words)
