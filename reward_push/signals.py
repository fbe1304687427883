"""A second signal to stop, while the first is still being followed, means: at once."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def on_second_stop(reactor: Any, call: Callable[[], object]) -> None:
    """Call ``call`` in the reactor whenever a signal to stop comes after the first.

    The first is left to whom it belongs. To be called before the reactor runs: it installs its own handlers
    as it starts, which would only log that it is stopping already.
    """
    reactor.callWhenRunning(lambda: reactor.callLater(0, _install, reactor, call))


def _install(reactor: Any, call: Callable[[], object]) -> None:
    stopping = False
    for number in SIGNALS:
        first = signal.getsignal(number)
        if not callable(first):
            continue

        def handle(
            number: int, frame: FrameType | None, first: Callable[..., object] = first
        ) -> None:
            nonlocal stopping
            if stopping:
                reactor.callFromThread(call)
            else:
                stopping = True
                first(number, frame)

        signal.signal(number, handle)
