"""Requests whose end a proxy in front might see elsewhere: answered 400, and the connection is closed.

What follows them on the connection must never be taken for a request.
"""

import pytest

from .server import Node
from .wire import Connection

SMUGGLED = b"GET /healthcheck HTTP/1.1\r\nHost: node.test\r\n\r\n"
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"


def head(*lines: bytes, version: bytes = b"HTTP/1.1", method: bytes = b"POST") -> bytes:
    first = method + b" /v1/messages " + version
    return b"\r\n".join([first, b"Host: node.test", *lines]) + b"\r\n\r\n"


REFUSED = {
    "CL.TE": head(b"Content-Length: 6", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "TE.CL": head(b"Transfer-Encoding: chunked", b"Content-Length: 4") + CHUNKS,
    "two lengths": head(b"Content-Length: 2", b"Content-Length: 7") + b"{}",
    "two equal lengths": head(b"Content-Length: 2", b"Content-Length: 2") + b"{}",
    "a list of lengths": head(b"Content-Length: 2, 2") + b"{}",
    "a signed length": head(b"Content-Length: +2") + b"{}",
    "a negative length": head(b"Content-Length: -2") + b"{}",
    "a hexadecimal length": head(b"Content-Length: 0x2") + b"{}",
    "a length with a space": head(b"Content-Length: 1 2") + b"{}",
    "an empty length": head(b"Content-Length:") + b"{}",
    "an underscored length": head(b"Content-Length: 1_0") + b"{}",
    "a length in other digits": head("Content-Length: ٢".encode()) + b"{}",
    "an endless length": head(b"Content-Length: " + b"9" * 5000) + b"{}",
    "a zero-filled length": head(b"Content-Length: " + b"0" * 100 + b"2") + b"{}",
    "an unknown coding": head(b"Transfer-Encoding: xchunked") + CHUNKS,
    "two codings": head(b"Transfer-Encoding: gzip, chunked") + CHUNKS,
    "chunked twice": head(b"Transfer-Encoding: chunked, chunked") + CHUNKS,
    "two coding headers": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")
    + CHUNKS,
    "a second coding that hides": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x")
    + CHUNKS,
    "identity": head(b"Transfer-Encoding: identity", b"Content-Length: 2") + b"{}",
    "identity alone": head(b"Transfer-Encoding: identity") + b"",
    "an empty coding": head(b"Transfer-Encoding:", b"Content-Length: 2") + b"{}",
    "a quoted coding": head(b'Transfer-Encoding: "chunked"') + CHUNKS,
    "a coding with a parameter": head(b"Transfer-Encoding: chunked;x=1") + CHUNKS,
    "a coding with a control character": head(b"Transfer-Encoding: \x0bchunked") + CHUNKS,
    "a coding in HTTP/1.0": head(b"Transfer-Encoding: chunked", version=b"HTTP/1.0") + CHUNKS,
    "a space before the colon": head(b"Transfer-Encoding : chunked", b"Content-Length: 2") + CHUNKS,
    "a space before the colon of a length": head(b"Content-Length : 2") + b"{}",
    "a tab before the colon": head(b"Transfer-Encoding\t: chunked") + CHUNKS,
    "a folded header": head(b"X: a", b" b", b"Content-Length: 2") + b"{}",
    "a folded coding": head(b"Transfer-Encoding:", b" chunked") + CHUNKS,
    "a folded coding, by a tab": head(b"Transfer-Encoding:", b"\tchunked") + CHUNKS,
    "a fold before any header": b"GET / HTTP/1.1\r\n X: y\r\n\r\n",
    "a space before the method": b" GET /healthcheck HTTP/1.1\r\nHost: node.test\r\n\r\n",
    "a bare line feed in a header": head(b"X: a\nTransfer-Encoding: chunked") + CHUNKS,
    "a bare line feed in a name": head(b"X\nTransfer-Encoding: chunked") + CHUNKS,
    "a bare carriage return": head(b"X: a\rTransfer-Encoding: chunked") + CHUNKS,
    "a zero byte": head(b"X: a\x00b"),
    "a zero byte in a name": head(b"X\x00: a"),
    "a header without a colon": head(b"Transfer-Encoding chunked"),
    "a header without a name": head(b": chunked"),
    "two hosts": head(b"Host: other.test", b"Content-Length: 2") + b"{}",
    "no version": b"GET /healthcheck\r\nHost: node.test\r\n\r\n",
    "HTTP/0.9": b"GET /healthcheck HTTP/0.9\r\n\r\n",
    "HTTP/2.0": b"GET /healthcheck HTTP/2.0\r\n\r\n",
    "HTTP/1.10": b"GET /healthcheck HTTP/1.10\r\n\r\n",
    "two spaces": b"GET  /healthcheck HTTP/1.1\r\n\r\n",
    "a tab for a space": b"GET\t/healthcheck\tHTTP/1.1\r\n\r\n",
    "a bare line feed after the request line": b"GET /healthcheck HTTP/1.1\nHost: node.test\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method that is no token": b"G@T / HTTP/1.1\r\n\r\n",
}

BAD_CHUNKS = {
    "a size with 0x": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a signed size": b"+2\r\n{}\r\n0\r\n\r\n",
    "an underscored size": b"0_2\r\n{}\r\n0\r\n\r\n",
    "a size with a space": b"2 \r\n{}\r\n0\r\n\r\n",
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "a size that is none": b"zz\r\n{}\r\n0\r\n\r\n",
    "a bare line feed after a size": b"2\n{}\r\n0\r\n\r\n",
    "a bare line feed after a chunk": b"2\r\n{}\n0\r\n\r\n",
    "a chunk longer than its size": b"2\r\n{}}\r\n0\r\n\r\n",
    "a line feed in an extension": b"2;x\ny\r\n{}\r\n0\r\n\r\n",
    "an endless size": b"0" * 5000 + b"2\r\n{}\r\n0\r\n\r\n",
    "an endless extension": b"2;" + b"x" * 5000 + b"\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("which", REFUSED)
def test_an_ambiguous_request_is_refused_with_all_that_follows(node: Node, which: str) -> None:
    connection = Connection(node.port)
    connection.send(REFUSED[which] + SMUGGLED)
    answer = connection.answer()
    assert answer.status == 400, answer
    assert answer.headers["connection"] == "close"
    assert answer.json["error"]["code"] == "invalid_request"
    assert connection.rest() == b""


@pytest.mark.parametrize("which", REFUSED)
def test_an_ambiguous_request_that_trickles_in_is_refused_as_well(node: Node, which: str) -> None:
    """However it is cut into segments."""
    connection = Connection(node.port)
    data = REFUSED[which] + SMUGGLED
    step = max(1, len(data) // 40)
    try:
        for start in range(0, len(data), step):
            connection.send(data[start : start + step])
    except ConnectionError:
        pass
    assert connection.answer().status == 400
    assert connection.rest() == b""


@pytest.mark.parametrize("which", BAD_CHUNKS)
def test_an_ambiguous_chunk_is_refused_with_all_that_follows(node: Node, which: str) -> None:
    connection = Connection(node.port)
    connection.send(head(b"Transfer-Encoding: chunked") + BAD_CHUNKS[which] + SMUGGLED)
    answer = connection.answer()
    assert answer.status == 400, answer
    assert connection.rest() == b""


@pytest.mark.parametrize(
    "data",
    [
        head(b"Content-Length: 2") + b"{}",
        head(b"content-length:2") + b"{}",
        head(b"Content-Length: \t2\t ") + b"{}",
        head(b"Transfer-Encoding: chunked") + CHUNKS,
        head(b"transfer-encoding:CHUNKED") + CHUNKS,
        head(b"Transfer-Encoding: chunked") + b"2;name=value\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
        head(b"Content-Length: 2", version=b"HTTP/1.1").replace(b"Host: node.test\r\n", b"")
        + b"{}",
    ],
    ids=range(7),
)
def test_what_is_clear_is_read_and_so_is_the_next_request(node: Node, data: bytes) -> None:
    connection = Connection(node.port)
    connection.send(data + SMUGGLED)
    assert connection.answer().status == 401
    assert connection.answer().json["status"] == "ok"


def test_a_body_that_looks_like_a_request_is_a_body(node: Node) -> None:
    connection = Connection(node.port)
    connection.send(head(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED)
    assert connection.answer().status == 401
    connection.send(SMUGGLED)
    assert connection.answer().json["status"] == "ok"
