"""Three nodes behind a balancer without stickiness, one Redis, many stock clients, and nothing stays whole.

While messages are posted, nodes are killed, paused, drained and started again, Redis is killed and started
again with what it has on disk, and its link to single nodes is cut or stalled. What is promised must hold
(:mod:`.verdict`); what is not, is counted. The table is printed.

``REWARD_PUSH_SEED`` draws another cast, other messages and other faults; ``REWARD_PUSH_CHAOS=long`` runs it
at full length, three times (``tox -e soak``).
"""

import os
import random
import time
from pathlib import Path

import attrs
import pytest

from tests.running_cluster import DURABLE, RunningCluster
from tests.running_node import ONE_ADDRESS
from tests.stopwatch import pauses

from .cast import Cast, gather
from .crowd import Crowd
from .faults import Faults
from .ledger import Ledger, now_ms
from .plan import Fault, faults, postings
from .traffic import Posters, Watchers, ask_all
from .verdict import Verdict, judge, table

SEED = int(os.environ.get("REWARD_PUSH_SEED", "1"))
LONG = os.environ.get("REWARD_PUSH_CHAOS") == "long"
OPTIONS = (
    *ONE_ADDRESS,
    *("--ping-interval", "3", "--ping-timeout", "2", "--drain", "2"),
)
"""Short, so that a client of a frozen node gives it up while the run lasts."""
JOIN_TIMEOUT_S = 90.0
SETTLE_TIMEOUT_S = 60.0
SHOWN = 100


@attrs.frozen
class Size:
    """How much of everything."""

    devices: int
    messages: int
    duration_s: float


SIZE, RUNS = (Size(300, 5_000, 60.0), 3) if LONG else (Size(60, 1_200, 25.0), 1)


@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
def test_chaos(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    """See above."""
    choose = random.Random(seed)
    ledger = Ledger()
    pauses()  # from now on they are noticed
    cluster = RunningCluster(tmp_path, *OPTIONS, redis_options=DURABLE)
    with cluster, Crowd(cluster.url, ledger.reported) as crowd:
        cast = gather(cluster, SIZE.devices, choose)
        plan = postings(cast, SIZE.messages, SIZE.duration_s, choose)
        planned = faults(len(cluster.nodes), SIZE.duration_s, choose)
        crowd.open(cast.plugins)
        _wait_online(ledger, cast, crowd)
        with Watchers(cluster, ledger) as watchers:
            breaking = Faults(cluster, planned)
            breaking.start()
            with Posters(cluster, ledger, plan) as posters:
                posters.wait()
            breaking.wait()
            watchers.check()
            _wait_online(ledger, cast, crowd)
            _settle(ledger)
        verdict = _settled(cluster, ledger, breaking)
        with capsys.disabled():
            print(f"\nseed {seed}: {SIZE}, 3 nodes, no stickiness\n{_listed(planned)}")  # noqa: T201
            print(table(verdict.counts))  # noqa: T201 - it is the result
            print(*verdict.wrong[:SHOWN], sep="\n")  # noqa: T201
    assert verdict.wrong == []
    # That something was tested at all.
    assert len(ledger.accepted) + len(ledger.too_late) == SIZE.messages
    assert len(ledger.committed) > SIZE.messages
    assert verdict.counts["connections"] > len(cast.plugins)


def _listed(planned: list[Fault]) -> str:
    return "\n".join(f"  {fault}" for fault in planned)


def _wait_online(ledger: Ledger, cast: Cast, crowd: Crowd) -> None:
    """Wait until all devices are connected, by their own word."""
    deadline = time.monotonic() + JOIN_TIMEOUT_S
    while ledger.online() < len(cast.plugins):
        crowd.check()
        if time.monotonic() > deadline:
            away = [each for each in cast.plugins if not ledger.presence[each.device].now]
            raise AssertionError(f"not online: {away}, {ledger.refused}")
        time.sleep(0.1)


def _settle(ledger: Ledger) -> None:
    """Wait until all that still lives was heard, or nothing new has been heard for a while.

    What is missing then is for the verdict to judge.
    """
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while time.monotonic() < deadline:
        alive = [m for m, _ in ledger.unheard() if m.expires_ms > now_ms()]
        if not alive:
            break
        time.sleep(0.2)
    # What comes twice or too late may still be on its way; nothing tells when there is no more.
    time.sleep(2.0)


def _settled(cluster: RunningCluster, ledger: Ledger, breaking: Faults) -> Verdict:
    """Judge once revokes and receipts of the last ones have come, or do not come."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        states = ask_all(cluster, list(ledger.accepted))
        verdict = judge(ledger, breaking.windows, states, now_ms(), pauses())
        if not verdict.wrong or time.monotonic() > deadline:
            return verdict
        time.sleep(0.5)
