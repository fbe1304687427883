"""Where the node and the key come from, and what is said when nothing comes of it."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ..running_node import RunningNode
from ..unit.transports.certificate import self_signed
from .conftest import Command

NO_KEY = "a backend key is needed: --key-file FILE, RPUSH_KEY_FILE or RPUSH_KEY"


def test_the_key_comes_from_a_file_or_the_environment(
    bare: Command, node: RunningNode, tmp_path: Path
) -> None:
    """The option wins."""
    file, wrong = tmp_path / "key", tmp_path / "wrong"
    file.write_text(node.backend_key + "\n")
    wrong.write_text("wrong")
    for arguments, environ, stdin in (
        (("--key-file", str(file)), {}, ""),
        (("--key-file", "-"), {}, node.backend_key + "\r\n"),
        ((), {"RPUSH_KEY_FILE": str(file)}, ""),
        ((), {"RPUSH_KEY": node.backend_key}, ""),
        (("--key-file", str(file)), {"RPUSH_KEY": "wrong"}, ""),
        (("--key-file", str(file)), {"RPUSH_KEY_FILE": str(wrong)}, ""),
    ):
        done = bare("keys", "list", "--url", node.url, *arguments, stdin=stdin, **environ)
        assert (done.status, done.err) == (0, "")
    done = bare("keys", "list", "--url", node.url, "--key-file", str(wrong))
    assert (
        done.line
        == "reward-push: the node says 401 unauthorized: the key is wrong, revoked or expired"
    )
    both = {"RPUSH_KEY": "x", "RPUSH_KEY_FILE": str(file)}
    done = bare("keys", "list", **both)
    assert done.line == "reward-push: set RPUSH_KEY or RPUSH_KEY_FILE, not both"


def test_variables_of_the_command_do_not_stop_a_node(bare: Command, node: RunningNode) -> None:
    done = bare("check", RPUSH_URL=node.url, RPUSH_KEY="x", RPUSH_KEY_FILE="y")
    assert done.status == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the key file does not hold a key: it is empty, or too long"),
        (b"\n", "the key file does not hold a key: it is empty, or too long"),
        (b"x" * 5_000, "the key file does not hold a key: it is empty, or too long"),
        (b"\xff", "the key file does not hold a key: it is not ASCII"),
        (b"rpk_a\nrpk_b", "the key file does not hold a key: one line of visible ASCII characters"),
        (b"two words", "the key file does not hold a key: one line of visible ASCII characters"),
        (None, "the key file cannot be read: No such file or directory"),
    ],
)
def test_a_key_file_that_is_no_good(
    bare: Command, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    for done in (
        bare("keys", "list", "--key-file", str(file)),
        bare("keys", "list", RPUSH_KEY_FILE=str(file)),
    ):
        assert (done.status, done.line) == (1, f"reward-push: {said}")


def test_no_key(bare: Command) -> None:
    assert bare("keys", "list").line == f"reward-push: {NO_KEY}"
    assert bare("keys", "list", RPUSH_KEY="").line == f"reward-push: {NO_KEY}"
    assert bare("keys", "list", RPUSH_KEY="zwei Wörter").line == (
        "reward-push: RPUSH_KEY does not hold a key: one line of visible ASCII characters"
    )


@pytest.mark.parametrize("arguments", [("--key", "rpk_s3cr3t"), ("--key=rpk_s3cr3t",)])
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    bare: Command, arguments: tuple[str, ...]
) -> None:
    done = bare("keys", "list", *arguments)
    assert done.status == 2
    assert "use --key-file" in done.err
    assert "s3cr3t" not in done.err


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:8080", "ftp://x", "http://", "http://x:y", "http://x:99999"),
        *("http://u:p@x/", "http://x/?a", "http://x/#a", "http://é/", "http://[::1", "file:///etc"),
    ],
)
def test_a_url_that_is_none(bare: Command, url: str) -> None:
    done = bare("keys", "list", "--url", url or "x", RPUSH_KEY="k")
    assert done.status == 1
    assert done.line.startswith(
        "reward-push: not the URL of a node, such as http://127.0.0.1:8080: "
    )


def test_nobody_listens(bare: Command) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        done = bare("keys", "list", RPUSH_URL=url, RPUSH_KEY="k")
    assert done.line == f"reward-push: no connection to {url}: Connection refused"


def test_nobody_answers(bare: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        done = bare("keys", "list", "--timeout", "0.3", RPUSH_URL=url, RPUSH_KEY="k")
    assert done.line == f"reward-push: no answer from {url} in 0.3 s"


class Handler(BaseHTTPRequestHandler):
    """Answers every request with what its server is to say."""

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.headers))  # type: ignore[attr-defined]
        status, headers, body = self.server.says  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def other(status: int, body: bytes, **headers: str) -> Iterator[ThreadingHTTPServer]:
    """A server that is no node."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen = []  # type: ignore[attr-defined]
    server.says = (status, headers, body)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "what answers at {} is no node, or stands before one: status 200"),
        (502, b"Bad Gateway", "what answers at {} is no node, or stands before one: status 502"),
        (500, b'{"error":"x"}', "what answers at {} is no node: status 500"),
        (200, b'{"keys":[]}', "what answers at {} is no node: status 200"),
        (200, b"[]", "what answers at {} is no node: status 200"),
        (
            429,
            b'{"error":{"code":"rate_limited","message":"slow down"}}',
            "the node says 429 rate_limited: slow down",
        ),
    ],
)
def test_something_else_answers(bare: Command, status: int, body: bytes, said: str) -> None:
    with other(status, body) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        done = bare("keys", "list", RPUSH_URL=url, RPUSH_KEY="k")
    assert (done.status, done.line) == (1, "reward-push: " + said.format(url))


def test_redirects_are_not_followed_and_no_proxy_is_asked(bare: Command) -> None:
    """The key is for one server alone."""
    with other(200, b"{}") as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.server_port}"
        with other(307, b"", Location=f"{place}/v1/keys") as server:
            url = f"http://127.0.0.1:{server.server_port}"
            done = bare("keys", "list", RPUSH_URL=url, RPUSH_KEY="k", http_proxy=place)
        assert elsewhere.seen == []  # type: ignore[attr-defined]
    assert done.line.endswith("is no node, or stands before one: status 307")
    assert server.seen[0]["Authorization"] == "ApiKey k"  # type: ignore[attr-defined]


def test_what_the_other_side_says_cannot_command_the_terminal(bare: Command) -> None:
    body = b'{"items":[{"key_id":"\\u001b[2J","kind":"\\u009b1m"}],"next_cursor":null}'
    with other(200, body) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        done = bare("keys", "list", RPUSH_URL=url, RPUSH_KEY="k")
    assert "\x1b" not in done.out
    assert "\x9b" not in done.out
    body = b'{"error":{"code":"\\u001b[2J","message":"\\u001b]0;x\\u0007"}}'
    with other(400, body) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        done = bare("keys", "list", RPUSH_URL=url, RPUSH_KEY="k")
    assert "\x1b" not in done.err


def test_tls_is_verified(bare: Command, tmp_path: Path) -> None:
    """Against the machine's certificates, or those that SSL_CERT_FILE names."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    for path, content in zip((key, certificate), self_signed(), strict=True):
        path.write_bytes(content)
    with other(200, b'{"items":[],"next_cursor":null}') as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://localhost:{server.server_port}"
        done = bare("keys", "list", RPUSH_URL=url, RPUSH_KEY="k")
        assert done.line.startswith(f"reward-push: no TLS connection to {url}: self")
        assert server.seen == []  # type: ignore[attr-defined]
        done = bare("keys", "list", RPUSH_URL=url, RPUSH_KEY="k", SSL_CERT_FILE=str(certificate))
        assert (done.status, done.err) == (0, "")
