"""Who a socket is: finds its key, lets it in or not, and puts it into its streamer's and groups' rooms.

Client libraries differ in where they can carry a key: the JavaScript 2.x client in a header of its
polls, browsers only in the query or in ``auth``, the C++ client only in the CONNECT to ``/``. Where
several keys come, ``auth`` wins over the header, the header over the query, and last counts the key
that ``/`` was joined with on the same connection.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from zope.interface import implementer

from .access.credentials import from_authorization
from .access.guard import Guard
from .access.interfaces import ANY_STREAMER, Key, KeyKind, StoreUnavailable
from .access.keys import KeyRing
from .engineio.errors import CloseReason
from .engineio.interfaces import ITimed, IWheel
from .holders import Holders
from .replay import Replay
from .rewards.acknowledgements import Acknowledgements
from .rewards.delivery import Delivery
from .rewards.interfaces import Device, IMessageStore
from .rewards.member import Member
from .rewards.names import NAME_RULE, is_name
from .rewards.rooms import EVERYBODY, group_room, streamer_room
from .socketio.namespace import ConnectionRefused, Namespace, TryLater
from .socketio.socket import Socket

UNAUTHORIZED = "unauthorized"
FORBIDDEN = "forbidden"
LATER = "later"
"""The word for who was sent away to come again: nobody could tell who it is."""


@attrs.define
class JoinCounts:
    """Who was let in since the start and who was not, for metrics."""

    joined: Counter[str] = attrs.Factory(Counter)
    """Sockets let in with a key, by namespace."""
    refused: Counter[tuple[str, str]] = attrs.Factory(Counter)
    """Those refused, by namespace and the code they were told, or :data:`LATER`."""


@attrs.define
class Connection:
    """What is known of a whole connection; the ``client.user`` of all its sockets."""

    root_key: str | None = attrs.field(default=None, repr=False)
    """The key that ``/`` was joined with."""
    nameless: Device | None = None
    """The device of a client that named none: the same in all namespaces."""
    keys: dict[str, "KeyInUse"] = attrs.field(factory=dict, repr=False)
    """The keys that its sockets were let in by, nearly always one, by key id."""


@attrs.define
class KeyInUse:
    """A key, and how many sockets of one connection have joined with it."""

    key: Key
    sockets: int = 0


@implementer(ITimed)
class KeyEnd:
    """The date of a key that a socket was let in by: then its client has to come back with a better one."""

    __slots__ = ("_ends_at_ms", "_now_ms", "_socket", "_wheel", "bucket", "due")

    def __init__(
        self, ends_at_ms: int, socket: Socket, wheel: IWheel, now_ms: Callable[[], int]
    ) -> None:
        self.bucket = 0
        self._ends_at_ms = ends_at_ms
        self._socket = socket
        self._wheel = wheel
        self._now_ms = now_ms
        self.due = wheel.now() + self._left_s()

    def _left_s(self) -> float:
        return (self._ends_at_ms - self._now_ms()) / 1000

    def expire(self, now: float) -> None:
        """See :class:`.engineio.interfaces.ITimed`. The date is the wall clock's, which may have been set."""
        left_s = self._left_s()
        if left_s > 0:
            self.due = now + left_s
            self._wheel.file(self)
        else:
            self._socket.client.evict()


class Audience:
    """The hooks of every namespace: who may join, and what happens to who has."""

    def __init__(
        self,
        keys: KeyRing,
        store: IMessageStore,
        delivery: Delivery,
        acknowledgements: Acknowledgements,
        replay: Replay,
        guard: Guard,
        wheel: IWheel,
        now_ms: Callable[[], int],
    ) -> None:
        self._keys = keys
        self._guard = guard
        self._store = store
        self._delivery = delivery
        self._acknowledgements = acknowledgements
        self._replay = replay
        self._wheel = wheel
        self._now_ms = now_ms
        self.counts = JoinCounts()
        self.holders = Holders()
        """The connected sockets by key."""

    def attend(self, namespace: Namespace) -> None:
        """Guard ``namespace`` from now on."""
        namespace.admit = self.admit
        namespace.connected = self.connected
        namespace.disconnected = self.disconnected
        namespace.acked = self._acknowledgements.acked

    def connected(self, socket: Socket) -> None:
        """Bring a socket that was let in up to date."""
        if socket.user is not None:
            self._guard.joined(socket.client.session)
            in_use = socket.client.user.keys[socket.user.device.key_id]
            in_use.sockets += 1
            if in_use.sockets == 1:
                self._guard.key_used(in_use.key)
            if socket.user.ends is not None:
                self._wheel.file(socket.user.ends)
            self.holders.add(socket.user.device.key_id, socket)
            self._delivery.connected(socket)
            self._replay.begin(socket)

    def disconnected(self, socket: Socket, _reason: str) -> None:
        """Forget a socket that is gone."""
        if socket.user is not None:
            in_use = socket.client.user.keys[socket.user.device.key_id]
            in_use.sockets -= 1
            if not in_use.sockets:
                self._guard.key_left(in_use.key)
            if socket.user.ends is not None:
                self._wheel.discard(socket.user.ends)
            self.holders.discard(socket.user.device.key_id, socket)
            self._delivery.disconnected(socket)
            self._replay.end(socket)

    def revoked(self, key_id: str) -> None:
        """Close the connections of a key that is valid no more; their clients come back, and are told."""
        for client in {socket.client for socket in self.holders.of(key_id)}:
            client.evict(CloseReason.FORCED_CLOSE)

    async def admit(self, socket: Socket, auth: Mapping[str, Any]) -> None:
        """Let ``socket`` in by its key.

        Raises :class:`ConnectionRefused` only after a definite no, as a stock client then stops;
        :class:`TryLater` when the key cannot be looked up, and when there are too many: wrong ones from
        its address, or connections with it.
        """
        name = socket.namespace.name
        try:
            await self._admit(socket, auth)
        except ConnectionRefused as refused:
            self.counts.refused[name, refused.refusal.data["code"]] += 1
            raise
        except TryLater:
            self.counts.refused[name, LATER] += 1
            raise
        if socket.user is not None:
            self.counts.joined[name] += 1

    async def _admit(self, socket: Socket, auth: Mapping[str, Any]) -> None:
        presented = presented_key(socket, auth)
        if presented is None:
            if socket.unasked:
                # Revision 4 joins "/" before the client could say anything: it may sit there
                # without any right until its namespace's query brings the key.
                socket.provisional = True
                return
            raise _refused(UNAUTHORIZED)
        address = socket.opening.address
        if self._guard.refuse_banned(address) is not None:
            raise TryLater
        connection = socket.client.user
        if connection is None:
            connection = socket.client.user = Connection()
        key = await self._authenticate(presented, address)
        name = socket.namespace.name
        if key.kind is not KeyKind.PLUGIN or not (name == "/" or key.allows_namespace(name)):
            raise _refused(FORBIDDEN)
        if name == "/":
            connection.root_key = presented
        streamer = key.streamer
        if streamer is None or streamer == ANY_STREAMER:
            streamer = _named("streamer", socket, auth)
        if streamer is None:
            raise _invalid("streamer", "a gateway key's client names its streamer")
        device = await self._device(key, streamer, _named("device", socket, auth), connection)
        if not self._keys.remembers(key):
            # It may have been revoked while the device was looked up: there was no socket to close yet.
            key = await self._authenticate(presented, address)
        # From here to ``connected`` nothing else happens on this node: the count is exact.
        in_use = connection.keys.setdefault(key.key_id, KeyInUse(key))
        if not in_use.sockets and self._guard.refuse_key(key) is not None:
            raise TryLater
        ends = None
        if key.expires_at_ms is not None:
            ends = KeyEnd(key.expires_at_ms, socket, self._wheel, self._now_ms)
        socket.user = Member(device, key.groups, ends)
        socket.join(EVERYBODY, streamer_room(streamer), *map(group_room, key.groups))

    async def _authenticate(self, presented: str, address: str) -> Key:
        try:
            key = await self._keys.authenticate(presented)
        except StoreUnavailable as unavailable:
            raise TryLater from unavailable
        if key is None:
            self._guard.failed(address)
            raise _refused(UNAUTHORIZED)
        return key

    async def _device(
        self, key: Key, streamer: str, name: str | None, connection: Connection
    ) -> Device:
        known = connection.nameless
        if name is None and known is not None and known.key_id == key.key_id:
            return known
        try:
            device = await self._store.open_device(key.key_id, streamer, name, self._now_ms())
        except StoreUnavailable as unavailable:
            raise TryLater from unavailable
        if name is None:
            connection.nameless = device
        return device


def presented_key(socket: Socket, auth: Mapping[str, Any]) -> str | None:
    """Return the key that counts for this CONNECT, wherever the client put it."""
    opening = socket.opening
    candidates = (
        auth.get("apiKey"),
        auth.get("token"),
        from_authorization(opening.authorization),
        opening.query.get("apiKey"),
        socket.client.user and socket.client.user.root_key,
    )
    return next((key for key in candidates if isinstance(key, str) and key), None)


def _named(field: str, socket: Socket, auth: Mapping[str, Any]) -> str | None:
    """Return the name under ``field`` of ``auth`` or else of the query, if there is one."""
    name = auth.get(field, socket.opening.query.get(field))
    if name is not None and not (isinstance(name, str) and is_name(name)):
        raise _invalid(field, f"must be {NAME_RULE}")
    return name


def _invalid(field: str, rule: str) -> ConnectionRefused:
    return ConnectionRefused(f"{field}: {rule}", {"code": "invalid_request", "field": field})


def _refused(code: str) -> ConnectionRefused:
    return ConnectionRefused(code, {"code": code})
