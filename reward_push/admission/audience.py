"""Who a socket is: finds its key, lets it in or not, and puts it into its streamer's and groups' rooms.

Client libraries differ in where they can carry a key: the JavaScript 2.x client in a header of its
polls, browsers only in the query or in ``auth``, the C++ client only in the CONNECT to ``/``. Where
several keys come, ``auth`` wins over the header, the header over the query, and last counts the key
that ``/`` was joined with on the same connection. A token that was refreshed counts in place of those
that the connection was opened with.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..access.claims import KEY_ID_PREFIX, Token
from ..access.credentials import from_authorization
from ..access.guard import Guard
from ..access.interfaces import ANY_STREAMER, Key, KeyKind, StoreUnavailable
from ..access.keys import KeyRing
from ..engineio.errors import CloseReason
from ..engineio.interfaces import IWheel
from ..rewards.acknowledgements import Acknowledgements
from ..rewards.delivery import Delivery
from ..rewards.interfaces import Device, IMessageStore
from ..rewards.member import Member
from ..rewards.names import NAME_RULE, is_name
from ..rewards.rooms import EVERYBODY, group_room, streamer_room
from ..socketio.namespace import ConnectionRefused, Namespace, TryLater
from ..socketio.socket import Socket
from .holders import Holders
from .key_end import REFRESH, KeyEnd
from .renewal import Renewal
from .replay import Replay

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
    refreshed: str | None = attrs.field(default=None, repr=False)
    """The token that took the place of the one that the connection was opened with."""
    nameless: Device | None = None
    """The device of a client that named none: the same in all namespaces."""
    keys: dict[str, "KeyInUse"] = attrs.field(factory=dict, repr=False)
    """The keys that its sockets were let in by, nearly always one, by key id."""


@attrs.define
class KeyInUse:
    """A key, and how many sockets of one connection have joined with it."""

    key: Key
    sockets: int = 0


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
        self._renewal = Renewal(keys, guard)
        self.counts = JoinCounts()
        self.holders = Holders()
        """The connected sockets by key."""

    def attend(self, namespace: Namespace) -> None:
        """Guard ``namespace`` from now on."""
        namespace.admit = self.admit
        namespace.connected = self.connected
        namespace.disconnected = self.disconnected
        namespace.acked = self._acknowledgements.acked
        namespace.on(REFRESH)(self._renewal.refresh)

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
            keys = socket.client.user.keys
            in_use = keys[socket.user.device.key_id]
            in_use.sockets -= 1
            if not in_use.sockets:
                self._guard.key_left(in_use.key)
                if not socket.client.ended:
                    # Else who comes and goes with one key after the other would have all of them kept.
                    del keys[in_use.key.key_id]
            if socket.user.ends is not None:
                self._wheel.discard(socket.user.ends)
            self.holders.discard(socket.user.device.key_id, socket)
            self._delivery.disconnected(socket)
            self._replay.end(socket)

    def keys_in_use(self) -> list[str]:
        """Return the ids of the keys, in a store, that have a connected socket."""
        return [key_id for key_id in self.holders if not key_id.startswith(KEY_ID_PREFIX)]

    async def check_keys(self) -> None:
        """Close the connections of keys whose end may have been missed: see :meth:`..access.keys.KeyRing.check`."""
        await self._keys.check(self.keys_in_use())

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
        named = (
            key.device if isinstance(key, Token) and key.device else _named("device", socket, auth)
        )
        device = await self._device(key, streamer, named, connection)
        socket.join(EVERYBODY, streamer_room(streamer), *map(group_room, key.groups))
        # Only when all that is published from then on reaches it may the client be told that it is in.
        try:
            await self._replay.expect(socket)
        except StoreUnavailable as unavailable:
            raise TryLater from unavailable
        try:
            socket.user = await self._member(key, presented, device, socket)
        except Exception:
            self._replay.end(socket)
            raise
        if socket.client.ended:
            self._replay.end(socket)

    async def _member(self, key: Key, presented: str, device: Device, socket: Socket) -> Member:
        if not self._keys.remembers(key):
            # It may have been revoked meanwhile: there was no socket to close yet.
            key = await self._authenticate(presented, socket.opening.address)
        # From here to ``connected`` nothing else happens on this node: the count is exact.
        in_use = socket.client.user.keys.setdefault(key.key_id, KeyInUse(key))
        if not in_use.sockets and self._guard.refuse_key(key) is not None:
            raise TryLater
        ends = None
        if key.expires_at_ms is not None:
            ends = KeyEnd(key, socket, self._wheel, self._now_ms)
        return Member(device, ends)

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
    opening, connection = socket.opening, socket.client.user
    candidates = (
        auth.get("apiKey"),
        auth.get("token"),
        connection and connection.refreshed,
        from_authorization(opening.authorization),
        opening.query.get("apiKey"),
        connection and connection.root_key,
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
