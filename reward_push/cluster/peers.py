"""Questions to all nodes at once, over Redis: also nodes that cannot reach each other answer.

An *ask* goes to the channel of all nodes, each *answer* to the asker's own.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..access.interfaces import StoreUnavailable
from .channels import Channels
from .envelope import encode_other
from .interfaces import INewsStore

ANSWER_S = 1.0
"""How long answers are waited for. Who is paused, or just died, does not hold up the others."""
MAX_ASKS = 1_000
"""Questions under way at one time."""

Answerer = Callable[[Mapping[str, Any]], Any]
"""Takes what was asked, returns the answer: JSON values both. Must be quick."""


@attrs.frozen
class Answers:
    """What came back in time."""

    by_node: Mapping[str, Any]
    silent: tuple[str, ...]
    """Nodes that are thought alive and have not answered."""


@attrs.define(eq=False)
class _Ask:
    missing: set[str]
    answered: "Deferred[Answers]"
    timer: IDelayedCall
    by_node: dict[str, Any] = attrs.Factory(dict)


class Peers:
    """Asks other nodes, and answers them."""

    _log = Logger()

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
        self._asks: dict[str, _Ask] = {}
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
        ask = self._asks[ask_id] = _Ask(set(self._others()), Deferred(), timer)
        if not ask.missing:
            self._end(ask_id)
            return ask.answered
        question = {"from": self._node_id, "ask": ask_id, "what": what, "fields": fields}
        sent = self._store.publish(self._channels.nodes, encode_other("ask", question))
        sent.addErrback(self._not_sent, ask_id)
        return ask.answered

    def asked(self, question: Mapping[str, Any]) -> None:
        """Another node asks."""
        asker, ask_id = question["from"], question["ask"]
        answerer = self._answerers.get(question["what"])
        if asker == self._node_id or answerer is None:
            return
        answered = maybeDeferred(answerer, question["fields"])
        answered.addCallback(self._send_answer, asker, ask_id)
        answered.addErrback(lambda failure: self._log.failure("a question failed", failure))

    def answered(self, answer: Mapping[str, Any]) -> None:
        """Another node answers, perhaps too late."""
        ask = self._asks.get(answer["ask"])
        if ask is not None:
            ask.by_node[answer["from"]] = answer["answer"]
            ask.missing.discard(answer["from"])
            if not ask.missing:
                self._end(answer["ask"])

    def _send_answer(self, answer: Any, asker: str, ask_id: str) -> None:
        fields = {"from": self._node_id, "ask": ask_id, "answer": answer}
        sent = self._store.publish(self._channels.node(asker), encode_other("answer", fields))
        sent.addErrback(lambda failure: failure.trap(StoreUnavailable))

    def _end(self, ask_id: str) -> None:
        ask = self._asks.pop(ask_id)
        if ask.timer.active():
            ask.timer.cancel()
        ask.answered.callback(Answers(ask.by_node, tuple(sorted(ask.missing))))

    def _not_sent(self, failure: Any, ask_id: str) -> None:
        ask = self._asks.pop(ask_id, None)
        if ask is not None:
            ask.timer.cancel()
            ask.answered.errback(failure)
