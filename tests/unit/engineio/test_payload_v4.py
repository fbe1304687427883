"""Revision 4: what is shared between sessions, and bodies made to cost much."""

import pytest

from reward_push.engineio.errors import DecodeError
from reward_push.engineio.outgoing import Outgoing
from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.payload_v4 import decode_payload, encode_payload, encode_unit


def test_piece_is_made_once() -> None:
    """The bytes of a unit in a payload are those every other receiver gets: the same object."""
    unit = Outgoing(Packet(PacketType.MESSAGE, "é"), Packet(PacketType.MESSAGE, b"\x01"))
    assert encode_payload([unit, unit]) == "4é\x1ebAQ==\x1e4é\x1ebAQ==".encode()
    assert encode_payload([unit]) is unit.encoded(encode_unit)


def test_many_packets() -> None:
    """A body full of the smallest packets comes out one by one."""
    assert sum(1 for _ in decode_payload(b"\x1e".join([b"2"] * 20_000))) == 20_000


def test_nothing_but_separators() -> None:
    """The first empty packet ends it, however many follow."""
    with pytest.raises(DecodeError, match="empty packet"):
        next(decode_payload(b"\x1e" * 1_000_000))
