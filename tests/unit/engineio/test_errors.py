"""Refusals, as clients know them."""

from reward_push.engineio.errors import Refusal


def test_refusals_are_the_references() -> None:
    """Codes, messages and statuses are fixed by the protocol."""
    assert [(each.code, each.message, each.status) for each in Refusal] == [
        (0, "Transport unknown", 400),
        (1, "Session ID unknown", 400),
        (2, "Bad handshake method", 400),
        (3, "Bad request", 400),
        (4, "Forbidden", 403),
        (5, "Unsupported protocol version", 400),
    ]
