"""What a WebSocket client writes, and how the server's bytes are read."""

from typing import NamedTuple

UPGRADE = (
    b"GET /ws?EIO=4&transport=websocket HTTP/1.1\r\n"
    b"Host: h\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    b"\r\n"
)

MASK = b"\x37\xfa\x21\x3d"


def client_frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Return a masked frame."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    hidden = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + MASK + hidden


def text(payload: str | bytes) -> bytes:
    """Return a masked text frame."""
    return client_frame(1, payload.encode() if isinstance(payload, str) else payload)


class Frame(NamedTuple):
    """One frame of the server's."""

    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        """The code of a close frame."""
        assert self.opcode == 8
        return int.from_bytes(self.payload[:2], "big")


def server_frames(data: bytes) -> list[Frame]:
    """Return the whole, unfragmented, unmasked frames ``data`` consists of, after a 101 if any."""
    frames = []
    if data.startswith(b"HTTP/"):
        return after_handshake(data)
    at = 0
    while len(data) >= at + 2:
        assert data[at] & 0xF0 == 0x80
        size, start = data[at + 1], at + 2
        assert size < 0x80
        if size > 125:
            start += 2 if size == 126 else 8
            size = int.from_bytes(data[at + 2 : start], "big")
        if len(data) < start + size:
            break
        frames.append(Frame(data[at] & 0xF, bytes(data[start : start + size])))
        at = start + size
    return frames


def after_handshake(data: bytes) -> list[Frame]:
    """Return the frames after the 101 in ``data``; none while it is not whole."""
    head, end, rest = data.partition(b"\r\n\r\n")
    assert not end or head.startswith(b"HTTP/1.1 101 ")
    return server_frames(rest)
