"""Who is alive, judged by beats."""

import attrs
import pytest

from reward_push.cluster.member import Member
from reward_push.cluster.roster import BEAT_S, EXPIRY_S, Roster

OTHER = Member("other", "1", 1, "10.0.0.2:99", "0.1", 0, 0, "ok")


class World:
    """A roster, its clock, and who was told to be gone."""

    def __init__(self) -> None:
        self.roster = Roster("me")
        self.now_s = 100.0
        self.gone: list[Member] = []
        self.roster.on_gone(self.gone.append)

    def read(self, *members: Member, after_s: float = BEAT_S) -> None:
        """Redis answers a while later."""
        self.now_s += after_s
        self.roster.read(members, self.now_s)


def beaten(member: Member, beats: int = 1) -> Member:
    return attrs.evolve(member, beat=member.beat + beats)


@pytest.fixture
def world() -> World:
    return World()


def test_the_others_and_not_oneself(world: World) -> None:
    world.read(OTHER, attrs.evolve(OTHER, node_id="me"))
    assert (world.roster.names(), len(world.roster)) == (["other"], 1)
    assert world.roster.find("other") is OTHER
    assert world.roster.find("me") is None


def test_the_last_record_counts(world: World) -> None:
    world.read(OTHER)
    later = beaten(OTHER)
    world.read(later)
    assert world.roster.find("other") is later


def test_who_beats_no_more_is_gone_after_a_while(world: World) -> None:
    """Also if its record is still there: somebody else's clock may have written it."""
    world.read(OTHER)
    for _ in range(round(EXPIRY_S / BEAT_S) - 1):
        world.read(OTHER)
        assert world.gone == []
    world.read(OTHER)
    assert (world.gone, world.roster.names()) == ([OTHER], [])


def test_who_beats_stays(world: World) -> None:
    world.read(OTHER)
    for number in range(20):
        world.read(beaten(OTHER, number))
    assert world.gone == []


def test_nobody_is_dead_because_redis_was_away_or_came_back_empty(world: World) -> None:
    world.read(OTHER)
    world.read(after_s=1_000.0)
    assert world.roster.find("other") is OTHER
    assert world.roster.heard(world.now_s)[0][1] < EXPIRY_S
    assert world.roster.heard(world.now_s + 50)[0][1] > 50


@pytest.mark.parametrize("change", [{"left": True}, {"instance": "2", "beat": 1}])
def test_who_stops_or_is_started_anew_is_gone_at_once(
    world: World, change: dict[str, object]
) -> None:
    world.read(OTHER)
    world.read(attrs.evolve(OTHER, **change))
    assert world.gone == [OTHER]
    found = world.roster.find("other")
    assert (found is None) is ("left" in change)


def test_who_has_left_and_was_not_known_is_nobody(world: World) -> None:
    world.read(attrs.evolve(OTHER, left=True))
    assert (world.roster.names(), world.gone) == ([], [])


def test_one_who_does_not_attend_to_an_end_keeps_nobody_else_from_it(
    world: World, logged_failures: list[str]
) -> None:
    world.gone = []
    roster = Roster("me")

    def broken(_: Member) -> None:
        raise RuntimeError("broken")

    roster.on_gone(broken)
    roster.on_gone(world.gone.append)
    roster.read([OTHER], 0.0)
    roster.read([attrs.evolve(OTHER, left=True)], 1.0)
    assert world.gone == [OTHER]
    assert len(logged_failures) == 1
