"""Who a request is from, seen through proxies that may be trusted and headers that may be forged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.web.http_headers import Headers

from reward_push.access.addresses import MAX_PROXIES, NO_ADDRESS, Proxies, name_of, parse

LOCAL = Proxies(["loopback"])
BALANCER = Proxies(["10.0.0.0/8", "2001:db8:aaaa::/48"])
NOBODY = Proxies([])


class Request:
    """The part of a request that is looked at."""

    def __init__(self, peer: object, **headers: list[str]) -> None:
        self._peer = peer
        self.requestHeaders = Headers({name.replace("_", "-"): v for name, v in headers.items()})

    def getClientAddress(self) -> object:
        return self._peer


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "client"),
    [
        # Nobody in between.
        (LOCAL, "192.0.2.1", [], "192.0.2.1"),
        (LOCAL, "127.0.0.1", [], "127.0.0.1"),
        (LOCAL, "::1", [], "::/64"),
        (LOCAL, None, [], NO_ADDRESS),
        # A forged header from somebody who is no proxy.
        (LOCAL, "192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        (NOBODY, "127.0.0.1", ["203.0.113.9"], "127.0.0.1"),
        (NOBODY, None, ["203.0.113.9"], NO_ADDRESS),
        (BALANCER, "127.0.0.1", ["203.0.113.9"], "127.0.0.1"),
        # A proxy appends who it was connected from.
        (LOCAL, "127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        (LOCAL, "127.9.9.9", ["203.0.113.9"], "203.0.113.9"),
        (LOCAL, "::1", ["203.0.113.9"], "203.0.113.9"),
        (LOCAL, "::ffff:127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        (LOCAL, None, ["203.0.113.9"], "203.0.113.9"),
        (BALANCER, "10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        (BALANCER, "2001:db8:aaaa:1::5", ["203.0.113.9"], "203.0.113.9"),
        (BALANCER, "2001:db8:aaab::5", ["203.0.113.9"], "2001:db8:aaab::/64"),
        # What stands to the left is the client's own.
        (LOCAL, "127.0.0.1", ["8.8.8.8, 203.0.113.9"], "203.0.113.9"),
        (LOCAL, "127.0.0.1", ["8.8.8.8", "203.0.113.9"], "203.0.113.9"),
        (LOCAL, "127.0.0.1", ["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        (LOCAL, "127.0.0.1", ["8.8.8.8,127.0.0.1,,203.0.113.9"], "203.0.113.9"),
        # Several proxies.
        (BALANCER, "10.1.2.3", ["8.8.8.8, 203.0.113.9, 10.0.0.7"], "203.0.113.9"),
        (BALANCER, "10.1.2.3", ["203.0.113.9, 10.0.0.7", "10.0.0.8"], "203.0.113.9"),
        # All of them: then it is the peer's own request.
        (BALANCER, "10.1.2.3", ["10.0.0.7, 10.0.0.8"], "10.1.2.3"),
        (LOCAL, "127.0.0.1", ["127.0.0.1"], "127.0.0.1"),
        # Ports, brackets, quotes, spaces.
        (LOCAL, "127.0.0.1", ["203.0.113.9:5678"], "203.0.113.9"),
        (LOCAL, "127.0.0.1", ["8.8.8.8:1,203.0.113.9:5678"], "203.0.113.9"),
        (LOCAL, "127.0.0.1", ["[2001:db8:1:2:3::4]:5678"], "2001:db8:1:2::/64"),
        (LOCAL, "127.0.0.1", ["[2001:db8:1:2:3::4]"], "2001:db8:1:2::/64"),
        (LOCAL, "127.0.0.1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        (LOCAL, "127.0.0.1", ['"[2001:db8:1:2::4]:80"'], "2001:db8:1:2::/64"),
        (LOCAL, "127.0.0.1", ["  203.0.113.9\t"], "203.0.113.9"),
        (LOCAL, "127.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        (LOCAL, "127.0.0.1", ["[::ffff:203.0.113.9]:1"], "203.0.113.9"),
        (LOCAL, "127.0.0.1", ["2001:DB8:0001:2::4"], "2001:db8:1:2::/64"),
        (LOCAL, "127.0.0.1", ["fe80::1%eth0"], "fe80::/64"),
        # What is no address says nothing, nor does what is to its left.
        (LOCAL, "127.0.0.1", ["unknown"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["203.0.113.9, unknown"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["203.0.113.9, _hidden"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", [""], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["203.0.113.9,"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["203.0.113.999"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["203.0.113.09"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["[203.0.113.9]x:1"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["1.2.3.4\x00"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["\u00e9.1.1.1"], "127.0.0.1"),
        # A peer that the PROXY protocol tells nonsense about is nobody's proxy.
        (LOCAL, "localhost", ["203.0.113.9"], NO_ADDRESS),
    ],
)
def test_the_client_is_the_rightmost_that_is_no_trusted_proxy(
    proxies: Proxies, peer: str | None, forwarded: list[str], client: str
) -> None:
    assert proxies.client(peer, [each.encode("latin-1") for each in forwarded]) == client


def test_a_chain_is_followed_so_far() -> None:
    chain = ["203.0.113.9", *["10.0.0.7"] * (MAX_PROXIES - 1)]
    assert BALANCER.client("10.0.0.1", [", ".join(chain).encode()]) == "203.0.113.9"
    chain.append("10.0.0.7")
    assert BALANCER.client("10.0.0.1", [", ".join(chain).encode()]) == "10.0.0.1"
    assert BALANCER.client("10.0.0.1", [b"10.0.0.7," * 100_000]) == "10.0.0.1"


def test_peers_of_requests() -> None:
    v4, v6 = IPv4Address("TCP", "192.0.2.1", 80), IPv6Address("TCP", "2001:db8::5", 80)
    assert LOCAL.client_of(Request(v4)) == "192.0.2.1"
    assert LOCAL.client_of(Request(v6)) == "2001:db8::/64"
    assert LOCAL.client_of(Request(UNIXAddress(b"/run/x"))) == NO_ADDRESS
    near = IPv4Address("TCP", "127.0.0.1", 80)
    headers = {"X_Forwarded_For": ["8.8.8.8", "203.0.113.9"]}
    assert LOCAL.client_of(Request(near, **headers)) == "203.0.113.9"
    assert LOCAL.client_of(Request(v4, **headers)) == "192.0.2.1"


def test_what_a_client_is_called() -> None:
    names = {text: name_of(parse(text) or b"") for text in ("1.2.3.4", "::ffff:1.2.3.4", "1::2")}
    assert names == {"1.2.3.4": "1.2.3.4", "::ffff:1.2.3.4": "1.2.3.4", "1::2": "1::/64"}


def test_networks_of_mapped_addresses_and_single_ones() -> None:
    proxies = Proxies(["::ffff:10.0.0.0/104", "192.0.2.7"])
    assert proxies.client("10.9.9.9", [b"203.0.113.9"]) == "203.0.113.9"
    assert proxies.client("192.0.2.7", [b"203.0.113.9"]) == "203.0.113.9"
    assert proxies.client("192.0.2.8", [b"203.0.113.9"]) == "192.0.2.8"
    everybody = Proxies(["0.0.0.0/0"])
    assert everybody.client("9.9.9.9", [b"203.0.113.9"]) == "9.9.9.9"
    with pytest.raises(ValueError, match="host bits"):
        Proxies(["10.0.0.1/8"])


def test_which_clients_are_proxies_that_hide_theirs() -> None:
    assert LOCAL.is_proxy("127.0.0.1")
    assert LOCAL.is_proxy(NO_ADDRESS)
    assert not LOCAL.is_proxy("203.0.113.9")
    assert not BALANCER.is_proxy(NO_ADDRESS)
    assert BALANCER.is_proxy("2001:db8:aaaa::/64")
    assert not BALANCER.is_proxy("2001:db8:aaab::/64")


@given(st.lists(st.binary(max_size=60), max_size=4), st.sampled_from(["127.0.0.1", "::1", None]))
def test_whatever_the_header_says_there_is_a_client(
    forwarded: list[bytes], peer: str | None
) -> None:
    client = LOCAL.client(peer, forwarded)
    assert client == NO_ADDRESS or parse(client.removesuffix("/64")) is not None


@given(st.binary(max_size=100), st.ip_addresses())
def test_what_a_client_writes_before_the_proxy_s_entry_changes_nothing(
    invented: bytes, address: object
) -> None:
    """Unless the proxy's entry is a proxy again."""
    entry = str(address).encode()
    alone = BALANCER.client("10.0.0.1", [entry])
    if not BALANCER.is_proxy(alone):
        assert BALANCER.client("10.0.0.1", [invented + b", " + entry]) == alone
        assert BALANCER.client("10.0.0.1", [invented, entry]) == alone
