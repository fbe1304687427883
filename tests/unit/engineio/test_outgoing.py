"""Units: encoded once for each form."""

from reward_push.engineio.outgoing import NOOP, Outgoing, message
from reward_push.engineio.packet import Packet, PacketType


def test_each_form_is_made_once() -> None:
    """However often three forms are asked for, in turn, each encoder runs once."""
    unit = message("a", b"bc")
    calls: list[str] = []

    def first(packets: tuple[Packet, ...]) -> bytes:
        calls.append("first")
        return b"1"

    def second(packets: tuple[Packet, ...]) -> bytes:
        calls.append("second")
        return b"2"

    def third(packets: tuple[Packet, ...]) -> bytes:
        calls.append("third")
        return b"3"

    for _ in range(3):
        assert [unit.encoded(encoder) for encoder in (first, second, third)] == [b"1", b"2", b"3"]
    assert calls == ["first", "second", "third"]


def test_the_encoder_gets_all_packets() -> None:
    """The packets of a unit are encoded together."""
    unit = message("a", b"bc")
    seen: list[tuple[Packet, ...]] = []

    def record(packets: tuple[Packet, ...]) -> bytes:
        seen.append(packets)
        return b""

    unit.encoded(record)
    assert seen == [(Packet(PacketType.MESSAGE, "a"), Packet(PacketType.MESSAGE, b"bc"))]


def test_size_counts_all_payloads() -> None:
    """Characters and bytes of all packets together."""
    assert message("aé", b"bcd").size == 5
    assert NOOP.size == 0


def test_representation_shows_no_data() -> None:
    """Kinds and size are shown, never what is sent."""
    assert repr(Outgoing(Packet(PacketType.PING), Packet(PacketType.MESSAGE, "secret"))) == (
        "<Outgoing PING,MESSAGE 6>"
    )


def test_what_never_changes_is_never_over() -> None:
    unit = message("a")
    assert unit.current() is unit
    assert not unit.over
