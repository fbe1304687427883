"""Paths, methods, and what goes wrong on our side."""

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Site
from zope.interface.verify import verifyObject

from reward_push.api.resource import ApiResource
from reward_push.api.router import Route, Router

from .fakes import BODY, Api
from .test_messages import error

PAGES = ("/console/", "/overlay/")
"""What the interface describes and a later version does."""


class Wire:
    """A server's end of one connection, as bytes."""

    def __init__(self, resource):
        self.transport = StringTransport()
        self.channel = Site(resource).buildProtocol(None)
        self.channel.makeConnection(self.transport)

    def send(self, data):
        self.channel.dataReceived(data)
        return self.transport.value()

    def lose(self):
        self.channel.connectionLost(Failure(ConnectionDone()))


def test_it_is_a_resource(api):
    assert verifyObject(IResource, api.resource)


def test_healthcheck_works_without_any_host(api):
    api.health.started()
    answer = Wire(api.resource).send(b"GET /healthcheck HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")


@pytest.mark.parametrize("path", [b"/healthcheck", b"/readyz", b"/metrics"])
def test_head_gets_the_headers_of_get_and_no_body(api, path):
    api.health.started()
    get = Wire(api.resource).send(b"GET " + path + b" HTTP/1.1\r\nHost: n\r\n\r\n")
    head = Wire(api.resource).send(b"HEAD " + path + b" HTTP/1.1\r\nHost: n\r\n\r\n")
    expected, _, body = get.partition(b"\r\n\r\n")
    assert body
    assert _without_date(head) == _without_date(expected + b"\r\n\r\n")


def test_answers_have_a_length(api):
    answer = Wire(api.resource).send(b"GET /healthcheck HTTP/1.1\r\nHost: n\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d" % len(body) in head
    assert b"chunked" not in head


def _without_date(head):
    return [line for line in head.split(b"\r\n") if not line.startswith(b"Date:")]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v1/message",
        "/v1/messages/",
        "/v1/messages/a/b",
        "/v2/messages",
        "/favicon.ico",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_unknown_paths_are_404(api, path, method):
    got = api.call(method, path, key=None)
    assert got.status == 404
    assert got.json == error("not_found", "there is nothing at this path")


METHODS = [
    ("/healthcheck", "GET, HEAD, OPTIONS"),
    ("/readyz", "GET, HEAD, OPTIONS"),
    ("/metrics", "GET, HEAD, OPTIONS"),
    ("/v1/messages", "GET, HEAD, OPTIONS, POST"),
    ("/v1/messages/batch", "DELETE, GET, HEAD, OPTIONS, POST"),
    ("/v1/messages/drop-8842", "DELETE, GET, HEAD, OPTIONS"),
    ("/v1/streamers/s-42", "GET, HEAD, OPTIONS"),
    ("/v1/streamers/s-42/disconnect", "OPTIONS, POST"),
    ("/v1/nodes", "GET, HEAD, OPTIONS"),
    ("/v1/keys", "GET, HEAD, OPTIONS, POST"),
    ("/v1/keys/k1", "DELETE, OPTIONS"),
    ("/v1/openapi.json", "GET, HEAD, OPTIONS"),
    ("/console/", "GET, HEAD, OPTIONS"),
    ("/overlay/", "GET, HEAD, OPTIONS"),
]


@pytest.mark.parametrize(("path", "allow"), METHODS)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "BREW", "get"])
def test_a_method_that_a_path_does_not_take_is_405(api, path, allow, method):
    head, _, body = (
        Wire(api.resource)
        .send(f"{method} {path} HTTP/1.1\r\nHost: n\r\n\r\n".encode())
        .partition(b"\r\n\r\n")
    )
    assert head.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert f"\r\nAllow: {allow}".encode() in head
    assert body == (
        b'{"error":{"code":"method_not_allowed","message":"this path takes %s"}}' % allow.encode()
    )


@pytest.mark.parametrize(
    ("path", "method"), [("/v1/keys/k1", "HEAD"), ("/v1/messages/batch", "PUT")]
)
def test_a_wrong_method_is_405_with_a_key_too(api, path, method):
    assert api.call(method, path).status == 405


@pytest.mark.parametrize(("path", "allow"), METHODS)
def test_options_is_answered_with_the_methods(api, path, allow):
    got = api.call("OPTIONS", path, key=None)
    assert (got.status, got.body) == (204, b"")
    assert got.header("Allow") == [allow]
    assert got.header("Content-Type") == []


@pytest.mark.parametrize("path", PAGES)
def test_what_the_interface_describes_and_a_later_version_does_is_400(api, path):
    got = api.call("GET", f"{path}?limit=5")
    assert got.status == 400
    assert got.json == error("not_supported", "this call is not supported by this version")


def test_of_calls_to_come_pages_need_no_key(api):
    for path in PAGES:
        assert api.call("GET", path, key=None).status == 400


@pytest.mark.parametrize(
    ("method", "path", "call", "status"),
    [
        ("GET", "/v1/messages/a%20b", "GET /v1/messages/{id}", 404),
        ("POST", "/v1/messages/batch?x", "POST /v1/messages/batch", 400),
        ("HEAD", "/v1/nodes", "GET /v1/nodes", 200),
        ("GET", "/v1/streamers/s-42", "GET /v1/streamers/{streamer}", 200),
        ("PUT", "/v1/messages/a", "other", 405),
        ("GET", "/secret", "other", 404),
        ("OPTIONS", "/v1/nodes", "other", 204),
    ],
)
def test_answers_are_observed_by_their_call_and_never_by_what_it_is_for(
    api, method, path, call, status
):
    assert api.call(method, path).status == status
    assert api.observed == [(call, status, 0.0)]


def test_an_answer_is_timed_from_the_whole_request_on(api):
    api.store.holds = True
    api.start("POST", "/v1/messages", BODY)
    api.seconds = 0.25
    api.store.report()
    assert api.observed == [("POST /v1/messages", 201, 0.25)]


# The internal port


def test_what_is_internal_is_served_there_alone():
    """Health on both."""
    api = Api(internal=True)
    api.health.started()
    shared, clients = {"/healthcheck", "/readyz"}, {"/overlay/"}
    for path, _ in METHODS:
        internal = api.call("OPTIONS", path, key=None).status
        outside = Wire(api.clients_resource).send(f"OPTIONS {path} HTTP/1.0\r\n\r\n".encode())
        assert (internal == 204) is (path not in clients)
        assert outside.startswith(b"HTTP/1.0 204") is (path in shared | clients)
        if path not in shared | clients:
            assert b" 404 " in outside.partition(b"\r\n")[0]


# Metrics


@pytest.mark.parametrize(
    ("key", "status"),
    [(None, 401), ("wrong", 401), ("plugin", 403), ("publisher", 403), ("reader", 200)],
)
def test_metrics_need_a_key_that_may_read(api, key, status):
    assert api.call("GET", "/metrics", key=key).status == status


def test_metrics_come_in_the_format_asked_for(api):
    got = api.call("GET", "/metrics", headers={"Accept": ["a/b", "c/d"]})
    assert got.body == b"up 1\n"
    assert got.header("Content-Type") == ["text/plain; for=a/b,c/d"]
    assert got.header("Cache-Control") == ["no-store"]


def test_metrics_have_no_parameters(api):
    got = api.call("GET", "/metrics?name=up")
    assert got.status == 400


def test_metrics_of_the_internal_port_need_no_key():
    got = Api(internal=True).call("GET", "/metrics", key=None)
    assert (got.status, got.body) == (200, b"up 1\n")


def test_a_fault_of_ours_is_500_logged_and_shows_nothing(api, logged):
    api.keys.broken = True
    got = api.call("POST", "/v1/messages?apiKey=hidden", BODY)
    assert got.status == 500
    assert got.json == error("internal", "internal error")
    [event] = logged
    assert (event["method"], event["path"]) == (b"POST", "/v1/messages")
    assert event["log_failure"].check(RuntimeError)


def test_a_key_in_a_path_is_in_no_log(api, logged):
    api.keys.broken = True
    assert api.call("DELETE", "/v1/keys/rpk_abcdefghijkl_SuperSecret%0A").status == 500
    [event] = logged
    assert event["path"] == "/v1/keys/rpk_abcdefghijkl\\u2026\\n"


def test_an_answer_that_is_no_json_is_a_fault_of_ours(logged):
    from reward_push.api.answers import json_answer

    async def broken(_request):
        return json_answer(200, float("nan"))

    answer = Wire(ApiResource(Router([Route("GET", "/x", broken)]))).send(
        b"GET /x HTTP/1.1\r\nHost: n\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert len(logged) == 1


def test_a_client_gone_before_its_answer_is_no_error_and_its_message_stands(api, logged):
    api.store.holds = True
    wire = Wire(api.resource)
    body = b'{"id":"a","namespace":"/","event":"e","to":"all","data":1}'
    wire.send(
        b"POST /v1/messages HTTP/1.1\r\nHost: n\r\nAuthorization: ApiKey backend\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    wire.lose()
    api.store.report()
    assert api.delivery.ids == ["a"]
    assert wire.transport.value() == b""
    assert logged == []


def test_requests_in_one_go_are_answered_in_order(api):
    body = b'{"namespace":"/","event":"e","to":"all","data":1,"id":"%d"}'
    request = b"POST /v1/messages HTTP/1.1\r\nHost: n\r\nAuthorization: ApiKey backend\r\nContent-Length: %d\r\n\r\n"
    both = b"".join(request % len(body % each) + body % each for each in (1, 2))
    answer = Wire(api.resource).send(both)
    assert answer.count(b"HTTP/1.1 201 Created\r\n") == 2
    assert answer.index(b'"id":"1"') < answer.index(b'"id":"2"')
    assert api.delivery.ids == ["1", "2"]


def test_a_key_is_in_no_log(api):
    events = []
    globalLogPublisher.addObserver(events.append)
    try:
        api.call("POST", "/v1/messages", BODY)
        api.keys.broken = True
        api.call("POST", "/v1/messages?apiKey=hidden", BODY)
        text = "\n".join(
            f"{event} {event['log_failure'].getTraceback() if 'log_failure' in event else ''}"
            for event in events
        )
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert "the secret of it" in text
    assert "ApiKey backend" not in text
    assert "hidden" not in text
