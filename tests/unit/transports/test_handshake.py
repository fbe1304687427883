"""The WebSocket's opening handshake."""

import pytest
from twisted.web.http_headers import Headers

from reward_push.transports.handshake import answer, refusal, wants_websocket

GOOD = {
    "Host": ["h"],
    "Upgrade": ["websocket"],
    "Connection": ["Upgrade"],
    "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ=="],
    "Sec-WebSocket-Version": ["13"],
}


def with_header(name: str, *values: str) -> Headers:
    return Headers({**GOOD, name: list(values)})


@pytest.mark.parametrize(
    "headers",
    [
        Headers(GOOD),
        with_header("Upgrade", "WebSocket"),
        with_header("Upgrade", "h2c, websocket"),
        with_header("Connection", "keep-alive, Upgrade"),
        with_header("Connection", "keep-alive", "upgrade"),
    ],
)
def test_good_requests(headers):
    assert refusal(b"GET", b"HTTP/1.1", headers) is None


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        (with_header("Upgrade"), "Upgrade"),
        (with_header("Upgrade", "h2c"), "Upgrade"),
        (with_header("Upgrade", "websockets"), "Upgrade"),
        (with_header("Connection"), "Connection"),
        (with_header("Connection", "keep-alive"), "Connection"),
        (with_header("Sec-WebSocket-Version"), "Version"),
        (with_header("Sec-WebSocket-Version", "8"), "Version"),
        (with_header("Sec-WebSocket-Version", "13", "13"), "Version"),
        (with_header("Sec-WebSocket-Version", "thirteen"), "Version"),
        (with_header("Sec-WebSocket-Key"), "Key"),
        (with_header("Sec-WebSocket-Key", ""), "Key"),
        (with_header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), "Key"),
        (with_header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQAA"), "Key"),
        (with_header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j*Q=="), "Key"),
        (with_header("Sec-WebSocket-Key", *GOOD["Sec-WebSocket-Key"] * 2), "Key"),
    ],
)
def test_bad_requests_are_told_why(headers, word):
    reason = refusal(b"GET", b"HTTP/1.1", headers)
    assert reason is not None
    assert word in reason


@pytest.mark.parametrize(
    ("values", "wanted"),
    [(["websocket"], True), (["h2c, WebSocket"], True), (["h2c"], False), ([], False)],
)
def test_who_wants_a_websocket(values, wanted):
    """Also in a request that is wrong otherwise; other protocols may be offered to no effect."""
    assert wants_websocket(Headers({"Upgrade": values})) is wanted


def test_other_methods_and_versions():
    assert "GET" in str(refusal(b"POST", b"HTTP/1.1", Headers(GOOD)))
    assert "HTTP/1.1" in str(refusal(b"GET", b"HTTP/1.0", Headers(GOOD)))


def test_answer_is_the_rfcs_and_carries_other_headers():
    """The accept value of RFC 6455, section 1.3."""
    others = Headers({"X-Node-Id": ["n"], "Set-Cookie": ["a=1", "b=2"], "Connection": ["close"]})
    lines = answer(Headers(GOOD), others).split(b"\r\n")
    assert lines == [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"X-Node-Id: n",
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2",
        b"",
        b"",
    ]
