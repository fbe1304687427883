"""Events that are made when they are written, because what they say depends on the moment.

A backend's message tells how much of its life is left. For clients that take it at once it is made
once for all of them; one that has waited is made again, or not written at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from ..engineio.outgoing import Outgoing
from ..engineio.packet import Packet as EnginePacket
from ..engineio.packet import PacketType as EnginePacketType
from .encoder import encode
from .packet import Packet, PacketType

if TYPE_CHECKING:
    from ..engineio.interfaces import ITracker

FRESH_MS = 10
"""How old an event may be that is written as it is."""


MOST_RENDERED = 64
"""Events whose last rendering is kept."""


class Renderings:
    """Which events keep their last rendering: the few that were rendered lately.

    With its forms for the transports it takes several times what it says. Queues keep what waits in them,
    whatever is forgotten here.
    """

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: OrderedDict[LateEvent, None] = OrderedDict()

    def add(self, event: LateEvent) -> None:
        """``event`` was rendered; let the one go that was for longest not."""
        self._events[event] = None
        self._events.move_to_end(event)
        if len(self._events) > MOST_RENDERED:
            self._events.popitem(last=False)[0].release()

    def discard(self, event: LateEvent) -> None:
        """``event`` is not rendered any more."""
        self._events.pop(event, None)

    def clear(self) -> None:
        """Let all go."""
        events, self._events = self._events, OrderedDict()
        for event in events:
            event.release()


class LateEvent:
    """An event of one namespace whose argument ``render`` makes when it is needed.

    ``render(now_ms)`` returns it. From ``ends_at_ms`` on, and once :meth:`end` was called, the event is
    not written any more, wherever it waits. ``ack_id`` goes with every rendering; ``tracker`` follows
    all of them. ``now_ms`` is the clock that ages them. ``renderings`` are shared with other events.
    """

    __slots__ = (
        "__weakref__",
        "_ends_at_ms",
        "_event",
        "_last",
        "_made_at_ms",
        "_now_ms",
        "_render",
        "_renderings",
        "_unit",
        "ack_id",
        "namespace",
        "tracker",
    )

    def __init__(
        self,
        namespace: str,
        event: str,
        render: Callable[[int], Any],
        now_ms: Callable[[], int],
        *,
        ends_at_ms: int | None = None,
        ack_id: int | None = None,
        tracker: ITracker | None = None,
        renderings: Renderings | None = None,
    ) -> None:
        self.namespace = namespace
        self.ack_id = ack_id
        self.tracker = tracker
        self._event = event
        self._render: Callable[[int], Any] | None = render
        self._now_ms = now_ms
        self._ends_at_ms = ends_at_ms
        self._unit: LateUnit | None = None
        self._last: ref[LateUnit] | None = None
        self._renderings = Renderings() if renderings is None else renderings
        self._made_at_ms = 0

    def end(self) -> None:
        """Let nothing more of the event be written, and keep nothing of what it says."""
        self._render = None
        self._unit = None
        self._renderings.discard(self)

    def release(self) -> None:
        """Forget the last rendering; who asks for one has it made."""
        self._unit = None

    @property
    def over(self) -> bool:
        """Whether nothing more of the event is to be written."""
        return self._is_over(self._now_ms())

    def _is_over(self, now_ms: int) -> bool:
        return self._render is None or (self._ends_at_ms is not None and now_ms >= self._ends_at_ms)

    def unit(self) -> LateUnit | None:
        """Return the event as of now, shared by all who ask within :data:`FRESH_MS`; ``None``: it is over."""
        now_ms = self._now_ms()
        render = self._render
        if render is None or self._is_over(now_ms):
            return None
        if self._unit is not None and 0 <= now_ms - self._made_at_ms < FRESH_MS:
            return self._unit
        args = [self._event, render(now_ms)]
        packet = Packet(PacketType.EVENT, self.namespace, args, self.ack_id)
        self._unit = LateUnit(self, encode(packet))
        self._last = ref(self._unit)
        self._made_at_ms = now_ms
        self._renderings.add(self)
        return self._unit

    def to_wait(self) -> LateUnit | None:
        """Return the event for who may have to wait for it: the rendering that others wait for, if any do.

        It is rendered anew before it is written: see ``engineio.session.Session.send_on``.
        """
        last = None if self._last is None or self.over else self._last()
        return self.unit() if last is None else last


class LateUnit(Outgoing):
    """One rendering of a :class:`LateEvent`."""

    __slots__ = ("__weakref__", "_source")

    def __init__(self, source: LateEvent, messages: tuple[str | bytes, ...]) -> None:
        packets = [EnginePacket(EnginePacketType.MESSAGE, data) for data in messages]
        super().__init__(*packets, tracker=source.tracker)
        self._source = source

    @property
    def over(self) -> bool:
        """See :class:`..engineio.outgoing.Outgoing`."""
        return self._source.over

    def current(self) -> LateUnit | None:
        """See :class:`..engineio.outgoing.Outgoing`."""
        return self._source.unit()
