"""What a node that was deaf has missed, made up for from the store."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, FirstError, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime

from .envelope import EndedNews, KeyNews
from .history import BecameLive
from .interfaces import ILocalNews, INewsStore

PAGE = 500
AT_ONCE = 50
"""Sockets brought up to date at the same time: a node with many must not flood Redis."""
PLACE_S = 0.5
"""How long one of them keeps its place among those. After that the next has its turn: it waits for its client, who may
take nothing for long, or be gone."""


class Healer:
    """Makes up for missed news.

    A socket is not written to because a message is in the news, but because the store says that its device
    has not had it: what had been written before is not written again.
    """

    def __init__(
        self,
        store: INewsStore,
        local: ILocalNews,
        sockets_in: Callable[[str, Iterable[str]], Collection[Any]],
        heal: Callable[[Any], "Deferred[None]"],
        everything: Callable[[], Awaitable[Collection[Any]]],
        clock: IReactorTime,
    ) -> None:
        """``sockets_in`` finds the sockets of a namespace's rooms; ``heal`` is
        :meth:`..admission.replay.Replay.heal`. ``everything`` is called when nobody knows any more what was missed: it
        checks keys and returns all sockets.
        """
        self._store = store
        self._local = local
        self._sockets_in = sockets_in
        self._heal_socket = heal
        self._everything = everything
        self._clock = clock

    async def heal(self, since: int, until: int, but: Collection[int]) -> int:
        """Make up for the news after ``since`` up to ``until``, without those in ``but``; return how many.

        Raises ``StoreUnavailable``: then it is to be done again.
        """
        to_heal: dict[Any, None] = {}
        count = 0
        after: int | None = since
        while after is not None and after < until:
            page = await self._store.news_since(after, PAGE)
            if not page.complete:
                to_heal.update(dict.fromkeys(await self._everything()))
            for news in page.news:
                if news.no in but or news.no > until:
                    continue
                count += 1
                match news:
                    case BecameLive():
                        found = self._sockets_in(news.namespace, news.rooms)
                        to_heal.update(dict.fromkeys(found))
                    case EndedNews():
                        self._local.ended(news.taken_back)
                    case KeyNews():
                        self._local.key_revoked(news.key_id)
            after = page.more_after
        await self._heal_all(to_heal)
        return count

    async def _heal_all(self, sockets: Iterable[Any]) -> None:
        gate = DeferredSemaphore(AT_ONCE)
        healing = [self._in_turn(gate, socket) for socket in sockets]
        try:
            await gatherResults(healing, consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()

    def _in_turn(self, gate: DeferredSemaphore, socket: Any) -> "Deferred[None]":
        def begin(_: object) -> "Deferred[None]":
            if not socket.connected:
                gate.release()
                return succeed(None)
            healed = self._heal_socket(socket)
            place = self._clock.callLater(PLACE_S, gate.release)

            def over(result: Any) -> Any:
                if place.active():
                    place.cancel()
                    gate.release()
                return result

            return healed.addBoth(over)

        return gate.acquire().addCallback(begin)
