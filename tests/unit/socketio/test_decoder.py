"""From Engine.IO messages to packets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.socketio.decoder import Decoder, Limits, decode_text
from reward_push.socketio.errors import DecodeError
from reward_push.socketio.packet import Packet, PacketType

from ...vectors.socketio import BAD_TEXTS, TOLERATED, VECTORS, Vector

bounded = settings(derandomize=True, database=None, deadline=None, max_examples=400)

TWO = '52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'


def named(value: object) -> str:
    if isinstance(value, Vector):
        value = value.messages[0]
    return ascii(value)[1:41]


@pytest.mark.parametrize("vector", VECTORS + TOLERATED, ids=named)
def test_packet_is_decoded(vector: Vector) -> None:
    """Nothing comes before the last message of a packet; with it comes the packet."""
    decoder = Decoder()
    for message in vector.messages[:-1]:
        assert decoder.add(message) is None
    assert decoder.add(vector.messages[-1]) == vector.packet


def test_packets_follow_each_other() -> None:
    """One decoder takes all packets of a connection."""
    decoder = Decoder()
    decoded = [decoder.add(message) for vector in VECTORS for message in vector.messages]
    assert [packet for packet in decoded if packet] == [vector.packet for vector in VECTORS]


@pytest.mark.parametrize(("text", "says"), BAD_TEXTS, ids=named)
def test_bad_text(text: str, says: str) -> None:
    """What is no packet is an error that says why, shortly."""
    decoder = Decoder()
    with pytest.raises(DecodeError) as caught:
        decoder.add(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 150
    assert decoder.add('2["a"]') == Packet(PacketType.EVENT, "/", ["a"])


@pytest.mark.parametrize("vector", VECTORS + TOLERATED, ids=named)
def test_truncated_text(vector: Vector) -> None:
    """A text cut anywhere is an error, or a packet of the same type (``2`` of ``212["a"]`` never is)."""
    text = vector.messages[0]
    for end in range(len(text)):
        try:
            packet = decode_text(str(text[:end])).packet
        except DecodeError:
            continue
        assert packet.type is vector.packet.type
        assert vector.packet.namespace.startswith(packet.namespace)
        assert packet.data in (None, vector.packet.data)


def test_stray_attachment() -> None:
    """A buffer that nothing announced is an error."""
    decoder = Decoder()
    with pytest.raises(DecodeError, match="binary message where no attachment is missing"):
        decoder.add(b"x")
    decoder.add('50-["a"]')
    with pytest.raises(DecodeError, match="binary message where no attachment is missing"):
        decoder.add(b"x")


def test_one_attachment_too_many() -> None:
    """After the last announced buffer there is no other."""
    decoder = Decoder()
    for message in (TWO, b"1", b"2"):
        decoder.add(message)
    with pytest.raises(DecodeError, match="no attachment is missing"):
        decoder.add(b"3")


@pytest.mark.parametrize("before", [[TWO], [TWO, b"1"]])
def test_text_where_an_attachment_is_missing(before: list[str | bytes]) -> None:
    """A text between the buffers is an error, and the packet is forgotten."""
    decoder = Decoder()
    for message in before:
        assert decoder.add(message) is None
    with pytest.raises(DecodeError, match="text message where an attachment is missing"):
        decoder.add('2["a"]')
    assert decoder.add('2["a"]') == Packet(PacketType.EVENT, "/", ["a"])


def test_limit_of_attachment_bytes() -> None:
    """All buffers of a packet count together, up to the limit and not beyond; the next starts anew."""
    decoder = Decoder(Limits(attachment_bytes=10))
    for _ in range(2):
        assert decoder.add(TWO) is None
        assert decoder.add(b"x" * 4) is None
        assert decoder.add(b"y" * 6) == Packet(PacketType.EVENT, "/", ["a", b"xxxx", b"yyyyyy"])
    decoder.add(TWO)
    decoder.add(b"x" * 5)
    with pytest.raises(DecodeError, match="attachments of more than 10 bytes"):
        decoder.add(b"y" * 6)
    assert decoder.add('2["a"]') == Packet(PacketType.EVENT, "/", ["a"])


def test_first_attachment_over_the_limit() -> None:
    """A packet is given up at the buffer that is too much, not at its end."""
    decoder = Decoder(Limits(attachment_bytes=10))
    decoder.add(TWO)
    with pytest.raises(DecodeError, match="attachments of more than 10 bytes"):
        decoder.add(b"x" * 11)


def test_limit_of_attachments() -> None:
    """The number of buffers is limited when it is announced."""
    limits = Limits(attachments=1)
    assert decode_text('51-["a"]', limits).attachments == 1
    with pytest.raises(DecodeError, match="more than 1 attachments"):
        decode_text('52-["a"]', limits)


def test_limit_of_namespaces() -> None:
    """A namespace may be as long as the limit, with or without a comma after it."""
    limits = Limits(namespace_characters=3)
    assert decode_text("0/ab,", limits).packet.namespace == "/ab"
    assert decode_text("0/ab", limits).packet.namespace == "/ab"
    for text in ("0/abc", "0/abc,"):
        with pytest.raises(DecodeError, match="namespace of more than 3 characters"):
            decode_text(text, limits)


def test_deepest_data() -> None:
    """Data may nest as deep as JSON may, placeholders at the bottom included."""
    text = '51-["a",' + "[" * 62 + '{"_placeholder":true,"num":0}' + "]" * 62 + "]"
    decoder = Decoder()
    decoder.add(text)
    packet = decoder.add(b"x")
    assert packet is not None
    value = packet.data[1]
    for _ in range(62):
        (value,) = value
    assert value == b"x"


@bounded
@given(st.lists(st.one_of(st.text(max_size=30), st.binary(max_size=10)), max_size=4))
def test_any_messages(messages: list[str | bytes]) -> None:
    """Any messages at all give packets, or the one error."""
    decoder = Decoder()
    for message in messages:
        try:
            packet = decoder.add(message)
        except DecodeError:
            continue
        assert packet is None or isinstance(packet.namespace, str)


pieces = st.sampled_from(
    [
        *'0123456-/,[]{}":.e a\n\x1e',
        *("51-", "/admin,", '["a"', '"_placeholder"', "true", '"num"', "1e999", "\\ud83d", "😀"),
        *('{"_placeholder":true,"num":0}', "\ud800", "9" * 17, "[" * 70),
    ]
)


@bounded
@given(
    st.lists(
        st.one_of(st.lists(pieces, max_size=12).map("".join), st.binary(max_size=3)), max_size=4
    )
)
def test_messages_of_likely_pieces(messages: list[str | bytes]) -> None:
    """Texts built of the grammar's own pieces give packets, or the one error."""
    decoder = Decoder()
    for message in messages:
        try:
            packet = decoder.add(message)
        except DecodeError:
            continue
        assert packet is None or packet.namespace.startswith("/")


@bounded
@given(
    st.sampled_from(VECTORS + TOLERATED),
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(0, 2), st.one_of(st.text(max_size=2), pieces)),
        min_size=1,
        max_size=4,
    ),
)
def test_mutated_packet(vector: Vector, edits: list[tuple[int, int, str]]) -> None:
    """A good packet with characters changed, cut out or put in gives a packet, or the one error."""
    text = str(vector.messages[0])
    for place, removed, inserted in edits:
        at = place % (len(text) + 1)
        text = text[:at] + inserted + text[at + removed :]
    decoder = Decoder()
    packet = None
    try:
        for message in (text, *vector.messages[1:]):
            packet = decoder.add(message)
    except DecodeError:
        return
    assert packet is None or packet.type in PacketType
