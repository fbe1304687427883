"""TLS: who is trusted, and that nobody else is told anything."""

import socket
import ssl
import threading

import pytest
from pytest_twisted import ensureDeferred

from reward_push.cluster.address import RedisAddress
from reward_push.cluster.link import RedisLink
from reward_push.cluster.subscriber import Subscriber

from ..certificates import Authority
from ..running_redis import RunningRedis
from .until import connected, until


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory):
    """A Redis that speaks TLS and wants a password."""
    folder = tmp_path_factory.mktemp("secured")
    with RunningRedis(folder, password="SECRET", tls=authority.certificate()) as running:
        yield running


@ensureDeferred
async def test_who_is_trusted_is_spoken_to(secured, links, subscribers):
    link = links(secured.url)
    await connected(link)
    heard = []
    subscriber = subscribers(secured.url, lambda *what: heard.append(what))
    await subscriber.subscribe(["x"])
    big = "00123" * 50_000
    await link.command("SET", "big", big)
    assert await link.command("GET", "big") == big
    await link.command("PUBLISH", "x", big)
    await until(lambda: heard == [("x", big)])


@ensureDeferred
async def test_by_its_address_as_well(secured, authority, links):
    link = links(f"rediss://:SECRET@127.0.0.1:{secured.port}?ca={authority.root}")
    await connected(link)


@ensureDeferred
async def test_a_root_among_others_is_found(secured, authority, links, tmp_path):
    other = Authority(tmp_path, "other")
    both = tmp_path / "both.pem"
    both.write_bytes(b"# roots\n" + other.root.read_bytes() + authority.root.read_bytes())
    link = links(f"rediss://:SECRET@localhost:{secured.port}?ca={both}")
    await connected(link)


@ensureDeferred
async def test_the_systems_roots_do_not_know_it(secured, links):
    link = links(f"rediss://:SECRET@localhost:{secured.port}")
    await until(lambda: link.trouble() == "Redis is away: TLS: certificate verify failed")


@ensureDeferred
async def test_a_server_that_speaks_no_tls(redis, authority, links):
    link = links(f"rediss://localhost:{redis.port}?ca={authority.root}")
    # Redis waits for the end of what it takes for a command.
    await until(lambda: link.trouble() == "Redis is away: no answer in time")


@ensureDeferred
async def test_a_server_that_speaks_only_tls(secured, links):
    link = links(f"redis://:SECRET@127.0.0.1:{secured.port}")
    ends = ("Redis is away: the connection broke", "Redis is away: Redis closed the connection")
    await until(lambda: link.trouble() in ends)


class Impostor:
    """Listens with a certificate and keeps what it is told."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self.port = self._listener.getsockname()[1]
        self.tries = 0
        self.heard = b""
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.tries += 1
            plain.settimeout(5)
            try:
                with self._context.wrap_socket(plain, server_side=True) as client:
                    while data := client.recv(4096):
                        self.heard += data
            except OSError:
                plain.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _, other: other.certificate(), "TLS: certificate verify failed"),
        (
            lambda authority, _: authority.certificate("elsewhere.example"),
            "TLS: its certificate is for another host",
        ),
        (
            lambda authority, _: authority.certificate(expired=True),
            "TLS: certificate verify failed",
        ),
    ],
    ids=["unknown root", "another host", "expired"],
)
@ensureDeferred
async def test_an_impostor_is_told_nothing(authority, tmp_path, links, told, make, says):
    certificate = make(authority, Authority(tmp_path, "other"))
    with Impostor(certificate.serving()) as impostor:
        link = links(f"rediss://user:SECRET@localhost:{impostor.port}?ca={authority.root}")
        await until(lambda: link.trouble() == f"Redis is away: {says}")
        await until(lambda: impostor.tries > 2)
        await link.stop()
    assert impostor.heard == b""
    assert "SECRET" not in str(told)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "the file that ca names cannot be read: No such file or directory"),
        (b"", "the file that ca names holds no PEM certificate"),
        (b"\xff\x00 none", "the file that ca names holds no PEM certificate"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "the file that ca names holds a certificate that is broken",
        ),
    ],
)
@pytest.mark.parametrize("kind", [RedisLink, Subscriber])
def test_roots_that_cannot_be_read_are_told_before_the_start(tmp_path, kind, content, says):
    from twisted.internet import reactor

    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    address = RedisAddress.parse(f"rediss://:SECRET@localhost?ca={file}")
    with pytest.raises(ValueError, match="ca names") as refused:
        kind(address, reactor)
    assert str(refused.value) == says
