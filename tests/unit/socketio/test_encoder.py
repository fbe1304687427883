"""From packets to Engine.IO messages."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.socketio.decoder import Decoder, Limits
from reward_push.socketio.encoder import encode
from reward_push.socketio.errors import EncodeError
from reward_push.socketio.packet import (
    MAX_ACK_ID,
    RESERVED_EVENTS,
    Packet,
    PacketType,
    is_event_name,
)
from reward_push.strict_json import Written

from ...vectors.socketio import ACK, CONNECT, DISCONNECT, ERROR, EVENT, VECTORS, Vector

bounded = settings(derandomize=True, database=None, deadline=None, max_examples=300)


def named(vector: Vector) -> str:
    return ascii(vector.messages[0])[1:41]


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_packet_is_encoded(vector: Vector) -> None:
    """Each packet makes exactly its messages."""
    assert encode(vector.packet) == vector.messages


def test_tuples_are_arrays() -> None:
    """An event given as a tuple, with tuples in it, is the same as one of lists."""
    assert encode(Packet(EVENT, "/", ("a", (1, b"x")))) == (
        '51-["a",[1,{"_placeholder":true,"num":0}]]',
        b"x",
    )


def test_what_is_written_already_goes_out_as_it_is() -> None:
    """As an argument; elsewhere it is the string that it is."""
    written = Written('{"a": [1]}')
    assert encode(Packet(EVENT, "/n", ["a", written, "b", [2]], 7)) == (
        '2/n,7["a",{"a": [1]},"b",[2]]',
    )
    assert encode(Packet(EVENT, "/", ["a", {"b": written}])) == ('2["a",{"b":"{\\"a\\": [1]}"}]',)
    with pytest.raises(EncodeError):
        encode(Packet(EVENT, "/", ["a", written, float("nan")]))


def test_lone_surrogates_are_escaped() -> None:
    """In JSON a lone surrogate travels as its escape: the text stays encodable."""
    assert encode(Packet(EVENT, "/", ["a", "\ud800"])) == ('2["a","\\ud800"]',)


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def _circle() -> list[Any]:
    value: list[Any] = ["a"]
    value.append(value)
    return value


REFUSED = [
    (Packet(EVENT, "/", None), "an event is an array"),
    (Packet(EVENT, "/", []), "an event is an array"),
    (Packet(EVENT, "/", "a"), "an event is an array"),
    (Packet(EVENT, "/", {"a": 1}), "an event is an array"),
    (Packet(EVENT, "/", [None]), "an event is an array"),
    (Packet(EVENT, "/", [True]), "an event is an array"),
    (Packet(EVENT, "/", [b"a"]), "an event is an array"),
    (Packet(EVENT, "/", ["connect"]), "an event is an array"),
    (Packet(ACK, "/", None, 1), "an ack is an array"),
    (Packet(ACK, "/", "a", 1), "an ack is an array"),
    (Packet(ACK, "/", []), "an ack has an id"),
    (Packet(DISCONNECT, "/", {}), "a disconnect has no payload"),
    (Packet(PacketType.BINARY_EVENT, "/", ["a"]), "binary types"),
    (Packet(PacketType.BINARY_ACK, "/", [], 1), "binary types"),
    (Packet(EVENT, "/", ["a"], -1), "ack id out of range"),
    (Packet(EVENT, "/", ["a"], MAX_ACK_ID + 1), "ack id out of range"),
    (Packet(EVENT, "admin", ["a"]), "impossible namespace 'admin'"),
    (Packet(EVENT, "", ["a"]), "impossible namespace ''"),
    (Packet(EVENT, "/a,b", ["a"]), "impossible namespace"),
    (Packet(EVENT, "/a\x1eb", ["a"]), "impossible namespace"),
    (Packet(EVENT, "/\ud800", ["a"]), "impossible namespace"),
    (Packet(EVENT, "/", ["a", float("nan")]), "not JSON compliant"),
    (Packet(EVENT, "/", ["a", object()]), "not JSON serializable"),
    (Packet(CONNECT, "/", {"a": b"x"}), "not JSON serializable"),
    (Packet(ERROR, "/", b"x"), "not JSON serializable"),
    (Packet(EVENT, "/", ["a", _deep(128)]), "nested"),
    (Packet(EVENT, "/", ["a", _deep(100_000)]), "nested"),
    (Packet(EVENT, "/", ["a", _circle()]), "nested"),
    (Packet(ERROR, "/", _circle()), "Circular"),
    (
        Packet(EVENT, "/", ["a", {"_placeholder": True, "num": 0}, b"x"]),
        "looks like the placeholder",
    ),
]


@pytest.mark.parametrize(("packet", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_impossible_packet(packet: Packet, says: str) -> None:
    """What the receiver would close the connection for is refused here, with our own error."""
    with pytest.raises(EncodeError) as caught:
        encode(packet)
    assert says in str(caught.value)


def test_deepest_data() -> None:
    """What may be written is twice as deep as what may be read."""
    (text,) = encode(Packet(EVENT, "/", ["a", _deep(127)]))
    assert str(text).count("[") == 128


def test_placeholder_as_data_where_nothing_is_binary() -> None:
    """Without attachments no receiver looks for placeholders: such data is data."""
    (text,) = encode(Packet(EVENT, "/", ["a", {"_placeholder": True, "num": 0}]))
    assert text == '2["a",{"_placeholder":true,"num":0}]'


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
def test_reserved_names(name: str) -> None:
    """Reserved names are no event names."""
    assert not is_event_name(name)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", True), ("", True), (0, True), (1.5, True), (True, False), (None, False)],
)
def test_event_names(value: object, expected: bool) -> None:
    """Strings and numbers are; booleans are no numbers here."""
    assert is_event_name(value) is expected


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# "_placeholder" never comes out of this: that it is refused has its own test.
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
        st.binary(max_size=8),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
names = st.one_of(texts.filter(lambda name: name not in RESERVED_EVENTS), st.integers())
namespaces = st.one_of(
    st.just("/"),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters=",\x1e"), min_size=1, max_size=8
    ).map(lambda name: "/" + name),
)
ids = st.integers(0, MAX_ACK_ID)


@st.composite
def events(draw: st.DrawFn) -> Packet:
    """EVENTs and ACKs with anything in them."""
    arguments = draw(st.lists(values, max_size=4))
    if draw(st.booleans()):
        return Packet(ACK, draw(namespaces), arguments, draw(ids))
    return Packet(
        EVENT, draw(namespaces), [draw(names), *arguments], draw(st.one_of(st.none(), ids))
    )


@bounded
@given(st.lists(events(), min_size=1, max_size=3))
def test_round_trip(packets: list[Packet]) -> None:
    """Whatever is sent comes back, packet for packet, through one decoder."""
    decoder = Decoder(Limits(attachments=100))
    received = [decoder.add(message) for packet in packets for message in encode(packet)]
    assert [packet for packet in received if packet] == packets


@bounded
@given(
    st.sampled_from([CONNECT, DISCONNECT, ERROR]),
    namespaces,
    st.one_of(st.none(), st.dictionaries(texts, texts, max_size=3)),
)
def test_round_trip_of_the_others(
    kind: PacketType, namespace: str, data: dict[str, str] | None
) -> None:
    """The packets that join and leave come back too."""
    packet = Packet(kind, namespace, None if kind is DISCONNECT else data)
    (text,) = encode(packet)
    assert Decoder().add(text) == packet


@bounded
@given(events())
def test_texts_are_safe_everywhere(packet: Packet) -> None:
    """The JSON is ASCII, and no text has the separator of Engine.IO payloads in it."""
    text = str(encode(packet._replace(namespace="/"))[0])
    assert text.isascii()
    assert "\x1e" not in text
