"""Devices on chosen nodes of a cluster, or anywhere behind its balancer, and what they hear."""

import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from ..running_cluster import Member, RunningCluster
from ..running_node import Json
from ..swarm import Device, Heard, Swarm
from ..until import until


class Plugins:
    """Connected from :meth:`join` to the end of ``with``; each comes back when its connection is lost."""

    def __init__(self, cluster: RunningCluster) -> None:
        self._cluster = cluster
        self._swarms: dict[int, Swarm] = {}
        self._heard: list[Heard] = []
        self._lock = threading.Lock()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def join(self, node: Member | None, key: str, name: str) -> Device:
        """Connect a device of ``key`` to ``node``, or to the balancer; return it once it has joined."""
        port = self._cluster.port if node is None else node.port
        if port not in self._swarms:
            self._swarms[port] = self._stack.enter_context(Swarm(port, self._hear))
        device = self._swarms[port].add(Device({"apiKey": key, "device": name}))
        until(lambda: device.joined)
        return device

    def heard(self, device: Device, event: str = "dropcode") -> list[Json]:
        """What a device has heard so far: each event's first argument."""
        with self._lock:
            return [
                each.argument
                for each in self._heard
                if each.device is device and each.event == event
            ]

    def ids(self, device: Device) -> list[str]:
        """The messages that a device has heard so far, with all repeats."""
        return [str(each["id"]) for each in self.heard(device)]

    def at_ms(self, device: Device, message_id: str) -> float:
        """When a device has heard a message, by this machine's clock."""
        with self._lock:
            [found] = [
                each
                for each in self._heard
                if each.device is device
                and each.event == "dropcode"
                and each.argument["id"] == message_id
            ]
        return found.at_ns / 1e6

    def wait_heard(self, message_id: str, *devices: Device) -> None:
        """Wait until all of ``devices`` have heard a message."""
        for device in devices:
            until(lambda device=device: message_id in self.ids(device))  # type: ignore[misc]

    def _hear(self, heard: Heard) -> bool:
        with self._lock:
            self._heard.append(heard)
        return True
