"""Revision 3: what is shared between sessions, and bodies made to cost much."""

import pytest

from reward_push.engineio.errors import DecodeError
from reward_push.engineio.outgoing import Outgoing
from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.payload_v3 import (
    MAX_EMPTY,
    MAX_LENGTH_DIGITS,
    decode_binary_payload,
    decode_text_payload,
    encode_binary_payload,
    encode_binary_unit,
    encode_text_payload,
    encode_text_unit,
)


def test_text_piece_is_made_once() -> None:
    """The bytes of a unit in a payload are those every other receiver gets: the same object."""
    unit = Outgoing(Packet(PacketType.MESSAGE, "é"))
    assert encode_text_payload([unit, unit]) == "2:4é2:4é".encode()
    assert unit.encoded(encode_text_unit) is unit.encoded(encode_text_unit)
    assert encode_text_payload([unit]) is unit.encoded(encode_text_unit)


def test_binary_piece_is_made_once() -> None:
    """The binary framing is shared in the same way, beside the text framing."""
    unit = Outgoing(Packet(PacketType.MESSAGE, b"\x01"))
    assert encode_text_payload([unit]) == b"6:b4AQ=="
    assert encode_binary_payload([unit]) == b"\x01\x02\xff\x04\x01"
    assert encode_binary_payload([unit]) is unit.encoded(encode_binary_unit)
    assert encode_text_payload([unit]) is unit.encoded(encode_text_unit)


def test_many_packets() -> None:
    """A body full of the smallest packets, in one byte and in two bytes a unit."""
    assert sum(1 for _ in decode_text_payload(b"1:2" * 20_000)) == 20_000
    assert sum(1 for _ in decode_text_payload("3:4😀".encode() * 20_000)) == 20_000
    assert sum(1 for _ in decode_binary_payload(b"\x00\x01\xff2" * 20_000)) == 20_000


def test_many_skipped_lengths() -> None:
    """Lengths of nothing are skipped, but not a whole body of them: that is work for nothing."""
    body = b"1:2" + b"0:" * MAX_EMPTY
    assert list(decode_text_payload(body)) == [Packet(PacketType.PING)]
    assert list(decode_text_payload(body + b"1:3"))[1:] == [Packet(PacketType.PONG)]
    packets = decode_text_payload(body + b"0:" * 20_000)
    assert next(packets) == Packet(PacketType.PING)
    with pytest.raises(DecodeError):
        next(packets)


def test_longest_length() -> None:
    """A length may have so many digits and no more: the rule of both framings."""
    digits = "1".zfill(MAX_LENGTH_DIGITS)
    assert list(decode_text_payload(f"{digits}:2".encode())) == [Packet(PacketType.PING)]
    body = b"\x00" + bytes(map(int, digits)) + b"\xff2"
    assert list(decode_binary_payload(body)) == [Packet(PacketType.PING)]


def test_a_long_astral_text() -> None:
    """A megabyte of characters that count twice."""
    data = "😀" * 250_000
    body = encode_text_payload([Outgoing(Packet(PacketType.MESSAGE, data))])
    assert body.startswith(b"500001:4")
    assert list(decode_text_payload(body)) == [Packet(PacketType.MESSAGE, data)]


def test_header_is_found_in_units_not_in_bytes() -> None:
    """In UTF-16, U+3A31 U+3200 holds the bytes of "1:" and "2" one byte further: it is no header."""
    packet = Packet(PacketType.MESSAGE, "\u3a31\u3200\u003a")
    body = encode_text_payload([Outgoing(packet)])
    assert list(decode_text_payload(body)) == [packet]
