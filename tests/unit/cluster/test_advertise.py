"""Where other nodes are told to connect."""

import socket
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from reward_push.cluster.advertise import address_of, interface_toward
from reward_push.cluster.reach import split_address

ALL = ("0.0.0.0", 4711)
NOWHERE = [("nobody.invalid", 6379)]


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest.mark.parametrize(
    ("advertise", "listening", "address"),
    [
        ("node-1", ALL, "node-1:4711"),
        ("node-1:9", ALL, "node-1:9"),
        ("10.0.0.1:9", ("127.0.0.1", 4711), "10.0.0.1:9"),
        ("[fd00::1]", ALL, "[fd00::1]:4711"),
        ("[fd00::1]:9", ALL, "[fd00::1]:9"),
        (None, ("10.0.0.1", 4711), "10.0.0.1:4711"),
        (None, ("fd00::1", 4711), "[fd00::1]:4711"),
        (None, ALL, "127.0.0.1:4711"),
    ],
)
@ensureDeferred
async def test_the_address(
    advertise: str | None, listening: tuple[str, int], address: str, reactor: Any
) -> None:
    """What is given, else where it listens, else the way to Redis, else this machine."""
    found = await address_of(advertise, listening, NOWHERE, reactor)
    assert found == address
    host, port = split_address(found)
    assert host
    assert port in (9, 4711)


@ensureDeferred
async def test_the_way_to_redis(reactor: Any) -> None:
    """The first that is found counts."""
    toward = [*NOWHERE, ("127.0.0.1", 6379)]
    assert await address_of(None, ALL, toward, reactor) == "127.0.0.1:4711"


def test_the_interface_that_leads_somewhere() -> None:
    """The same that a connection there would come from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no way out")
        expected = probe.getsockname()[0]
    assert interface_toward([("192.0.2.1", 9)]) == expected


def test_another_family_is_for_those_who_listen_to_it() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    assert interface_toward([("::1", 6379)]) == "127.0.0.1"
    assert interface_toward([("::1", 6379)], v6=True) in ("::1", "127.0.0.1")


@pytest.mark.parametrize("address", ["", "host", ":9", "host:", "host:x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|int\(\)"):
        split_address(address)
