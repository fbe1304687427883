"""The image and the compose file. No Docker is needed: what the Dockerfile runs is run here, without a container."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from reward_push.settings import load
from tests import parts
from tests.free_port import free_port
from tests.redis_client import RedisClient, ReplyError
from tests.running_haproxy import DEPLOYED

from .dockerfile import Instruction, only, stages
from .started import Started

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "docker"
BUILD, IMAGE = stages(FOLDER / "Dockerfile")
REDIS = ROOT / "deploy" / "redis"
COMPOSE = FOLDER / "docker-compose.yml"
BUILD_TIMEOUT_S = 600


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first stage makes, elsewhere than in an image: the folder that the second one takes over."""
    folder = tmp_path_factory.mktemp("image")
    source, target = folder / "src", folder / "opt" / "reward-push"
    context(source)
    # The image's python is the one of this test.
    names = {"/src": str(source), "/opt/reward-push": str(target), "python ": f"{sys.executable} "}
    for step in BUILD:
        if step.name == "RUN":
            done = subprocess.run(
                replaced(step.text, names),
                shell=True,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=BUILD_TIMEOUT_S,
            )
            assert done.returncode == 0, f"{step.text}\n{done.stdout}{done.stderr}"
    return target


def context(folder: Path) -> None:
    """Copy what ``COPY .`` would find: what is not ignored."""
    patterns = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [each[1:] for each in patterns if each.startswith("!")]
    dropped = [each.removeprefix("**/") for each in patterns if each.startswith("**/")]
    assert "*" in patterns, "everything is left out but what is named"
    folder.mkdir()
    for name in kept:
        found = ROOT / name
        if found.is_dir():
            shutil.copytree(found, folder / name, ignore=shutil.ignore_patterns(*dropped))
        else:
            shutil.copy(found, folder / name)


def replaced(text: str, names: Mapping[str, str]) -> str:
    """Each name in ``text`` by what it stands for, where a path or a command begins."""
    for name, instead in names.items():
        text = re.sub(rf"(?<![\w/.-]){re.escape(name)}", instead, text)
    return text


def test_the_package_is_whole(installed: Path) -> None:
    """Without sources, tests or HTTP/2, and with the plugin in Twisted's cache."""
    freeze = [str(installed / "bin" / "pip"), "list", "--format=freeze"]
    listed = subprocess.run(freeze, capture_output=True, text=True, timeout=120, check=True).stdout
    names = {line.partition("==")[0].lower() for line in listed.splitlines()}
    assert {"reward-push", "hiredis", "txredisapi", "twisted", "autobahn"} <= names
    assert not names & {"h2", "priority", "pytest"}
    [site_packages] = installed.glob("lib/python*/site-packages")
    assert (site_packages / "twisted" / "plugins" / "dropin.cache").exists()
    assert list((site_packages / "reward_push").rglob("*.lua"))
    assert not (site_packages / "tests").exists()


def test_the_image_runs_and_knows_its_health(installed: Path, tmp_path: Path) -> None:
    """Its entry point with its variables, in a folder of its own; its health check; its signal."""
    port = free_port()
    entry = only(IMAGE, "ENTRYPOINT").words
    path = environment(IMAGE)["PATH"].replace("/opt/reward-push", str(installed))
    variables = {
        "PATH": path.replace("$PATH", os.environ["PATH"]),
        "REWARD_PUSH_LISTEN": f"tcp:{port}:interface=127.0.0.1",
    }
    command = [str(installed / "bin" / entry[0]), *entry[1:]]
    check = [
        word.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        for word in only(IMAGE, "HEALTHCHECK").words
    ]
    check[0] = str(installed / "bin" / check[0])
    assert only(IMAGE, "STOPSIGNAL").text == "SIGTERM"
    with Started(command, port, tmp_path, variables) as node:
        healthy = subprocess.run(check, timeout=60, capture_output=True)
        assert healthy.returncode == 0, healthy.stderr
        assert node.stop() in (0, -signal.SIGTERM), node.log()
    dead = subprocess.run(check, timeout=60, capture_output=True)
    assert dead.returncode == 1


def environment(stage: list[Instruction]) -> dict[str, str]:
    """The variables that a stage sets."""
    pairs = [each.text.partition("=") for each in stage if each.name == "ENV"]
    return {name: value for name, _, value in pairs}


def test_the_image_is_nobody_s() -> None:
    """No root in it, the same Python in both stages, and nothing of the build but what was made."""
    assert BUILD[0].text == "python:3.13-slim AS build"
    assert IMAGE[0].text == "python:3.13-slim"
    names = [each.name for each in IMAGE]
    assert int(only(IMAGE, "USER").text) > 0
    assert f"--uid {only(IMAGE, 'USER').text} " in only(IMAGE, "RUN").text
    assert names.index("USER") > names.index("RUN")
    assert only(IMAGE, "COPY").text == "--from=build /opt/reward-push /opt/reward-push"
    assert only(IMAGE, "WORKDIR").text == only(IMAGE, "VOLUME").text


class Compose:
    """The compose file, its variables filled in."""

    def __init__(self) -> None:
        text = re.sub(r"\$\{(\w+):\?[^}]*\}", r"filled-in-\1", COMPOSE.read_text())
        found = yaml.safe_load(text)
        self.services: dict[str, Any] = found["services"]
        self.subnet: str = found["networks"]["inside"]["ipam"]["config"][0]["subnet"]

    def address(self, service: str) -> str:
        """Its address in the network."""
        return str(self.services[service]["networks"]["inside"]["ipv4_address"])


def test_compose_has_the_nodes_that_haproxy_names() -> None:
    """The file for HAProxy is mounted as it is."""
    compose = Compose()
    servers = re.findall(r"^ +server (\w+) ([\d.]+):8080$", DEPLOYED.read_text(), re.MULTILINE)
    assert servers == [(name, compose.address(name)) for name in ("node1", "node2", "node3")]
    [mount] = compose.services["haproxy"]["volumes"]
    source, target, mode = mount.split(":")
    assert (FOLDER / source).resolve() == DEPLOYED
    assert (target, mode) == ("/usr/local/etc/haproxy/haproxy.cfg", "ro")
    preset = re.findall(r"presetenv (\w+)", DEPLOYED.read_text())
    assert set(compose.services["haproxy"]["environment"]) <= set(preset)
    published, inside = compose.services["haproxy"]["ports"][0].split(":")
    assert compose.services["haproxy"]["environment"]["LISTEN"] == f":{inside}"
    assert published.isdecimal()


def test_compose_gives_nodes_settings_that_fit() -> None:
    """All known; the balancer's idle timeout and address; time to drain."""
    compose = Compose()
    for name in ("node1", "node2", "node3"):
        node = compose.services[name]
        settings = load({}, {key: str(value) for key, value in node["environment"].items()})
        assert settings.cluster is not None
        idle_timeout = compose.services["haproxy"]["environment"]["IDLE_TIMEOUT"]
        assert idle_timeout == f"{settings.http.idle_timeout_s:g}s"
        assert settings.trusted_proxies == (f"{compose.address('haproxy')}/32",)
        grace = node["stop_grace_period"]
        assert int(grace.removesuffix("s")) >= settings.cluster.drain_s + 5
        assert not set(node.get("ports", ()))


def test_compose_starts_a_redis_that_lets_nodes_in(tmp_path: Path) -> None:
    """With the password of the variable, by the shell's command as it stands there."""
    service = Compose().services["redis"]
    [script] = service["command"]
    names = {
        "/etc/redis/users.acl.in": str(REDIS / "users.acl"),
        "/etc/redis/reward-push.conf": str(REDIS / "reward-push.conf"),
        "/data": str(tmp_path),
        "redis-server": str(parts.redis_server().binary),
    }
    port = free_port()
    command = [*service["entrypoint"], replaced(script.replace("$$", "$"), names).strip()]
    command[-1] += f" --port {port} --bind 127.0.0.1"
    variables = {**os.environ, "REDIS_PASSWORD": "Pa55"}
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL) as process:
        try:
            assert lets_in(port, "Pa55")
            assert not lets_in(port, "PASSWORD")
        finally:
            process.kill()


def lets_in(port: int, password: str) -> bool:
    """Whether a Redis, once it answers, lets the nodes' user in."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with RedisClient(port) as client:
                return bool(client.call("AUTH", "reward-push", password) == "OK")
        except ReplyError as error:
            return not str(error).startswith("WRONGPASS")
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)  # another process: there is nothing to wait on but its port


def test_compose_mounts_files_that_are_there() -> None:
    """And builds from this folder's Dockerfile."""
    compose = Compose()
    for service in compose.services.values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert not source.startswith(".") or (FOLDER / source).is_file(), mount
        if "build" in service:
            root = (FOLDER / service["build"]["context"]).resolve()
            assert root == ROOT
            assert (root / service["build"]["dockerfile"]).is_file()


def test_nothing_but_the_package_is_sent_to_the_build() -> None:
    """No git history, no stores with keys in them."""
    patterns = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [each[1:] for each in patterns if each.startswith("!")]
    for name in (".git", "reward-push.sqlite3", ".env", "tests", "deploy"):
        assert not any(fnmatch(name, each) for each in kept)
