"""News come in, in order and once; what was not heard is made up for; a dead link is noticed."""

from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import StoreUnavailable
from reward_push.access.seldom import EVERY_S as SELDOM_S
from reward_push.cluster import backplane
from reward_push.cluster.backplane import RETRY_S, Backplane, ToldByStore
from reward_push.cluster.canary import EVERY_S, LATE_S
from reward_push.cluster.channels import Channels
from reward_push.cluster.envelope import Canary, EndedNews, KeyNews, LiveNews, encode
from reward_push.cluster.healing import AT_ONCE, PLACE_S, Healer
from reward_push.cluster.history import BecameLive, History
from reward_push.cluster.interfaces import ILocalNews, INewsStore, ISubscriber
from reward_push.cluster.peers import Peers
from reward_push.rewards.interfaces import INews, Reason, TakenBack

from ..store.sqlite.samples import record
from .fakes import FakeNewsStore, FakeSubscriber, RecordingNode


@attrs.define(eq=False)
class Socket:
    """A connected socket, as far as healing looks at it."""

    name: str
    rooms: tuple[str, ...]
    connected: bool = True


class Node:
    """A backplane on recording ends."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.subscriber: Any = FakeSubscriber()
        self.store: Any = FakeNewsStore()
        self.local: Any = RecordingNode()
        self.sockets: list[Any] = []
        self.healed: list[str] = []
        self.healing: list[Any] = []
        self.checked = 0
        channels = Channels("rp:")
        healer = Healer(
            self.store,
            self.local,
            lambda namespace, rooms: [s for s in self.sockets if set(s.rooms) & set(rooms)],
            self._heal,
            self._everything,
            self.clock,
        )
        peers = Peers("n1", channels, self.store, list, self.clock)
        self.backplane = Backplane(
            "n1", channels, self.subscriber, self.store, self.local, healer, peers, self.clock
        )
        self.backplane.start()

    def _heal(self, socket: Any) -> "Deferred[None]":
        self.healed.append(socket.name)
        return self.healing.pop(0) if self.healing else succeed(None)

    def _everything(self) -> "Deferred[Any]":
        self.checked += 1
        return succeed(self.sockets)

    def hear(self, *news: Any) -> None:
        for each in news:
            self.backplane.received(encode(each))

    def listen(self, no: int = 10) -> "Node":
        """The subscriber is ready, and the first canary is back."""
        self.backplane.ready()
        self.hear(Canary(no))
        return self


def live(no: int, message_id: str, due: bool = False, *superseded: TakenBack) -> LiveNews:
    return LiveNews(no, due, record(message_id).message, superseded)


def taken(message_id: str) -> TakenBack:
    return TakenBack(message_id, "/dropcodes", ("streamer:s-42",), Reason.CANCELLED, (1,))


def ended(no: int, message_id: str) -> EndedNews:
    return EndedNews(no, taken(message_id))


def became(no: int, *rooms: str) -> BecameLive:
    return BecameLive(no, f"m{no}", "/dropcodes", rooms)


def page(*news: Any, complete: bool = True, more_after: int | None = None) -> History:
    return History(news, complete=complete, more_after=more_after)


@pytest.fixture
def node() -> Node:
    return Node()


def test_the_ends_keep_their_interfaces(node: Node) -> None:
    verifyObject(ISubscriber, node.subscriber)
    verifyObject(INewsStore, node.store)
    verifyObject(ILocalNews, node.local)
    verifyObject(INews, ToldByStore())


def test_news_reach_the_node_in_order(node: Node) -> None:
    node.listen()
    old = taken("old")
    node.hear(
        live(11, "a"),
        live(12, "b", True, old),
        live(13, "c", False, old),
        ended(14, "a"),
        KeyNews(15, "k"),
    )
    assert node.local.log == ["live a", "due b -old", "live c", "ended old", "ended a", "key k"]


def test_highest_number_is_that_of_what_was_heard_last(node: Node) -> None:
    assert node.backplane.highest() == 0
    node.listen(10)
    assert node.backplane.highest() == 10
    node.hear(live(11, "a"), KeyNews(15, "k"))
    assert node.backplane.highest() == 15
    node.hear(Canary(20))
    assert node.backplane.highest() == 20


def test_all_news_of_one_step_are_taken(node: Node) -> None:
    node.listen()
    node.hear(live(11, "a"), ended(11, "b"))
    assert node.local.log == ["live a", "ended b"]


def test_what_came_last_before_the_link_was_lost_may_be_a_part_and_is_healed(node: Node) -> None:
    node.listen(10)
    node.hear(live(12, "a"), live(13, "b"))
    node.backplane.lost()
    node.backplane.ready()
    node.local.log.clear()
    node.store.pages = [page(ended(12, "x"), ended(13, "y"))]
    node.hear(Canary(20))
    assert node.local.log == ["ended y"]


def test_a_node_listens_to_what_is_for_it_and_for_its_sockets(node: Node) -> None:
    assert node.subscriber.channels == {"rp:nodes", "rp:node:n1"}
    socket: Any = attrs.make_class("S", ["namespace", "rooms"])(
        attrs.make_class("N", ["name"])("/a"), ("all", "streamer:s", "group:eu")
    )
    heard: list[Any] = []
    node.backplane.hears(socket).addBoth(heard.append)
    assert heard == [None]
    assert node.subscriber.channels >= {
        "rp:ns:/a",
        "rp:room:/a|streamer:s",
        "rp:room:/a|group:eu",
    }
    assert len(node.backplane) == 5
    node.backplane.left(socket)
    node.clock.advance(60)
    assert len(node.backplane) == 2


@pytest.mark.parametrize("text", ["", "{}", "null", '{"kind":"live"}', '{"kind":"x","no":1}'])
def test_what_is_no_news_is_passed_over(node: Node, text: str) -> None:
    node.listen()
    node.backplane.received(text)
    node.hear(live(11, "a"))
    assert node.local.log == ["live a"]


def test_nonsense_does_not_fill_the_log(node: Node) -> None:
    lines: list[str] = []

    def observe(event: Any) -> None:
        if "none of ours" in str(event.get("log_format")):
            lines.append(f"{event['why']}, {event['unsaid']} more")

    globalLogPublisher.addObserver(observe)
    try:
        node.listen()
        for text in ("", "{}", "[]", "null"):
            node.backplane.received(text)
        assert lines == ["no news: JSONDecodeError, 0 more"]
        node.clock.advance(SELDOM_S)
        node.backplane.received("{}")
    finally:
        globalLogPublisher.removeObserver(observe)
    assert lines[1:] == ["no news: KeyError, 3 more"]


def test_a_fault_of_ours_does_not_make_the_node_deaf(
    node: Node, logged_failures: list[str]
) -> None:
    node.listen()
    node.local.breaks_on = "a"
    node.hear(live(11, "a"), live(12, "b"))
    assert node.local.log == ["live b"]
    assert logged_failures == ["broken"]


# The canary.


def test_a_node_is_in_trouble_until_it_hears_itself(node: Node) -> None:
    assert "not subscribed" in str(node.backplane.trouble())
    assert node.backplane.canary_age_s() is None
    node.listen()
    assert node.backplane.trouble() is None
    assert node.store.canaries == ["n1"]


def test_a_canary_is_sent_every_second(node: Node) -> None:
    node.listen()
    for n in range(10):
        node.clock.advance(EVERY_S)
        node.hear(Canary(11 + n))
    assert len(node.store.canaries) == 11
    assert node.subscriber.dropped == 0


def test_a_dead_link_is_dropped_when_the_canary_does_not_come(node: Node) -> None:
    node.listen()
    for _ in range(3):
        node.clock.advance(EVERY_S)
    assert "late" in str(node.backplane.trouble())
    for _ in range(int(LATE_S)):
        node.clock.advance(EVERY_S)
    assert node.subscriber.dropped >= 1
    node.backplane.lost()
    assert "not subscribed" in str(node.backplane.trouble())


# Catching up.


def deafened(node: Node) -> Node:
    """It has heard everything up to 12, then lost the link, and has it again."""
    node.listen(10)
    node.hear(live(11, "a"), Canary(12), live(13, "b"), live(13, "c"), KeyNews(14, "l"))
    node.backplane.lost()
    node.local.log.clear()
    node.backplane.ready()
    return node


def test_what_was_missed_is_made_up_for(node: Node) -> None:
    deafened(node)
    node.sockets = [Socket("s", ("streamer:s-42",)), Socket("t", ("streamer:t",))]
    node.store.pages = [
        page(became(14, "streamer:s-42"), ended(15, "a"), more_after=15),
        page(KeyNews(16, "k")),
    ]
    assert node.store.asked == []
    node.hear(Canary(20))
    assert [after for after, _ in node.store.asked] == [12, 15]
    assert node.healed == ["s"]
    assert node.local.log == ["ended a", "key k"]
    assert node.backplane.heals == 1
    node.clock.advance(EVERY_S)
    node.hear(Canary(30))
    assert len(node.store.asked) == 2


def test_a_link_lost_before_it_was_ever_heard_through_is_made_up_for_too(node: Node) -> None:
    """Sockets may have come in on it before the first canary came back."""
    node.backplane.ready()
    node.sockets = [Socket("s", ("streamer:s-42",))]
    node.backplane.lost()
    node.backplane.ready()
    node.store.pages = [page(became(11, "streamer:s-42"))]
    node.hear(Canary(20))
    assert [after for after, _ in node.store.asked] == [0]
    assert node.healed == ["s"]


def test_a_link_that_could_not_be_had_at_first_has_missed_nothing(node: Node) -> None:
    node.backplane.lost()
    node.listen(10)
    assert node.store.asked == []
    assert node.backplane.heals == 0


def test_a_socket_in_several_rooms_is_healed_once_and_who_has_gone_is_not(node: Node) -> None:
    deafened(node)
    node.sockets = [Socket("s", ("a", "b")), Socket("gone", ("a",), connected=False)]
    node.store.pages = [page(became(14, "a"), became(15, "b"), became(16, "a", "b"))]
    node.hear(Canary(20))
    assert node.healed == ["s"]


def test_what_was_heard_before_or_after_the_gap_is_not_taken_from_the_store(node: Node) -> None:
    deafened(node)
    node.sockets = [Socket("s", ("a",))]
    node.hear(live(19, "on the new link"))
    node.store.pages = [page(became(13, "a"), became(19, "a"), became(21, "a"), ended(22, "x"))]
    node.hear(Canary(20))
    assert node.healed == []
    node.hear(live(21, "c"), ended(22, "x"))
    assert node.local.log == ["live on the new link", "live c", "ended x"]


def test_what_is_remembered_of_what_was_heard_has_an_end(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is away the news go on coming. What is forgotten first was heard first."""
    monkeypatch.setattr(backplane, "MAX_SINCE", 4)
    deafened(node)
    node.sockets = [Socket("old", ("a",)), Socket("new", ("b",))]
    node.store.away = True
    node.hear(Canary(13), *(live(number, f"m{number}") for number in range(14, 19)))
    assert node.backplane.highest() == 18
    node.store.away = False
    node.backplane.lost()
    node.backplane.ready()
    node.store.pages = [page(became(14, "a"), became(17, "b"))]
    node.hear(Canary(20))
    assert node.healed == ["old"]


def test_when_nobody_knows_what_was_missed_everything_is_healed(node: Node) -> None:
    deafened(node)
    node.sockets = [Socket("s", ("a",)), Socket("t", ("b",))]
    node.store.pages = [page(complete=False)]
    node.hear(Canary(20))
    assert sorted(node.healed) == ["s", "t"]
    assert node.checked == 1


def test_a_store_that_is_away_is_asked_again(node: Node) -> None:
    deafened(node)
    node.store.away = True
    node.hear(Canary(20))
    node.hear(Canary(21))
    assert len(node.store.asked) == 1
    node.store.away = False
    node.sockets = [Socket("s", ("a",))]
    node.store.pages = [page(became(14, "a"))]
    node.clock.advance(RETRY_S)
    assert node.healed == ["s"]
    assert [after for after, _ in node.store.asked] == [12, 12]


def test_a_socket_that_could_not_be_healed_is_healed_again(node: Node) -> None:
    deafened(node)
    node.sockets = [Socket("s", ("a",))]
    node.healing = [fail(StoreUnavailable("away"))]
    node.store.pages = [page(became(14, "a")), page(became(14, "a"))]
    node.hear(Canary(20))
    node.clock.advance(RETRY_S)
    assert node.healed == ["s", "s"]


def test_clients_that_take_nothing_do_not_hold_up_the_others(node: Node) -> None:
    """Each has its place for a moment. All are waited for in the end; who has gone meanwhile is passed over."""
    deafened(node)
    node.sockets = [Socket(str(number), ("a",)) for number in range(2 * AT_ONCE + 2)]
    waiting: list[Deferred[None]] = [Deferred() for _ in range(AT_ONCE + 1)]
    node.healing = list(waiting)
    node.store.pages = [page(became(14, "a"))]
    node.hear(Canary(20))
    assert len(node.healed) == AT_ONCE
    waiting[0].callback(None)
    assert len(node.healed) == AT_ONCE + 1
    node.sockets[AT_ONCE + 1].connected = False
    node.clock.advance(PLACE_S)
    assert len(node.healed) == len(node.sockets) - 1
    node.hear(Canary(21))
    assert len(node.store.asked) == 1
    for each in waiting[1:]:
        each.callback(None)
    assert node.backplane.highest() == 20
    node.hear(Canary(22))
    assert node.backplane.highest() == 22


def test_a_link_lost_while_catching_up_begins_anew_from_where_it_was(node: Node) -> None:
    deafened(node)
    first: Deferred[History] = Deferred()
    node.store.pages = [first]
    node.hear(Canary(20))
    node.backplane.lost()
    node.backplane.ready()
    node.sockets = [Socket("s", ("a",))]
    node.store.pages = [page(became(14, "a"))]
    node.hear(Canary(25))
    assert node.healed == ["s"]
    first.callback(page())
    node.clock.advance(EVERY_S)
    node.hear(Canary(30))
    assert [after for after, _ in node.store.asked] == [12, 12]


def test_a_stopped_backplane_leaves_nothing_behind(node: Node) -> None:
    deafened(node)
    node.store.away = True
    node.hear(Canary(20))
    node.backplane.stop()
    assert node.clock.getDelayedCalls() == []


def test_a_fault_while_catching_up_is_logged_and_tried_again(
    node: Node, logged_failures: list[str]
) -> None:
    deafened(node)
    node.local.breaks_on = "x"
    node.store.pages = [page(ended(14, "x"))]
    node.hear(Canary(20))
    assert logged_failures == ["broken"]
    node.clock.advance(RETRY_S)
    assert node.backplane.heals == 2


def test_the_store_has_told_everybody() -> None:
    told = ToldByStore()
    assert told.live(record("m").message) == 0
    told.due([])
    told.ended([])
