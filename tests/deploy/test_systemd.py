"""The units for systemd: it takes them, and their command runs as they say."""

import shlex
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reward_push.settings import load
from tests import parts
from tests.free_port import free_port

from .started import Started

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICE = FOLDER / "reward-push.service"
SOCKET = FOLDER / "reward-push.socket"
ENVIRONMENT = FOLDER / "environment"
INSTALLED = "/opt/reward-push/bin/"
"""Where the unit expects the package."""
HERE = f"{Path(sys.executable).parent}/"
"""Where it is in a test."""
MOST_EXPOSED = 20
"""Ten times what systemd calls the exposure of a service, from 0 to 10: "OK" begins at 4.5, here are 1.3."""
DENY_WRITE_EXECUTE = "import ctypes; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0"
"""What systemd does by a filter of system calls, done by the kernel itself (PR_SET_MDWE, Linux 6.3)."""
HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="reward-push.socket"
)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does: the descriptor is number 3, and the process is told that it is meant."""


def unit(file: Path) -> Mapping[str, list[str]]:
    """The values of each key, which all differ between sections."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in file.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


def command() -> list[str]:
    """``ExecStart`` with the package of this environment."""
    [line] = unit(SERVICE)["ExecStart"]
    program, *arguments = shlex.split(line)
    assert program.startswith(INSTALLED)
    return [program.replace(INSTALLED, HERE), *arguments]


def variables() -> dict[str, str]:
    """What ``EnvironmentFile`` sets as it comes."""
    lines = ENVIRONMENT.read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def examples() -> Iterator[tuple[str, str]]:
    """Every variable in it, set or commented out."""
    for line in ENVIRONMENT.read_text().splitlines():
        name, separator, value = line.removeprefix("#").partition("=")
        if separator and name.startswith("REWARD_PUSH_"):
            yield name, value


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units, for a package where it is in a test."""
    copies = []
    for file in (SERVICE, SOCKET):
        copy = tmp_path / file.name
        copy.write_text(file.read_text().replace(INSTALLED, HERE))
        copies.append(str(copy))
    return copies


def test_systemd_takes_them(units: list[str]) -> None:
    """No unknown key, no wrong value, no missing program."""
    verify = [str(parts.systemd_analyze()), "verify", *units]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    # It also reads the machine's own units, and has something to say about them.
    said = [line for line in (done.stdout + done.stderr).splitlines() if "reward-push" in line]
    assert said == []


def test_systemd_would_find_what_is_wrong(units: list[str]) -> None:
    """The test before can fail."""
    copy = Path(units[0])
    copy.write_text(copy.read_text().replace("RestartSec=1", "RestartSec=soon\nRestartSecond=1"))
    verify = [str(parts.systemd_analyze()), "verify", *units]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert "soon" in done.stderr
    assert "RestartSecond" in done.stderr


def test_the_service_is_shut_in(units: list[str]) -> None:
    """By systemd's own measure."""
    options = ["--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}"]
    security = [str(parts.systemd_analyze()), "security", *options, units[0]]
    done = subprocess.run(security, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_its_command_runs_and_stops_in_time(tmp_path: Path) -> None:
    """With the environment as it comes, in an empty folder, without writable and executable memory."""
    port = free_port()
    listens = {"REWARD_PUSH_LISTEN": f"tcp:{port}:interface=127.0.0.1"}
    program = command()
    denied = f"{DENY_WRITE_EXECUTE}; import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    hardened = [sys.executable, "-c", denied, *program] if _has_mdwe() else program
    with Started(hardened, port, tmp_path, variables() | listens) as node:
        assert (tmp_path / "reward-push.sqlite3").exists()
        assert not (tmp_path / "twistd.pid").exists()
        # systemd takes an end by SIGTERM for a clean one.
        assert node.stop() in (0, -signal.SIGTERM), node.log()


def _has_mdwe() -> bool:
    done = subprocess.run([sys.executable, "-c", DENY_WRITE_EXECUTE], timeout=60)
    return done.returncode == 0


def test_the_socket_is_handed_over(tmp_path: Path) -> None:
    """A connection made before the node runs is answered once it does."""
    [stream], [both] = unit(SOCKET)["ListenStream"], unit(SOCKET)["BindIPv6Only"]
    assert (stream, both) == ("[::]:8080", "both")
    with socket.socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
        listener.listen(int(unit(SOCKET)["Backlog"][0]))
        port = listener.getsockname()[1]
        handed = [sys.executable, "-c", HAND_OVER, str(listener.fileno()), *command()]
        [listen] = [value for name, value in examples() if value.startswith("systemd:")]
        told = variables() | {"REWARD_PUSH_LISTEN": listen}
        with socket.create_connection(("127.0.0.1", port), 60) as early:
            early.sendall(b"GET /healthcheck HTTP/1.1\r\nHost: early\r\n\r\n")
            with Started(handed, port, tmp_path, told, [listener.fileno()]) as node:
                assert early.recv(100).startswith(b"HTTP/1.1 200 ")
                assert node.stop() in (0, -signal.SIGTERM), node.log()


def test_it_is_given_time_and_descriptors() -> None:
    """More than a node takes to drain by default; more than it may have connections by default."""
    limits = unit(SERVICE)
    settings = load({}, variables() | {"REWARD_PUSH_REDIS_URL": "redis://localhost"})
    assert settings.cluster is not None
    assert int(limits["TimeoutStopSec"][0]) >= settings.cluster.drain_s + 5
    assert int(limits["LimitNOFILE"][0]) > 100_000 * 1.1


@pytest.mark.parametrize(
    ("name", "value"), [each for each in examples() if not each[1].startswith("systemd:")]
)
def test_each_variable_of_the_environment_is_a_setting(name: str, value: str) -> None:
    """Those that are commented out, too. (A socket of systemd's can only be read where there is one.)"""
    load({}, {name: value or "to-be-filled-in"})
