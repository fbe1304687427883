"""What only a polling transport's own tests can show; everything else is in tests/protocol."""

from typing import Any

import pytest

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.outgoing import message
from reward_push.engineio.revision import V3, V4, Revision
from reward_push.transports.polling import PollingTransport, is_larger

from ..fakes import FakeWheel


class Session:
    """Records its end."""

    base64 = False

    def __init__(self, revision: Revision) -> None:
        self.revision = revision
        self.broken: list[CloseReason] = []

    def transport_broken(self, transport: Any, reason: CloseReason) -> None:
        self.broken.append(reason)


@pytest.mark.parametrize(
    ("revision", "text"), [(V4, "a\x1eb"), (V4, "\ud800"), (V3, "\ud800")], ids=repr
)
def test_a_text_that_the_framing_cannot_carry_ends_the_session(
    revision: Revision, text: str
) -> None:
    """It is the application's fault; it must not leave the poll hanging or forge a packet."""
    session = Session(revision)
    transport = PollingTransport(session, None, 0, FakeWheel())  # type: ignore[arg-type]
    transport.send([message(text)])
    assert session.broken == [CloseReason.PARSE_ERROR]


@pytest.mark.parametrize(
    ("data", "limit", "larger"),
    [
        ("abcd", 4, False),
        ("abcde", 4, True),
        ("€", 3, False),
        ("€€", 5, True),
        ("é" * 10, 100, False),
        (b"abcd", 4, False),
        (b"abcde", 4, True),
        ("x" * 1000, 0, False),
    ],
)
def test_sizes_are_counted_in_bytes_of_utf_8(data: str | bytes, limit: int, larger: bool) -> None:
    """0 is no limit."""
    assert is_larger(data, limit) is larger
