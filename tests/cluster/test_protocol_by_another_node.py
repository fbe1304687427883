"""The tests of the protocol once more: whatever has a sid goes to a node that does not have the session.

Two whole nodes on one Redis; a session is opened with the one, and all that follows is sent to the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..protocol import wire
from ..protocol.server import HASTE, Node
from ..protocol.test_client_quirks import *  # noqa: F403
from ..protocol.test_heartbeat import *  # noqa: F403
from ..protocol.test_keys import *  # noqa: F403
from ..protocol.test_packets import *  # noqa: F403
from ..protocol.test_polling import *  # noqa: F403
from ..protocol.test_proof import *  # noqa: F403
from ..protocol.test_upgrade import *  # noqa: F403
from ..running_node import ONE_ADDRESS
from ..running_redis import RunningRedis


@pytest.fixture(scope="module")
def node(redis: RunningRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node as in the tests of the protocol, for which another one stands in."""
    with _astray(tmp_path_factory.mktemp("node"), redis) as started:
        yield started


@pytest.fixture(scope="module")
def hasty(redis: RunningRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The same with short timers."""
    with _astray(tmp_path_factory.mktemp("hasty"), redis, *HASTE) as started:
        yield started


def test_they_go_to_another_node(node: Node) -> None:
    """Which says so; the handshake does not."""
    client = wire.Client(node.port)
    posted = client.post("40")
    websocket = client.websocket()
    assert (posted.status, websocket.answer_to_upgrade.status) == (200, 101)
    for answer in (posted, websocket.answer_to_upgrade):
        assert answer.headers["x-node-id"] != client.opened.headers["x-node-id"]


@contextmanager
def _astray(folder: Path, redis: RunningRedis, *options: str) -> Iterator[Node]:
    name = folder.name.rstrip("0123456789")
    joint = (
        "--redis-url",
        redis.url,
        "--redis-prefix",
        f"{name}:",
        "--drain=0",
        *ONE_ADDRESS,
        *options,
    )
    (folder / "other").mkdir()
    with Node(folder, *joint) as owner, Node(folder / "other", *joint) as other:
        for each in (owner, other):
            each.wait_ready()
        wire.ELSEWHERE[owner.port] = other.port
        try:
            yield owner
        finally:
            del wire.ELSEWHERE[owner.port]
        owner.check_secrets()
        other.check_secrets()
