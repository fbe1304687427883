"""Whatever comes, the decoders read it or refuse it in their own words, and never take long or much.

``REWARD_PUSH_FUZZ_EXAMPLES`` says how many inputs each test tries (500; by hand a million). What was ever found stays
in ``seeds/`` and is tried first.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reward_push.engineio.errors import DecodeError
from reward_push.engineio.handshake import parse_query
from reward_push.engineio.jsonp import unwrap
from reward_push.engineio.packet import Packet
from reward_push.engineio.revision import V3, V4, Revision
from reward_push.socketio import errors as socketio
from reward_push.socketio.decoder import Decoder, Limits
from reward_push.strict_json import JSONError, loads
from tests.vectors import engineio as engine_vectors
from tests.vectors import socketio as socket_vectors

from .mutation import mutated

EXAMPLES = int(os.environ.get("REWARD_PUSH_FUZZ_EXAMPLES", "500"))
LIMITS = Limits(attachments=10, attachment_bytes=1_000)

fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PAYLOADS = [
    *(vector.body for vector in engine_vectors.PAYLOADS),
    *(bad.body for bad in engine_vectors.BAD_PAYLOADS),
]
FRAMES = [
    frame if isinstance(frame, bytes) else frame.encode()
    for frame in (
        *(vector.frame for vector in engine_vectors.FRAMES),
        *(bad.frame for bad in engine_vectors.BAD_FRAMES),
    )
]
TEXTS = [
    message.encode()
    for vector in socket_vectors.VECTORS
    for message in vector.messages
    if isinstance(message, str)
]
QUERIES = [
    b"EIO=4&transport=polling&t=x&sid=abc",
    b"EIO=3&transport=polling&b64=1&j=0&apiKey=a%2Db",
    b"transport=websocket&%ff=%00&&==&EIO=4&EIO=3",
]
FORMS = [b"d=4hello", b"d=4%22%5Cn%0A", b"d=10%3A4x"]
CONTENT_TYPES = [None, b"text/plain; charset=UTF-8", b"application/octet-stream", b"x"]
SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.bin"))


def decode_payload(revision: Revision, body: bytes, content_type: bytes | None) -> list[Packet]:
    """What comes of a POST's body."""
    found: list[Packet] = []
    with contextlib.suppress(DecodeError):
        found.extend(revision.decode_payload(body, content_type))
    # Each packet takes at least one byte, and none has more data than came.
    assert len(found) <= len(body) + 1
    assert sum(len(each.data) for each in found) <= 2 * len(body)
    return found


@fuzz
@given(
    st.sampled_from([V3, V4]),
    mutated(PAYLOADS),
    st.sampled_from(CONTENT_TYPES),
)
def test_payloads(revision: Revision, body: bytes, content_type: bytes | None) -> None:
    decode_payload(revision, body, content_type)


@fuzz
@given(st.sampled_from([V3, V4]), mutated(FRAMES))
def test_frames(revision: Revision, data: bytes) -> None:
    forms: list[str | bytes] = [data]
    with contextlib.suppress(UnicodeDecodeError):
        forms.append(data.decode())
    for form in forms:
        with contextlib.suppress(DecodeError):
            packet = revision.decode_frame(form)
            assert len(packet.data) <= len(form)


@fuzz
@given(st.lists(mutated(TEXTS) | st.binary(max_size=40).map(lambda data: b"\0" + data), max_size=6))
def test_packets(messages: list[bytes]) -> None:
    """A message that begins with NUL is binary. A text begins a packet, all else belongs to one that has begun."""
    decoder = Decoder(LIMITS)
    has_begun = False
    for data in messages:
        message: Any = data[1:] if data.startswith(b"\0") else data.decode("utf-8", "replace")
        try:
            packet = decoder.add(message)
        except socketio.DecodeError:
            has_begun = False
        else:
            assert isinstance(message, bytes) is has_begun
            has_begun = packet is None


@fuzz
@given(mutated(TEXTS))
def test_json(data: bytes) -> None:
    with contextlib.suppress(JSONError):
        loads(data)


@fuzz
@given(mutated(QUERIES))
def test_queries(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        parse_query(data)


@fuzz
@given(mutated(FORMS))
def test_forms_of_jsonp_clients(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        unwrap(data)


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.name)
def test_what_was_found_before(path: Path) -> None:
    """Each goes through all decoders that take bytes."""
    data = path.read_bytes()
    for revision in (V3, V4):
        for content_type in CONTENT_TYPES:
            decode_payload(revision, data, content_type)
        with contextlib.suppress(DecodeError):
            revision.decode_frame(data)
    with contextlib.suppress(socketio.DecodeError):
        Decoder(LIMITS).add(data.decode("utf-8", "replace"))
    with contextlib.suppress(JSONError):
        loads(data)
    for parse in (parse_query, unwrap):
        with contextlib.suppress(DecodeError):
            parse(data)
