"""The calls on one connection to Redis: in order, bounded in number and in time."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ...access.interfaces import AnswerLost, StoreUnavailable
from ..interfaces import Script
from .errors import ELSEWHERE, UNABLE, ErrorReply, RedisRefusal
from .wire import Wire

ANSWER_S = 2.0
"""How long a call may wait for its answer."""
STALLED_S = 0.2
"""A time-out noticed that late says that this process did not run: answers may have come meanwhile."""
GRACE_S = 0.25
"""So they are read first, for that long."""
MAX_CALLS = 10_000
MAX_BYTES = 64 * 1024 * 1024
"""What may wait for its answer at one time, in calls and in bytes of their arguments."""
MAX_SENT = 3
"""How often a call is sent when Redis forgets its script each time."""


@attrs.define(eq=False)
class _Call:
    words: list[bytes]
    script: Script | None
    bytes: int
    made_at_s: float
    answer: "Deferred[Any]" = attrs.Factory(Deferred)
    outcome: Any = None
    """The reply or a failure, once there is one."""
    done: bool = False
    sent: int = 0
    """How often."""


class Calls:
    """Sends calls and answers them in the order in which they were made.

    A script is loaded on this connection before it is called the first time. When Redis has forgotten it
    (``SCRIPT FLUSH``), nothing more is sent until all that is under way has come back; then scripts are
    loaded again and what was not done is sent again in its order, followed by what was asked meanwhile. What
    Redis did in between because somebody else had loaded the scripts already stays done.
    """

    def __init__(
        self,
        wire: Wire,
        clock: Any,
        *,
        broken: Callable[[str], object],
        unable: Callable[[str], object],
        observe_s: Callable[[float], object],
    ) -> None:
        """Take calls for ``wire``, on which Redis has let us in. ``clock`` is monotonic.

        Args:
            wire: the connection.
            clock: Twisted's reactor.
            broken: called with the reason when the connection must not be used any more; it is to call
                :meth:`fail`.
            unable: called with the reason when Redis could not do something now on a good connection.
            observe_s: told how long each answer took.
        """
        self._wire = wire
        self._clock = clock
        self._broken = broken
        self._unable = unable
        self._observe = observe_s
        self._calls: deque[_Call] = deque()
        """All that are not answered, the oldest first."""
        self._bytes = 0
        self._under_way = 0
        """Sent, and no reply yet."""
        self._loaded: set[str] = set()
        self._unloadable: dict[str, ErrorReply] = {}
        self._forgotten = False
        """Whether Redis has lost scripts, and what is under way is waited for."""
        self._timer: IDelayedCall | None = None
        self._due_s = 0.0
        self._reason: str | None = None
        self._delivering = False

    def __len__(self) -> int:
        """Return how many are not answered yet."""
        return len(self._calls)

    def call(
        self, words: Sequence[str | bytes | int], script: Script | None = None
    ) -> "Deferred[Any]":
        """Send a command, which with ``script`` calls that one.

        Fails with ``StoreUnavailable`` or :class:`.errors.RedisRefusal`.
        """
        if self._reason is not None:
            return fail(StoreUnavailable(self._reason))
        encoded = [each if isinstance(each, bytes) else str(each).encode() for each in words]
        size = sum(map(len, encoded))
        if self._calls and (len(self._calls) >= MAX_CALLS or self._bytes + size > MAX_BYTES):
            return fail(StoreUnavailable("too much waits for Redis"))
        call = _Call(encoded, script, size, self._clock.seconds())
        self._calls.append(call)
        self._bytes += size
        if not self._forgotten:
            self._send(call)
        if self._timer is None:
            self._arm(ANSWER_S)
        return call.answer

    def fail(self, reason: str) -> None:
        """Answer all calls with ``StoreUnavailable`` and take no more: the connection is lost.

        Those that were sent get ``AnswerLost``.
        """
        if self._reason is not None:
            return
        self._reason = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        calls, self._calls = self._calls, deque()
        for call in calls:
            if not call.done:
                lost = AnswerLost(reason) if call.sent else StoreUnavailable(reason)
                call.outcome = Failure(lost)
            call.answer.callback(call.outcome)

    # Sending.

    def _send(self, call: _Call) -> None:
        script = call.script
        if script is not None and script.sha1 not in self._loaded:
            self._loaded.add(script.sha1)
            loading = self._wire.ask("SCRIPT", "LOAD", script.source)
            loading.addCallbacks(self._is_loaded, self._not_loaded, (script,), {}, (script,), {})
        call.sent += 1
        self._under_way += 1
        self._wire.ask(*call.words).addBoth(self._replied, call)

    def _is_loaded(self, _: object, script: Script) -> None:
        self._unloadable.pop(script.sha1, None)

    def _not_loaded(self, failure: Failure, script: Script) -> None:
        # A connection that is lost fails the call as well.
        if isinstance(failure.value, ErrorReply):
            self._unloadable[script.sha1] = failure.value

    def _replied(self, reply: Any, call: _Call) -> None:
        self._under_way -= 1
        if self._reason is not None:
            return
        if not isinstance(reply, Failure):
            self._done(call, reply)
        elif isinstance(reply.value, ErrorReply):
            self._refused(call, reply.value)
        else:
            self._broken(str(reply.value))
        if self._forgotten and not self._under_way and self._reason is None:
            self._send_again()

    def _refused(self, call: _Call, error: ErrorReply) -> None:
        if error.code == "NOSCRIPT" and call.script is not None:
            error = self._unloadable.get(call.script.sha1, error)
            if error.code == "NOSCRIPT" and call.sent < MAX_SENT:
                self._forgotten = True
                return
            self._loaded.discard(call.script.sha1)
        if error.code in ELSEWHERE:
            self._broken(ELSEWHERE[error.code])
        elif error.code in UNABLE:
            reason = UNABLE[error.code]
            self._unable(reason)
            self._done(call, Failure(StoreUnavailable(reason)))
        else:
            what = call.script.name if call.script else call.words[0].decode(errors="replace")
            self._done(call, Failure(RedisRefusal(f"{what}: {error}")))

    def _send_again(self) -> None:
        self._forgotten = False
        self._loaded.clear()
        for call in [each for each in self._calls if not each.done]:
            self._send(call)

    # Answering.

    def _done(self, call: _Call, outcome: Any) -> None:
        call.outcome, call.done = outcome, True
        if not isinstance(outcome, Failure):
            self._observe(self._clock.seconds() - call.made_at_s)
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._calls and self._calls[0].done:
                first = self._calls.popleft()
                self._bytes -= first.bytes
                first.answer.callback(first.outcome)
        finally:
            self._delivering = False

    # Time.

    def _arm(self, after_s: float) -> None:
        self._due_s = self._clock.seconds() + after_s
        self._timer = self._clock.callLater(after_s, self._look)

    def _look(self) -> None:
        """Find out whether the oldest call has waited for too long. One timer serves all."""
        self._timer = None
        now_s = self._clock.seconds()
        if not self._calls:
            return
        left_s = self._calls[0].made_at_s + ANSWER_S - now_s
        if left_s > 0:
            self._arm(left_s)
        elif now_s - self._due_s > STALLED_S:
            self._arm(GRACE_S)
        else:
            self._broken(f"no answer in {ANSWER_S:g} s")
