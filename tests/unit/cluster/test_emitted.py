"""Events of stock emitters, byte for byte as they publish them, and what is none."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.cluster.emitted import MAX_BYTES, MAX_ROOMS, Emitted, NotEmitted, read

JS_CHANNEL = "socket.io#/dropcodes#"


def js(args: Any, options: Any = None, namespace: Any = "/dropcodes", **more: Any) -> bytes:
    packet = {"type": 2, "data": args, "nsp": namespace}
    given = {"rooms": [], "flags": {}, "except": []} if options is None else options
    packed: bytes = msgpack.packb(["emitter", packet, given], datetime=True, **more)
    return packed


def python(**changes: Any) -> bytes:
    message = {
        "method": "emit",
        "event": "code",
        "data": [{"a": 1}],
        "binary": False,
        "namespace": "/dropcodes",
        "room": None,
        "skip_sid": None,
        "callback": None,
        "host_id": "0" * 32,
    }
    return json.dumps({**message, **changes}).encode()


def test_the_javascript_emitters_own_bytes() -> None:
    """``new Emitter(redis).of("/dropcodes").to("s-42").emit("code", {a: 1}, Buffer.from([1, 2]))``."""
    published = bytes.fromhex(
        "93a7656d697474657283a47479706502a46461746193a4636f646581a16101c4020102a36e7370aa2f64726f70636f646573"
        "83a5726f6f6d7391a4732d3432a5666c61677380a665786365707490"
    )
    assert read("socket.io#/dropcodes#s-42#", published) == Emitted(
        "/dropcodes", ["code", {"a": 1}, b"\x01\x02"], ("s-42",)
    )


def test_all_that_the_javascript_emitter_says() -> None:
    options = {"rooms": ["a", "b"], "except": ["c"], "flags": {"volatile": True}}
    assert read(JS_CHANNEL, js(["code"], options)) == Emitted(
        "/dropcodes", ["code"], ("a", "b"), ("c",), volatile=True
    )
    assert read(JS_CHANNEL, js(["code"], {})) == Emitted("/dropcodes", ["code"])


def test_what_json_has_no_form_for() -> None:
    """Dates are the text that JavaScript makes of them; ``undefined`` is null."""
    moment = datetime(2026, 11, 24, 20, 0, 0, 250_000, tzinfo=UTC)
    old_date = msgpack.ExtType(0, round(moment.timestamp() * 1000).to_bytes(8, "big"))
    found = read(JS_CHANNEL, js(["e", [moment], {"a": old_date}, msgpack.ExtType(0, b"\0")]))
    text = "2026-11-24T20:00:00.250Z"
    assert found == Emitted("/dropcodes", ["e", [text], {"a": text}, None])


def test_what_python_socketio_says() -> None:
    assert read("socketio", python()) == Emitted("/dropcodes", ["code", {"a": 1}])
    assert read("socketio", python(room="s-42", skip_sid="x")) == Emitted(
        "/dropcodes", ["code", {"a": 1}], ("s-42",), (), ("x",)
    )
    assert read("socketio", python(room=["a", "b"], skip_sid=["x", "y"])) == Emitted(
        "/dropcodes", ["code", {"a": 1}], ("a", "b"), (), ("x", "y")
    )
    data = [[{"b": {"_placeholder": True, "num": 0}}, 2], "AQI="]
    assert read("socketio", python(data=data, binary=True)) == Emitted(
        "/dropcodes", ["code", {"b": b"\x01\x02"}, 2]
    )


def test_what_python_servers_say_to_each_other_is_passed_over() -> None:
    assert read("socketio", python(method="disconnect")) is None


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        (JS_CHANNEL, b""),
        (JS_CHANNEL, b"\xc1"),
        (JS_CHANNEL, js("no list")),
        (JS_CHANNEL, js([])),
        (JS_CHANNEL, js([5])),
        (JS_CHANNEL, js(["connect"])),
        (JS_CHANNEL, js(["revoke", {"id": "m"}])),
        (JS_CHANNEL, js(["code"], {"rooms": [5]})),
        (JS_CHANNEL, js(["code"], {"rooms": ["r"] * (MAX_ROOMS + 1)})),
        (JS_CHANNEL, js(["code"], namespace=None)),
        (JS_CHANNEL, js(["code", msgpack.ExtType(9, b"x")])),
        (JS_CHANNEL, js(["code", msgpack.Timestamp(1 << 62)])),
        (JS_CHANNEL, js(["code", "x" * MAX_BYTES])),
        (JS_CHANNEL, msgpack.packb(["emitter", 1, 2, 3])),
        (JS_CHANNEL, b"\x91" * 5000),
        ("socketio", b"\x80\x04\x95"),
        ("socketio", b"[]"),
        ("socketio", b"\xff"),
        ("socketio", b"[" * 50_000),
        ("socketio", python(event=None)),
        ("socketio", python(data={"a": 1})),
        ("socketio", python(data=[], binary=True)),
        ("socketio", python(data=[[{"_placeholder": True, "num": 3}]], binary=True)),
        ("socketio", python(data=[[{"_placeholder": True, "num": 0}], "?"], binary=True)),
    ],
)
def test_what_is_no_event_is_refused(channel: str, payload: bytes) -> None:
    with pytest.raises(NotEmitted) as refused:
        read(channel, payload)
    assert "\n" not in str(refused.value)


def test_a_pickle_is_never_read() -> None:
    with pytest.raises(NotEmitted, match="pickle"):
        read("socketio", b"\x80\x04\x8c\x05posix\x94")


@given(st.sampled_from([JS_CHANNEL, "socketio"]), st.binary(max_size=200))
def test_whatever_comes_it_is_read_or_refused(channel: str, payload: bytes) -> None:
    with contextlib.suppress(NotEmitted):
        read(channel, payload)
