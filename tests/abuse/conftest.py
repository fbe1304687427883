"""One node under siege for all tests of this folder, and what must hold behind each attack."""

from collections.abc import Iterator

import pytest

from .counted_node import CountedNode
from .crowd import Crowd
from .siege import MOST_MIB, Siege, Watch
from .size import HASTE, LONG, pick
from .sockets import many_files


@pytest.fixture(scope="package")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    """A node as it is by default, with honest clients."""
    many_files()
    options = () if LONG else HASTE
    with (
        CountedNode(tmp_path_factory.mktemp("siege"), *options) as node,
        Crowd(node, pick(24, 92), pick(4, 8)) as crowd,
    ):
        siege = Siege(node, crowd)
        print(f"\n{siege.fill(pick(1_000, 8_000))}")  # noqa: T201  (its report)
        yield siege
        crowd.check()


@pytest.fixture
def watch(siege: Siege, request: pytest.FixtureRequest) -> Iterator[Watch]:
    """Watch the node while a test attacks it, and say what it took."""
    with siege.attack() as watch:
        yield watch
    siege.wait_files(spare=4)
    siege.wait_objects()
    print(f"\n{request.node.name}: {watch.report()}")  # noqa: T201  (its report)
    assert watch.most_mib < MOST_MIB
    assert watch.after_mib < watch.bound_mib
