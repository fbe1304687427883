"""Stand-ins that record: a revision, a session, a body policy, resources."""

from collections.abc import Callable
from typing import Any

from twisted.web.resource import Resource
from zope.interface import implementer

from reward_push.engineio.errors import CloseReason, DecodeError
from reward_push.engineio.interfaces import ISession
from reward_push.engineio.packet import Packet, PacketType
from reward_push.transports.interfaces import IBodyPolicy, IUpload


class FakeRevision:
    """Frames of revision 4, as far as the tests need them."""

    number = 4
    server_pings = True

    def encode_frame(self, packet: Packet, base64: bool) -> str | bytes:
        if isinstance(packet.data, bytes):
            return "b" + packet.data.hex() if base64 else packet.data
        return f"{packet.type:d}{packet.data}"

    def decode_frame(self, data: str | bytes) -> Packet:
        if isinstance(data, bytes):
            return Packet(PacketType.MESSAGE, data)
        if data[:1] == "b":
            return Packet(PacketType.MESSAGE, bytes(3 * (len(data) - 1) // 4))
        if data[:1] not in set("0123456"):
            raise DecodeError(data)
        return Packet(PacketType(int(data[0])), data[1:])


REVISION = FakeRevision()


@implementer(ISession)
class FakeSession:
    """Keeps what it is told, and does what ``on_opened`` and ``on_received`` say.

    ``pause`` is asked after each packet, and after each thing that is none, how long to wait.
    """

    revision = REVISION

    def __init__(self, base64: bool = False) -> None:
        self.base64 = base64
        self.told: list[tuple[Any, ...]] = []
        self.transport: Any = None
        self.on_opened: Callable[[Any], object] = lambda transport: None
        self.on_received: Callable[[Any, Packet], object] = lambda transport, packet: None
        self.on_drained: Callable[[Any], object] = lambda transport: None
        self.on_ended: Callable[[], object] = lambda: None
        self.pause: Callable[[], float] = lambda: 0.0
        self.strains = 0

    def transport_opened(self, transport: Any) -> None:
        self.transport = transport
        self.told.append(("opened",))
        self.on_opened(transport)

    def received(self, transport: Any, packet: Packet) -> float:
        assert transport is self.transport
        self.told.append(("received", packet))
        self.on_received(transport, packet)
        return self.pause()

    def strained(self, transport: Any) -> float:
        assert transport is self.transport
        self.strains += 1
        return self.pause()

    def transport_proved(self, transport: Any) -> None:
        self.told.append(("proved",))

    def transport_drained(self, transport: Any) -> None:
        assert transport.writable
        self.told.append(("drained",))
        self.on_drained(transport)

    def transport_broken(self, transport: Any, reason: CloseReason) -> None:
        self.told.append(("broken", reason))
        transport.close()
        self.on_ended()

    def transport_lost(self, transport: Any) -> None:
        self.told.append(("lost",))
        self.on_ended()


@implementer(IUpload)
class FakeUpload:
    """Keeps how it ended."""

    def __init__(self, uri: bytes, drop: Callable[[], None]) -> None:
        self.uri = uri
        self.drop = drop
        self.told: list[str] = []

    def whole(self) -> None:
        self.told.append("whole")

    def lost(self) -> None:
        self.told.append("lost")


@implementer(IBodyPolicy)
class FakePolicy:
    """Ten bytes for ``/small``, a thousand elsewhere, and none for ``/unlimited``."""

    def __init__(self) -> None:
        self.uploads: list[FakeUpload] = []
        self.vetted: list[bytes] = []
        self.verdict: Any = None
        self.refused: list[tuple[bytes, bytes, list[bytes] | None]] = []

    def limit(self, method: bytes, uri: bytes) -> int:
        if uri.startswith(b"/small"):
            return 10
        return 0 if uri.startswith(b"/unlimited") else 1000

    def receiving(
        self, method: bytes, uri: bytes, headers: Any, drop: Callable[[], None], peer: str
    ) -> FakeUpload:
        self.uploads.append(FakeUpload(uri, drop))
        return self.uploads[-1]

    def vet(self, request: Any) -> Any:
        self.vetted.append(request.channel.target)
        return self.verdict

    def refuse(
        self, method: bytes, uri: bytes, headers: Any
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        self.refused.append((method, uri, headers.getRawHeaders(b"Origin")))
        if uri.startswith(b"/small/broken"):
            raise ZeroDivisionError
        return [(b"Access-Control-Allow-Origin", b"http://a.example")], b'{"too":"large"}'


class Leaf(Resource):
    """Calls ``answer`` for GET and POST."""

    isLeaf = True  # noqa: N815

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        super().__init__()
        self._answer = answer

    def render_GET(self, request: Any) -> Any:
        return self._answer(request)

    render_POST = render_GET  # noqa: N815
