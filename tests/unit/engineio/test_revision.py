"""Both revisions, through the one object a session has of them."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.engineio.errors import DecodeError, EncodeError, Refusal
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import Outgoing
from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.revision import V3, V4, Revision, negotiate

from ...vectors.engineio import (
    BAD_FRAMES,
    BAD_PAYLOADS,
    BINARY,
    FRAMES,
    PAYLOADS,
    TEXT,
    TOLERATED,
    BadFrame,
    BadPayload,
    FrameVector,
    PayloadVector,
)

bounded = settings(derandomize=True, database=None, deadline=None, max_examples=300)

text_data = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x1e"), max_size=40
)
packets = st.one_of(
    st.builds(Packet, st.sampled_from(PacketType), text_data),
    st.builds(Packet, st.just(PacketType.MESSAGE), st.binary(max_size=40)),
)
revisions = st.sampled_from([V3, V4])
content_types = st.sampled_from([None, TEXT, BINARY])


def named(vector: PayloadVector | BadPayload | FrameVector | BadFrame) -> str:
    return vector.name


def decoded(
    revision: Revision, body: bytes, content_type: bytes | None
) -> tuple[list[Packet], DecodeError | None]:
    """All packets that come out of ``body``, and the error that ended it, if any."""
    found: list[Packet] = []
    try:
        found.extend(revision.decode_payload(body, content_type))
    except DecodeError as error:
        return found, error
    return found, None


def units_of(vector: PayloadVector) -> list[Outgoing]:
    return [Outgoing(*unit) for unit in vector.units]


@pytest.mark.parametrize("vector", PAYLOADS, ids=named)
def test_payload_is_encoded(vector: PayloadVector) -> None:
    """Each payload has exactly the bytes and the content type of its vector."""
    payload = vector.revision.encode_payload(units_of(vector), base64=vector.base64)
    assert payload == (vector.content_type, vector.body)


@pytest.mark.parametrize("vector", PAYLOADS, ids=named)
def test_payload_is_encoded_again_for_another_session(vector: PayloadVector) -> None:
    """The same units, shared, give each form they are asked for, in whatever order."""
    units = units_of(vector)
    for base64 in (True, False, vector.base64):
        payload = vector.revision.encode_payload(units, base64=base64)
    assert payload == (vector.content_type, vector.body)


@pytest.mark.parametrize("vector", PAYLOADS + TOLERATED, ids=named)
def test_payload_is_decoded(vector: PayloadVector) -> None:
    """Each payload gives back the packets of its vector, and no error."""
    found = decoded(vector.revision, vector.body, vector.content_type)
    assert found == (vector.packets, None)


@pytest.mark.parametrize("vector", BAD_PAYLOADS, ids=named)
def test_bad_payload_gives_what_came_before(vector: BadPayload) -> None:
    """A bad packet ends a payload with an error that says why; those before it come out."""
    found, error = decoded(vector.revision, vector.body, vector.content_type)
    assert found == vector.packets
    assert error is not None
    assert vector.says in str(error)
    assert len(str(error)) < 100


@pytest.mark.parametrize("vector", PAYLOADS + TOLERATED, ids=named)
def test_truncated_payload(vector: PayloadVector) -> None:
    """A payload cut anywhere gives its first packets, perhaps one cut short, then an error or its end."""
    for end in range(len(vector.body)):
        found, error = decoded(vector.revision, vector.body[:end], vector.content_type)
        whole = found
        if found and found != vector.packets[: len(found)]:
            # Revision 4 has no lengths: its last packet may be a shorter one.
            assert vector.revision is V4
            assert error is None
            whole = found[:-1]
            last = vector.packets[len(whole)]
            assert last.data[: len(found[-1].data)] == found[-1].data
        assert whole == vector.packets[: len(whole)]


def test_truncated_text_framing_is_never_taken_for_whole() -> None:
    """Where there are lengths, a cut inside a packet is an error."""
    for cut in (b"6:4hello2:4", b"6:4hello2:", b"6:4hello2", b"6:4hell", b"6:", b"6"):
        assert decoded(V3, cut, TEXT)[1] is not None
    assert decoded(V3, b"6:4hello", TEXT) == ([Packet(PacketType.MESSAGE, "hello")], None)


def test_text_payload_is_text_whatever_it_holds() -> None:
    """JSONP gets binary packets as base64 from both revisions."""
    units = [Outgoing(Packet(PacketType.MESSAGE, b"\x01\x02\x03\x04"))]
    assert V3.text_payload(units) == b"10:b4AQIDBA=="
    assert V4.text_payload(units) == b"bAQIDBA=="


@pytest.mark.parametrize("vector", FRAMES, ids=named)
def test_frame_is_encoded(vector: FrameVector) -> None:
    """Each packet makes exactly its frame, text or binary."""
    frame = vector.revision.encode_frame(vector.packet, vector.base64)
    assert (type(frame), frame) == (type(vector.frame), vector.frame)


@pytest.mark.parametrize("vector", FRAMES, ids=named)
def test_frame_is_decoded(vector: FrameVector) -> None:
    """Each frame gives back its packet."""
    assert vector.revision.decode_frame(vector.frame) == vector.packet


@pytest.mark.parametrize("vector", BAD_FRAMES, ids=named)
def test_bad_frame(vector: BadFrame) -> None:
    """A bad frame is an error that says why."""
    with pytest.raises(DecodeError) as caught:
        vector.revision.decode_frame(vector.frame)
    assert vector.says in str(caught.value)


@pytest.mark.parametrize("vector", FRAMES, ids=named)
def test_truncated_frame(vector: FrameVector) -> None:
    """A frame cut anywhere is an error or a packet of the same type with less data."""
    for end in range(len(vector.frame)):
        try:
            packet = vector.revision.decode_frame(vector.frame[:end])
        except DecodeError:
            continue
        assert packet.type is vector.packet.type
        assert vector.packet.data[: len(packet.data)] == packet.data


@pytest.mark.parametrize(("revision", "base64"), list(product((V3, V4), (True, False))))
def test_lone_surrogate_is_refused_in_all_forms(revision: Revision, base64: bool) -> None:
    """No form of a text with a lone surrogate is made: each is refused with our own error."""
    packet = Packet(PacketType.MESSAGE, "a\ud800b")
    with_bytes = [Outgoing(packet), Outgoing(Packet(PacketType.MESSAGE, b"\x01"))]
    with pytest.raises(EncodeError, match="lone surrogate at character 1"):
        revision.encode_frame(packet, base64)
    with pytest.raises(EncodeError, match="lone surrogate"):
        revision.encode_payload([Outgoing(packet)], base64=base64)
    with pytest.raises(EncodeError, match="lone surrogate"):
        revision.encode_payload(with_bytes, base64=base64)
    with pytest.raises(EncodeError, match="lone surrogate"):
        revision.text_payload([Outgoing(packet)])


def test_separator_in_a_text() -> None:
    """U+001E travels where it separates nothing, and is refused where it would forge a packet."""
    packet = Packet(PacketType.MESSAGE, "a\x1e1")
    assert V4.encode_frame(packet, False) == "4a\x1e1"
    assert V3.encode_payload([Outgoing(packet)], base64=False).body == b"4:4a\x1e1"
    with pytest.raises(EncodeError, match=r"separator U\+001E"):
        V4.encode_payload([Outgoing(packet)], base64=False)


def test_one_binary_packet_changes_the_framing_of_its_flush_only() -> None:
    """A shared text unit goes out in whichever framing its neighbours need."""
    shared = Outgoing(Packet(PacketType.MESSAGE, "a"))
    binary = Outgoing(Packet(PacketType.MESSAGE, b"\x01"))
    assert V3.encode_payload([shared], base64=False) == (TEXT, b"2:4a")
    assert V3.encode_payload([shared, binary], base64=False) == (
        BINARY,
        b"\x00\x02\xff4a\x01\x02\xff\x04\x01",
    )
    assert V3.encode_payload([shared, binary], base64=True) == (TEXT, b"2:4a6:b4AQ==")
    assert V3.encode_payload([shared], base64=False) == (TEXT, b"2:4a")


def test_packets_come_out_one_by_one() -> None:
    """A payload is decoded as far as it is asked for: the first packet comes before a later error."""
    for revision, body in ((V3, b"1:2x"), (V4, b"2\x1ex")):
        incoming = revision.decode_payload(body, TEXT)
        assert next(incoming) == Packet(PacketType.PING)
        with pytest.raises(DecodeError):
            next(incoming)


def test_heartbeat_direction() -> None:
    """Revision 3 clients ping; revision 4 servers do."""
    assert (V3.number, V3.server_pings) == (3, False)
    assert (V4.number, V4.server_pings) == (4, True)


def test_a_revision_shows_its_number() -> None:
    """The representation fits into a log line."""
    assert repr(V4) == "Revision(number=4, server_pings=True)"


NEGOTIATED = [
    ("4", True, True, V4),
    ("4", False, False, V4),
    ("3", True, True, V3),
    ("3", True, False, V3),
    ("3", False, True, Refusal.UNSUPPORTED_VERSION),
    (None, True, True, V3),
    (None, True, False, Refusal.UNSUPPORTED_VERSION),
    (None, False, True, Refusal.UNSUPPORTED_VERSION),
    ("", True, True, Refusal.UNSUPPORTED_VERSION),
    ("2", True, True, Refusal.UNSUPPORTED_VERSION),
    ("5", True, True, Refusal.UNSUPPORTED_VERSION),
    ("04", True, True, Refusal.UNSUPPORTED_VERSION),
    ("4 ", True, True, Refusal.UNSUPPORTED_VERSION),
    ("abc", True, True, Refusal.UNSUPPORTED_VERSION),
]


@pytest.mark.parametrize(("eio", "allow_eio3", "missing_is_3", "expected"), NEGOTIATED)
def test_negotiation(
    eio: str | None, allow_eio3: bool, missing_is_3: bool, expected: Revision | Refusal
) -> None:
    """``4`` is revision 4; ``3`` and nothing are revision 3 where allowed; all else is refused."""
    options = EngineOptions(allow_eio3=allow_eio3, missing_eio_is_3=missing_is_3)
    assert negotiate(eio, options) is expected


@bounded
@given(revisions, st.booleans(), st.lists(st.lists(packets, min_size=1, max_size=3), min_size=1))
def test_payload_round_trip(revision: Revision, base64: bool, units: list[list[Packet]]) -> None:
    """Whatever is sent in one payload comes back packet for packet."""
    payload = revision.encode_payload([Outgoing(*unit) for unit in units], base64=base64)
    expected = [packet for unit in units for packet in unit]
    assert decoded(revision, payload.body, payload.content_type) == (expected, None)


@bounded
@given(revisions, st.booleans(), packets)
def test_frame_round_trip(revision: Revision, base64: bool, packet: Packet) -> None:
    """Whatever is sent in one frame comes back."""
    assert revision.decode_frame(revision.encode_frame(packet, base64)) == packet


@bounded
@given(st.text(max_size=30))
def test_length_counts_utf16_units(data: str) -> None:
    """The length of revision 3 is JavaScript's: what UTF-16 makes of the text, in units of two bytes."""
    data = data.encode("utf-8", "replace").decode()
    body = V3.text_payload([Outgoing(Packet(PacketType.MESSAGE, data))])
    assert int(body.partition(b":")[0]) == 1 + len(data.encode("utf-16-le")) // 2


@bounded
@given(revisions, content_types, st.binary(max_size=60))
def test_any_bytes_as_payload(revision: Revision, content_type: bytes | None, body: bytes) -> None:
    """Any body at all ends in packets or the one error."""
    found, _ = decoded(revision, body, content_type)
    assert all(type(packet) is Packet for packet in found)


@bounded
@given(revisions, st.one_of(st.text(max_size=30), st.binary(max_size=30)))
def test_any_frame(revision: Revision, frame: str | bytes) -> None:
    """Any frame at all ends in a packet or the one error."""
    try:
        packet = revision.decode_frame(frame)
    except DecodeError:
        return
    assert type(packet) is Packet


@bounded
@given(
    st.sampled_from(PAYLOADS + TOLERATED),
    st.sampled_from([V3, V4]),
    content_types,
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 2), st.binary(max_size=3)),
        min_size=1,
        max_size=4,
    ),
)
def test_mutated_payload(
    vector: PayloadVector,
    revision: Revision,
    content_type: bytes | None,
    edits: list[tuple[int, int, bytes]],
) -> None:
    """A good payload with bytes changed, cut out or put in ends in packets or the one error."""
    body = vector.body
    for place, removed, inserted in edits:
        at = place % (len(body) + 1)
        body = body[:at] + inserted + body[at + removed :]
    found, _ = decoded(revision, body, content_type)
    assert all(type(packet) is Packet for packet in found)
