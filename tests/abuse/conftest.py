"""One node under siege for all tests of this folder, and what must hold behind each attack."""

from collections.abc import Iterator

import pytest

from ..running_node import RunningNode
from .crowd import Crowd
from .siege import Siege, Watch
from .size import HASTE, LONG, pick
from .sockets import many_files

MOST_MIB = float(pick(192, 400))
"""What an attack may bring the node to."""
KEPT_SHARE = 0.10
"""What it may leave behind, beside what the allocator keeps."""


@pytest.fixture(scope="session")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    """A node as it is by default, with honest clients."""
    many_files()
    options = () if LONG else HASTE
    with (
        RunningNode(tmp_path_factory.mktemp("siege"), *options) as node,
        Crowd(node, pick(24, 92), pick(4, 8)) as crowd,
    ):
        yield Siege(node, crowd)
        crowd.check()


@pytest.fixture
def watch(siege: Siege, request: pytest.FixtureRequest) -> Iterator[Watch]:
    """Watch the node while a test attacks it, and say what it took."""
    with siege.attack() as watch:
        yield watch
    siege.wait_files(spare=4)
    print(  # noqa: T201  (its report)
        f"\n{request.node.name}: RSS {watch.before_mib:.1f} MiB before, {watch.most_mib:.1f} at most,"
        f" {watch.after_mib:.1f} after"
    )
    assert watch.most_mib < MOST_MIB
    assert watch.after_mib < watch.before_mib * (1 + KEPT_SHARE) + watch.kept_mib
