"""What single texts must look like."""

import pytest

from reward_push.settings import rules


@pytest.mark.parametrize("text", ["a", "aB3x_9", "node-1.eu", "x" * 32])
def test_node_id(text: str) -> None:
    assert rules.node_id(text) == text


@pytest.mark.parametrize("text", ["", "a b", "a/b", "x" * 33, "é", "a\n"])
def test_refused_node_id(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 32"):
        rules.node_id(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/websockets", "/websockets"),
        ("/websockets/", "/websockets"),
        ("/a/b.c~d", "/a/b.c~d"),
        ("/v1x", "/v1x"),
    ],
)
def test_engine_path(text: str, path: str) -> None:
    assert rules.engine_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "//",
        "a",
        "/a//b",
        "/a//",
        "/a b",
        "/a?b",
        "/é",
        "/a/../b",
        "/.",
        "/" + "a" * 128,
        "/a\n",
    ],
)
def test_refused_engine_path(text: str) -> None:
    with pytest.raises(ValueError, match="must be a path"):
        rules.engine_path(text)


@pytest.mark.parametrize("first", rules.RESERVED_PATHS)
def test_engine_path_must_not_hide_what_the_node_serves_itself(first: str) -> None:
    for path in (f"/{first}", f"/{first}/", f"/{first}/x"):
        with pytest.raises(ValueError, match=f"must not begin with /{first},"):
            rules.engine_path(path)


@pytest.mark.parametrize("text", ["/", "/dropcodes", "/a/b", "/™", "/" + "a" * 63])
def test_namespace(text: str) -> None:
    assert rules.namespace(text) == text


@pytest.mark.parametrize("text", ["", "a", "/a,b", "/a?b", "/a#b", "/a b", "/a\n", "/" + "a" * 64])
def test_refused_namespace(text: str) -> None:
    with pytest.raises(ValueError, match="must begin with /"):
        rules.namespace(text)


@pytest.mark.parametrize(
    ("given", "served"),
    [
        ((), ("/",)),
        (("/a", "/b"), ("/", "/a", "/b")),
        (("/a", "/"), ("/", "/a")),
    ],
)
def test_root_is_always_served(given: tuple[str, ...], served: tuple[str, ...]) -> None:
    assert rules.with_root(given) == served


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("null", "null"),
        ("https://Example.com", "https://example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("file://", "file://"),
        ("chrome-extension://abc", "chrome-extension://abc"),
    ],
)
def test_origin(text: str, origin: str) -> None:
    assert rules.origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "https://example.com/",
        "https://*.example.com/x",
        "https://a b",
        "https://u@h",
    ],
)
def test_refused_origin(text: str) -> None:
    with pytest.raises(ValueError, match="must be \\* or origins"):
        rules.origin(text)


def test_any_origin_stands_alone() -> None:
    assert rules.origins(("*",)) == ("*",)
    assert rules.origins(()) == ()
    with pytest.raises(ValueError, match="must be \\* alone"):
        rules.origins(("*", "null"))


@pytest.mark.parametrize("text", ["rpk_a.b-c_!~0123", "x" * 256])
def test_key(text: str) -> None:
    assert rules.key(text) == text


@pytest.mark.parametrize(
    "text", ["", "x" * 15, f"{16 * 'x'} b", f"{16 * 'x'}\n", "é" * 16, "\x7f" * 16, "x" * 257]
)
def test_refused_key(text: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII"):
        rules.key(text)


@pytest.mark.parametrize("text", ["", "a\0"])
def test_refused_empty(text: str) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        rules.not_empty(text)


def test_transports() -> None:
    assert rules.transport("polling") == "polling"
    with pytest.raises(ValueError, match="polling, websocket or both"):
        rules.transport("Polling")
    with pytest.raises(ValueError, match="must not be empty"):
        rules.at_least_one(())


@pytest.mark.parametrize(
    "text",
    [
        "tcp:8080",
        "tcp:port=8080:interface=127.0.0.1:backlog=1024",
        "tcp6:65535",
        "unix:/run/reward-push.sock:mode=660",
        "haproxy:tcp:8080",
    ],
)
def test_endpoint(text: str) -> None:
    assert rules.endpoint(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tcp",
        "tcp:",
        "tcp:http",
        "tcp:65536",
        "tcp:port=99999:interface=::",
        "haproxy:tcp:99999",
        "tcp:1:2:3:4:5",
        "tcp:1:nonsense=2",
        "gopher:70",
        "haproxy:gopher:70",
        "systemd:domain=INET:index=99",
        "systemd:domain=NONSENSE:index=0",
        "ssl:8443:privateKey=/no/such/file",
        "\\",
        "tcp:\0",
    ],
)
def test_refused_endpoint(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        rules.endpoint(text)


@pytest.mark.parametrize(
    "text", ["tcp:0", "tcp:7000:interface=10.0.0.1", r"tcp6:0:interface=\:\:1"]
)
def test_node_endpoint(text: str) -> None:
    assert rules.node_endpoint(text) == text


@pytest.mark.parametrize("text", ["", "unix:x", "ssl:0", "haproxy:tcp:0", "tcp:x", "tcp:70000"])
def test_refused_node_endpoint(text: str) -> None:
    """Other nodes connect to it, by TCP alone."""
    with pytest.raises(ValueError, match="must be"):
        rules.node_endpoint(text)
