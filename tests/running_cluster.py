"""Several real nodes on one real Redis, behind a real HAProxy or on their own."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from .faulty_link import FaultyLink
from .free_port import free_port
from .running_haproxy import RunningHAProxy
from .running_node import RunningNode, Service
from .running_redis import RunningRedis

NODES = 3
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""Options of a Redis that loses nothing when it is killed."""


class Balancing(StrEnum):
    """How HAProxy chooses the node for a request."""

    STICKY = "sticky"
    """A cookie leads a client back to its node, if it keeps cookies."""
    SPREAD = "spread"
    """Any node, each time."""


class Member(RunningNode):
    """One node of a cluster."""

    def __init__(
        self,
        folder: Path,
        number: int,
        redis_port: int,
        *options: str,
        redis_url: str | None,
        backend_key: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.node_id = f"n{number}"
        self.link = FaultyLink(redis_port)
        """Its connections to Redis."""
        listens_at = free_port()
        self.door = FaultyLink(listens_at)
        """The connections of other nodes to it."""
        super().__init__(
            folder,
            *("--node-id", self.node_id),
            *("--redis-url", redis_url or f"redis://127.0.0.1:{self.link.port}"),
            *("--cluster-listen", f"tcp:{listens_at}:interface=127.0.0.1"),
            *("--cluster-advertise", f"127.0.0.1:{self.door.port}"),
            *options,
            name=self.node_id,
            backend_key=backend_key,
            environment=environment,
        )


class RunningCluster(Service):
    """Nodes of one Redis. Every port stays the same over restarts.

    Args:
        folder: where logs and files are kept.
        options: more options of every node.
        nodes: how many.
        balancing: how the HAProxy in front chooses; ``None``: there is none, and the first node speaks for all.
        redis_options: of ``redis-server``.
        redis_url: of a Redis, or Sentinels, of the caller's; then ``link`` of the nodes does nothing.
        environments: more variables of single nodes, by their number from 1.
        variables: of HAProxy's configuration.
        direct: whether the nodes connect to Redis without ``link`` between: nothing fails, and nothing is slower.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        nodes: int = NODES,
        balancing: Balancing | None = Balancing.SPREAD,
        redis_options: tuple[str, ...] = (),
        redis_url: str | None = None,
        environments: Mapping[int, Mapping[str, str]] | None = None,
        variables: Mapping[str, str] | None = None,
        direct: bool = False,
    ) -> None:
        backend_key = secrets.token_urlsafe(32)
        self.balancing = balancing
        self.redis = RunningRedis(folder, *redis_options)
        if direct:
            redis_url = self.redis.url
        self.nodes = tuple(
            Member(
                folder,
                number,
                self.redis.port,
                *options,
                redis_url=redis_url,
                backend_key=backend_key,
                environment=(environments or {}).get(number),
            )
            for number in range(1, nodes + 1)
        )
        self.balancer: RunningHAProxy | None = None
        if balancing is not None:
            self.balancer = RunningHAProxy(
                folder,
                [node.port for node in self.nodes],
                sticky=balancing is Balancing.STICKY,
                **(variables or {}),
            )
        super().__init__(
            self.nodes[0].port if self.balancer is None else self.balancer.port, backend_key
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.redis)
            for node in self.nodes:
                stack.enter_context(node.link)
                stack.enter_context(node.door)
                stack.callback(node.kill)
                node.launch()
            for node in self.nodes:
                node.wait_started()
                node.wait_ready()
            if self.balancer is not None:
                stack.enter_context(self.balancer)
                self.balancer.wait_until_up()
            self._wait_acquainted()
            stack.callback(self.backend.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if error is None:
                for node in self.nodes:
                    if node.runs:
                        node.terminate()
                for node in self.nodes:
                    node.wait_gone()
        if error is None:
            self.check_log()

    def logs(self) -> list[str]:
        """See :class:`.running_node.Service`."""
        return [node.log() for node in self.nodes]

    def restart_each(self, end: Callable[[RunningNode], None]) -> None:
        """See :class:`.running_node.Service`."""
        for node, name in zip(self.nodes, self.node_names, strict=True):
            end(node)
            node.start()
            node.wait_ready()
            if self.balancer is not None:
                self.balancer.wait_for({name: "UP"})

    @property
    def node_names(self) -> tuple[str, ...]:
        """What the balancer calls the nodes, in their order."""
        return tuple(f"node{number}" for number in range(1, len(self.nodes) + 1))

    def node(self, node_id: str) -> Member:
        """Find a node by its name."""
        return next(each for each in self.nodes if each.node_id == node_id)

    def node_of(self, streamer: str) -> Member:
        """Find the node that a streamer's only socket is connected to."""
        status, answer = self.backend.call("GET", f"/v1/streamers/{streamer}")
        assert status == 200, (status, answer)
        [socket] = answer["sockets"]
        return self.node(socket["node"])

    def _wait_acquainted(self) -> None:
        """Wait until every node knows all of them."""
        names = {node.node_id for node in self.nodes}
        for node in self.nodes:
            node.wait_for(
                "/v1/nodes",
                lambda status, body: (
                    status == 200 and {each["node"] for each in body["items"]} == names
                ),
            )
