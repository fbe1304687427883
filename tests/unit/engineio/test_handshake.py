"""The query of a request and the packet that opens a session."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.engineio.errors import DecodeError
from reward_push.engineio.handshake import (
    MAX_FIELDS,
    MAX_JSONP_DIGITS,
    Query,
    open_packet,
    parse_query,
)
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.packet import Packet, PacketType

bounded = settings(derandomize=True, database=None, deadline=None, max_examples=200)


def test_a_handshake() -> None:
    """The query of a stock client, with the key it was given."""
    query = parse_query(b"apiKey=key%2Dalpha&EIO=4&transport=polling&t=Pq1")
    assert query == Query(
        eio="4",
        transport="polling",
        sid=None,
        jsonp=None,
        base64=False,
        params={"apiKey": "key-alpha", "EIO": "4", "transport": "polling", "t": "Pq1"},
    )


def test_a_poll() -> None:
    """The query of a later request names its session."""
    query = parse_query(b"EIO=3&transport=websocket&sid=lv_VI97HAXpY6yYWAAAC")
    assert (query.eio, query.transport, query.sid) == ("3", "websocket", "lv_VI97HAXpY6yYWAAAC")


def test_nothing() -> None:
    """An empty query is one without any field."""
    assert parse_query(b"") == Query(None, None, None, None, False, {})


def test_empty_fields() -> None:
    """Between two separators there may be nothing; a name may have no value; only the first = counts."""
    assert parse_query(b"&&a&b=&c==d&=e").params == {"a": "", "b": "", "c": "=d", "": "e"}


def test_an_empty_sid_is_none() -> None:
    """``sid=`` asks for a new session, as in the reference; an empty ``EIO`` is still one."""
    query = parse_query(b"EIO=&transport=&sid=")
    assert (query.eio, query.transport, query.sid) == ("", "", None)


def test_first_of_equal_names_counts() -> None:
    """A field put behind another cannot replace it."""
    query = parse_query(b"sid=a&EIO=4&sid=b&EIO=3&s%69d=c")
    assert (query.sid, query.eio) == ("a", "4")
    assert query.params == {"sid": "a", "EIO": "4"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"b64=1", True), (b"b64=true", True), (b"b64=0", False), (b"b64=", False), (b"", False)],
)
def test_base64_flag(raw: bytes, expected: bool) -> None:
    """``b64`` is set by ``1`` and ``true`` only."""
    assert parse_query(raw).base64 is expected


@pytest.mark.parametrize(
    ("raw", "digits"),
    [(b"j=0", "0"), (b"j=12", "12"), (b"j=1);alert(2", "12"), (b"j=%D9%A31", "1"), (b"a=1", None)],
)
def test_jsonp_index_is_digits_only(raw: bytes, digits: str | None) -> None:
    """Whatever is in ``j``, only its ASCII digits can get into a script."""
    assert parse_query(raw).jsonp == digits


@pytest.mark.parametrize("raw", [b"j=", b"j", b"j=abc", b"j=" + b"1" * (MAX_JSONP_DIGITS + 1)])
def test_bad_jsonp_index(raw: bytes) -> None:
    """No digits or too many are a bad request."""
    with pytest.raises(DecodeError, match="j without digits"):
        parse_query(raw)


@pytest.mark.parametrize("raw", [b"EIO=%", b"a%zz=1", b"apiKey=%ff", b"\xff=1", b"sid=%ED%A0%80"])
def test_broken_text(raw: bytes) -> None:
    """Broken percent-encoding or UTF-8, in a name or a value, is an error."""
    with pytest.raises(DecodeError):
        parse_query(raw)


def test_number_of_fields_is_bounded() -> None:
    """So many fields and no more, empty ones included."""
    raw = b"&".join(b"%d=x" % number for number in range(MAX_FIELDS))
    assert len(parse_query(raw).params) == MAX_FIELDS
    with pytest.raises(DecodeError, match="more than 64 query fields"):
        parse_query(raw + b"&")


def test_secrets_are_not_shown() -> None:
    """A query in a log shows neither the session's id nor the key."""
    shown = repr(parse_query(b"EIO=4&sid=secret-sid&apiKey=secret-key"))
    assert "secret" not in shown
    assert "eio='4'" in shown


@bounded
@given(st.binary(max_size=60))
def test_any_query(raw: bytes) -> None:
    """Any bytes at all are a query or the one error."""
    with contextlib.suppress(DecodeError):
        assert isinstance(parse_query(raw), Query)


def opened(packet_data: str | bytes) -> Any:
    assert isinstance(packet_data, str)
    return json.loads(packet_data)


def test_open_packet() -> None:
    """Five members, in the reference's order, in milliseconds and bytes, compact."""
    (packet,) = open_packet("lv_VI97HAXpY6yYWAAAC", ["websocket"], EngineOptions()).packets
    assert packet == Packet(
        PacketType.OPEN,
        '{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],'
        '"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
    )


def test_open_packet_without_upgrade() -> None:
    """No upgrades are an empty array."""
    (packet,) = open_packet("a", (), EngineOptions()).packets
    assert opened(packet.data)["upgrades"] == []


def test_open_packet_has_whole_milliseconds() -> None:
    """Fractions of seconds become integers: some clients read nothing else."""
    options = EngineOptions(ping_interval_s=0.3, ping_timeout_s=0.2001, max_packet_bytes=1024)
    (packet,) = open_packet("a", (), options).packets
    assert isinstance(packet.data, str)
    assert '"pingInterval":300,"pingTimeout":200,"maxPayload":1024}' in packet.data
