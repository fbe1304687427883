"""RESP2, read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.cluster.connection.replies import (
    MAX_DEPTH,
    MAX_LINE,
    BrokenReply,
    ReplyError,
    ReplyReader,
)

LITERAL = [
    (b"+OK\r\n", "OK"),
    (b"+\r\n", ""),
    (b"-ERR what\r\n", ReplyError("ERR what")),
    (b":0\r\n", 0),
    (b":-12\r\n", -12),
    (b":9007199254740993\r\n", 9007199254740993),
    (b"$-1\r\n", None),
    (b"$0\r\n\r\n", ""),
    (b"$5\r\n00123\r\n", "00123"),
    (b"$4\r\na\r\nb\r\n", "a\r\nb"),
    ("$3\r\n™\r\n".encode(), "™"),
    (b"$2\r\n\xff\x00\r\n", b"\xff\x00"),
    (b"*-1\r\n", None),
    (b"*0\r\n", []),
    (b"*2\r\n$1\r\na\r\n:1\r\n", ["a", 1]),
    (b"*3\r\n*0\r\n*1\r\n*-1\r\n*2\r\n$-1\r\n-E\r\n", [[], [None], [None, ReplyError("E")]]),
]


@pytest.mark.parametrize(("data", "reply"), LITERAL)
def test_each_form_is_read_whole_and_byte_by_byte(data, reply):
    for first in range(len(data) + 1):
        reader = ReplyReader()
        assert [*reader.feed(data[:first]), *reader.feed(data[first:])] == [reply]
    reader = ReplyReader()
    pieces = [reader.feed(data[at : at + 1]) for at in range(len(data))]
    assert pieces[-1] == [reply]
    assert not any(pieces[:-1])


def test_errors_differ_from_strings():
    [error] = ReplyReader().feed(b"-ERR x\r\n")
    [text] = ReplyReader().feed(b"+ERR x\r\n")
    assert type(error) is ReplyError
    assert type(text) is str


def test_replies_follow_one_another():
    reader = ReplyReader()
    whole = b"".join(data for data, _ in LITERAL)
    assert reader.feed(whole + b":1") == [reply for _, reply in LITERAL]
    assert reader.feed(b"2\r\n") == [12]


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"\r\n",
        b"$x\r\n",
        b"$-2\r\n",
        b"*-5\r\n",
        b":1.5\r\n",
        b":\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"*1\r\n" * (MAX_DEPTH + 1),
        b"+" + b"x" * (MAX_LINE + 1),
    ],
)
def test_what_is_no_reply_is_refused(data):
    with pytest.raises(BrokenReply):
        ReplyReader().feed(data)


VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


def written(value) -> bytes:
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, list):
        return b"*%d\r\n%s" % (len(value), b"".join(map(written, value)))
    data = value if isinstance(value, bytes) else value.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def as_read(value):
    if isinstance(value, list):
        return [as_read(each) for each in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(1, 30), max_size=20))
def test_however_it_is_cut_it_is_the_same(values, sizes):
    data = b"".join(map(written, values))
    reader, replies = ReplyReader(), []
    for size in sizes:
        replies += reader.feed(data[:size])
        data = data[size:]
    replies += reader.feed(data)
    assert replies == [as_read(value) for value in values]


@given(st.lists(VALUES, max_size=5), st.integers(0, 100))
def test_both_readers_read_alike(values, first):
    """What is read does not depend on whether the extra is installed."""
    from reward_push.cluster.connection.wire import HIREDIS, Wire

    assert HIREDIS

    class Collecting(Wire):
        def replyReceived(self, reply):
            got.append(reply)

    got: list[object] = []
    data = b"".join(map(written, values))
    wire = Collecting()
    wire.dataReceived(data[:first])
    wire.dataReceived(data[first:])
    assert got == ReplyReader().feed(data)
