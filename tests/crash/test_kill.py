"""A node is killed at random moments under load, again and again, on one store and one port.

Afterwards every message with a ``ttl_ms`` that was answered with 201 has come to its devices, or is
reported ``expired``; none came again to a device whose receipt was committed when the node was killed;
none came early, or after its end; none without an end came twice. Other repeats are allowed, and counted.

``REWARD_PUSH_CRASH_ROUNDS`` and ``REWARD_PUSH_SEED`` choose how many rounds there are, and other moments.
"""

import os
import random
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from reward_push.rewards.interfaces import Level
from reward_push.store.sqlite.store import SQLiteStore
from tests.clients.pool import ClientPool
from tests.clients.setups import JS_2, JS_4, POLLING, PYTHON_5, WEBSOCKET, Client
from tests.clients.stock_client import StockClient
from tests.running_node import ONE_ADDRESS, RunningNode
from tests.swarm import Device, Heard, Swarm

from .ledger import Ledger
from .load import Audience, Load

ROUNDS = int(os.environ.get("REWARD_PUSH_CRASH_ROUNDS", "10"))
SEED = int(os.environ.get("REWARD_PUSH_SEED", "1"))
LONGEST_LIFE_S = 1.2
PATIENCE_S = 60.0
STORE_CALLS = 1_000
"""How many questions a store is asked at once: it refuses more than it can keep."""

STOCK = [(JS_4, WEBSOCKET), (JS_2, POLLING), (PYTHON_5, WEBSOCKET)]
"""Stock clients: how each is called, and how it connects."""


class Store:
    """A killed node's store, read by the store's own code from a copy."""

    def __init__(self, folder: Path, copy: Path) -> None:
        copy.mkdir()
        for file in folder.glob("store.sqlite3*"):
            shutil.copy(file, copy)
        self._calls: SimpleQueue[Any] = SimpleQueue()
        self._store = SQLiteStore(
            str(copy / "store.sqlite3"), lambda *call: self._calls.put(call), lambda: 0
        )
        self._store.start()

    def committed(self, message_ids: list[str]) -> list[tuple[str, str]]:
        """The (message, device) whose receipt says ``delivered`` or ``acked``."""
        records: list[Any] = []
        for start in range(0, len(message_ids), STORE_CALLS):
            batch = message_ids[start : start + STORE_CALLS]
            records += self._wait(gatherResults([self._store.get(each) for each in batch]))
        return [
            (record.message.id, row.name)
            for record, rows in filter(None, records)
            for row in rows
            if row.level >= Level.DELIVERED
        ]

    def _wait(self, asked: Deferred[list[Any]]) -> list[Any]:
        """Make the store's calls back until ``asked`` has its result; raise its failure."""
        results: list[Any] = []
        failures: list[Failure] = []
        asked.addCallbacks(results.append, failures.append)
        while not results and not failures:
            call, *args = self._calls.get(timeout=PATIENCE_S)
            call(*args)
        for each in failures:
            each.raiseException()
        return list(results[0])

    def close(self) -> None:
        """Close the copy."""
        closed: list[None] = []
        self._store.stop().addCallback(closed.append)
        while not closed:
            try:
                call, *args = self._calls.get(timeout=PATIENCE_S)
            except Empty:
                break
            call(*args)


@pytest.fixture
def stock_clients() -> Any:
    """Borrowed stock clients."""
    pool = ClientPool()
    with ExitStack() as borrowed:
        yield lambda kind: borrowed.enter_context(pool.lend(kind))
    pool.close()


def connect_stock(client: StockClient, kind: Client, url: str, key: str, how: Any) -> str:
    """Connect a stock client; return its device's name."""
    device = f"stock-{kind.name}"
    auth = {"apiKey": key, "device": device}
    place = {"auth": auth} if kind.eio == 4 else {"query": auth}
    client.connect(url, transports=how, **place)  # type: ignore[arg-type]
    client.wait_connected()
    return device


def now_ms() -> int:
    """The wall clock, which the node shares."""
    return time.time_ns() // 1_000_000


def test_kill(tmp_path: Path, stock_clients: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """See above."""
    ledger, choose = Ledger(), random.Random(SEED)

    def hear(heard: Heard) -> bool:
        if heard.event == "dropcode":
            ledger.hear(heard.device.name, heard.argument)
        # Some acknowledge, of the others only the transport can tell that they got it.
        return "silent" not in heard.device.name

    node = RunningNode(tmp_path, *ONE_ADDRESS)
    with node, Swarm(node.port, hear) as swarm:
        audiences = []
        for names in (["a"], ["b"], ["c-silent"], ["d-silent"], ["e", "f"], ["g", "h-silent"]):
            key = node.plugin_key()
            audiences.append(Audience(key.streamer, tuple(names)))
            for name in names:
                swarm.add(Device({"apiKey": key.key, "device": name}))
        stock: list[tuple[str, StockClient]] = []
        for kind, how in STOCK:
            key, client = node.plugin_key(), stock_clients(kind)
            device = connect_stock(client, kind, node.url, key.key, how)
            stock.append((device, client))
            audiences.append(Audience(key.streamer, (device,)))
        swarm.wait_joined()
        with Load(node.backend, ledger, audiences, SEED) as load:
            for number in range(ROUNDS):
                end_at = time.monotonic() + choose.uniform(0, LONGEST_LIFE_S)
                while (left_s := end_at - time.monotonic()) > 0:
                    time.sleep(min(left_s, choose.uniform(0, 0.3)))
                    swarm.drop(choose.choice(swarm.devices))
                node.kill()
                store = Store(tmp_path, tmp_path / f"copy-{number}")
                committed = store.committed(list(ledger.posted))
                store.close()
                ledger.commit(committed, now_ms())
                node.start()
            load.finish()
        _collect(ledger, stock, node)
        states = _states(ledger, node)
        lasting = [each for each in ledger.posted.values() if each.answer is not None]
        told = (
            f"\n{ROUNDS} kills (seed {SEED}): {len(lasting)} messages accepted"
            f" ({load.retries} attempts without an answer), {len(ledger.hearings)} heard,"
            f" {len(ledger.committed)} receipts committed at a kill, {ledger.repeats()} repeats"
        )
        with capsys.disabled():
            print(told)  # noqa: T201 - it is the result

    assert ledger.wrong_hearings() == []
    lost = [each.id for each in lasting if each.id not in states]
    assert lost == []
    missing = {each.id: states[each.id] for each in ledger.unheard()}
    assert set(missing.values()) <= {"expired"}, missing
    for posted in lasting:
        if posted.body.get("once") and "ttl_ms" in posted.body:
            assert states[posted.id] in ("done", "expired"), posted
    # That something was tested at all.
    assert len(ledger.committed) > ROUNDS
    assert load.retries > 0


def _collect(ledger: Ledger, stock: list[tuple[str, StockClient]], node: RunningNode) -> None:
    """Wait until everything that still lives has come to its devices."""
    taken = {device: 0 for device, _ in stock}
    deadline = time.monotonic() + PATIENCE_S
    while True:
        for device, client in stock:
            messages = client.messages()
            for each in messages[taken[device] :]:
                ledger.hear(device, each)
            taken[device] = len(messages)
        missing = [each for each in ledger.unheard() if not _is_expired(node, each.id)]
        if not missing:
            return
        assert time.monotonic() < deadline, f"neither heard nor expired: {missing[:5]}"
        time.sleep(0.2)


def _is_expired(node: RunningNode, message_id: str) -> bool:
    _, answer = node.backend.call("GET", f"/v1/messages/{message_id}")
    return bool(answer["state"] == "expired")


def _states(ledger: Ledger, node: RunningNode) -> dict[str, str]:
    """What the node says of each message that was accepted. Of one for ``once``, one device has it."""
    states = {}
    for posted in ledger.posted.values():
        status, answer = node.backend.call("GET", f"/v1/messages/{posted.id}")
        if status == 200:
            states[posted.id] = answer["state"]
            if posted.body.get("once"):
                winners = [row for row in answer["devices"] if row["state"] == "acked"]
                assert len(winners) <= 1, answer
                if "ttl_ms" in posted.body:
                    assert bool(winners) == (answer["state"] == "done"), answer
    return states
