"""``reward-push publish``."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ..protocol.wire import event_of, open_websocket
from ..running_node import RunningNode
from .conftest import Command

DATA = '{"code": "K7Q-PLX ™"}'


def test_a_message_reaches_its_client(run: Command, node: RunningNode) -> None:
    key = node.plugin_key(streamer="watching")
    websocket = open_websocket(node.port, headers=[("Authorization", f"ApiKey {key.key}")])
    websocket.say("40/dropcodes,")
    assert websocket.text().startswith("40/dropcodes,")
    done = run("publish", "/dropcodes", "dropcode", "--streamer", "watching", "--data", DATA)
    websocket_event = event_of(websocket.text())
    websocket.close()
    assert (done.status, done.err) == (0, "")
    fields = dict(line.split(":", 1) for line in done.out.splitlines())
    assert {name: value.strip() for name, value in fields.items()} == {
        "id": fields["id"].strip(),
        "state": "done",
        "deliver_at": fields["deliver_at"].strip(),
        "sent": "1",
    }
    assert websocket_event[0] == "dropcode"
    assert websocket_event[1]["id"] == fields["id"].strip()
    assert websocket_event[1]["data"] == {"code": "K7Q-PLX ™"}


@pytest.mark.parametrize(
    ("options", "audience"),
    [
        (("--streamer", "a"), {"streamer": "a"}),
        (("--streamer", "a", "--streamer", "b"), {"streamers": ["a", "b"]}),
        (("--group", "eu"), {"group": "eu"}),
        (("--all",), "all"),
    ],
)
def test_whom_it_is_for(run: Command, options: tuple[str, ...], audience: object) -> None:
    done = run("publish", "/donations", "e", *options, "--data", "null", "--json")
    assert json.loads(done.out)["to"] == audience


def test_all_that_a_message_may_say(run: Command) -> None:
    done = run(
        *("publish", "/dropcodes", "dropcode", "--all", "--data", "[1]", "--id", "drop-1"),
        *("--delay-ms", "60000", "--ttl-ms", "5000", "--replace", "slot", "--once", "--json"),
    )
    message = json.loads(done.out)
    assert (message["id"], message["state"], message["ttl_ms"]) == ("drop-1", "scheduled", 5_000)
    assert (message["replace"], message["once"], message["data"]) == ("slot", True, [1])
    done = run(
        *("publish", "/dropcodes", "e", "--all", "--data", "1"),
        *("--deliver-at", "2001-01-01T00:00:00Z", "--ttl-ms", "1"),
    )
    assert done.status == 1
    assert "the node says 422 too_late (deliver_at): its life is over" in done.line


def test_the_same_id_again_is_the_same_message(run: Command) -> None:
    command = ("publish", "/dropcodes", "e", "--all", "--data", "1", "--id", "twice")
    first, second = run(*command), run(*command)
    assert (first.status, second.status) == (0, 0)
    other = run(*command[:-3], "2", "--id", "twice")
    assert "409 conflict" in other.line


def test_data_from_a_file_or_standard_input(run: Command, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(DATA)
    for file, stdin in (("data.json", ""), ("-", DATA)):
        done = run(
            *("publish", "/dropcodes", "e", "--all", "--data-file", file, "--json"), stdin=stdin
        )
        assert json.loads(done.out)["data"] == json.loads(DATA)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--data", "{"), "the data is not valid JSON: "),
        (("--data", "NaN"), "the data is not valid JSON: "),
        (("--data-file", "/no/such/file"), "the data file cannot be read: No such file"),
        (("--data-file", "/dev/zero"), "the data has more than 1048576 bytes"),
    ],
)
def test_data_that_is_no_good(run: Command, options: tuple[str, ...], said: str) -> None:
    done = run("publish", "/dropcodes", "e", "--all", *options)
    assert done.status == 1
    assert done.line.startswith(f"reward-push: {said}")


def test_a_post_whose_answer_is_lost_can_be_repeated(run: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        done = run(
            *("publish", "/dropcodes", "e", "--all", "--data", "1"),
            *("--id", "drop-9", "--url", url, "--timeout", "0.3"),
        )
    assert done.line == (
        f"reward-push: no answer from {url} in 0.3 s;"
        " if it was sent it may be accepted: repeat it with --id drop-9"
    )


class WithoutStore(BaseHTTPRequestHandler):
    """A node that has lost its store."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"error":{"code":"unavailable","message":"it may have been done"}}'
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_post_whose_store_is_lost_can_be_repeated(run: Command) -> None:
    with HTTPServer(("127.0.0.1", 0), WithoutStore) as server:
        serving = threading.Thread(target=server.handle_request, daemon=True)
        serving.start()
        done = run(
            *("publish", "/dropcodes", "e", "--all", "--data", "1", "--id", "drop-9"),
            *("--url", f"http://127.0.0.1:{server.server_port}"),
        )
        serving.join(10)
    assert done.line == (
        "reward-push: the node says 503 unavailable: it may have been done; repeat it with --id drop-9"
    )


@pytest.mark.parametrize(
    "options", [(), ("--all",), ("--data", "1"), ("--all", "--group", "g", "--data", "1")]
)
def test_a_wrong_command_line(bare: Command, options: tuple[str, ...]) -> None:
    done = bare("publish", "/dropcodes", "e", *options)
    assert (done.status, done.out) == (2, "")
