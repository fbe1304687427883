"""A node as an operator meets it: started, refused, stopped, as a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..free_port import free_port

TIMEOUT_S = 60.0
KEY = re.compile(r"rpk_[a-z2-7]{12}_[A-Za-z0-9_-]{43}")


class Process:
    """``twistd reward-push`` in a folder of its own."""

    def __init__(self, folder: Path, *options: str, twistd: tuple[str, ...] = ("-n",)) -> None:
        self.port = free_port()
        self.folder = folder
        environ = {k: v for k, v in os.environ.items() if not k.startswith("REWARD_PUSH_")}
        command = [str(Path(sys.executable).with_name("twistd")), *twistd, "reward-push"]
        listen = ["--listen", f"tcp:{self.port}:interface=127.0.0.1"]
        self.process = subprocess.Popen(
            [*command, *(() if "--listen" in options else listen), *options],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def read_until(self, text: str) -> str:
        """Return what it prints up to the line with ``text``."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                return "".join(lines)
        raise AssertionError("".join(lines) + self.process.communicate()[1])

    def call(self, path: str, key: str = "", body: object = None) -> dict[str, object]:
        """Call the HTTP API and return the JSON answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"ApiKey {key}"} if key else {},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            read: dict[str, object] = json.loads(answer.read())
            return read

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal; return the exit status and what else it printed."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, err

    def refused(self) -> tuple[int, str, str]:
        """Wait for the end of a process that does not start."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, err


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    """Processes to be ended after the test."""
    processes: list[Process] = []
    yield processes
    for each in processes:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()
        for stream in (each.process.stdout, each.process.stderr):
            if stream is not None:
                stream.close()


def test_the_first_start_shows_two_keys_once_and_they_work(
    tmp_path: Path, started: list[Process]
) -> None:
    """The backend key publishes; the second start says nothing of keys, and knows them still."""
    node = Process(tmp_path)
    started.append(node)
    said = node.read_until("EdgeSite starting on")
    backend, plugin = sorted(set(KEY.findall(said)), key=said.index)
    assert f"backend key: {backend}" in said
    assert f'apiKey: "{plugin}"' in said
    curl = next(line for line in said.splitlines() if "curl " in line)
    assert f"http://127.0.0.1:{node.port}/v1/messages" in curl
    message = {
        "namespace": "/dropcodes",
        "event": "dropcode",
        "to": {"streamer": "demo"},
        "data": 1,
    }
    assert node.call("/v1/messages", backend, message)["state"] == "done"
    _, rest, err = node.end()
    assert not KEY.search(rest + err)
    assert "Traceback" not in said + rest + err

    again = Process(tmp_path)
    started.append(again)
    said = again.read_until("EdgeSite starting on")
    assert "first two keys" not in said
    assert again.call("/v1/messages", backend, message)["state"] == "done"
    again.end()


def test_a_daemon_shows_the_keys_before_it_leaves_the_terminal(
    tmp_path: Path, started: list[Process]
) -> None:
    """Its log has none of them."""
    node = Process(tmp_path, twistd=("--pidfile=node.pid", "--logfile=node.log"))
    started.append(node)
    status, out, err = node.refused()
    assert (status, err) == (0, "")
    keys = set(KEY.findall(out))
    assert len(keys) == 2
    pid = int((tmp_path / "node.pid").read_text())
    try:
        for key in keys:
            assert key not in (tmp_path / "node.log").read_text()
    finally:
        os.kill(pid, signal.SIGTERM)


def test_a_port_that_is_taken_stops_the_start(tmp_path: Path, started: list[Process]) -> None:
    """Status 1 and one line that says which."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        node = Process(tmp_path, "--listen", f"tcp:{port}:interface=127.0.0.1")
        started.append(node)
        status, out, err = node.refused()
    assert status == 1
    assert "Traceback" not in out + err
    where = f"tcp:{port}:interface=127.0.0.1"
    assert f"listen = '{where}': Couldn't listen on 127.0.0.1:{port}" in err
    assert err.count("\n") == 1


def test_a_second_node_on_the_same_store_is_refused(tmp_path: Path, started: list[Process]) -> None:
    """Status 1 and one line; the first goes on."""
    first = Process(tmp_path)
    started.append(first)
    first.read_until("EdgeSite starting on")
    second = Process(tmp_path, twistd=("-n", "--pidfile="))
    started.append(second)
    status, out, err = second.refused()
    assert (status, out) == (1, "")
    assert err.startswith("reward-push: store: ")
    assert err.count("\n") == 1
    assert first.call("/readyz")["status"] == "ok"


def test_a_stop_flushes_and_closes(tmp_path: Path, started: list[Process]) -> None:
    """SIGTERM ends the node without a word of complaint; SIGINT too."""
    for number in (signal.SIGTERM, signal.SIGINT):
        node = Process(tmp_path)
        started.append(node)
        node.read_until("EdgeSite starting on")
        assert node.call("/healthcheck")["status"] == "ok"
        _, out, err = node.end(number)
        assert "Traceback" not in out + err
        assert "Unhandled" not in out + err


def test_the_log_can_be_json(tmp_path: Path, started: list[Process]) -> None:
    """Every line is an object, but for the first keys, which are for the terminal."""
    node = Process(tmp_path, "--log-format", "json", "--backend-key", "a-backend-key-of-ours")
    started.append(node)
    said = node.read_until("EdgeSite starting on")
    _, rest, _ = node.end()
    lines = [json.loads(line) for line in (said + rest).splitlines() if line.startswith("{")]
    assert any("EdgeSite starting" in line["message"] for line in lines)
    assert "a-backend-key-of-ours" not in said + rest


def test_first_keys_that_cannot_be_shown_are_not_kept(
    tmp_path: Path, started: list[Process]
) -> None:
    """The next start shows some."""
    command = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "reward-push"]
    with open("/dev/full", "w") as full:
        refused = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert refused.returncode == 1
    assert "the first keys cannot be shown" in refused.stderr
    again = Process(tmp_path)
    started.append(again)
    assert len(set(KEY.findall(again.read_until("EdgeSite starting on")))) == 2


@pytest.mark.parametrize("listen", ["unix:/nonexistent/x.sock", "tcp:-1"])
def test_an_endpoint_that_cannot_listen_is_one_line(
    tmp_path: Path, started: list[Process], listen: str
) -> None:
    """Whatever is wrong with it."""
    node = Process(tmp_path, "--listen", listen)
    started.append(node)
    status, out, err = node.refused()
    assert status == 1
    assert "Traceback" not in out + err
    assert err.startswith(f"reward-push: listen = {listen!r}: ")
    assert err.count("\n") == 1


def test_which_port_cannot_be_had_is_said(tmp_path: Path, started: list[Process]) -> None:
    """Not only that of clients may be the wrong one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        node = Process(tmp_path, "--internal-listen", where)
        started.append(node)
        status, _, err = node.refused()
    assert status == 1
    assert err.startswith(f"reward-push: internal_listen = '{where}': Couldn't listen on 127.0.0.1")
