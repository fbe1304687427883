"""How one node knows that a request comes from another node of its cluster.

Every request carries ``X-Relay``: who sends it (node and instance), a number that counts that instance's
requests, the cluster's time, and an HMAC-SHA256 of these, of the node it is meant for, of the method and
target, and of the client's address (``X-Relay-Client``), with the shared secret. So the secret is never
on the wire, and a request that was seen cannot be sent again: not to the same node, which takes each
number once, nor to another, nor later. (A node that was started again under its name remembers no numbers:
it takes those of the last seconds once more, and has none of the sessions that they are for.)

It does not hide anything, and what follows the head is not signed: the network between the nodes must be
one that strangers cannot listen to (decision 17).
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

import attrs

from .secret import SharedSecret

SIGNATURE_HEADER = b"X-Relay"
CLIENT_HEADER = b"X-Relay-Client"
"""The address at the other end of the client's connection; empty: a UNIX socket."""
REFUSED_HEADER = b"X-Relay-Refused"
"""Marks the 403 to a request that no node of the cluster has signed."""

VERSION = b"1"
WINDOW_MS = 30_000
"""How far the sender's idea of the cluster's time may be from the receiver's."""
MAX_MISSING = 4_096
"""How many numbers of one sender are remembered apart from "all up to": far more than overtake each other."""
MAX_SENDERS = 1_000
"""How many instances are remembered at most. Only those who know the secret are."""


class Rejection(Enum):
    """Why a request is not another node's. For the log alone: the sender is told nothing."""

    MISSING = "it is not signed"
    MALFORMED = "its signature is malformed"
    WRONG = "its signature is wrong: cluster_secret differs, or it is not for this node"
    STALE = "it is too old or too new: the nodes' clocks differ, or it was sent again"
    REPLAYED = "it was sent before"
    CROWDED = "there are too many senders"


@attrs.frozen
class Sender:
    """The instance that sends."""

    node_id: str
    instance: str


class Signer:
    """Signs what this node sends."""

    def __init__(self, secret: SharedSecret, sender: Sender, now_ms: Callable[[], int]) -> None:
        self._secret = secret
        self._sender = b" ".join([sender.node_id.encode(), sender.instance.encode()])
        self._now_ms = now_ms
        self._number = 0

    def sign(self, target: str, method: bytes, uri: bytes, client: bytes) -> bytes | None:
        """Return the header of one request to the node ``target``; ``None``: there is no secret yet.

        ``uri`` is the request's target as it will be on the wire.
        """
        if self._secret.key is None:
            return None
        self._number += 1
        claim = b"%s %s %d %d" % (VERSION, self._sender, self._number, self._now_ms())
        mac = _mac(self._secret.key, claim, target, method, uri, client)
        return b"%s %s" % (claim, mac)


class Verifier:
    """Judges what this node receives."""

    def __init__(self, secret: SharedSecret, node_id: str, now_ms: Callable[[], int]) -> None:
        self._secret = secret
        self._node_id = node_id
        self._now_ms = now_ms
        self._senders: OrderedDict[bytes, _Heard] = OrderedDict()

    def check(
        self, header: bytes | None, method: bytes, uri: bytes, client: bytes
    ) -> str | Rejection:
        """Return the node that has sent a request, or why it is taken for nobody's. Each request once."""
        if header is None:
            return Rejection.MISSING
        claim, _, mac = header.rpartition(b" ")
        parts = claim.split(b" ")
        if len(parts) != 5 or parts[0] != VERSION or not (parts[3] + parts[4]).isdigit():
            return Rejection.MALFORMED
        key = self._secret.key
        if key is None or not hmac.compare_digest(
            mac, _mac(key, claim, self._node_id, method, uri, client)
        ):
            return Rejection.WRONG
        # From here on the sender knows the secret: what it says can be believed, if it is not old.
        now_ms, at_ms = self._now_ms(), int(parts[4])
        if abs(now_ms - at_ms) > WINDOW_MS:
            return Rejection.STALE
        heard = self._heard(parts[2], now_ms)
        if heard is None:
            return Rejection.CROWDED
        return parts[1].decode() if heard.first(int(parts[3])) else Rejection.REPLAYED

    def _heard(self, instance: bytes, now_ms: int) -> "_Heard | None":
        heard = self._senders.get(instance)
        if heard is None:
            if len(self._senders) >= MAX_SENDERS:
                # What the oldest has sent is too old to be sent again by now; else there is no room.
                oldest = next(iter(self._senders.values()))
                if now_ms - oldest.at_ms <= 2 * WINDOW_MS:
                    return None
                self._senders.popitem(last=False)
            heard = self._senders[instance] = _Heard()
        self._senders.move_to_end(instance)
        heard.at_ms = now_ms
        return heard


@attrs.define
class _Heard:
    """Which numbers of one sender have come: all up to ``floor``, and some above."""

    at_ms: int = 0
    floor: int = 0
    above: set[int] = attrs.field(factory=set)

    def first(self, number: int) -> bool:
        """Note ``number`` and return whether it comes for the first time."""
        if number <= self.floor or number in self.above:
            return False
        self.above.add(number)
        if len(self.above) > MAX_MISSING:
            # Requests that were signed and never arrived: they count as having come.
            self.floor = min(self.above)
        while self.floor + 1 in self.above:
            self.floor += 1
            self.above.discard(self.floor)
        self.above.discard(self.floor)
        return True


def _mac(key: bytes, claim: bytes, target: str, method: bytes, uri: bytes, client: bytes) -> bytes:
    # None of them can hold a line feed: that is where a request's lines end.
    text = b"\n".join([claim, target.encode(), method, uri, client])
    return hmac.digest(key, text, hashlib.sha256).hex().encode()
