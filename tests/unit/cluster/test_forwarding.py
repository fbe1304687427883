"""What of a request goes on, and what of an answer comes back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.web.client import URI
from twisted.web.http_headers import Headers

from reward_push.cluster.forwarding import head_of, safe_target, set_answer_headers
from reward_push.engineio.errors import DecodeError
from reward_push.engineio.handshake import parse_query


def raw(headers: Headers) -> dict[bytes, list[bytes]]:
    return {name.lower(): list(values) for name, values in headers.getAllRawHeaders()}


def test_everything_goes_on_but_what_is_about_the_connection() -> None:
    stays = {
        b"Connection": [b"keep-alive, X-Private"],
        b"X-Private": [b"1"],
        b"Te": [b"trailers"],
        b"Transfer-Encoding": [b"chunked"],
        b"Content-Length": [b"9"],
        b"Expect": [b"100"],
        b"X-Relay": [b"1 a"],
        b"X-Relay-Client": [b"6.6.6.6"],
    }
    goes = {
        b"Authorization": [b"ApiKey k"],
        b"Origin": [b"null"],
        b"Cookie": [b"a=1", b"b=2"],
        b"Host": [b"h"],
        b"Content-Type": [b"text/plain"],
        b"X-Amzn-Trace-Id": [b"t"],
        b"X-Forwarded-For": [b"6.6.6.6", b"7.7.7.7"],
        b"Forwarded": [b"for=6.6.6.6"],
        b"User-Agent": [b"\xff"],
        b"Upgrade": [b"websocket"],
    }
    given_ = Headers({**stays, **goes})
    head = head_of(b"GET", b"/", given_, "1.2.3.4")
    assert raw(head.headers) == {name.lower(): values for name, values in goes.items()}
    assert head.client == b"1.2.3.4"
    assert raw(given_) == {name.lower(): values for name, values in (stays | goes).items()}


def test_an_upgrade_keeps_what_asks_for_it() -> None:
    headers = Headers({b"Connection": [b"Upgrade"], b"Upgrade": [b"websocket"]})
    assert raw(head_of(b"GET", b"/", headers, "").headers) == {b"upgrade": [b"websocket"]}


def test_a_head_does_not_show_its_headers() -> None:
    headers = Headers({b"Authorization": [b"ApiKey secret"]})
    assert "secret" not in repr(head_of(b"GET", b"/", headers, ""))


def test_answers_are_another_nodes_but_for_who_we_are() -> None:
    ours = Headers(
        {
            b"Server": [b"reward-push"],
            b"Date": [b"now"],
            b"X-Node-Id": [b"here"],
            b"Vary": [b"Origin"],
            b"Access-Control-Allow-Origin": [b"https://ours"],
        }
    )
    theirs = Headers(
        {
            b"Server": [b"other"],
            b"Date": [b"then"],
            b"X-Node-Id": [b"there"],
            b"Set-Cookie": [b"a=1", b"b=2"],
            b"Content-Type": [b"text/plain; charset=UTF-8"],
            b"Connection": [b"close"],
            b"Content-Length": [b"7"],
            b"Keep-Alive": [b"x"],
        }
    )
    set_answer_headers(ours, theirs)
    assert raw(ours) == {
        b"server": [b"reward-push"],
        b"date": [b"now"],
        b"x-node-id": [b"here"],
        b"set-cookie": [b"a=1", b"b=2"],
        b"content-type": [b"text/plain; charset=UTF-8"],
    }


def parsed(query: bytes) -> Any:
    try:
        return parse_query(query).params
    except DecodeError:
        return None


@given(st.binary(max_size=60).map(lambda data: bytes(set(data) - set(b"\r\n \x00")) or b"x"))
def test_a_target_says_the_same_and_passes_through_the_client(query: bytes) -> None:
    target = safe_target(b"/websockets/?sid=1&" + query)
    assert parsed(target.partition(b"?")[2]) == parsed(b"sid=1&" + query)
    assert URI.fromBytes(b"http://10.0.0.1:99" + target).originForm == target


@pytest.mark.parametrize("query", [b"a=b;c", b"a=//b?c=/@:[1]", b"a=b&&c=&=", b"a=%zz", b"a=\\"])
def test_targets_are_left_alone(query: bytes) -> None:
    target = b"/websockets?" + query
    assert safe_target(target) == target
    assert URI.fromBytes(b"http://[::1]:99" + target).originForm == target


def test_no_representation_shows_a_key_or_a_sid() -> None:
    headers = Headers({b"Authorization": [b"ApiKey secret-key"]})
    head = head_of(b"GET", b"/websockets?sid=secret-sid&apiKey=secret-key", headers, "192.0.2.1")
    assert "secret" not in repr(head)
