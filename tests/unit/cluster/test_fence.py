"""Who waits at a fence passes when all that was published before has been heard."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster.fence import WITHIN_S, Fence


class Gate:
    """A fence whose canaries the test sends."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sending: list[Deferred[int]] = []
        self.away = False
        self.fence = Fence(self._send, self.clock)

    def _send(self) -> "Deferred[int]":
        if self.away:
            return fail(StoreUnavailable("away"))
        self.sending.append(Deferred())
        return self.sending[-1]

    def wait(self) -> list[Any]:
        """Wait for the fence; what comes of it will be in the list."""
        results: list[Any] = []
        self.fence.passed().addBoth(results.append)
        return results


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_who_waits_passes_with_its_canary(gate: Gate) -> None:
    one = gate.wait()
    gate.sending[0].callback(7)
    gate.fence.came(6)
    assert one == []
    gate.fence.came(7)
    assert one == [None]


def test_a_canary_may_be_back_before_it_is_known_to_be_sent(gate: Gate) -> None:
    one = gate.wait()
    gate.fence.came(7)
    assert one == []
    gate.sending[0].callback(7)
    assert one == [None]


def test_later_ones_share_the_next_canary(gate: Gate) -> None:
    one, two, three = gate.wait(), gate.wait(), gate.wait()
    assert len(gate.sending) == 1
    gate.sending[0].callback(7)
    assert len(gate.sending) == 2
    gate.fence.came(7)
    assert (one, two, three) == ([None], [], [])
    gate.sending[1].callback(8)
    gate.fence.came(9)
    assert (two, three) == ([None], [None])
    assert len(gate.sending) == 2


def test_it_fails_when_no_canary_can_be_sent(gate: Gate) -> None:
    gate.away = True
    [failure] = gate.wait()
    assert failure.check(StoreUnavailable)
    gate.away = False
    assert gate.wait() == []
    assert len(gate.sending) == 1


def test_it_fails_when_the_canary_does_not_come(gate: Gate) -> None:
    late, lost = gate.wait(), gate.wait()
    gate.sending[0].callback(7)
    gate.clock.advance(WITHIN_S)
    assert late[0].check(StoreUnavailable)
    gate.sending[1].callback(8)
    gate.fence.lost()
    assert lost[0].check(StoreUnavailable)


def test_what_came_on_an_earlier_connection_does_not_count(gate: Gate) -> None:
    gate.fence.came(7)
    gate.fence.lost()
    one = gate.wait()
    gate.sending[0].callback(7)
    assert one == []
    gate.fence.came(7)
    assert one == [None]
