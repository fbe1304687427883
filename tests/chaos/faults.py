"""Lets things fail as planned, and puts them right again."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import attrs

from tests.running_cluster import Member, RunningCluster

from .plan import Fault, Kind

READY_TIMEOUT_S = 60.0


@attrs.frozen
class Window:
    """When something was broken, in epoch milliseconds."""

    fault: Fault
    begin_ms: float
    mended_ms: float
    """It was put right, and the node, or all of them, said so: ``/readyz`` 200."""


class Faults:
    """Carries out a plan, each fault in a thread of its own, from ``start`` to ``wait``."""

    def __init__(self, cluster: RunningCluster, plan: Sequence[Fault]) -> None:
        self._cluster = cluster
        self.windows: list[Window] = []
        self.failure: BaseException | None = None
        self._lock = threading.Lock()
        self._turns = {number: threading.Lock() for number in (None, *range(len(cluster.nodes)))}
        """What takes longer than planned to be mended is not broken again before."""
        self._threads = [
            threading.Thread(target=self._run, args=(fault,), daemon=True) for fault in plan
        ]
        self._begin_s = 0.0

    def start(self) -> None:
        """Begin now."""
        self._begin_s = time.monotonic()
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Wait until all is over and mended. Raises what went wrong."""
        for thread in self._threads:
            thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self, fault: Fault) -> None:
        try:
            time.sleep(max(0.0, self._begin_s + fault.at_s - time.monotonic()))
            with self._turns[fault.node]:
                begin_ms = time.time() * 1000
                if fault.node is None:
                    self._restart_redis(fault)
                else:
                    self._break(fault, self._cluster.nodes[fault.node])
            with self._lock:
                self.windows.append(Window(fault, begin_ms, time.time() * 1000))
        except BaseException as error:
            self.failure = error

    def _restart_redis(self, fault: Fault) -> None:
        self._cluster.redis.kill()
        time.sleep(fault.lasts_s)
        self._cluster.redis.start()
        for node in self._cluster.nodes:
            if node.runs:
                self._wait_ready(node)

    def _break(self, fault: Fault, node: Member) -> None:
        match fault.kind:
            case Kind.KILLED:
                node.kill()
                time.sleep(fault.lasts_s)
                node.start()
            case Kind.DRAINED:
                node.terminate()
                node.wait_gone()
                time.sleep(fault.lasts_s)
                node.start()
            case Kind.PAUSED:
                node.pause()
                time.sleep(fault.lasts_s)
                node.resume()
            case Kind.LINK_CUT:
                node.link.cut()
                time.sleep(fault.lasts_s)
                node.link.restore()
            case Kind.LINK_STALLED:
                node.link.stall()
                time.sleep(fault.lasts_s)
                node.link.restore()
            case Kind.DOOR_CUT:
                node.door.cut()
                time.sleep(fault.lasts_s)
                node.door.restore()
            case _:
                raise AssertionError(fault)
        self._wait_ready(node)

    def _wait_ready(self, node: Member) -> None:
        """Another fault may hit it meanwhile; in the end it has to be ready."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            with suppress(OSError, ValueError):
                if node.get("/readyz")[0] == 200:
                    return
            assert time.monotonic() < deadline, f"{node.node_id} is not ready"
            time.sleep(0.1)
