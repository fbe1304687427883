"""What of a request goes on to another node, and what of its answer goes back to the client.

Everything does, but what is about one connection only (RFC 9110, section 7.6.1) and what each node says for
itself. The address at the other end of the client's connection goes along in a header of ours: so the other
node can make of it, and of what balancers have written, the same as this one.
"""

import re

import attrs
from twisted.web.http import NO_BODY_CODES
from twisted.web.http_headers import Headers

from ..transports.request import EdgeRequest

_OF_ONE_CONNECTION = {
    b"connection",
    b"content-length",
    b"expect",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
}
_OURS = {b"x-relay", b"x-relay-client"}
_OF_A_REQUEST = _OF_ONE_CONNECTION | _OURS
_OF_THIS_NODE = {b"date", b"server", b"x-node-id"}
_OF_AN_ANSWER = _OF_ONE_CONNECTION | _OF_THIS_NODE
_NOT_IN_A_TARGET = re.compile(rb"[^!-~]|#")


@attrs.frozen
class Head:
    """The head of a client's request, as it goes on to another node."""

    method: bytes
    target: bytes = attrs.field(repr=False)
    """With its query, which may hold a key and a sid."""
    headers: Headers = attrs.field(repr=False)
    client: bytes
    """The address at the other end of its connection; empty: a UNIX socket."""


@attrs.frozen
class Answer:
    """A whole answer."""

    status: int
    phrase: bytes
    headers: Headers
    body: bytes = attrs.field(repr=False)


def head_of(method: bytes, uri: bytes, headers: Headers, client: str) -> Head:
    """Return the head to send on. ``headers`` are left as they are."""
    passed_on = Headers()
    named = {
        token.strip().lower()
        for value in headers.getRawHeaders(b"connection", [])
        for token in value.split(b",")
    } - {b"upgrade"}
    for name, values in headers.getAllRawHeaders():
        lowered = name.lower()
        if lowered not in _OF_A_REQUEST and lowered not in named:
            passed_on.setRawHeaders(name, values)
    return Head(method, safe_target(uri), passed_on, client.encode("ascii", "replace"))


def safe_target(uri: bytes) -> bytes:
    """Return a request's target with what has no place in one percent-encoded: it says the same."""
    return _NOT_IN_A_TARGET.sub(lambda match: b"%%%02X" % match[0][0], uri)


def set_answer_headers(headers: Headers, answer: Headers) -> None:
    """Make ``headers``, an answer of this node's, those of ``answer``, another node's."""
    for name, _ in list(headers.getAllRawHeaders()):
        if name.lower() not in _OF_THIS_NODE:
            headers.removeHeader(name)
    for name, values in answer.getAllRawHeaders():
        if name.lower() not in _OF_AN_ANSWER:
            headers.setRawHeaders(name, values)


def write_answer(request: EdgeRequest, answer: Answer) -> None:
    """Answer ``request`` with what another node has answered."""
    request.setResponseCode(answer.status, answer.phrase)
    set_answer_headers(request.responseHeaders, answer.headers)
    if answer.status not in NO_BODY_CODES:
        request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
    request.write(answer.body)
    request.finish()
