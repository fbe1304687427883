"""Engine.IO on the wire, byte for byte: for each revision, transport and base64 choice."""

from typing import NamedTuple

from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.revision import V3, V4, Revision

TEXT = b"text/plain; charset=UTF-8"
BINARY = b"application/octet-stream"

OPEN = Packet(PacketType.OPEN, '{"sid":"lv_VI97HAXpY6yYWAAAC"}')
CLOSE = Packet(PacketType.CLOSE)
PING = Packet(PacketType.PING)
PING_PROBE = Packet(PacketType.PING, "probe")
PONG = Packet(PacketType.PONG)
PONG_PROBE = Packet(PacketType.PONG, "probe")
UPGRADE = Packet(PacketType.UPGRADE)
NOOP = Packet(PacketType.NOOP)
BYTES = Packet(PacketType.MESSAGE, b"\x01\x02\x03\x04")
NO_BYTES = Packet(PacketType.MESSAGE, b"")


def text(data: str) -> Packet:
    """A text message."""
    return Packet(PacketType.MESSAGE, data)


class PayloadVector(NamedTuple):
    """What polling carries. ``units``: packets as they are sent together."""

    name: str
    revision: Revision
    base64: bool
    units: tuple[tuple[Packet, ...], ...]
    content_type: bytes
    body: bytes

    @property
    def packets(self) -> list[Packet]:
        """All packets, in order."""
        return [packet for unit in self.units for packet in unit]


class BadPayload(NamedTuple):
    """A payload that is wrong somewhere: ``packets`` come before that."""

    name: str
    revision: Revision
    content_type: bytes | None
    body: bytes
    packets: list[Packet]
    says: str


class FrameVector(NamedTuple):
    """What one WebSocket frame carries."""

    name: str
    revision: Revision
    base64: bool
    packet: Packet
    frame: str | bytes


class BadFrame(NamedTuple):
    """A frame that is no packet."""

    name: str
    revision: Revision
    frame: str | bytes
    says: str


_LONG = "x" * 123
_HEADER = text('51-["b",{"_placeholder":true,"num":0}]')


def _hex(digits: str) -> bytes:
    return bytes.fromhex(digits)


PAYLOADS = [
    # Revision 4: base64 or not makes no difference on polling.
    PayloadVector("v4-text", V4, False, ((text("hello"),),), TEXT, b"4hello"),
    PayloadVector("v4-empty-message", V4, False, ((text(""),),), TEXT, b"4"),
    PayloadVector(
        "v4-open", V4, False, ((OPEN,),), TEXT, b'0{"sid":"lv_VI97HAXpY6yYWAAAC"}'
    ),
    PayloadVector(
        "v4-several",
        V4,
        False,
        ((text("hello"),), (PING,), (BYTES,)),
        TEXT,
        b"4hello\x1e2\x1ebAQIDBA==",
    ),
    PayloadVector(
        "v4-several-base64",
        V4,
        True,
        ((text("hello"),), (PING,), (BYTES,)),
        TEXT,
        b"4hello\x1e2\x1ebAQIDBA==",
    ),
    PayloadVector(
        "v4-unit-of-two", V4, False, ((_HEADER, BYTES), (NOOP,)), TEXT,
        b'451-["b",{"_placeholder":true,"num":0}]\x1ebAQIDBA==\x1e6',
    ),
    PayloadVector(
        "v4-unicode",
        V4,
        False,
        ((text("€"), text("😀")),),
        TEXT,
        _hex("34 e2 82 ac 1e 34 f0 9f 98 80"),
    ),
    PayloadVector("v4-noop-close", V4, False, ((NOOP,), (CLOSE,)), TEXT, b"6\x1e1"),
    PayloadVector("v4-probe", V4, False, ((PONG_PROBE,), (UPGRADE,)), TEXT, b"3probe\x1e5"),
    PayloadVector("v4-no-bytes", V4, False, ((NO_BYTES,),), TEXT, b"b"),
    # Base64 of these bytes begins with "4": the "b" before it decides.
    PayloadVector(
        "v4-base64-like-text", V4, False, ((Packet(PacketType.MESSAGE, b"\xe3"),),), TEXT, b"b4w=="
    ),
    # Revision 3, text framing.
    PayloadVector("v3-text", V3, False, ((text("hello"),), (text("€"),)), TEXT,
                  _hex("36 3a 34 68 65 6c 6c 6f 32 3a 34 e2 82 ac")),
    PayloadVector("v3-astral", V3, False, ((text("😀"),),), TEXT, _hex("33 3a 34 f0 9f 98 80")),
    PayloadVector("v3-mixed-planes", V3, False, ((text("a😀€"), text("é"), PING),), TEXT,
                  "5:4a😀€2:4é1:2".encode()),
    PayloadVector("v3-base64", V3, True, ((text("€"), BYTES),), TEXT,
                  _hex("32 3a 34 e2 82 ac") + b"10:b4AQIDBA=="),
    PayloadVector("v3-no-bytes-base64", V3, True, ((NO_BYTES,),), TEXT, b"2:b4"),
    PayloadVector("v3-connected", V3, False, ((OPEN,), (text("0"),)), TEXT,
                  b'31:0{"sid":"lv_VI97HAXpY6yYWAAAC"}2:40'),
    PayloadVector("v3-noop-close", V3, False, ((NOOP,), (CLOSE,)), TEXT, b"1:61:1"),
    PayloadVector("v3-heartbeat", V3, True, ((PONG,),), TEXT, b"1:3"),
    PayloadVector("v3-probe", V3, False, ((PING_PROBE,), (UPGRADE,)), TEXT, b"6:2probe1:5"),
    # Revision 3, binary framing: only when something is binary.
    PayloadVector("v3-binary", V3, False, ((text("€"),), (BYTES,)), BINARY,
                  _hex("00 04 ff 34 e2 82 ac  01 05 ff 04 01 02 03 04")),
    PayloadVector("v3-binary-attachment", V3, False,
                  ((_HEADER, Packet(PacketType.MESSAGE, b"\x01\x02\x03")),), BINARY,
                  _hex("00 03 09 ff") + b'451-["b",{"_placeholder":true,"num":0}]'
                  + _hex("01 04 ff 04 01 02 03")),
    PayloadVector("v3-binary-lengths", V3, False,
                  ((text(_LONG),), (Packet(PacketType.MESSAGE, b"123456789"),)), BINARY,
                  _hex("00 01 02 04 ff 34") + b"x" * 123 + _hex("01 01 00 ff 04") + b"123456789"),
    PayloadVector("v3-binary-control", V3, False, ((NO_BYTES,), (NOOP,), (text("😀"),)), BINARY,
                  _hex("01 01 ff 04  00 01 ff 36  00 05 ff 34 f0 9f 98 80")),
]  # fmt: skip
"""Encoded so, and decoded back."""

TOLERATED = [
    PayloadVector("v3-skipped", V3, False, ((text("a"),), (PING,)), TEXT, b"0:2:4a0:1:20:"),
    PayloadVector("v3-nothing", V3, False, (), TEXT, b"0:"),
    PayloadVector("v3-leading-zero", V3, False, ((text("a"),),), TEXT, b"02:4a"),
    PayloadVector("v3-text-with-colon", V3, False, ((text("1:2"),),), TEXT, b"4:41:2"),
    # python-socketio 4 posts everything in binary framing.
    PayloadVector("v3-binary-all-text", V3, False, ((text('2["a","é"]'), PING),), BINARY,
                  _hex("00 01 02 ff 34") + '2["a","é"]'.encode() + _hex("00 01 ff 32")),
    PayloadVector("v3-binary-base64", V3, False, ((BYTES,),), BINARY,
                  _hex("00 01 00 ff") + b"b4AQIDBA=="),
    PayloadVector("v3-binary-parameters", V3, False, ((PING,),),
                  b" Application/Octet-Stream; charset=x", _hex("00 01 ff 32")),
    PayloadVector("v3-other-type", V3, False, ((PING,),),
                  b"application/x-www-form-urlencoded", b"1:2"),
    PayloadVector("v4-other-type", V4, False, ((PONG,),), b"text/plain;charset=UTF-8", b"3"),
]  # fmt: skip
"""Decoded, never sent."""

BAD_PAYLOADS = [
    BadPayload("v4-empty", V4, TEXT, b"", [], "empty packet"),
    BadPayload("v4-trailing", V4, TEXT, b"4a\x1e", [text("a")], "empty packet"),
    BadPayload("v4-hole", V4, TEXT, b"4a\x1e\x1e4b", [text("a")], "empty packet"),
    BadPayload("v4-type", V4, TEXT, b"2\x1e7", [PING], "unknown packet type '7'"),
    BadPayload("v4-letter", V4, TEXT, b"abc", [], "unknown packet type 'a'"),
    BadPayload("v4-digit", V4, TEXT, "٣".encode(), [], "unknown packet type '\\u0663'"),
    BadPayload("v4-utf8", V4, TEXT, b"4a\x1e4\xff", [text("a")], "not UTF-8 at byte 1"),
    BadPayload("v4-surrogate", V4, TEXT, b"4\xed\xa0\x80", [], "not UTF-8"),
    BadPayload("v4-overlong", V4, TEXT, b"\xc0\xb4", [], "not UTF-8"),
    BadPayload("v4-cut", V4, TEXT, b"4\xf0\x9f\x98", [], "not UTF-8"),
    BadPayload("v4-padding", V4, TEXT, b"bAQIDBA", [], "bad base64"),
    BadPayload("v4-padding-first", V4, TEXT, b"b=AQI", [], "bad base64"),
    BadPayload("v4-after-padding", V4, TEXT, b"bAQ==AQ==", [], "bad base64"),
    BadPayload("v4-alphabet", V4, TEXT, b"b-_8=", [], "bad base64"),
    BadPayload("v4-space", V4, TEXT, b"bAQID\nBA==", [], "bad base64"),
    BadPayload("v4-not-ascii", V4, TEXT, "bAQI\N{FULLWIDTH EQUALS SIGN}".encode(), [], "bad base64"),
    BadPayload("v4-binary", V4, BINARY, b"4a", [], "no binary payloads"),
    BadPayload("v4-framing-of-v3", V4, TEXT, b"7:abc", [], "unknown packet type '7'"),
    BadPayload("v3-empty", V3, TEXT, b"", [], "empty payload"),
    BadPayload("v3-no-type", V3, None, b"", [], "empty payload"),
    BadPayload("v3-no-length", V3, TEXT, b":4a", [], "no packet length"),
    BadPayload("v3-letters", V3, TEXT, b"1:2a:4a", [PING], "no packet length"),
    BadPayload("v3-negative", V3, TEXT, b"-1:4", [], "no packet length"),
    BadPayload("v3-space", V3, TEXT, b" 2:4a", [], "no packet length"),
    BadPayload("v3-exponent", V3, TEXT, b"1e0:4", [], "no packet length"),
    BadPayload("v3-digits-left", V3, TEXT, b"1:212", [PING], "no packet length"),
    BadPayload("v3-garbage-left", V3, TEXT, b"2:4axx", [text("a")], "no packet length"),
    BadPayload("v3-many-digits", V3, TEXT, b"00000000002:4a", [], "no packet length"),
    BadPayload("v3-digits-only", V3, TEXT, b"9" * 100_000, [], "no packet length"),
    BadPayload("v3-too-short", V3, TEXT, b"1:29:4a", [PING], "payload shorter"),
    BadPayload("v3-huge-length", V3, TEXT, b"9999999999:4a", [], "payload shorter"),
    BadPayload("v3-too-short-wide", V3, TEXT, "4:4é".encode(), [], "payload shorter"),
    BadPayload("v3-code-points", V3, TEXT, "2:4😀".encode(), [], "splits a surrogate pair"),
    BadPayload("v3-bytes", V3, TEXT, "4:4€".encode(), [], "payload shorter"),
    BadPayload("v3-wide-digits", V3, TEXT, "1:2２:4a".encode(), [PING], "no packet length"),
    BadPayload("v3-wide-colon", V3, TEXT, "1:22：4a".encode(), [PING], "no packet length"),
    BadPayload("v3-utf8", V3, TEXT, b"1:22:4\xff", [], "not UTF-8"),
    BadPayload("v3-type", V3, TEXT, b"1:21:7", [PING], "unknown packet type '7'"),
    BadPayload("v3-base64-type", V3, TEXT, b"6:b2AQ==", [], "binary packet that is no message"),
    BadPayload("v3-base64-bare", V3, TEXT, b"1:b", [], "binary packet that is no message"),
    BadPayload("v3-base64", V3, TEXT, b"5:b4AQ=", [], "bad base64"),
    BadPayload("v3-binary-empty", V3, BINARY, b"", [], "empty payload"),
    BadPayload("v3-binary-kind", V3, BINARY, b"\x02\x01\xff2", [], "no packet header"),
    BadPayload("v3-binary-no-length", V3, BINARY, b"\x00\xff", [], "no packet header"),
    BadPayload("v3-binary-no-end", V3, BINARY, b"\x00\x01\xff2\x00\x01", [PING], "no packet header"),
    BadPayload("v3-binary-digit", V3, BINARY, b"\x00\x0a\xff2", [], "no packet header"),
    BadPayload("v3-binary-ascii-digit", V3, BINARY, b"\x001\xff2", [], "no packet header"),
    BadPayload("v3-binary-many-digits", V3, BINARY, b"\x00" + b"\x00" * 10 + b"\x01\xff2", [],
               "no packet header"),
    BadPayload("v3-binary-too-short", V3, BINARY, b"\x00\x02\xff2", [], "payload shorter"),
    BadPayload("v3-binary-huge", V3, BINARY, b"\x01" + b"\x09" * 10 + b"\xff\x04", [], "shorter"),
    BadPayload("v3-binary-nothing", V3, BINARY, b"\x00\x00\xff", [], "empty packet"),
    BadPayload("v3-binary-no-bytes", V3, BINARY, b"\x01\x00\xff", [], "empty packet"),
    BadPayload("v3-binary-utf8", V3, BINARY, b"\x00\x02\xff4\xff", [], "not UTF-8"),
    BadPayload("v3-binary-type", V3, BINARY, b"\x00\x01\xff2\x01\x02\xff\x02a", [PING],
               "binary packet that is no message"),
    # As the published document of revision 3 wrongly shows it: without the type byte.
    BadPayload("v3-binary-as-published", V3, BINARY, _hex("00 04 ff 34 e2 82 ac 01 04 ff 01 02 03 04"),
               [text("€")], "binary packet that is no message"),
    BadPayload("v3-binary-not-said", V3, TEXT, _hex("01 05 ff 04 01 02 03 04"), [], "not UTF-8"),
    BadPayload("v3-text-said-binary", V3, BINARY, b"1:2", [], "no packet header"),
]  # fmt: skip

FRAMES = [
    FrameVector("v4-text", V4, False, text("hello"), "4hello"),
    FrameVector("v4-text-base64", V4, True, text("hello"), "4hello"),
    FrameVector("v4-empty", V4, False, text(""), "4"),
    FrameVector("v4-unicode", V4, False, text("€😀"), "4€😀"),
    FrameVector("v4-separator", V4, False, text("a\x1eb"), "4a\x1eb"),
    FrameVector("v4-ping", V4, False, PING, "2"),
    FrameVector("v4-probe", V4, False, PING_PROBE, "2probe"),
    FrameVector("v4-pong", V4, False, PONG, "3"),
    FrameVector("v4-upgrade", V4, False, UPGRADE, "5"),
    FrameVector("v4-noop", V4, False, NOOP, "6"),
    FrameVector("v4-close", V4, False, CLOSE, "1"),
    FrameVector("v4-open", V4, False, OPEN, '0{"sid":"lv_VI97HAXpY6yYWAAAC"}'),
    FrameVector("v4-binary", V4, False, BYTES, _hex("01 02 03 04")),
    FrameVector("v4-binary-empty", V4, False, NO_BYTES, b""),
    FrameVector("v4-binary-base64", V4, True, BYTES, "bAQIDBA=="),
    FrameVector("v4-binary-empty-base64", V4, True, NO_BYTES, "b"),
    FrameVector("v3-text", V3, False, text("hello"), "4hello"),
    FrameVector("v3-text-base64", V3, True, text("hello"), "4hello"),
    FrameVector("v3-empty", V3, False, text(""), "4"),
    FrameVector("v3-unicode", V3, False, text("€😀"), "4€😀"),
    FrameVector("v3-ping", V3, False, PING, "2"),
    FrameVector("v3-probe", V3, False, PONG_PROBE, "3probe"),
    FrameVector("v3-upgrade", V3, False, UPGRADE, "5"),
    FrameVector("v3-noop", V3, False, NOOP, "6"),
    FrameVector("v3-close", V3, False, CLOSE, "1"),
    FrameVector("v3-open", V3, False, OPEN, '0{"sid":"lv_VI97HAXpY6yYWAAAC"}'),
    FrameVector("v3-binary", V3, False, BYTES, _hex("04 01 02 03 04")),
    FrameVector("v3-binary-empty", V3, False, NO_BYTES, b"\x04"),
    FrameVector("v3-binary-base64", V3, True, BYTES, "b4AQIDBA=="),
    FrameVector("v3-binary-empty-base64", V3, True, NO_BYTES, "b4"),
]

BAD_FRAMES = [
    BadFrame("v4-nothing", V4, "", "empty packet"),
    BadFrame("v4-type", V4, "7", "unknown packet type '7'"),
    BadFrame("v4-letter", V4, "hello", "unknown packet type 'h'"),
    BadFrame("v4-base64", V4, "bAQ", "bad base64"),
    BadFrame("v3-nothing", V3, "", "empty packet"),
    BadFrame("v3-no-bytes", V3, b"", "empty packet"),
    BadFrame("v3-type", V3, "7", "unknown packet type '7'"),
    BadFrame("v3-astral", V3, "😀", "unknown packet type '\\U0001f600'"),
    BadFrame("v3-base64", V3, "b4AQ", "bad base64"),
    BadFrame("v3-base64-type", V3, "b2AQ==", "binary packet that is no message"),
    BadFrame("v3-base64-bare", V3, "b", "binary packet that is no message"),
    BadFrame("v3-binary-type", V3, b"\x02probe", "binary packet that is no message"),
    BadFrame("v3-binary-digit", V3, b"4abc", "binary packet that is no message"),
]
