"""Servers of these tests, each started once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .. import token_maker
from ..running_node import ONE_ADDRESS
from . import wire
from .server import HASTE, Echo, Honest, Node

MANY = ("--event-rate-per-socket=0", "--max-connections-per-key=0")
"""Off for tests about what one client can do when nothing slows it down."""


@pytest.fixture(autouse=True)
def _hung_up() -> Iterator[None]:
    """Close the connections that a test has opened and left open."""
    before = wire.OPEN.copy()
    yield
    for connection in wire.OPEN - before:
        connection.close()


@pytest.fixture(scope="session")
def _import_path() -> Iterator[None]:
    """Let servers, which run elsewhere, import what the tests import."""
    path = os.environ.get("PYTHONPATH", "")
    with pytest.MonkeyPatch.context() as patch:
        if path:
            parts = [str(Path(part).absolute()) for part in path.split(os.pathsep)]
            patch.setenv("PYTHONPATH", os.pathsep.join(parts))
        yield


@pytest.fixture(scope="session")
def node(_import_path: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node as it is by default but for limits per address, in whose store and timers nothing moves during a test."""
    with _running(tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture(scope="session")
def hasty(_import_path: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node whose timers end while a test waits."""
    with _running(tmp_path_factory.mktemp("hasty"), *HASTE) as started:
        yield started


@pytest.fixture(scope="session")
def strict(_import_path: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that serves neither every origin nor revision 3."""
    options = ("--cors-origins=https://a.example,null", "--allow-eio3=false")
    with _running(tmp_path_factory.mktemp("strict"), *options) as started:
        yield started


@pytest.fixture(scope="session")
def polling_only(_import_path: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node without WebSockets."""
    with _running(tmp_path_factory.mktemp("polling"), "--transports=polling") as started:
        yield started


@pytest.fixture(scope="session")
def trusting(_import_path: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that takes tokens signed with ES256."""
    folder = tmp_path_factory.mktemp("trusting")
    (folder / "key.pem").write_text(token_maker.public_pem("ES256"))
    with _running(folder, f"--jwt-public-key={folder / 'key.pem'}", "--jwt-leeway=0") as running:
        yield running


@pytest.fixture(scope="session")
def echo(_import_path: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    """The echo application."""
    with Echo(tmp_path_factory.mktemp("echo")) as started:
        yield started


@pytest.fixture(scope="session")
def besieged(_import_path: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that is not patient with requests, but with clients who have no time for heartbeats: see ``Honest``."""
    options = ("--header-timeout=0.6", "--body-timeout=0.6", "--ping-timeout=300", *MANY)
    with _running(tmp_path_factory.mktemp("besieged"), *options) as started:
        yield started


@pytest.fixture(scope="session")
def honest(besieged: Node) -> Iterator[Honest]:
    """A client of ``besieged`` that others must not harm."""
    client = Honest(besieged)
    yield client
    client.close()


@contextmanager
def _running(folder: Path, *options: str) -> Iterator[Node]:
    with running(folder, *ONE_ADDRESS, *options) as node:
        yield node


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Node]:
    """A node with these options and, else, the defaults; at its end it must have kept all secrets."""
    with Node(folder, *options) as node:
        yield node
        node.check_secrets()
