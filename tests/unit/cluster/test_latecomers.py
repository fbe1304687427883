"""Who has moved is told by the node that they are connected to now."""

from typing import Any

from twisted.internet.task import Clock

from reward_push.cluster.channels import Channels
from reward_push.cluster.envelope import Ask, decode
from reward_push.cluster.latecomers import Latecomers
from reward_push.cluster.peers import Peers
from reward_push.rewards.interfaces import Latecomer, Reason

from .fakes import FakeNewsStore

FAR = (7 << 71) + 5
"""A device's number as Redis has them: of more than 64 bits."""


class Node:
    def __init__(self, name: str) -> None:
        self.store: Any = FakeNewsStore()
        self.told: list[Any] = []
        self.peers = Peers(name, Channels("rp:"), self.store, lambda: ["n1", "n2"], Clock())
        self.latecomers = Latecomers(self.peers, self.told.extend)


def test_other_nodes_are_asked_and_tell() -> None:
    one, two = Node("n1"), Node("n2")
    late = [Latecomer("m", "/a", FAR, Reason.TAKEN), Latecomer("n", "/", FAR, Reason.EXPIRED)]
    one.latecomers.tell_elsewhere(late)
    [(channel, text)] = one.store.published
    assert channel == "rp:nodes"
    ask = decode(text)
    assert isinstance(ask, Ask)
    two.peers.asked(ask)
    assert (one.told, two.told) == ([], late)


def test_it_is_no_failure_when_they_cannot_be_asked() -> None:
    node = Node("n1")
    node.store.away = True
    node.latecomers.tell_elsewhere([Latecomer("m", "/a", FAR, Reason.TAKEN)])
    assert node.store.published == []
