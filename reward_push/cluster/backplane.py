"""What nodes hear of each other's doings: news come in here, and what was not heard is made up for.

Every change of a message is published by the script that makes it (:mod:`..store.redis`), so a node has
nothing to publish, and hears of its own doings the same way as of others'. While a node listens it hears
everything, in order. When it has not listened for a while, it asks the store for the news since then.
"""

from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..access.interfaces import StoreUnavailable
from ..access.seldom import Seldom
from ..rewards.interfaces import INews
from .canary import LATE_S, Canary
from .channels import Channels
from .envelope import Answer, Ask, EndedNews, KeyNews, LiveNews, NotNews, decode
from .envelope import Canary as CanaryNews
from .fence import Fence
from .healing import Healer
from .interfaces import ILocalNews, INewsStore, ISubscriber
from .peers import Peers
from .subscriptions import Subscriptions

MAX_SINCE = 100_000
"""Numbers heard while not everything is, that are remembered; with more, the lower half is forgotten. What is
made up for a second time is no harm, and of so much the store has forgotten the beginning."""
RETRY_S = 0.5
"""The pause before healing is tried again while the store is away."""


@implementer(INews)
class ToldByStore:
    """News where the store has told every node already, this one too: nothing is left to be done."""

    def live(self, message: Any) -> int:
        """See :class:`..rewards.interfaces.INews`. Who it is written to is not known yet."""
        return 0

    def due(self, dues: Any) -> None:
        """See :class:`..rewards.interfaces.INews`."""

    def ended(self, ended: Any, but: int | None = None) -> None:
        """See :class:`..rewards.interfaces.INews`."""


class Backplane:
    """Listens for one node.

    It is deaf until the subscriber is ready and the first canary is back. Then it makes up for what it has
    missed, and hears everything from then on.
    """

    _log = Logger()

    def __init__(
        self,
        node_id: str,
        channels: Channels,
        subscriber: ISubscriber,
        store: INewsStore,
        local: ILocalNews,
        healer: Healer,
        peers: Peers,
        clock: IReactorTime,
    ) -> None:
        self._channels = channels
        self._subscriber = subscriber
        self._store = store
        self._local = local
        self._healer = healer
        self._peers = peers
        self._clock: Any = clock
        self._own = channels.node(node_id)
        self._subscriptions = Subscriptions(subscriber, clock)
        self._canary = Canary(lambda: store.canary(node_id), clock, self._late)
        self._fence = Fence(lambda: store.canary(node_id), clock)
        self._connection = 0
        """Counts the subscriber's connections."""
        self._hearing = False
        """Whether everything is heard, and nothing missed is still to be made up for."""
        self._healing = False
        self._watermark: int | None = None
        """Everything up to this number was heard or made up for; ``None``: there was nobody to hear."""
        self._since: set[int] = set()
        """Numbers heard after the watermark."""
        self._retry: IDelayedCall | None = None
        self._notice = Seldom(clock.seconds)
        self.heals = 0
        """How often this node has caught up."""
        self.heard: Counter[str] = Counter()
        """News heard, so far: ``live``, ``due``, ``ended``, ``key``."""

    # Listening.

    def start(self) -> None:
        """Listen to what is for nodes; :meth:`ready` comes once that is so."""
        self._subscriptions.add([self._channels.nodes, self._own]).addErrback(lambda _: None)

    def stop(self) -> None:
        """Listen no more."""
        self.lost()
        self._subscriptions.stop()

    def hears(self, socket: Any) -> "Deferred[None]":
        """Fire once everything for ``socket`` is heard; see :class:`..admission.replay.Replay`."""
        return self._subscriptions.add(self._of(socket))

    def left(self, socket: Any) -> None:
        """A socket for which :meth:`hears` was called is gone."""
        self._subscriptions.remove(self._of(socket))

    def caught_up(self) -> "Deferred[None]":
        """Fire when all that was published until now was heard; see :class:`..admission.replay.Replay`."""
        return self._fence.passed()

    def _of(self, socket: Any) -> list[str]:
        return self._channels.all_of(socket.namespace.name, socket.rooms)

    def ready(self) -> None:
        """The subscriber has a connection on which everything is subscribed to."""
        self._connection += 1
        self._canary.start()

    def lost(self) -> None:
        """The subscriber has lost its connection."""
        if self._watermark is None and self._connection:
            # No canary has come back yet, but sockets may have: whatever is published now is missed by them.
            self._watermark = 0
        self._connection += 1
        self._hearing = self._healing = False
        if self._since:
            # The news of one step share a number: of the last one a part may be missing.
            self._since.discard(max(self._since))
        self._canary.stop()
        self._fence.lost()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _late(self) -> None:
        self._log.warn("the link to Redis is dead: nothing has come for {s} s", s=LATE_S)
        self._subscriber.drop()

    def canary_age_s(self) -> float | None:
        """Return how old the last canary is; ``None``: this node does not listen."""
        return self._canary.age_s()

    def trouble(self) -> str | None:
        """Return why this node may not hear everything now, or ``None``."""
        age_s = self._canary.age_s()
        if age_s is None:
            return "no news from other nodes: not subscribed to Redis"
        if age_s > LATE_S / 2:
            return f"no news from other nodes: its own echo is {age_s:.1f} s late"
        return None

    def highest(self) -> int:
        """Return the highest number of news that was heard; 0: none was."""
        return max(self._watermark or 0, *self._since, 0)

    def __len__(self) -> int:
        """Return how many channels are listened to."""
        return len(self._subscriptions)

    # News.

    def received(self, text: str | bytes) -> None:
        """Something was published on a channel that is listened to."""
        try:
            news = decode(text)
        except NotNews as error:
            unsaid = self._notice.due()
            if unsaid is not None:
                self._log.warn(
                    "what came through Redis is none of ours: {why} ({unsaid} more before)",
                    why=str(error),
                    unsaid=unsaid,
                )
            return
        try:
            match news:
                case CanaryNews():
                    self._came(news.no)
                case Ask():
                    self._peers.asked(news)
                case Answer():
                    self._peers.answered(news)
                case _:
                    self._note(news.no)
                    self._apply(news)
        except Exception:  # A fault of ours must not make this node deaf.
            self._log.failure("news could not be applied")

    def _apply(self, news: LiveNews | EndedNews | KeyNews) -> None:
        match news:
            case LiveNews(due=True):
                self.heard["due"] += 1
                self._local.due(news.message, news.superseded)
            case LiveNews():
                self.heard["live"] += 1
                self._local.live(news.message)
                for each in news.superseded:
                    self._local.ended(each)
            case EndedNews():
                self.heard["ended"] += 1
                self._local.ended(news.taken_back)
            case KeyNews():
                self.heard["key"] += 1
                self._local.key_revoked(news.key_id)

    # Catching up.

    def _note(self, number: int) -> None:
        self._since.add(number)
        if len(self._since) > MAX_SINCE:
            self._since = set(sorted(self._since)[MAX_SINCE // 2 :])

    def _came(self, number: int) -> None:
        """A canary is back: everything up to ``number`` that was published on this connection was heard."""
        self._canary.came()
        self._fence.came(number)
        if self._hearing:
            self._pass(number)
        elif self._watermark is None:
            self._hearing = True
            self._pass(number)
        elif not self._healing:
            self._healing = True
            self._heal(number)

    def _pass(self, number: int) -> None:
        self._watermark = number
        self._since = {each for each in self._since if each > number}

    def _heal(self, until: int) -> None:
        """Make up for everything up to ``until``: what comes after it is heard on this connection."""
        self._retry = None
        self.heals += 1
        since, connection = self._watermark or 0, self._connection
        healed = Deferred.fromCoroutine(self._healer.heal(since, until, frozenset(self._since)))
        healed.addCallbacks(
            self._healed,
            self._not_healed,
            callbackArgs=(connection, until),
            errbackArgs=(connection, until),
        )

    def _healed(self, made_up: int, connection: int, until: int) -> None:
        if connection == self._connection:
            self._healing = False
            self._hearing = True
            self._pass(until)
            self._log.info("caught up with {count} news that were missed", count=made_up)

    def _not_healed(self, failure: Failure, connection: int, until: int) -> None:
        if failure.check(StoreUnavailable) is None:
            self._log.failure("catching up failed", failure)
        if connection == self._connection:
            self._retry = self._clock.callLater(RETRY_S, self._heal, until)
