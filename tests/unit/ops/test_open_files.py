"""Raising the limit of open files: in a process of its own, as what is lowered there stays low."""

import json
import resource
import subprocess
import sys

import pytest

from reward_push.ops.open_files import SPARE

PROGRAM = """
import json, resource, sys
from reward_push.ops.open_files import allow_open_files

soft, hard, connections, may_raise = json.loads(sys.argv[1])
if not may_raise:
    set_limit = resource.setrlimit

    def setrlimit(which, limits):
        if limits[1] > resource.getrlimit(which)[1]:
            raise ValueError("not permitted")
        set_limit(which, limits)

    resource.setrlimit = setrlimit
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
allowed = allow_open_files(connections)
print(json.dumps([allowed, *resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""


def allowed(soft: int, hard: int, connections: int, *, may_raise: bool = False) -> list[int]:
    """Return what is allowed, and the two limits then."""
    arguments = json.dumps([soft, hard, connections, may_raise])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, arguments], check=True, capture_output=True, timeout=60
    )
    return list(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "after"),
    [
        (256, 4000, 1000, [1000 * 2 + SPARE, 1000 * 2 + SPARE, 4000]),
        (256, 4000, 100_000, [4000, 4000, 4000]),
        (256, 4000, 0, [4000, 4000, 4000]),
        (3500, 4000, 1000, [3500, 3500, 4000]),
        (4000, 4000, 100_000, [4000, 4000, 4000]),
    ],
)
def test_as_many_as_are_needed_and_can_be_had(
    soft: int, hard: int, connections: int, after: list[int]
) -> None:
    assert allowed(soft, hard, connections) == after


def test_who_may_raises_the_hard_limit_too() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    got, soft, hard = allowed(256, 3000, 1500, may_raise=True)
    assert got == soft
    assert got in (3000, 4000), "4000 only with the right to"
    assert hard in (3000, 4000)
    assert most == resource.RLIM_INFINITY or most >= 3000
