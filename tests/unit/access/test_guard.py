"""Who comes in, who is turned away and why, and that nobody can keep others out."""

from typing import Any

import attrs
import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import LogEvent, globalLogPublisher
from zope.interface.verify import verifyObject

from reward_push.access.addresses import Proxies
from reward_push.access.guard import (
    GIVES_WAY_AFTER_S,
    RETRY_FULL_S,
    SOCKETS_PER_CONNECTION,
    Guard,
)
from reward_push.access.interfaces import ANY_STREAMER, IDoor, Key, KeyKind, Reason
from reward_push.access.limits import GuardLimits
from reward_push.engineio.opening import Opening
from reward_push.rate import Rate

A, B = "192.0.2.1", "192.0.2.2"
KEY = Key("k1", KeyKind.PLUGIN, 0, streamer="s")
GATEWAY = Key("k2", KeyKind.PLUGIN, 0, streamer=ANY_STREAMER)


@attrs.define(eq=False)
class Guest:
    """A session, as far as the door knows it."""

    handshake: Opening


class Door:
    """A guard, its clock, and who is inside."""

    def __init__(self, **limits: Any) -> None:
        self.now = 1000.0
        self.known: dict[str, Key] = {}
        self.recalled: list[str] = []
        self.stays = False
        """Whether sessions that are sent away do not go."""
        self.guard = Guard(
            GuardLimits(**limits),
            Proxies(["loopback"]),
            lambda: self.now,
            recall=self._recall,
            send_away=self._send_away,
        )

    def _recall(self, presented: str) -> Key | None:
        self.recalled.append(presented)
        return self.known.get(presented)

    def _send_away(self, guest: Guest) -> None:
        if not self.stays:
            self.guard.left(guest)

    def knock(self, address: str = A, presented: str | None = None) -> str | None:
        """Return why a handshake is refused."""
        refused = self.guard.knock(address, lambda: presented)
        return None if refused is None else str(refused.reason)

    def come(self, address: str = A, presented: str | None = None) -> Guest:
        """Let somebody in, who must be."""
        assert self.knock(address, presented) is None
        guest = Guest(Opening(address=address))
        self.guard.entered(guest)
        return guest

    def join(self, address: str = A) -> Guest:
        """Let somebody in who joins at once."""
        guest = self.come(address)
        self.guard.joined(guest)
        return guest


def test_it_is_a_door() -> None:
    assert verifyObject(IDoor, Door().guard)


def test_without_limits_all_come_in_and_are_counted() -> None:
    door = Door()
    guests = [door.come(A) for _ in range(1000)]
    for _ in range(1000):
        door.guard.failed(A)
        assert door.guard.refuse_banned(A) is None
        assert door.guard.refuse_key(KEY) is None
        assert door.guard.refuse_call(KEY) is None
        door.guard.key_used(KEY)
    guard = door.guard
    assert (guard.connections, guard.half_open, guard.addresses) == (1000, 1000, 1)
    assert (guard.wrong_keys, guard.bans, guard.banned) == (1000, 0, 0)
    assert not any(guard.turned_away.values())
    for guest in guests:
        guard.joined(guest)
        guard.joined(guest)
        guard.left(guest)
    assert (guard.connections, guard.half_open, guard.addresses) == (0, 0, 0)
    guard.tidy()


# Handshakes


def test_handshakes_of_an_address_have_a_rate() -> None:
    door = Door(connect_rate_per_address=Rate(20, 40))
    for _ in range(40):
        door.guard.left(door.come())
    refused = door.guard.knock(A, lambda: None)
    assert refused is not None
    assert (refused.reason, refused.retry_after_s) == (Reason.ADDRESS_RATE, pytest.approx(0.05))
    assert door.knock(B) is None
    door.now += 0.05
    assert door.knock() is None
    assert door.knock() == "address_rate"
    door.now += 2.0
    assert [door.knock() for _ in range(41)] == [None] * 40 + ["address_rate"]
    assert door.guard.turned_away[Reason.ADDRESS_RATE] == 3


def test_what_handshakes_have_left_behind_is_forgotten() -> None:
    door = Door(connect_rate_per_address=Rate(20, 40), auth_failures_per_address=Rate(1, 1))
    for number in range(1000):
        door.knock(f"a{number}")
        door.guard.failed(f"a{number}")
        door.guard.failed(f"a{number}")
    assert door.guard.banned == 1000
    door.now += 100
    door.guard.tidy()
    assert door.guard.banned == 0


# Sockets


def peers(*hosts: str) -> list[IPv4Address | IPv6Address]:
    kinds = [IPv6Address if ":" in host else IPv4Address for host in hosts]
    return [kind("TCP", host, 1) for kind, host in zip(kinds, hosts, strict=True)]


def test_an_address_has_only_so_many_sockets() -> None:
    door = Door(connections_per_address=2)
    most = 2 * SOCKETS_PER_CONNECTION
    [peer, other] = peers(A, B)
    for _ in range(most):
        assert door.guard.arrive(peer)
    assert not door.guard.arrive(peer)
    assert door.guard.arrive(other)
    door.guard.depart(peer)
    assert door.guard.arrive(peer)
    assert not door.guard.arrive(peer)
    assert door.guard.turned_away[Reason.ADDRESS_SOCKETS] == 2


def test_sockets_of_a_network_count_together() -> None:
    door = Door(connections_per_address=1)
    many = peers(*[f"2001:db8::{n}" for n in range(1, SOCKETS_PER_CONNECTION + 2)])
    assert [door.guard.arrive(peer) for peer in many] == [True] * SOCKETS_PER_CONNECTION + [False]


def test_sockets_of_proxies_are_theirs() -> None:
    """Of those through the PROXY protocol and on UNIX sockets, too."""
    door = Door(connections_per_address=1)
    for peer in (*peers("127.0.0.1", "::1"), UNIXAddress(b"/run/x"), None):
        for _ in range(100):
            assert door.guard.arrive(peer)
        for _ in range(100):
            door.guard.depart(peer)
    assert door.guard.turned_away[Reason.ADDRESS_SOCKETS] == 0


def test_without_a_limit_of_connections_there_is_none_of_sockets() -> None:
    door = Door()
    [peer] = peers(A)
    for _ in range(1000):
        assert door.guard.arrive(peer)
    for _ in range(1000):
        door.guard.depart(peer)


# Connections


def test_connections_of_an_address() -> None:
    door = Door(connections_per_address=3)
    guests = [door.join() for _ in range(3)]
    door.now += 100
    refused = door.guard.knock(A, lambda: None)
    assert refused is not None
    assert (refused.reason, refused.retry_after_s) == (Reason.ADDRESS_FULL, RETRY_FULL_S)
    door.join(B)
    door.guard.left(guests[0])
    door.join()
    assert door.knock() == "address_full"


def test_connections_of_the_node() -> None:
    door = Door(connections=3)
    guests = [door.join(address) for address in (A, B, "192.0.2.3")]
    door.now += 100
    assert door.knock("192.0.2.4") == "node_full"
    door.guard.left(guests[1])
    door.join("192.0.2.4")
    assert door.knock(A) == "node_full"
    assert door.guard.turned_away[Reason.NODE_FULL] == 2


@pytest.mark.parametrize("limit", ["connections", "connections_per_address"])
def test_the_oldest_half_open_one_gives_way(limit: str) -> None:
    """Also to one that has not joined yet: whoever really wants to join has done so by then."""
    door = Door(**{limit: 3})
    first, second = door.come(), door.come()
    joined = door.join()
    assert door.knock() is not None
    door.now += GIVES_WAY_AFTER_S - 0.01
    assert door.knock() is not None
    door.now += 0.01
    third = door.come()
    assert (door.guard.connections, door.guard.gave_way) == (3, 1)
    door.guard.joined(third)
    door.join()
    assert (door.guard.connections, door.guard.half_open, door.guard.gave_way) == (3, 0, 2)
    door.now += 1000
    assert door.knock() is not None
    door.guard.left(joined)
    assert first is not second


def test_an_address_makes_room_by_its_own_sessions_only() -> None:
    door = Door(connections_per_address=2)
    for _ in range(2):
        door.join(A)
        door.come(B)
    door.now += 100
    assert door.knock(A) == "address_full"
    assert door.guard.half_open == 2
    door.join(B)
    assert door.guard.half_open == 1


def test_the_node_makes_room_by_the_oldest_of_all() -> None:
    door = Door(connections=2)
    old = door.come(A)
    door.now += 10
    young = door.come(B)
    door.now += 1
    door.come("192.0.2.3")
    assert door.guard.gave_way == 1
    assert old.handshake.address not in door.guard._half_open_of
    assert young in door.guard._half_open


def test_a_session_that_cannot_be_sent_away_makes_no_room() -> None:
    door = Door(connections=1)
    door.come()
    door.now += 100
    door.stays = True
    assert door.knock() == "node_full"


def test_handshakes_that_wait_for_room_are_counted_by_the_rate() -> None:
    door = Door(connections_per_address=1, connect_rate_per_address=Rate(1, 3))
    door.join()
    assert [door.knock() for _ in range(3)] == ["address_full"] * 2 + ["address_rate"]


# Keys


def test_connections_of_a_key_are_counted_from_their_join_on() -> None:
    door = Door(connections_per_key=2)
    door.known["good"] = KEY
    for _ in range(5):
        door.come(presented="good")
    assert door.recalled == []
    assert door.guard.refuse_key(KEY) is None
    door.guard.key_used(KEY)
    door.guard.key_used(KEY)
    refused = door.guard.refuse_key(KEY)
    assert refused is not None
    assert refused.reason is Reason.KEY_FULL
    assert door.knock(presented="good") == "key_full"
    door.guard.key_left(KEY)
    assert door.knock(presented="good") is None
    assert door.guard.refuse_key(KEY) is None


def test_only_the_whole_key_learns_that_it_is_full() -> None:
    """An id is no secret."""
    door = Door(connections_per_key=1)
    door.known["good"] = KEY
    door.guard.key_used(KEY)
    assert door.knock(presented="wrong") is None
    assert door.knock(presented=None) is None
    assert door.recalled == ["wrong"]
    assert door.guard.refuse_key(attrs.evolve(KEY, key_id="other")) is None


def test_a_gateway_s_key_has_no_limit() -> None:
    door = Door(connections_per_key=1)
    door.known["gateway"] = GATEWAY
    for _ in range(5):
        door.guard.key_used(GATEWAY)
        assert door.guard.refuse_key(GATEWAY) is None
        assert door.knock(presented="gateway") is None
    for _ in range(5):
        door.guard.key_left(GATEWAY)


def test_a_key_may_have_a_limit_of_its_own() -> None:
    """A gateway's, too; also where the others have none."""
    for door in (Door(connections_per_key=1), Door(connections_per_key=9), Door()):
        for plain in (KEY, GATEWAY):
            key = attrs.evolve(plain, max_connections=2)
            door.known["good"] = key
            door.guard.key_used(key)
            assert door.guard.refuse_key(key) is None
            door.guard.key_used(key)
            assert door.guard.refuse_key(key) is not None
            assert door.knock(presented="good") == "key_full"
            door.guard.key_left(key)
            assert door.guard.refuse_key(key) is None
            door.guard.key_left(key)


# Wrong keys


def test_an_address_with_too_many_wrong_keys_is_refused_for_a_while() -> None:
    door = Door(auth_failures_per_address=Rate(10, 30), ban_s=60.0)
    for _ in range(30):
        door.guard.failed(A)
    assert door.knock() is None
    assert door.guard.refuse_banned(A) is None
    door.guard.failed(A)
    refused = door.guard.knock(A, lambda: None)
    assert refused is not None
    assert (refused.reason, refused.retry_after_s) == (Reason.BANNED, 60.0)
    door.now += 20
    refused = door.guard.refuse_banned(A)
    assert refused is not None
    assert (refused.reason, refused.retry_after_s) == (Reason.BANNED, 40.0)
    assert door.knock(B) is None
    assert door.guard.refuse_banned(B) is None
    door.now += 40
    assert door.knock() is None
    assert door.guard.refuse_banned(A) is None
    assert (door.guard.bans, door.guard.wrong_keys) == (1, 31)
    assert door.guard.turned_away[Reason.BANNED] == 2


def test_who_is_banned_takes_no_handshakes_from_its_bucket() -> None:
    door = Door(
        auth_failures_per_address=Rate(1, 1), ban_s=60.0, connect_rate_per_address=Rate(1, 2)
    )
    door.guard.failed(A)
    door.guard.failed(A)
    assert [door.knock() for _ in range(10)] == ["banned"] * 10
    door.now += 60
    assert [door.knock() for _ in range(3)] == [None, None, "address_rate"]


# The API


def test_calls_of_a_key_have_a_rate() -> None:
    door = Door(api_rate_per_key=Rate(2, 3))
    assert [door.guard.refuse_call(KEY) for _ in range(3)] == [None] * 3
    refused = door.guard.refuse_call(KEY)
    assert refused is not None
    assert (refused.reason, refused.retry_after_s) == (Reason.API_RATE, pytest.approx(0.5))
    assert door.guard.refuse_call(GATEWAY) is None


# What is said


@pytest.fixture
def lines():
    """Log lines of the guard."""
    heard: list[LogEvent] = []

    def hear(event: LogEvent) -> None:
        if event["log_namespace"] == "reward_push.access.guard.Guard":
            heard.append(event)

    globalLogPublisher.addObserver(hear)
    yield heard
    globalLogPublisher.removeObserver(hear)


def test_bans_are_told_now_and_then(lines: list[LogEvent]) -> None:
    door = Door(auth_failures_per_address=Rate(1, 1), ban_s=60.0)
    for number in range(100):
        door.guard.failed(f"a{number}")
        door.guard.failed(f"a{number}")
    assert [each["address"] for each in lines] == ["a0"]
    door.now += 60
    door.guard.failed("z")
    door.guard.failed("z")
    assert [(each["address"], each["unsaid"]) for each in lines] == [("a0", 0), ("z", 99)]


@pytest.mark.parametrize(
    "limits", [{"connections_per_address": 1}, {"connect_rate_per_address": Rate(1, 1)}]
)
def test_a_proxy_that_hides_its_clients_is_told(
    lines: list[LogEvent], limits: dict[str, Any]
) -> None:
    door = Door(**limits)
    for address in ("127.0.0.1", A):
        door.join(address)
        for _ in range(10):
            assert door.knock(address) is not None
    assert [each["address"] for each in lines] == ["127.0.0.1"]
