"""What a node stands on: its store, its clock, and the others there are, if any.

The rest of a node is the same on its own (:mod:`.alone`) and among others (:mod:`.together`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ..access.keys import KeyRing
from ..admission.audience import Audience
from ..admission.replay import Replay
from ..engineio.registry import Registry
from ..rewards.delivery import Delivery
from ..rewards.interfaces import INews
from ..rewards.news import LocalNews
from ..rewards.waiting import Waiting
from ..socketio.server import Server
from ..transports.acceptor import WebSocketAcceptor
from ..transports.cors import Origins
from ..transports.options import SiteOptions
from .mover import Guest
from .presence import HerePresence


@attrs.frozen
class Parts:
    """The parts of a node that others' doings reach."""

    server: Server
    registry: Registry
    waiting: Waiting
    delivery: Delivery
    replay: Replay
    audience: Audience
    keys: KeyRing
    here: HerePresence
    health: Callable[[], Mapping[str, Any]]
    """What ``/healthcheck`` says now."""
    websockets: WebSocketAcceptor
    origins: Origins
    site_options: SiteOptions


def maintenance_s(retention_s: float) -> float:
    """How often a store is pruned, and probed while it is away: nothing stays for much longer than ``retention_s``."""
    return max(0.1, min(10.0, retention_s / 10)) if retention_s else 10.0


class IStanding(Interface):
    """Made first; given the node's :class:`Parts` by :meth:`join`; started first and stopped last."""

    store = Attribute("An ``IMessageStore`` and ``IKeyStore``.")
    now_ms = Attribute("The store's clock: ``() -> int``, epoch milliseconds.")
    ask_every_s = Attribute("See :class:`..rewards.scheduler.Scheduler`.")
    missed_grace_ms = Attribute("See :class:`..rewards.scheduler.Scheduler`.")
    drain_s = Attribute("How long clients are moved away at a stop, in seconds; 0: at once.")
    troubles = Attribute("What to watch for ``/readyz``: a list of ``() -> str | None``.")
    presence = Attribute("An ``IPresence``; once joined.")

    def news(local: LocalNews) -> INews:
        """Return whom to tell what the store has done; ``local`` applies news to this node's sockets."""

    def hears(socket: Any) -> "Deferred[None]":
        """See :class:`..admission.replay.Replay`."""

    def left(socket: Any) -> None:
        """A socket for which :meth:`hears` was called is gone."""

    def caught_up() -> "Deferred[None]":
        """See :class:`..admission.replay.Replay`."""

    def join(parts: Parts) -> None:
        """Take the rest of the node."""

    def guests() -> Iterable[Guest]:
        """List the clients that are connected through this node to sessions on others."""

    def nodes() -> "Deferred[Sequence[Mapping[str, Any]]]":
        """List the nodes alive, as ``GET /v1/nodes`` shows them."""

    foreign = Attribute("An ``IForeignSessions``; ``None``: there are no other nodes.")

    def listen() -> None:
        """Listen to other nodes, while the process may still do whatever it likes. Raises ``StartError``."""

    def start() -> None:
        """Open the store. Raises ``StartError``."""

    def ready() -> "Deferred[None]":
        """Fire, once, when the store has been reached for the first time and :attr:`now_ms` is right."""

    def draining() -> None:
        """Clients are moved away from now on."""

    def leave() -> "Deferred[None]":
        """Serve other nodes no more: this node's clients are gone."""

    def stop() -> "Deferred[None]":
        """Close the store; fire when all that was accepted is in it."""
