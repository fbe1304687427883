"""Where news is published."""

import pytest

from reward_push.cluster.channels import Channels
from reward_push.rewards.message import TO_ALL, Audience, AudienceKind
from reward_push.rewards.rooms import rooms_of

CHANNELS = Channels("rp:")


@pytest.mark.parametrize(
    ("to", "channel"),
    [
        (Audience(AudienceKind.STREAMER, ("s-42",)), "rp:room:/dropcodes|streamer:s-42"),
        (Audience(AudienceKind.GROUP, ("eu",)), "rp:room:/dropcodes|group:eu"),
        (Audience(AudienceKind.STREAMERS, ("s-1",)), "rp:room:/dropcodes|streamer:s-1"),
        (Audience(AudienceKind.STREAMERS, ("s-1", "s-1")), "rp:room:/dropcodes|streamer:s-1"),
        (Audience(AudienceKind.STREAMERS, ("s-1", "s-2")), "rp:ns:/dropcodes"),
        (TO_ALL, "rp:ns:/dropcodes"),
    ],
)
def test_one_room_has_a_channel_of_its_own_and_all_else_goes_to_the_namespace(to, channel):
    assert CHANNELS.of("/dropcodes", rooms_of(to)) == channel


def test_who_is_in_a_room_hears_of_what_is_for_it():
    """The channel of each message is one that a node with a socket in its rooms subscribes to."""
    for names in [("a",), ("a", "b")]:
        rooms = rooms_of(Audience(AudienceKind.STREAMERS, names))
        heard = {CHANNELS.namespace("/x"), *(CHANNELS.room("/x", room) for room in rooms)}
        assert CHANNELS.of("/x", rooms) in heard


def test_nodes_have_a_channel_together_and_one_each():
    assert CHANNELS.nodes == "rp:nodes"
    assert CHANNELS.node("aB3x_9") == "rp:node:aB3x_9"
    assert len({CHANNELS.nodes, CHANNELS.node("a"), CHANNELS.namespace("a")}) == 3


def test_two_pairs_never_share_a_channel():
    assert CHANNELS.room("/a|streamer:x", "streamer:y") != CHANNELS.room("/a", "streamer:x")
    first = CHANNELS.room("/a|b", "group:c")
    assert first.removeprefix("rp:room:").rpartition("|")[::2] == ("/a|b", "group:c")
