"""Events published by stock emitters reach stock clients on every node, as ``docs/emitters.md`` says."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import parts
from tests.running_node import ONE_ADDRESS, RunningNode
from tests.running_redis import RunningRedis

from .pool import ClientPool
from .setups import JS_2, JS_4, POLLING, PYTHON_5, UPGRADE, WEBSOCKET, Setup, usual_key_options
from .stock_client import StockClient

FOLDER = Path(__file__).parent / "emitters"
NAMESPACE = "/dropcodes"
EMIT_TIMEOUT_S = 120


class Stage:
    """Two nodes on one Redis with a client each of the streamers ``s-1`` and ``s-2``."""

    def __init__(self, redis: RunningRedis, nodes: list[RunningNode]) -> None:
        self.redis = redis
        self.nodes = nodes
        self.clients: dict[str, StockClient] = {}

    def join(self, name: str, client: StockClient, setup: Setup, node: RunningNode) -> None:
        """Connect a client of the streamer ``name``."""
        key = node.plugin_key(streamer=name, groups=["eu"] if name == "s-1" else [])
        options = usual_key_options(setup, key.key)
        client.connect(node.url, transports=setup.transports, listen=("news", "end"), **options)
        client.wait_connected()
        self.clients[name] = client

    def emit_js(self, *args: Any, namespace: str = NAMESPACE, **options: Any) -> None:
        """Emit as a JavaScript backend does."""
        js = parts.node()
        modules = parts.js_packages(FOLDER)
        environment = {**os.environ, "NODE_MODULES": str(modules)}
        text = json.dumps({"args": args, **options})
        command = [str(js.node), str(FOLDER / "emit.js"), self.redis.url, namespace, text]
        subprocess.run(command, env=environment, check=True, timeout=EMIT_TIMEOUT_S)

    def emit_python(self, *args: Any, namespace: str = NAMESPACE, **options: Any) -> None:
        """Emit as a Python backend does."""
        python = parts.python_environment(FOLDER / "python-emitter.txt")
        text = json.dumps({"args": args, **options})
        command = [str(python), str(FOLDER / "emit.py"), self.redis.url, namespace, text]
        subprocess.run(command, check=True, timeout=EMIT_TIMEOUT_S)

    def heard(self) -> dict[str, list[Any]]:
        """What each client has heard of ``news`` when all have heard ``end``, which comes behind it."""
        self.emit_js("end")
        for client in self.clients.values():
            client.wait_event("end")
        return {name: client.in_order("news") for name, client in self.clients.items()}


@pytest.fixture
def stage(tmp_path: Path, pool: ClientPool) -> Iterator[Stage]:
    with RunningRedis(tmp_path) as redis, ExitStack() as ending:
        options = (*ONE_ADDRESS, "--redis-url", redis.url, "--emitter-compat", "true")
        nodes = [
            ending.enter_context(
                RunningNode(tmp_path, *options, name=name, backend_key="backend-key")
            )
            for name in ("n1", "n2")
        ]
        made = Stage(redis, nodes)
        setups = {
            "s-1": (Setup(JS_4, UPGRADE), nodes[0]),
            "s-2": (Setup(PYTHON_5, POLLING), nodes[1]),
            "s-3": (Setup(JS_2, WEBSOCKET), nodes[1]),
        }
        for name, (setup, node) in setups.items():
            made.join(name, ending.enter_context(pool.lend(setup.client)), setup, node)
        yield made


def test_the_javascript_emitter_reaches_everybody_or_rooms(stage: Stage) -> None:
    stage.emit_js("news", 1)
    stage.emit_js("news", 2, rooms=["s-1", "s-3"])
    stage.emit_js("news", 3, rooms=["group:eu"])
    stage.emit_js("news", 4, **{"except": ["s-1"]})
    stage.emit_js("news", {"code": "00123", "nested": [None, "ü"]}, rooms=["streamer:s-2"])
    stage.emit_js("news", 5, namespace="/donations")
    stage.emit_js("revoke", {"id": "m", "reason": "cancelled"})
    assert stage.heard() == {
        "s-1": [1, 2, 3],
        "s-2": [1, 4, {"code": "00123", "nested": [None, "ü"]}],
        "s-3": [1, 2, 4],
    }
    assert all(not client.events("revoke") for client in stage.clients.values())
    assert "not passed on" in stage.nodes[0].log()


def test_the_python_manager_reaches_everybody_or_rooms(stage: Stage) -> None:
    stage.emit_python("news", 1)
    stage.emit_python("news", {"a": 2}, room="s-2")
    assert stage.heard() == {"s-1": [1], "s-2": [1, {"a": 2}], "s-3": [1]}


def test_bytes_arrive_as_bytes(stage: Stage) -> None:
    stage.emit_js("news", bytes=[0, 255, 128], rooms=["s-1"])
    stage.emit_python("news", bytes=[0, 255, 128], room="s-1")
    # As Node.js writes a Buffer.
    assert stage.heard()["s-1"] == [{"type": "Buffer", "data": [0, 255, 128]}] * 2
