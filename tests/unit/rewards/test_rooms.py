"""The rooms of an audience."""

import pytest

from reward_push.rewards.message import TO_ALL, Audience, AudienceKind
from reward_push.rewards.rooms import EVERYBODY, group_room, rooms_of, streamer_room


@pytest.mark.parametrize(
    ("audience", "rooms"),
    [
        (TO_ALL, ("all",)),
        (Audience(AudienceKind.STREAMER, ("s-42",)), ("streamer:s-42",)),
        (Audience(AudienceKind.STREAMERS, ("a", "b")), ("streamer:a", "streamer:b")),
        (Audience(AudienceKind.GROUP, ("eu",)), ("group:eu",)),
    ],
)
def test_an_audience_is_reached_through_rooms(audience, rooms):
    assert rooms_of(audience) == rooms


def test_a_streamer_named_like_another_room_has_a_room_of_its_own():
    assert len({EVERYBODY, streamer_room("all"), group_room("all")}) == 3
