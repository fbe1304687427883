"""What a message becomes on its way to Socket.IO."""

import attrs
import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reward_push.rewards.delivery import SocketDelivery, envelope
from reward_push.rewards.interfaces import IDelivery
from reward_push.rewards.message import Audience, AudienceKind
from reward_push.socketio.interfaces import IBroadcaster

from .test_message import NOW_MS, message


@implementer(IBroadcaster)
@attrs.define
class RecordingBroadcaster:
    emitted: list = attrs.Factory(list)

    def emit(self, namespace, rooms, event, *args, ack):
        self.emitted.append((namespace, rooms, event, args, ack))
        return 3


def test_the_implementers_keep_their_interfaces():
    assert verifyObject(IBroadcaster, RecordingBroadcaster())
    assert verifyObject(IDelivery, SocketDelivery(RecordingBroadcaster(), lambda: NOW_MS))


def test_a_message_is_emitted_once_to_the_rooms_of_its_audience_with_an_ack_id():
    broadcaster = RecordingBroadcaster()
    delivery = SocketDelivery(broadcaster, lambda: NOW_MS + 7)
    to = Audience(AudienceKind.STREAMERS, ("a", "b"))
    assert delivery.deliver(message(to=to)) == 3
    wrapped = {"id": "m1", "data": {"code": "K7Q-PLX"}, "sent_at": "2026-11-24T20:00:00.257Z"}
    assert broadcaster.emitted == [
        ("/dropcodes", ("streamer:a", "streamer:b"), "dropcode", (wrapped,), True)
    ]


@pytest.mark.parametrize(("left", "ttl_ms"), [(30_000, 30_000), (1, 1), (0, 0), (-5, 0)])
def test_a_message_with_an_end_says_what_is_left_when_it_is_written(left, ttl_ms):
    assert envelope(message(expires_at_ms=NOW_MS + left), NOW_MS)["ttl_ms"] == ttl_ms
