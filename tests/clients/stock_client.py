"""A stock client in another process, as a test sees it: commands go in, events come out."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import attrs

from .setups import Client, Runtime

EVENT_TIMEOUT_S = 60.0
RESET_TIMEOUT_S = 10.0
RECONNECTION_DELAY_MS = 100

T = TypeVar("T")


@attrs.frozen
class Event:
    """Something that happened to a client."""

    name: str
    namespace: str | None
    args: tuple[Any, ...]
    acked: bool
    """The server had asked for an acknowledgement, and the handler gave it (JS only)."""


class Driver(Protocol):
    """What carries a client's commands to it."""

    def send(self, command: Mapping[str, object]) -> None:
        """Pass a command on; a driver that is gone says so by ``StockClient.ended``."""

    def close(self) -> None:
        """End the driver and whatever it had started."""

    def last_words(self) -> str:
        """What it wrote beside its reports, for a failure's text."""


class StockClient:
    """A client that opens one connection at a time.

    A driver's reader calls :meth:`reported` and :meth:`ended` in a thread of its own.
    """

    def __init__(self, kind: Client) -> None:
        self.kind = kind
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._connection = 0
        self._is_closed = False
        self._has_ended = False
        self._driver: Driver | None = None
        self.with_cookies = False
        """Whether it is told to keep cookies: from 3.x on, socket.io-client does not by itself."""

    def attach(self, driver: Driver) -> None:
        """Say where commands go."""
        self._driver = driver

    # What the driver's reader calls

    def reported(self, line: str | bytes) -> None:
        """Take one report; those of an earlier connection are dropped."""
        report = json.loads(line)
        with self._changed:
            if report["event"] == "closed":
                self._is_closed = True
            elif report["event"] == "crash" or report["c"] == self._connection:
                args = tuple(report["args"])
                self._events.append(Event(report["event"], report["ns"], args, report["acked"]))
            self._changed.notify_all()

    def ended(self) -> None:
        """The driver is gone."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    # What a test calls

    def connect(
        self,
        url: str,
        *,
        transports: Sequence[str],
        namespaces: Sequence[str] = ("/dropcodes",),
        path: str = "/websockets",
        headers: Mapping[str, str] | None = None,
        headers_on: Sequence[str] = ("polling", "websocket"),
        auth: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        listen: Sequence[str] = ("dropcode",),
        holds_acks: bool = False,
        **extra: object,
    ) -> None:
        """Open a connection and begin a new list of events.

        ``headers_on`` names the transports whose requests carry ``headers``; with ``holds_acks``
        (JavaScript only) nothing is acknowledged before :meth:`acknowledge`; ``extra`` are options
        of the client in its own words.
        """
        assert self.kind.is_js or not holds_acks, "only a JavaScript client can hold its answers"
        if self.with_cookies and self.kind.is_js and self.kind.eio == 4:
            extra.setdefault("withCredentials", True)
        with self._changed:
            self._connection += 1
            self._events.clear()
        self._send(
            do="connect",
            c=self._connection,
            eio=self.kind.eio,
            url=url,
            namespaces=namespaces,
            path=path,
            transports=transports,
            headers=headers or {},
            headersOn=[name for name in headers_on if name in transports],
            auth=auth,
            query=query,
            listen=listen,
            holdsAcks=holds_acks,
            reconnectionDelay=RECONNECTION_DELAY_MS,
            extra=extra,
        )

    def acknowledge(self) -> None:
        """Acknowledge what was held back so far."""
        self._send(do="ack")

    def emit(self, event: str, *args: object, namespace: str = "/dropcodes") -> None:
        """Send an event to the server."""
        self._send(do="emit", ns=namespace, event=event, args=args)

    def disconnect(self, namespace: str = "/dropcodes") -> None:
        """Leave a namespace as a plugin does."""
        self._send(do="disconnect", ns=namespace)

    def events(self, name: str | None = None) -> list[Event]:
        """What happened so far on this connection, oldest first."""
        with self._changed:
            return [event for event in self._events if name in (None, event.name)]

    def messages(self, event: str = "dropcode", namespace: str = "/dropcodes") -> list[Any]:
        """The messages that came so far: each event's first argument."""
        return [e.args[0] for e in self.events(event) if e.namespace == namespace]

    def in_order(self, event: str = "dropcode", namespace: str = "/dropcodes") -> list[Any]:
        """As :meth:`messages`, in the order in which they came, once the handlers of all have run.

        The Python client for threads runs each handler in a thread of its own, in no certain order.
        """
        if self.kind.runtime is not Runtime.PYTHON:
            return self.messages(event, namespace)

        def found(client: StockClient) -> tuple[list[Any], list[Any]] | None:
            came = client._came(event, namespace)
            handled = client.messages(event, namespace)
            return (came, handled) if len(handled) == len(came) else None

        came, handled = self.wait_for(found, f"handlers of all {event!r} to run")
        return sorted(handled, key=came.index)

    def _came(self, event: str, namespace: str) -> list[Any]:
        """The first argument of each such event, as the connection brought it."""
        start = "2" if namespace == "/" else f"2{namespace},"
        texts = [each.args[0] for each in self.events("received")]
        packets = [json.loads(t[t.index("[") :]) for t in texts if t.startswith(start)]
        return [packet[1] for packet in packets if packet[0] == event]

    def transport(self) -> str | None:
        """The transport of the connection, as far as it has been reported."""
        changes = self.events("transport")
        return str(changes[-1].args[0]) if changes else None

    def wait_for(
        self,
        found: Callable[["StockClient"], T | None],
        what: str,
        timeout: float = EVENT_TIMEOUT_S,
    ) -> T:
        """Return the first true result of ``found(self)``, which is asked at each event.

        Raises:
            AssertionError: it was not true in time, or the driver is gone.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (result := found(self)):
                left = deadline - time.monotonic()
                if left <= 0 or self._has_ended:
                    raise AssertionError(self._complaint(f"no {what} in {timeout:g} s"))
                self._changed.wait(left)
            return result

    def wait_event(self, name: str, count: int = 1, timeout: float = EVENT_TIMEOUT_S) -> Event:
        """Return the ``count``-th event of this name."""

        def found(client: StockClient) -> Event | None:
            events = client.events(name)
            return events[count - 1] if len(events) >= count else None

        return self.wait_for(found, f"{name!r} event number {count}", timeout)

    def wait_messages(self, count: int, timeout: float = EVENT_TIMEOUT_S) -> list[Any]:
        """Return the messages once there are at least ``count``."""

        def found(client: StockClient) -> list[Any] | None:
            messages = client.messages()
            return messages if len(messages) >= count else None

        return self.wait_for(found, f"{count} messages", timeout)

    def wait_connected(self, count: int = 1, namespace: str = "/dropcodes") -> None:
        """Wait until it has joined the namespace ``count`` times."""

        def found(client: StockClient) -> bool:
            joins = [event for event in client.events("connect") if event.namespace == namespace]
            return len(joins) >= count

        self.wait_for(found, f"connect to {namespace} number {count}")

    def stays_without(self, names: Sequence[str], until: float) -> None:
        """Watch until ``until`` (of ``time.monotonic``) that no event of these names comes.

        Raises:
            AssertionError: one came, or had come already.
        """
        with self._changed:
            while True:
                if unwanted := [event for event in self._events if event.name in names]:
                    raise AssertionError(self._complaint(f"unwanted {unwanted[0].name!r} event"))
                if self._has_ended:
                    raise AssertionError(self._complaint("the driver ended"))
                left = until - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    def reset(self) -> bool:
        """End the connection; ``False`` when the driver cannot be used again."""
        with self._changed:
            self._connection += 1
            self._events.clear()
            self._is_closed = False
        self._send(do="reset")
        deadline = time.monotonic() + RESET_TIMEOUT_S
        with self._changed:
            while not self._is_closed and not self._has_ended and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
            return self._is_closed and not self._has_ended

    def close(self) -> None:
        """End the driver."""
        if self._driver is not None:
            self._driver.close()

    def _send(self, **command: object) -> None:
        assert self._driver is not None, "no driver attached"
        self._driver.send(command)

    def _complaint(self, what: str) -> str:
        shown = "\n".join(f"  {event}" for event in self._events[-15:])
        ended = " (its driver has ended)" if self._has_ended else ""
        words = self._driver.last_words() if self._driver else ""
        return (
            f"{self.kind.name}{ended}: {what}; the last of {len(self._events)} events:\n{shown}"
            + (f"\nthe driver wrote:\n{words}" if words else "")
        )
