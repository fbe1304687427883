"""Questions to all nodes at once, over Redis: also nodes that cannot reach each other answer.

An *ask* goes to the channel of all nodes, each *answer* to the asker's own.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from ..access.interfaces import StoreUnavailable
from .channels import Channels
from .envelope import Answer, Ask, encode
from .interfaces import INewsStore

ANSWER_S = 1.0
"""How long answers are waited for. Who is paused, or just died, does not hold up the others."""
MAX_ASKS = 1_000
"""Questions under way at one time."""

Answerer = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes what was asked, returns the answer: JSON objects both. Must be quick."""


@attrs.frozen
class Answers:
    """What came back in time."""

    by_node: Mapping[str, Mapping[str, Any]]
    silent: tuple[str, ...]
    """Nodes that are thought alive and have not answered."""


@attrs.define(eq=False)
class _Open:
    missing: set[str]
    answered: "Deferred[Answers]"
    timer: IDelayedCall
    by_node: dict[str, Mapping[str, Any]] = attrs.Factory(dict)


class Peers:
    """Asks other nodes, and answers them."""

    def __init__(
        self,
        node_id: str,
        channels: Channels,
        store: INewsStore,
        others: Callable[[], Collection[str]],
        clock: IReactorTime,
    ) -> None:
        """``others`` names the other nodes that are alive."""
        self._node_id = node_id
        self._channels = channels
        self._store = store
        self._others = others
        self._clock: Any = clock
        self._asks: dict[str, _Open] = {}
        self._answerers: dict[str, Answerer] = {}

    def answer(self, what: str, answerer: Answerer) -> None:
        """Answer questions of the kind ``what`` from now on."""
        self._answerers[what] = answerer

    def ask(self, what: str, **fields: Any) -> "Deferred[Answers]":
        """Ask all other nodes; fire when all have answered, or after :data:`ANSWER_S`.

        Fails with ``StoreUnavailable`` when the question cannot be sent.
        """
        if len(self._asks) >= MAX_ASKS:
            return fail(StoreUnavailable("too many questions to other nodes are under way"))
        ask_id = secrets.token_hex(8)
        timer = self._clock.callLater(ANSWER_S, self._end, ask_id)
        ask = self._asks[ask_id] = _Open(set(self._others()), Deferred(), timer)
        if not ask.missing:
            self._end(ask_id)
            return ask.answered
        text = encode(Ask(ask_id, self._node_id, what, fields))
        sent = self._store.publish(self._channels.nodes, text)
        sent.addErrback(self._not_sent, ask_id)
        return ask.answered

    def asked(self, ask: Ask) -> None:
        """A node asks, perhaps this one."""
        answerer = self._answerers.get(ask.what)
        if ask.node_id != self._node_id and answerer is not None:
            text = encode(Answer(ask.ask_id, self._node_id, answerer(ask.body)))
            sent = self._store.publish(self._channels.node(ask.node_id), text)
            sent.addErrback(lambda failure: failure.trap(StoreUnavailable))

    def answered(self, answer: Answer) -> None:
        """Another node answers, perhaps too late."""
        asked = self._asks.get(answer.ask_id)
        if asked is not None:
            asked.by_node[answer.node_id] = answer.body
            asked.missing.discard(answer.node_id)
            if not asked.missing:
                self._end(answer.ask_id)

    def _end(self, ask_id: str) -> None:
        ask = self._asks.pop(ask_id)
        if ask.timer.active():
            ask.timer.cancel()
        ask.answered.callback(Answers(ask.by_node, tuple(sorted(ask.missing))))

    def _not_sent(self, failure: Failure, ask_id: str) -> None:
        ask = self._asks.pop(ask_id, None)
        if ask is not None:
            ask.timer.cancel()
            ask.answered.errback(failure)
