"""What differs between Socket.IO revisions 4 and 5: joining, refusing, and how much is forgiven.

Packets of both revisions have the same text form; events and acks need no dialect.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import attrs

from ..engineio.revision import V3, V4, Revision
from .packet import Packet, PacketType

MAX_FIELDS = 32
"""Fields in a namespace's query (revision 4)."""


@attrs.frozen
class Refused:
    """Why a client may not join: ``data`` travels to clients of revision 5 only."""

    message: str
    data: Any = None


@attrs.frozen
class Rev5:
    """Socket.IO revision 5, over Engine.IO 4: every namespace is asked for, with an ``auth`` object."""

    joins_root: bool = False
    """Whether the server joins the client to ``/`` unasked."""
    forgiving: bool = False
    """Whether packets for namespaces not joined, and repeated joins, are let pass."""

    def parse_connect(self, packet: Packet) -> tuple[str, Mapping[str, Any]]:
        """Return the namespace a CONNECT asks for, and its ``auth`` object."""
        return packet.namespace, packet.data or {}

    def joined(self, namespace: str, socket_id: str) -> Packet:
        """Return the answer to a CONNECT; a client takes one without ``sid`` for an old server's."""
        return Packet(PacketType.CONNECT, namespace, {"sid": socket_id})

    def refused(self, namespace: str, refusal: Refused) -> Packet:
        """Return the answer that makes a stock client give up."""
        data = {"message": refusal.message}
        if refusal.data is not None:
            data["data"] = refusal.data
        return Packet(PacketType.CONNECT_ERROR, namespace, data)


@attrs.frozen
class Rev4:
    """Socket.IO revision 4, over Engine.IO 3: ``/`` is joined unasked, a query stands for ``auth``."""

    joins_root: bool = True
    forgiving: bool = True

    def parse_connect(self, packet: Packet) -> tuple[str, Mapping[str, Any]]:
        """Return the namespace without its query, and the query's fields.

        The query is raw, not URL-encoded, in JavaScript clients and encoded in others; decoding it
        serves both.
        """
        namespace, _, query = packet.namespace.partition("?")
        fields = query.split("&", MAX_FIELDS)[:MAX_FIELDS]
        return namespace, dict(parse_qsl("&".join(fields), keep_blank_values=True))

    def joined(self, namespace: str, socket_id: str) -> Packet:
        """Return the answer to a CONNECT: no payload in this revision, the client knows its id."""
        return Packet(PacketType.CONNECT, namespace)

    def refused(self, namespace: str, refusal: Refused) -> Packet:
        """Return the answer that makes a stock client give up: here a plain string."""
        return Packet(PacketType.CONNECT_ERROR, namespace, refusal.message)


DIALECTS: dict[Revision, Rev4 | Rev5] = {V3: Rev4(), V4: Rev5()}
"""The Socket.IO revision that each Engine.IO revision carries."""
