"""What each worker has for itself."""

from typing import Any

import attrs
import pytest

from reward_push.settings import Settings, SettingsError, load
from reward_push.settings.shares import counted_up, share_of


def settings(**given: str) -> Settings:
    options: dict[str, Any] = {"node_id": "n", "redis_url": "redis://h", "workers": "3", **given}
    return load(options, {})


def cluster(made: Settings) -> Any:
    assert made.cluster is not None
    return made.cluster


def test_each_is_a_node() -> None:
    """With a name of its own, on the port of all; nothing else differs."""
    common = settings()
    shares = [share_of(common, number) for number in (1, 2, 3)]
    assert [each.node_id for each in shares] == ["n-1", "n-2", "n-3"]
    assert {each.listen for each in shares} == {common.listen}
    assert shares[1] == attrs.evolve(common, node_id="n-2", workers=1)


def test_ports_of_its_own_are_counted_up() -> None:
    common = settings(
        cluster_listen="tcp:7000:interface=10.0.0.1",
        cluster_advertise="[fd00::1]:8000",
        internal_listen="tcp:9100,tcp:port=9200:backlog=9",
    )
    for number in (1, 2, 3):
        share = share_of(common, number)
        above = number - 1
        assert cluster(share).listen == f"tcp:{7000 + above}:interface=10.0.0.1"
        assert cluster(share).advertise == f"[fd00::1]:{8000 + above}"
        assert share.internal_listen == (
            f"tcp:{9100 + above}",
            f"tcp:port={9200 + above}:backlog=9",
        )


@pytest.mark.parametrize("advertise", ["host", "10.0.0.1", "[fd00::1]"])
def test_what_has_no_port_stays(advertise: str) -> None:
    """Any free port is one, and an address without a port gets the listener's."""
    share = share_of(settings(cluster_advertise=advertise), 3)
    assert (cluster(share).listen, cluster(share).advertise) == ("tcp:0", advertise)


@pytest.mark.parametrize(
    ("description", "above"),
    [
        ("tcp:8080", "tcp:8082"),
        ("tcp:port=8080:backlog=5", "tcp:port=8082:backlog=5"),
        ("tcp:interface=127.0.0.1:port=8080", "tcp:interface=127.0.0.1:port=8082"),
        (r"tcp6:8080:interface=\:\:1", r"tcp6:8082:interface=\:\:1"),
        ("haproxy:tcp:8080", "haproxy:tcp:8082"),
        ("ssl:8443:certKey=c", "ssl:8445:certKey=c"),
        ("tcp:0", "tcp:0"),
    ],
)
def test_endpoints(description: str, above: str) -> None:
    assert counted_up("x", description, 2) == above
    assert counted_up("x", description, 0) == description


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("unix:/a:mode=600", "must be a TCP port"),
        ("systemd:domain=INET:index=0", "must be a TCP port"),
        ("ssl:certKey=c", "its port must be given"),
        ("tcp:65534", "= 65534: there are not enough ports above it"),
    ],
)
def test_what_cannot_be_counted_up(description: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as raised:
        counted_up("internal_listen", description, 2)
    assert "\n" not in str(raised.value)
    assert "internal_listen" in str(raised.value)


def test_a_name_may_become_too_long() -> None:
    assert share_of(settings(node_id="x" * 30), 9).node_id == "x" * 30 + "-9"
    with pytest.raises(SettingsError, match="node_id"):
        share_of(settings(node_id="x" * 30), 10)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"listen": "unix:/a"}, "listen = 'unix:/a': workers cannot share a unix: endpoint"),
        ({"listen": "tcp:1,haproxy:unix:a"}, "listen = 'haproxy:unix:a': workers cannot share a"),
        ({"node_id": "x" * 31}, f"node_id = '{'x' * 31}': with that many workers it may have 30"),
        ({"internal_listen": "unix:/a"}, "internal_listen = 'unix:/a': each worker needs one"),
        ({"internal_listen": "tcp:65534"}, "internal_listen = 65534: there are not enough ports"),
        ({"cluster_listen": "tcp:65534"}, "cluster_listen = 65534: there are not enough ports"),
        ({"cluster_advertise": "h:65534"}, "cluster_advertise = 65534: there are not enough ports"),
        ({"workers": "257"}, "workers = '257': must be a whole number between 1 and 256"),
    ],
)
def test_what_several_cannot_have_is_known_before_they_start(
    given: dict[str, str], line: str
) -> None:
    """So ``reward-push check`` finds it, too; a node alone may have it."""
    with pytest.raises(SettingsError) as raised:
        settings(**given)
    assert str(raised.value).startswith(f"reward-push: {line}")
    if "workers" not in given:
        settings(**given, workers="1")
