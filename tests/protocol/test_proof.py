"""What proves to a node that a polling client has had a message: seen from the client's side."""

from itertools import count

from ..running_node import PluginKey
from .server import Node
from .test_polling import REVISIONS, UNKNOWN, end_of
from .wire import Answer, Client, request


class Device:
    """A device that connects anew again and again, and marks its polls as stock clients do."""

    def __init__(self, node: Node, eio: int, key: PluginKey) -> None:
        self.key = key
        self._node = node
        self._eio = eio
        self._marks = (f"m{number}" for number in count())
        self.client = self.connect()

    def connect(self) -> Client:
        """Open another session and leave the last one to itself."""
        self.client = Client(self._node.port, self._eio, f"&apiKey={self.key.key}&device=tv")
        self.client.say('40/dropcodes,{"device":"tv"}' if self._eio == 4 else "40/dropcodes,")
        return self.client

    def poll(self, mark: str | None = None) -> Answer:
        """Poll once, with a mark of its own or with one that was there before."""
        mark = next(self._marks) if mark is None else mark
        return request(self._node.port, "GET", f"{self.client.target()}&t={mark}")

    def await_text(self, text: str) -> str:
        """Poll until it comes; return the mark of the poll that brought it."""
        return next(mark for mark in self._marks if text in self.poll(mark).body.decode())

    def read_on(self) -> None:
        """Poll until a message comes that is posted only now: all before it has been read."""
        self.await_text(self._node.publish(self.key.streamer, "more", ttl_ms=60_000)["id"])

    def show_alive(self) -> None:
        """Do what a client of its revision does again and again; in revision 4, when it is asked to."""
        if self._eio == 4:
            while self.poll().body != b"2":
                pass
            self.client.say("3")
        else:
            self.client.say("2")
            self.client.say("2")

    def levels(self, message_id: str) -> list[str]:
        """Return how far each device has had the message, by the API's word."""
        _, told = self._node.backend.call("GET", f"/v1/messages/{message_id}")
        return [each["state"] for each in told["devices"]]


@REVISIONS
def test_a_repeated_poll_proves_nothing(node: Node, eio: int) -> None:
    """Browsers, libraries and balancers repeat one whose answer did not come. The client gets it once more."""
    key = node.plugin_key()
    posted = node.publish(key.streamer, "x", ttl_ms=60_000)["id"]
    device = Device(node, eio, key)
    mark = device.await_text(posted)
    assert device.poll(mark).brief == UNKNOWN
    end_of(device.client)
    assert device.levels(posted) == ["sent"]
    device.connect()
    device.await_text(posted)
    device.read_on()
    assert device.levels(posted) == ["delivered"]


@REVISIONS
def test_a_poll_says_nothing_of_an_acknowledgement(node: Node, eio: int) -> None:
    """Where it is lost on its way and only one may have the message, the device gets it again, to say so again.

    Once the client has posted something later it is under way no more.
    """
    key = node.plugin_key()
    posted = node.publish(key.streamer, "x", ttl_ms=60_000, once=True)["id"]
    device = Device(node, eio, key)
    device.await_text(posted)
    device.read_on()
    assert device.levels(posted) == ["sent"]
    device.connect()
    device.await_text(posted)
    device.read_on()
    device.show_alive()
    assert device.levels(posted) == ["delivered"]
