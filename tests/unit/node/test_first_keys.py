"""What a first start shows its user."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, succeed

from reward_push.access.interfaces import StoredKey
from reward_push.node.first_keys import base_url, goes_nowhere, offer_first_keys
from reward_push.settings import load


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("tcp:8080", "http://127.0.0.1:8080"),
        ("tcp:port=81:interface=0.0.0.0", "http://127.0.0.1:81"),
        ("tcp:8080:interface=127.0.0.2", "http://127.0.0.2:8080"),
        ("tcp6:8080", "http://127.0.0.1:8080"),
        (r"tcp:8080:interface=\:\:1", "http://[::1]:8080"),
        (r"tcp:8080:interface=\:\:", "http://[::1]:8080"),
        ("ssl:443:privateKey=k.pem:certKey=c.pem", "https://127.0.0.1:443"),
        ("haproxy:tcp:9000", "http://127.0.0.1:9000"),
    ],
)
def test_the_url_of_an_endpoint(listen: str, url: str) -> None:
    """Reachable from this machine, as well as the string tells."""
    assert base_url(listen) == url


def test_what_nobody_sees(tmp_path: Path) -> None:
    """A daemon's standard output."""
    with (tmp_path / "seen").open("w") as seen, open(os.devnull, "w") as unseen:
        assert not goes_nowhere(seen)
        assert goes_nowhere(unseen)
    assert goes_nowhere(seen)
    assert goes_nowhere(None)


class SharedKeys:
    """A store of several nodes: it has a key already, or not."""

    def __init__(self, *, has_one: bool = False) -> None:
        self.has_one = has_one
        self.offered: list[StoredKey] = []

    def add_first_keys(self, stored: Sequence[StoredKey]) -> "Deferred[bool]":
        self.offered += stored
        return succeed(not self.has_one)


def offered(store: SharedKeys, **settings: str) -> list[str]:
    """Offer first keys; return the ids of those that the store was offered."""
    done: list[object] = []
    made = offer_first_keys(store, load(settings, {}), 5)
    Deferred.fromCoroutine(made).addBoth(done.append)
    assert done == [None]
    return [each.key.key_id for each in store.offered]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the keys are shown."""
    path = tmp_path / "shown"
    with path.open("w") as file:
        monkeypatch.setattr(sys, "__stdout__", file)
        yield path


def test_of_several_nodes_the_first_shows_its_keys(terminal: Path) -> None:
    backend, plugin = offered(SharedKeys())
    shown = terminal.read_text()
    assert f"rpk_{backend}_" in shown
    assert f"rpk_{plugin}_" in shown


def test_the_calls_that_are_shown_go_where_they_are_answered(terminal: Path) -> None:
    """A client to the port for clients, a backend to that for backends."""
    ports = {
        "listen": "tcp:4001:interface=127.0.0.1",
        "internal_listen": "tcp:4002:interface=127.0.0.1",
    }
    offered(SharedKeys(), **ports)
    shown = terminal.read_text()
    assert 'io("http://127.0.0.1:4001/' in shown
    assert "curl http://127.0.0.1:4002/v1/messages" in shown


def test_where_there_is_a_key_none_is_shown(terminal: Path) -> None:
    assert len(offered(SharedKeys(has_one=True))) == 2
    assert terminal.read_text() == ""


def test_with_a_key_in_the_settings_none_is_made(terminal: Path) -> None:
    assert offered(SharedKeys(), backend_key="k" * 16) == []
    assert terminal.read_text() == ""


def test_a_daemon_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would see them."""
    monkeypatch.setattr(sys, "__stdout__", None)
    assert offered(SharedKeys()) == []


def test_keys_that_cannot_be_shown_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has them; who runs the node is told in the log to set one."""
    with (tmp_path / "read only").open("w") as file:
        file.write("x")
    with (tmp_path / "read only").open() as file:
        monkeypatch.setattr(sys, "__stdout__", file)
        assert len(offered(SharedKeys())) == 2
